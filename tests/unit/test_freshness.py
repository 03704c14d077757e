"""A connection that is not looked at any more is stale within 20 minutes, whatever the reason."""

from contextlib import suppress
from datetime import timedelta

import pytest

from issuebridge.domain.errors import RateLimited, SyncError, Transient
from issuebridge.domain.freshness import interval, lanes_of
from tests.world import World, connection, document

MINUTE = timedelta(minutes=1)


def stale(world: World, name: str = "bland", schedule: timedelta | None = MINUTE) -> list[str]:
    lanes = lanes_of(world.connections.read(name), schedule, world.clock.now())
    return [lane.lane for lane in lanes if lane.is_stale]


def lived(**given: object) -> World:
    """A world whose every connection was looked at, whole."""
    world = World(document(**given))
    for number in range(4):
        world.systems["bland"].add(f"issue {number}")
    world.rounds(4)
    assert not any(stale(world, name) for name in world.config.connections)
    return world


def raising(error: Exception):
    def fail(call: str, moment: str) -> None:
        if call == "page" and moment == "before":
            raise error

    return fail


def a_vendor_is_down(world: World) -> None:
    world.systems["bland"].fail = raising(Transient("HTTP 503"))


def a_vendor_limits_without_end(world: World) -> None:
    world.systems["bland"].fail = raising(RateLimited("HTTP 429", retry_after_seconds=600))


def its_poller_fails(world: World) -> None:
    world.systems["bland"].fail = raising(RuntimeError("a defect"))


def its_item_is_refused(world: World) -> None:
    real = world.connections.save

    def save(state):
        if state.connection == "bland":
            raise Transient("DynamoDB: the item is too large")
        return real(state)

    world.connections.save = save


CAUSES = [
    a_vendor_is_down,
    a_vendor_limits_without_end,
    its_poller_fails,
    its_item_is_refused,
]


def turn(world: World, minutes: int, seconds: float = 900) -> None:
    """Rounds a minute apart, as a schedule makes them; what a function raises ends its own."""
    for _ in range(minutes):
        for name in world.config.connections:
            with suppress(RuntimeError, SyncError):
                world.pull(name, remaining_seconds=lambda: seconds)
        world.clock.advance(60)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__.replace("_", " "))
def test_what_is_not_looked_at_any_more_is_stale_and_nothing_else_is(cause):
    world = lived()
    cause(world)
    turn(world, 10)
    assert stale(world) == []
    turn(world, 10)
    assert stale(world) == ["hot", "sweep"]
    assert stale(world, "antimetal") == []


def test_a_schedule_that_is_off_makes_everything_stale():
    world = lived()
    world.clock.advance(20 * 60)
    assert all(stale(world, name) == ["hot", "sweep"] for name in world.config.connections)


def test_a_poll_that_always_runs_out_of_time_makes_it_stale():
    world = lived()
    turn(world, 20, seconds=0)
    assert stale(world) == ["hot", "sweep"]


def test_a_walk_that_takes_several_rounds_tells_when_it_began():
    names = ("bland", "antimetal", "zylon")
    slow = {name: connection(name, poll={"pages_max": 2}) for name in names}
    world = lived(connections=slow)
    before, began_at = world.connections.read("bland").looked_at, world.clock.now()
    for number in range(20):
        world.systems["bland"].add(f"more {number}")
    turn(world, 3)
    assert world.connections.read("bland").looked_at == before
    turn(world, 9)
    looked_at = world.connections.read("bland").looked_at
    assert began_at <= looked_at < world.clock.now() - MINUTE


def test_what_was_never_polled_is_stale_and_a_first_sweep_has_a_day():
    world = World()
    assert stale(world) == ["hot", "sweep"]
    for number in range(2000):
        world.systems["bland"].add(f"issue {number}")
    turn(world, 30)
    assert stale(world) == []
    lanes = lanes_of(world.connections.read("bland"), MINUTE, world.clock.now())
    assert [lane.bound for lane in lanes] == [None, None], "nothing is taken in before that"
    world.clock.advance(86_400)
    assert "sweep" in stale(world)


def test_a_state_of_before_this_was_told_is_fresh_after_its_next_round():
    world = lived()
    old = {"begun_at": None, "looked_at": None, "hot_began_at": None}
    state = world.connections.read("bland").model_copy(update=old)
    world.connections.states["bland"] = state
    assert "hot" in stale(world)
    world.rounds(1)
    assert stale(world) == []


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86_400),
        ("cron(0 * * * ? *)", None),
    ],
)
def test_an_interval_is_read_from_a_rate_and_from_no_cron(expression, seconds):
    found = interval(expression)
    assert (found and found.total_seconds()) == seconds


def test_where_the_schedule_is_a_cron_only_a_day_without_a_look_is_stale():
    world = lived()
    world.clock.advance(86_000)
    assert stale(world, schedule=None) == []
    world.clock.advance(86_400)
    assert "hot" in stale(world, schedule=None)
