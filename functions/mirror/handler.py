"""Woken by the table's stream: bring the changed issue's copies into step, and ask Norm if due."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
metrics = Metrics(namespace="issuebridge")
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def mirror_one(record: DynamoDBRecord) -> None:
    keys = record.dynamodb.keys if record.dynamodb else {}
    issue_id = str((keys or {})["pk"]).removeprefix("ISSUE#")
    bridge = wiring.current()
    for outcome in bridge.push(issue_id):
        logger.info("pushed", extra=vars(outcome))
        if outcome.kind == "held":
            metrics.add_metric("RemedyNeeded", MetricUnit.Count, 1)
    for prompted in bridge.start(issue_id):
        logger.info("prompted", extra=vars(prompted))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """A record is only the bell: what a vendor refused or delayed keeps its pending mark, and one
    record that fails is retried without its neighbours."""
    metrics.add_metric("RemedyNeeded", MetricUnit.Count, 0)
    return process_partial_response(
        event=event, record_handler=mirror_one, processor=processor, context=context
    )
