"""What the table charges, by item: counts that hold at any size, so none depends on a machine."""

import pytest

from issuebridge.domain import limits
from tests.bench.costs import bridge, measured

SMALL, LARGE = 990, 2990
"""All but whole slices of a sweep: what a round costs besides is told apart."""
AT_MOST = {
    "backfill: write units per issue": 8.2,
    "idle round: write units": 3,
    "idle round: read units": 15,
    "fingerprints: read units per 1,000 unchanged rows": 9,
    "one issue with a counterpart: write units": 48,
    "one change mirrored: write units": 44,
    "one change mirrored: write units of fingerprints": 9,
}
STATED = {
    "ISSUE ISSUE": sum(limits.ISSUE.values()),
    "ISSUE HISTORY": sum(limits.HISTORY.values()),
    "EFFECT": sum(limits.EFFECT.values()),
    "CONNECTION STATE": sum(limits.STATE.values()),
    "CONNECTION GATE": sum(limits.GATE.values()),
    "SEEN N": sum(limits.BUCKET.values()),
    "SEEN H": sum(limits.BUCKET.values()),
    "SWEPT": limits.SWEPT_IDS,
}
SMALL_ROWS = {"REF", "ALIAS", "LINK", "BUDGET", "SEEN PUSHED", "WORKER TAKING", "CONNECTION PAUSE"}
"""Keys and a number or two (`test_limits`)."""


@pytest.fixture(scope="module")
def figures() -> dict[int, dict[str, float]]:
    return {issues: dict(measured(issues)) for issues in (SMALL, LARGE)}


@pytest.mark.parametrize("name", AT_MOST)
def test_what_a_thing_costs_stays_within_its_bound_at_any_size(figures, name):
    small, large = figures[SMALL][name], figures[LARGE][name]
    assert max(small, large) <= AT_MOST[name], (small, large)


def test_a_backfill_costs_the_same_for_each_issue_however_many_there_are(figures):
    name = "backfill: write units per issue"
    assert figures[LARGE][name] <= 1.05 * figures[SMALL][name]


def test_every_kind_of_item_that_is_written_has_a_stated_size():
    world = bridge(30)
    for name in world.systems:
        world.sweep(name)
    incident = world.systems["antimetal"].add("new", severity="high")
    world.rounds(4)
    world.systems["antimetal"].edit(incident.remote_id, status="resolved")
    world.rounds(4)
    written = set(world.table.written) - {"index"}
    assert "ISSUE HISTORY" in written
    assert written <= STATED.keys() | SMALL_ROWS
    assert max(STATED.values()) <= limits.HALF_AN_ITEM
