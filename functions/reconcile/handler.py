"""Woken by a schedule: finish what lost wake-ups and crashes left, tell what nobody looks at."""

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from issuebridge import wiring
from issuebridge.domain.freshness import Freshness

NAMESPACE = "issuebridge"

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def tell_age(connection: str, lane: Freshness) -> None:
    """For its poller, who cannot tell that it does not run, or never to its end."""
    if lane.age is None:
        return
    names, seconds = {"connection": connection, "lane": lane.lane}, lane.age.total_seconds()
    with single_metric(
        "Age", MetricUnit.Seconds, seconds, namespace=NAMESPACE, default_dimensions=names
    ):
        pass


@metrics.log_metrics
@logger.inject_lambda_context
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """What was pushed, prompted and could not be done in this round, and which lanes of which
    connections are `stale`."""
    stale: dict[str, list[str]] = {}
    for connection, lanes in wiring.freshness().items():
        for lane in lanes:
            tell_age(connection, lane)
            if lane.is_stale:
                stale.setdefault(connection, []).append(lane.lane)
    metrics.add_metric("Stale", MetricUnit.Count, len(stale))
    left = wiring.current().finish(
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000
    )
    metrics.add_metric("Drift", MetricUnit.Count, left.drift)
    metrics.add_metric("RemedyNeeded", MetricUnit.Count, left.held)
    told = {**left.summary(), "stale": stale}
    log = logger.warning if stale else logger.info
    log("finished leftovers", extra=told)
    return told
