"""Woken by a schedule: follow Norm's runs to their end."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
metrics = Metrics(namespace="issuebridge")
COUNTED = {
    "NormAwaitingInput": "awaiting_input",
    "NormTimedOut": "timed_out",
    "NormError": "error",
    "NormComplete": "complete",
}


@metrics.log_metrics
@logger.inject_lambda_context
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """What still runs, what ended and how, and whose turn came by that."""
    tracked = wiring.current().track(
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000
    )
    for metric, outcome in COUNTED.items():
        metrics.add_metric(metric, MetricUnit.Count, tracked.counts(outcome))
    logger.info("tracked runs", extra=tracked.summary())
    return tracked.summary()
