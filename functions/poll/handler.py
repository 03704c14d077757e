"""Woken by a schedule: pull what changed at the connections of one kind, POLL_KIND."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
metrics = Metrics(namespace="issuebridge")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """`{"whole_sweep": true}` looks at every issue in this round; the reports, by connection."""
    reports = wiring.current().pull.kind(
        wiring.polled_kind(),
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        whole_sweep=event.get("whole_sweep") is True,
    )
    for report in reports:
        logger.info("polled", extra=report.summary())
        for name, value in report.metrics().items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    return {report.connection: report.summary() for report in reports}
