"""The JSON Schemas of this repository, written from the models: `make schemas`."""

import json
import sys
from pathlib import Path

from issuebridge.domain.prompt import PromptRequest

ROOT = Path(__file__).resolve().parents[1]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS = {"events/submit_prompt.schema.json": PromptRequest}
"""File -> the model that whatever fits it is parsed by."""


def schema(path: str) -> str:
    """The text of that file."""
    found = SCHEMAS[path].model_json_schema()
    return json.dumps({"$schema": DIALECT, **found}, indent=2) + "\n"


def main() -> int:
    for path in SCHEMAS:
        (ROOT / path).write_text(schema(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
