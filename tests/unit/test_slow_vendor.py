"""A vendor whose pages take long: each round goes on where the last one stopped, in both lanes."""

from datetime import timedelta

import pytest

from issuebridge.domain.errors import Rejected
from issuebridge.use_cases.held import REMAINING_SECONDS_MIN
from tests.world import World, connection, document

PAGE_SECONDS = 6


class Slow(World):
    """Only bland, which takes so long for each page; a round has the time of a Lambda."""

    def round(self):
        began = self.clock.now()
        report = self.pull(
            "bland", remaining_seconds=lambda: 120 - (self.clock.now() - began).total_seconds()
        )
        self.clock.advance(60)
        return report

    @property
    def state(self):
        return self.connections.read("bland")

    def asked(self) -> list[tuple[str, str | None]]:
        return [what for call, what in self.systems["bland"].requests if call == "page"]


@pytest.fixture
def world() -> Slow:
    """99 issues, known all; 66 of them have just changed, which is 22 pages."""
    kinds = {"bland": connection("bland", poll={"overlap_seconds": 0})}
    world = Slow(document(connections=kinds, routes=[]))
    bland = world.systems["bland"]
    for n in range(99):
        bland.add(f"issue {n}")
        world.clock.advance(1)
    world.poll("bland", whole_sweep=True)
    world.poll("bland", whole_sweep=True)
    assert world.state.watermark
    for remote_id in list(bland.issues)[:66]:
        world.clock.advance(1)
        bland.edit(remote_id, status="done")
    bland.requests.clear()

    def fail(call: str, moment: str) -> None:
        if (call, moment) == ("page", "before"):
            world.clock.advance(PAGE_SECONDS)

    bland.fail = fail
    return world


def newest(world: Slow):
    return max(issue.activity_at for issue in world.systems["bland"].issues.values())


def unstored(world: Slow) -> list[str]:
    issues = world.systems["bland"].issues.values()
    return [
        i.remote_id
        for i in issues
        if i.raw["status"] != world.issue_of("bland", i.remote_id).status
    ]


def test_a_walk_longer_than_a_round_goes_on_where_it_stopped_and_then_moves_the_watermark(world):
    before, to = world.state.watermark, newest(world)
    rounds = 0
    while world.state.watermark == before:
        world.round()
        rounds += 1
        assert rounds < 6
    assert world.state.watermark == to
    assert unstored(world) == []
    assert world.state.hot_cursor is None


def test_the_sweep_gets_its_turn_in_every_round(world):
    ended = world.state.completeness.at
    for _ in range(7):
        world.systems["bland"].requests.clear()
        report = world.round()
        lanes = [lane for lane, _ in world.asked()]
        assert lanes.count("hot") <= 9
        assert lanes.count("sweep") >= 6 or report.swept
    assert world.state.completeness.at > ended


def test_what_changes_meanwhile_is_seen_in_the_next_round_and_by_the_next_walk(world):
    world.round()
    bland = world.systems["bland"]
    fresh = list(bland.issues)[70]
    bland.edit(fresh, status="closed")
    later = [list(bland.issues)[n] for n in range(71, 80)]
    for remote_id in later:
        world.clock.advance(1)
        bland.edit(remote_id, status="closed")
    world.round()
    assert world.issue_of("bland", later[-1]).status == "closed"
    to = newest(world)
    for _ in range(8):
        world.round()
    assert unstored(world) == []
    assert world.state.watermark == to


def test_the_watermark_stays_as_long_as_one_issue_of_the_walk_is_not_stored(world):
    before = world.state.watermark
    victim = list(world.systems["bland"].issues)[30]
    issue_id = world.issue_of("bland", victim).issue_id
    plain = world.store.commit

    def commit(issue, *given, **named):
        if issue.issue_id == issue_id:
            raise Rejected("no")
        return plain(issue, *given, **named)

    world.store.commit = commit
    to = newest(world)
    world.round()
    while world.state.hot_cursor:
        world.round()
    assert before <= world.state.watermark < to
    world.store.commit = plain
    for _ in range(12):
        world.round()
    assert world.state.watermark == to


def test_a_cursor_that_is_no_longer_known_restarts_the_walk(world):
    world.round()
    assert world.state.hot_cursor
    stale = world.state.model_copy(update={"hot_cursor": "forgotten"})
    world.connections.states["bland"] = stale
    to = newest(world)
    for _ in range(7):
        world.round()
    assert world.state.watermark == to
    assert unstored(world) == []


def test_a_walk_that_one_page_brings_up_to_date_needs_no_cursor(world):
    for _ in range(8):
        world.round()
    world.systems["bland"].requests.clear()
    edited = next(iter(world.systems["bland"].issues))
    world.systems["bland"].edit(edited, status="closed")
    world.round()
    assert [lane for lane, _ in world.asked()].count("hot") == 1
    assert world.state.watermark == newest(world)


def test_an_unordered_list_of_open_issues_goes_on_where_it_stopped_too():
    world = Slow(document(connections={"bland": connection("bland")}, routes=[]))
    bland = world.systems["bland"]
    bland.has_activity = False
    for n in range(66):
        bland.add(f"issue {n}")
    seen: set[str] = set()
    plain = bland.page

    def page(lane, cursor):
        found = plain(lane, cursor)
        if lane == "hot":
            seen.update(issue.remote_id for issue in found.issues)
        world.clock.advance(PAGE_SECONDS)
        return found

    bland.page = page
    for _ in range(5):
        world.round()
    assert len(seen) == 66


def test_time_for_the_first_page_alone_is_time_enough_to_get_on(world):
    began, seconds = {"at": world.clock.now()}, REMAINING_SECONDS_MIN + 12
    for _ in range(60):
        began["at"] = world.clock.now()
        left = lambda: seconds - (world.clock.now() - began["at"]).total_seconds()  # noqa: E731
        world.pull("bland", remaining_seconds=left)
        world.clock.advance(timedelta(seconds=60).total_seconds())
    assert unstored(world) == []
