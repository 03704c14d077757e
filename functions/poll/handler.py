"""Woken by a schedule: pull what changed at the connections of one kind, POLL_KIND."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring

logger = Logger()
metrics = Metrics(namespace="issuebridge")


@logger.inject_lambda_context
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """The reports, by connection. `{"connection": name}` polls that one alone, `{"whole_sweep":
    true}` looks at every issue in this round. `{"each": true}`, which the schedule says, hands each
    to an invocation of its own where there are several: one that is slow costs the others nothing.
    """
    pull = wiring.current().pull
    names = pull.polled(wiring.polled_kind(), event.get("connection"))
    if event.get("each") is True and len(names) > 1:
        logger.info("handed out", extra={"connections": names})
        wiring.hand_out(context.invoked_function_arn, names)
        return {"handed out": names}
    reports = pull.each(
        names,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        whole_sweep=event.get("whole_sweep") is True,
    )
    for report in reports:
        logger.info("polled", extra=report.summary())
        for name, value in report.metrics().items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if reports:
        metrics.flush_metrics()
    return {report.connection: report.summary() for report in reports}
