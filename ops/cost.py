"""`issuebridge cost`: what a deployed stack costs in a month, as `make bench` counts.

At AWS list prices of us-east-1 without free tiers; what vendors and Norm ask for is not in it.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from rich.console import Console
from rich.table import Table

MINUTES = 30.4 * 24 * 60
"""Of a month; the default schedule polls in each."""
PAGE_ROWS = 100
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
GB_SECOND, INVOCATION = 16.6667e-6, 0.2e-6
GB_STORED = 0.25 + 0.20
"""The table and its recovery to a point in time."""
GB_LOGGED = 0.50
SECRET, ALARM, METRIC = 0.40, 0.10, 0.30
MEMORY_GB = 0.5
ALARMS, METRICS, METRICS_OF_A_CONNECTION = 16, 11, 2

POLLING_SECONDS = 70
"""Of a round: the function's time, less what is kept for its end."""

ROUND_WRITES, ROUND_READS = 2, 6
SLICE_WRITES = 1
READS_OF_A_THOUSAND_ROWS = 9
BACKFILL_WRITES = 8.2
CHANGE_WRITES, CHANGE_READS = 44, 30
BYTES_OF_AN_ISSUE = 2_500
BYTES_LOGGED_A_ROUND = 1_500
ROUND_SECONDS, CHANGE_SECONDS = 0.4, 3.0
"""Of Lambda, beside waiting for the vendor's pace."""


@dataclass(frozen=True)
class Load:
    """`seen_within_minutes` as in the configuration; `pages_max`, `requests_per_second` too."""

    issues: int
    changes_per_day: int
    connections: int = 1
    seen_within_minutes: int = 0
    pages_max: int = 20
    requests_per_second: int = 2

    @property
    def pages(self) -> int:
        return max(ceil(self.issues / PAGE_ROWS), 1)

    @property
    def sweep_minutes(self) -> int:
        in_time = POLLING_SECONDS * self.requests_per_second
        return ceil(self.pages / min(self.pages_max, in_time))

    @property
    def bound_minutes(self) -> int:
        """From the beginning of one sweep to that of the next: every change is seen within it."""
        return max(self.seen_within_minutes, self.sweep_minutes)

    @property
    def sweeps(self) -> float:
        """In a month."""
        return MINUTES / self.bound_minutes


def monthly(load: Load) -> dict[str, float]:
    """Dollars by what they are for, all connections together."""
    slices, pages = load.sweeps * load.sweep_minutes, load.sweeps * load.pages
    changes = load.changes_per_day * 30.4
    polled = MINUTES * ROUND_SECONDS + (MINUTES + pages) / load.requests_per_second
    each = {
        "Lambda, polling and its pace": (polled * MEMORY_GB * GB_SECOND + MINUTES * INVOCATION),
        "table, idle rounds": (
            (MINUTES * ROUND_WRITES + slices * SLICE_WRITES) * WRITE_UNIT
            + (MINUTES * ROUND_READS + pages * PAGE_ROWS / 1000 * READS_OF_A_THOUSAND_ROWS)
            * READ_UNIT
        ),
        "table, storage": load.issues * BYTES_OF_AN_ISSUE / 1e9 * GB_STORED,
        "logs": MINUTES * BYTES_LOGGED_A_ROUND / 1e9 * GB_LOGGED,
        "fixed: secret and two metrics": SECRET + METRICS_OF_A_CONNECTION * METRIC,
    }
    once = {
        "changes, mirrored": changes
        * (
            CHANGE_WRITES * WRITE_UNIT
            + CHANGE_READS * READ_UNIT
            + CHANGE_SECONDS * MEMORY_GB * GB_SECOND
            + 2 * INVOCATION
        ),
        "fixed: alarms, metrics, our own key": ALARMS * ALARM + METRICS * METRIC + SECRET,
    }
    return {name: load.connections * dollars for name, dollars in each.items()} | once


def backfill(load: Load) -> float:
    """Dollars that the table takes once, to store every issue there is."""
    return load.connections * load.issues * BACKFILL_WRITES * WRITE_UNIT


def register(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add("cost", cost, "what a deployed stack costs in a month, by your own figures")
    made.add_argument("--issues", type=_count, required=True, help="at each connection")
    made.add_argument("--changes-per-day", type=_count, required=True, help="mirrored, in all")
    made.add_argument("--connections", type=_count, default=2)
    made.add_argument("--seen-within-minutes", type=_count, default=0)
    made.add_argument("--pages-max", type=_at_least_one, default=20)
    made.add_argument("--requests-per-second", type=_at_least_one, default=2)


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit()):
        raise argparse.ArgumentTypeError(f"{word[:40]!r} is no whole number from 0 on")
    return int(word)


def _at_least_one(word: str) -> int:
    if _count(word) == 0:
        raise argparse.ArgumentTypeError("it is at least 1")
    return int(word)


def cost(options: argparse.Namespace) -> int:
    load = Load(**{name: getattr(options, name) for name in Load.__dataclass_fields__})
    parts = monthly(load)
    table = Table("a month", "dollars", box=None)
    for name, dollars in parts.items():
        table.add_row(name, f"{dollars:,.2f}")
    table.add_row("together", f"{sum(parts.values()):,.2f}", style="bold")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"Once, to store all issues: {backfill(load):,.2f}. Every change is seen within "
        f"{load.bound_minutes:,} minutes, what the newest page shows within one.",
        soft_wrap=True,
    )
    return 0
