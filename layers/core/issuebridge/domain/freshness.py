"""How long ago a connection was looked at, and whether that is longer than it should be."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from issuebridge.domain.round_state import ConnectionState

MARGIN = timedelta(minutes=15)
FIRST_SWEEP = timedelta(days=1)
"""Nobody knows how long a sweep takes before one has ended."""
UNKNOWN_SCHEDULE = timedelta(days=1)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True)
class Freshness:
    """One lane of one connection. `at`: when the last look that came to its end began (`hot`: at
    what was changed of late) or ended (`sweep`: at everything). `bound`: a change is seen within
    this, where that can be told, nothing is `stale` and a first sweep has ended."""

    lane: Literal["hot", "sweep"]
    at: datetime | None
    bound: timedelta | None
    age: timedelta | None
    is_stale: bool


def lanes_of(
    state: ConnectionState,
    schedule: timedelta | None,
    now: datetime,
    rest: timedelta = timedelta(),
) -> tuple[Freshness, Freshness]:
    """Of both lanes; a connection that was never polled is stale. `rest`: from the beginning of one
    sweep to that of the next, at least."""
    pause, swept = schedule or UNKNOWN_SCHEDULE, state.completeness
    sweep = max(pause * swept.rounds, rest) if swept else None
    hot_late = pause + MARGIN
    sweep_late = 2 * sweep + MARGIN if sweep else FIRST_SWEEP
    return (
        _fresh("hot", state, state.looked_at, schedule if swept else None, hot_late, now),
        _fresh("sweep", state, swept.at if swept else None, schedule and sweep, sweep_late, now),
    )


def _fresh(
    lane: Literal["hot", "sweep"],
    state: ConnectionState,
    at: datetime | None,
    bound: timedelta | None,
    late: timedelta,
    now: datetime,
) -> Freshness:
    since = at or state.begun_at
    age = now - since if since else None
    return Freshness(lane, at, bound, age, age is None or age > late)


def interval(expression: str) -> timedelta | None:
    """What `rate(5 minutes)` says; None for a cron expression, whose gaps differ."""
    found = _RATE.fullmatch(expression)
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else None
