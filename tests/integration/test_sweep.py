"""5,000 issues behind each of three vendors that say 429: after a few rounds all are stored."""

from collections import Counter

from tests.integration.served import served

ISSUES, LINKED = 5000, 5
PAGES_MAX = 20
"""The default of `poll.pages_max`."""
ROUNDS_MAX = 6
PAUSE_SECONDS = 6
BUSY = (
    {"every": 3, "times": 8},
    {"after": 9, "retry_after": PAUSE_SECONDS},
    {"every": 9, "times": 0, "retry_after": 1},
)


def test_a_sweep_of_5000_issues_under_429s_ends_in_a_few_rounds_within_its_pages():
    with served() as world:
        for n in range(ISSUES):
            add(world, n, is_open=n >= ISSUES - LINKED)
        for sim in world.sims.values():
            for fault in BUSY:
                sim.faults.add(fault, kind="status", status=429, method="GET")
        rounds = 0
        while not all(world.connections.read(name).completeness for name in world.sims):
            rounds += 1
            assert rounds <= ROUNDS_MAX
            for name in world.sims:
                assert pages_of_a_round(world, name) <= 2 * PAGES_MAX
            world.clock.advance(PAUSE_SECONDS)
        for name, sim in world.sims.items():
            equation = world.connections.read(name).completeness
            assert equation.closes
            assert (equation.seen, equation.stored) == (ISSUES, ISSUES)
            assert all(fault.struck for fault in sim.faults._faults)
            sim.faults.clear()

        world.rounds(2, seconds=400)
        assert len(world.sims["bland"].issues) == ISSUES + 2 * LINKED
        titles = Counter(issue["title"] for issue in world.sims["bland"].issues.values())
        assert max(titles.values()) == 1
        assert (len(world.sims["antimetal"].issues), len(world.sims["zylon"].issues)) == (
            ISSUES,
            ISSUES,
        )
        before, stored = world.writes(), world.store.writes
        world.rounds(1, seconds=400)
        assert (world.writes(), world.store.writes) == (before, stored)
        assert before == 3 * LINKED, "a create each, and the line with its link at zylon"
        assert world.violations() == []


def add(world, n, *, is_open) -> None:
    """Most of them are finished, so that no route takes them."""
    status, state = ("investigating", "InReview") if is_open else ("resolved", "Closed")
    world.sims["bland"].add(title=f"Call {n}", status="done")
    world.sims["antimetal"].add(title=f"Incident {n}", status=status)
    world.sims["zylon"].add(description=f"Answer {n}", type="Other", state=state)


def pages_of_a_round(world, name) -> int:
    sim = world.sims[name]
    before = len(sim.requests)
    world.pull(name, remaining_seconds=lambda: 1000)
    return sum(
        entry["status"] == 200 and entry["path"].rpartition("/")[2] not in sim.rows
        for entry in sim.requests[before:]
    )
