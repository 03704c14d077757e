"""Every point that a vendor's documents leave open, read the other way: one day must come right.

The day: an issue is born at each vendor and gets its counterpart; people edit on every side; a
link is bound. Whatever the switch says, there is one counterpart each, nothing undocumented is
sent, and a further round writes nothing.
"""

import pytest

from tests.integration.served import VENDORS, ServedWorld, served

SPANS = {
    "search_lag_seconds": 300,
    "search_delay_seconds": 300,
    "quota": 40,
    "description_max": 5000,
    "page_size_max": 10,
    "page_size_default": 5,
    "investigation_seconds": 1,
    "purge_after_days": 1,
}
"""A telling value for switches that are numbers; those not named here are not about a mirror."""
CANNOT = {
    ("antimetal", "transitions"): "the vendor refuses some moves",
    ("antimetal", "key_scope"): "the key may not write",
    ("zylon", "transitions"): "the vendor refuses some moves",
    ("zylon", "role"): "the token may not write",
    ("zylon", "states"): "the oldest words need a map of their own",
    ("antimetal", "description_max"): "a description too long is refused",
    ("antimetal", "grouped_creates"): "the vendor folds a create into an issue it has",
}
"""Where a copy cannot be brought into step: the rest must hold all the same."""


def readings():
    for kind, vendor in VENDORS.items():
        for name, switch in vendor.SWITCHES.items():
            values = (SPANS[name],) if name in SPANS else switch.allowed
            if not isinstance(values, tuple):
                continue
            for value in values:
                if value != switch.default or type(value) is not type(switch.default):
                    yield pytest.param(kind, name, value, id=f"{kind}-{name}-{value}")


def live(world: ServedWorld) -> None:
    """The day itself."""
    sims = world.sims
    incident = sims["antimetal"].add(title="Disk full", severity="high", status="investigating")
    call = sims["bland"].add(title="Wrong queue", severity="critical", status="todo")
    report = sims["zylon"].add(description="The answer was wrong.", type="Inaccurate")
    world.rounds(3)
    sims["antimetal"].edit(incident["uuid"], status="ready_to_fix")
    sims["bland"].edit(call["id"], status="in_progress")
    world.rounds(2)
    sims["zylon"].edit(report["id"], state="InReview")
    taken_in = world.store.load(world.store.find("antimetal", incident["uuid"]) or "")
    twin = taken_in and taken_in.refs.get("bland")
    if twin:
        sims["bland"].edit(twin.remote_id, status="done", severity="low")
    sims["bland"].edit(call["id"], external_link={"url": "https://tracker.example/7"})
    world.rounds(3)


def lagging(world: ServedWorld) -> list[str]:
    issues = map(world.store.load, world.store.issues)
    return [f"{i.title}: {i.pending} {i.parked}" for i in issues if i.pending or i.parked]


@pytest.mark.parametrize(("kind", "name", "value"), list(readings()))
def test_a_day_comes_right_whichever_way_an_open_point_is_read(kind, name, value):
    with served({kind: {name: value}}) as world:
        live(world)
        world.rounds(6, seconds=400)
        if (kind, name) not in CANNOT:
            assert lagging(world) == []
        titles = [issue["title"] for issue in world.sims["bland"].issues.values()]
        assert len(titles) == len(set(titles)) <= 3, "one counterpart each"
        if (kind, name) not in CANNOT:
            assert len(titles) == 3
        before, stored = world.writes(), world.store.writes
        world.rounds(2, seconds=400)
        assert world.writes() == before
        if (kind, name) not in CANNOT:
            assert world.store.writes == stored
        assert world.violations() == []
