"""Work handed to an invocation of its own: with its own time, and its own failure."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.domain.errors import Transient


def start(client: Any, function: str, event: Mapping[str, object]) -> None:  # noqa: ANN401
    """Transient unless Lambda has taken it; nobody waits for what comes of it."""
    try:
        client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
        )
    except (ClientError, BotoCoreError) as error:
        raise Transient(f"Lambda invoke: {error}") from error
