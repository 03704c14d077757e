"""Days full of faults at every vendor: once they stop, all comes right, and nothing twice."""

import random

import pytest

from tests.integration.served import ServedWorld, served
from tests.integration.test_open_points import lagging, live

SEEDS = 24
KINDS = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "half_body"},
    {"kind": "wrong_json", "body": "truncated"},
    {"kind": "wrong_json", "body": "text"},
    {"kind": "status", "status": 500, "body": "envelope"},
    {"kind": "status", "status": 502, "body": "html"},
    {"kind": "status", "status": 503, "body": "empty", "retry_after": 1},
    {"kind": "status", "status": 429, "body": "flat"},
    {"kind": "status", "status": 429, "body": "error_message", "retry_after": 20},
    {"kind": "status", "status": 429, "retry_after": 20, "retry_after_as": "date"},
    {"kind": "unauthorized"},
    {"kind": "empty_list"},
    {"kind": "duplicate_page"},
)
METHODS = ("GET", "POST", "PATCH", "PUT", "")


def trouble(world: ServedWorld, chance: random.Random) -> None:
    for sim in world.sims.values():
        for _ in range(chance.randint(2, 8)):
            sim.faults.add(
                **chance.choice(KINDS),
                method=chance.choice(METHODS),
                times=chance.randint(1, 3),
                after=chance.randint(0, 12),
            )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_day_of_faults_ends_with_one_counterpart_each_and_in_agreement(seed):
    with served({"antimetal": {"investigation_seconds": 10**6}}) as world:
        trouble(world, random.Random(seed))  # noqa: S311
        live(world)
        for sim in world.sims.values():
            sim.faults.clear()
        world.rounds(12, seconds=1000)
        assert lagging(world) == []
        titles = [issue["title"] for issue in world.sims["bland"].issues.values()]
        assert sorted(titles) == ["Disk full", "The answer was wrong.", "Wrong queue"]
        assert len(world.sims["antimetal"].issues) == 2
        assert len(world.sims["zylon"].issues) == 1
        before, stored = world.writes(), world.store.writes
        world.rounds(2, seconds=1000)
        assert (world.writes(), world.store.writes) == (before, stored)
        assert world.violations() == []
        assert apart(world) == []


def apart(world: ServedWorld) -> list[str]:
    """Copies whose own word, at their vendor, does not mean our status."""
    found = []
    for issue in map(world.store.load, world.store.issues):
        for name, ref in issue.refs.items():
            raw = world.system(name).get(ref.remote_id).raw["status"]
            if not world.landscape.policies[name].fields["status"].lens.means(raw, issue.status):
                found.append(f"{issue.title}: {issue.status} here, {raw} at {name}")
    return found
