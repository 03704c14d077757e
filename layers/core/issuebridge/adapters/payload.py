"""Reading a vendor's objects: a value of the wrong type is told as such, and costs nothing else."""

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints


def canonical_json(value: object) -> str:
    """One text for equal values. Plain ASCII, so that half a surrogate pair does no harm."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _word(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value and value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return canonical_json(value)


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


Word = Annotated[str | None, BeforeValidator(_word)]
"""A vendor's word as it is; a value that is no string as its JSON, so that nobody knows it."""
Text = Annotated[str, BeforeValidator(lambda value: _word(value) or "")]
Number = Annotated[int, BeforeValidator(_number)]
Instant = Annotated[datetime | None, BeforeValidator(_instant)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
Id = Annotated[str, BeforeValidator(_word), StringConstraints(min_length=1)]


class Payload(BaseModel):
    """A vendor's object: only its id must be there, and no odd field costs us the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def rows_of(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list; what is no object can be no issue."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
