"""The dead-letter queue of prompts: a refused message goes there at once, with the reason."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.domain.errors import Transient
from issuebridge.domain.text import cut_bytes

REASON_MAX = 1000


@dataclass(frozen=True)
class SqsDeadLetters:
    """The redrive of SQS itself can add no attribute, and only comes after several receives."""

    client: Any
    queue_url: str

    def send(self, body: str, reason: str, *, group: str, key: str) -> None:
        attribute = {"DataType": "String", "StringValue": cut_bytes(_allowed(reason), REASON_MAX)}
        try:
            self.client.send_message(
                QueueUrl=self.queue_url,
                MessageBody=body,
                MessageGroupId=group,
                MessageDeduplicationId=key,
                MessageAttributes={"reason": attribute},
            )
        except (ClientError, BotoCoreError) as error:
            raise Transient(f"SQS: the refused message could not be set aside: {error}") from error


def _allowed(text: str) -> str:
    """SQS refuses control characters, and an empty value."""
    return "".join(letter if letter.isprintable() else " " for letter in text) or "refused"
