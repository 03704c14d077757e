"""Woken by a schedule: finish what lost wake-ups and crashes left."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
metrics = Metrics(namespace="issuebridge")


@metrics.log_metrics
@logger.inject_lambda_context
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """What was pushed, prompted and could not be done in this round."""
    left = wiring.current().finish(
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000
    )
    metrics.add_metric("Drift", MetricUnit.Count, left.drift)
    metrics.add_metric("RemedyNeeded", MetricUnit.Count, left.held)
    logger.info("finished leftovers", extra=left.summary())
    return left.summary()
