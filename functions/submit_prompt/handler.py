"""Woken by the prompt queue: submit each prompt once, or set it aside with the reason."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
processor = SqsFifoPartialProcessor(skip_group_on_error=True)


def submit_one(record: SQSRecord) -> None:
    by_queue = record.attributes
    take, group = wiring.take_prompt(), by_queue.message_group_id or ""
    outcome = take(record.body, group, by_queue.sender_id)
    logger.info("prompted", extra=vars(outcome))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """A prompt that must wait is done with here: the ledger remembers it, and reconcile goes on."""
    return process_partial_response(
        event=event, record_handler=submit_one, processor=processor, context=context
    )
