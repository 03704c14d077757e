"""Between two sweeps a connection rests for as long as its bound allows."""

from datetime import timedelta

import pytest

from issuebridge.domain.errors import Transient
from issuebridge.domain.freshness import lanes_of
from tests.world import World, connection, document

MINUTE = timedelta(minutes=1)
BOUND = 15


def board(count: int, bound: float = BOUND, pages_max: int = 1) -> World:
    """Its issues are 3 to a page, and nothing tells which of them changed last."""
    poll = {"seen_within_minutes": bound, "pages_max": pages_max}
    world = World(document(connections={"zylon": connection("zylon", poll=poll)}, routes=[]))
    for number in range(count):
        world.systems["zylon"].add(f"issue {number}")
    while world.connections.read("zylon").completeness is None:
        minutes(world, 1)
    return world


def minutes(world: World, count: float) -> list[bool]:
    """Polled every minute; in which a sweep came to its end."""
    ended = []
    for _ in range(int(count)):
        ended.append(world.poll("zylon").swept)
        world.clock.advance(60)
    return ended


def swept_pages(world: World) -> int:
    pages = (what for call, what in world.systems["zylon"].requests if call == "page")
    return sum(lane == "sweep" for lane, _ in pages)


def test_a_small_board_is_swept_as_often_as_its_bound_asks_and_no_more():
    world = board(3)
    before = swept_pages(world)
    minutes(world, 4 * BOUND)
    assert swept_pages(world) - before == 4


def test_without_a_bound_sweeps_follow_each_other():
    world = board(3, bound=0)
    before = swept_pages(world)
    minutes(world, 10)
    assert swept_pages(world) - before == 10


@pytest.mark.parametrize("number", [0, 8, 17])
@pytest.mark.parametrize("after", range(0, BOUND + 6, 4))
def test_whenever_an_issue_is_edited_it_is_seen_within_the_bound(number, after):
    world = board(18)
    minutes(world, after)
    name = [*world.systems["zylon"].issues][number]
    world.systems["zylon"].edit(name, status="Closed")
    minutes(world, BOUND + 1)
    assert world.issue_of("zylon", name).status == "done"


def test_a_board_whose_sweep_takes_longer_than_its_bound_does_not_rest():
    world = board(60)
    assert sum(minutes(world, 60)) == 3


def test_an_issue_that_is_missing_is_looked_for_again_at_once():
    world = board(3)
    name = next(iter(world.systems["zylon"].issues))
    del world.systems["zylon"].issues[name]
    minutes(world, BOUND + 2)
    assert world.issue_of("zylon", name).refs["zylon"].deleted


def test_an_issue_that_could_not_be_stored_is_no_reason_to_rest():
    world = board(3)
    world.systems["zylon"].add("new")
    commit = world.store.commit

    def throttled(*given, **named):
        raise Transient("throttled")

    world.store.commit = throttled
    minutes(world, BOUND)
    world.store.commit = commit
    minutes(world, 6)
    assert len(world.store.issues) == 4


def test_a_board_at_rest_is_fresh_and_one_that_rests_too_long_is_stale():
    world = board(3)
    rest = timedelta(minutes=BOUND)
    stale = []
    for _ in range(2 * BOUND):
        minutes(world, 1)
        lanes = lanes_of(world.connections.read("zylon"), MINUTE, world.clock.now(), rest)
        stale += [lane.lane for lane in lanes if lane.is_stale]
        assert lanes[1].bound == rest
    assert stale == []
    world.clock.advance(3600)
    lanes = lanes_of(world.connections.read("zylon"), MINUTE, world.clock.now(), rest)
    assert [lane.is_stale for lane in lanes] == [True, True]
