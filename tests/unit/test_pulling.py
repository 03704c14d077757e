"""Rounds over one connection: lanes, sweep, watermark, leases, failures."""

from dataclasses import replace

import pytest

from issuebridge.domain.errors import (
    AccessRefused,
    Gone,
    LostRace,
    Misconfigured,
    RateLimited,
    StaleCursor,
    Transient,
)
from tests.world import World, connection, document


def with_poll(**poll: int) -> World:
    connections = {n: connection(n, poll=poll) for n in ("bland", "antimetal", "zylon")}
    return World(document(connections=connections, routes=[]))


@pytest.fixture
def world() -> World:
    return with_poll(pages_max=2)


def stored(world: World) -> int:
    return len(world.store.issues)


def test_a_sweep_larger_than_its_budget_goes_on_where_it_stopped(world):
    for n in range(20):
        world.systems["bland"].add(f"issue {n}")
    seen = []
    for _ in range(4):
        world.poll("bland")
        seen.append(stored(world))
    assert seen == [6, 12, 18, 20]


def test_a_sweep_that_the_vendor_interrupts_still_counts_what_it_saw_before(world):
    for n in range(20):
        world.systems["bland"].add(f"issue {n}")
    asked = []

    def limited(call: str, moment: str) -> None:
        asked.append(call)
        if len(asked) == 6:
            raise RateLimited("429", retry_after_seconds=1)

    world.systems["bland"].fail = limited
    while not (report := world.poll("bland")).swept:
        world.clock.advance(2)
    assert len(asked) > 6
    assert report.completeness.closes
    assert report.completeness.seen == 20


def test_work_in_an_idle_round_is_bounded_whatever_the_backlog(world):
    for n in range(60):
        world.systems["bland"].add(f"issue {n}")
    for _ in range(12):
        world.poll("bland")
    world.systems["bland"].requests.clear()
    world.poll("bland")
    assert len(world.systems["bland"].requests) <= 2 + 2


def test_the_watermark_is_granted_only_when_the_first_sweep_has_ended(world):
    for n in range(10):
        world.systems["bland"].add(f"issue {n}")
        world.clock.advance(1)
    newest = max(i.activity_at for i in world.systems["bland"].issues.values())
    marks = []
    for _ in range(3):
        world.poll("bland")
        marks.append(world.connections.read("bland").watermark)
    assert marks == [None, newest, newest]


def test_the_watermark_never_passes_an_issue_that_failed(world):
    world.systems["bland"].add("one")
    world.poll("bland")
    before = world.connections.read("bland").watermark
    world.clock.advance(60)
    world.systems["bland"].add("two")
    commit = world.store.commit

    def lose(*args, **kwargs):
        raise LostRace("always")

    world.store.commit = lose
    report = world.poll("bland")
    assert list(report.failed) == ["T-1002"]
    assert world.connections.read("bland").watermark == before
    world.store.commit = commit
    world.poll("bland")
    assert world.connections.read("bland").watermark > before
    assert stored(world) == 2


def test_a_fresh_change_is_seen_at_once_although_the_sweep_is_far_away(world):
    for n in range(60):
        world.systems["bland"].add(f"issue {n}")
    for _ in range(11):
        world.poll("bland")
    world.clock.advance(3600)
    world.systems["bland"].edit("uuid-1059", status="done")
    world.poll("bland")
    assert world.issue_of("bland", "uuid-1059").status == "done"


def test_an_edit_that_moves_no_activity_time_is_found_by_the_sweep(world):
    born = world.systems["bland"].add()
    world.rounds(2, seconds=3600)
    old = world.systems["bland"].issues[born.remote_id]
    world.systems["bland"].edit(born.remote_id, external_link='{"url":"https://x.example/1"}')
    moved = world.systems["bland"].issues[born.remote_id]
    object.__setattr__(moved, "activity_at", old.activity_at)
    world.poll("bland")
    assert world.issue_of("bland", born.remote_id).external_link == "https://x.example/1"


def test_an_unchanged_issue_costs_neither_a_read_nor_a_write_of_its_item(world):
    world.systems["bland"].add()
    world.rounds(2)
    loads: list[str] = []
    load = world.store.load
    world.store.load = lambda issue_id: (loads.append(issue_id), load(issue_id))[1]
    writes = world.store.writes
    world.poll("bland")
    assert (loads, world.store.writes) == ([], writes)


def test_a_changed_configuration_makes_every_issue_be_looked_at_again(world):
    world.systems["bland"].add()
    world.rounds(2)
    object.__setattr__(world.pull, "salt", "another")
    assert world.poll("bland").problem is None
    world.systems["bland"].requests.clear()
    assert world.connections.fingerprints("bland")


def test_a_list_that_goes_round_in_a_circle_ends_all_the_same_and_is_told_whole(world):
    system = world.systems["bland"]
    system.page_size = 10
    for n in range(45):
        system.add(f"issue {n}")
    page = system.page

    def circle(lane, cursor):
        shown = page(lane, cursor)
        return replace(shown, cursor=shown.cursor or "10") if lane == "sweep" else shown

    system.page = circle
    reports = []
    for _ in range(20):
        reports.append(world.poll("bland"))
        world.clock.advance(60)
    ended = [report for report in reports if report.swept]
    assert ended
    assert all(report.completeness.closes for report in ended)


def test_two_rounds_of_one_connection_never_run_at_once(world):
    world.connections.acquire("bland", world.clock.now(), 180)
    with pytest.raises(LostRace):
        world.poll("bland")
    assert world.systems["bland"].requests == []
    world.clock.advance(181)
    assert world.poll("bland").problem is None


def test_a_late_writer_of_an_earlier_lease_is_refused(world):
    late = world.connections.acquire("bland", world.clock.now(), 180)
    world.clock.advance(181)
    world.poll("bland")
    with pytest.raises(LostRace):
        world.connections.save(late)
    with pytest.raises(LostRace):
        world.connections.save_seen(late, {"N#000000000001": {"a": "b"}}, {})


def test_a_round_short_of_time_stops_cleanly_and_the_next_goes_on(world):
    for n in range(10):
        world.systems["bland"].add(f"issue {n}")
    world.pull("bland", remaining_seconds=lambda: 10)
    assert stored(world) == 0
    world.rounds(3)
    assert stored(world) == 10


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (Transient("502"), False),
        (AccessRefused("401: check the secret"), True),
        (StaleCursor("400"), False),
    ],
)
def test_a_failing_vendor_stops_the_round_with_its_reason_and_loses_nothing(world, error, remedy):
    for n in range(10):
        world.systems["bland"].add(f"issue {n}")
    calls = []

    def fail(call: str, moment: str) -> None:
        calls.append(call)
        if len(calls) == 3:
            raise error

    world.systems["bland"].fail = fail
    report = world.poll("bland")
    assert str(error) in report.problem
    assert report.remedy_needed is remedy
    world.rounds(4)
    assert stored(world) == 10


def test_nobody_calls_a_vendor_during_the_pause_it_asked_for(world):
    world.systems["bland"].add()

    def limited(call: str, moment: str) -> None:
        raise RateLimited("429", retry_after_seconds=600)

    world.systems["bland"].fail = limited
    world.poll("bland")
    world.systems["bland"].fail = lambda call, moment: None
    for _ in range(9):
        world.clock.advance(60)
        assert "paused until" in world.poll("bland").problem
    assert world.systems["bland"].requests == []
    world.clock.advance(61)
    assert world.poll("bland").problem is None


def test_an_issue_that_vanishes_between_list_and_read_holds_nobody_up():
    world = World()
    born = world.systems["antimetal"].add()
    world.rounds()
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.systems["antimetal"].add("other")

    read = world.systems["antimetal"].get

    def gone(remote_id: str):
        if remote_id == born.remote_id:
            raise Gone("404")
        return read(remote_id)

    world.systems["antimetal"].get = gone
    report = world.poll("antimetal")
    assert list(report.failed) == ["T-1001"]
    assert len(report.stored) == 1


def test_a_second_copy_with_our_reference_is_named_a_twin_and_goes_nowhere():
    world = World()
    world.systems["antimetal"].add()
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.systems["bland"].add("a copy made by hand", description=counterpart.description)
    report = world.poll("bland")
    assert list(report.twins) == ["T-1002"]
    world.rounds(3)
    assert len(world.systems["antimetal"].issues) == 1
    again = world.poll("bland")
    assert list(again.twins) == ["T-1002"], "it is told for as long as it stands"
    assert again.metrics()["Twins"] == 1
    del world.systems["bland"].issues["uuid-1002"]
    world.rounds(4)
    assert world.poll("bland").twins == {}


@pytest.mark.parametrize(
    ("error", "calls_a_person"),
    [(Transient("throttled"), False), (Misconfigured("no such table"), True)],
)
def test_only_what_does_not_pass_by_itself_calls_a_person(error, calls_a_person):
    world = World()

    def fail(*_: object) -> None:
        raise error

    world.connections.acquire = fail
    (report,) = world.pull.each(["bland"], remaining_seconds=lambda: 900)
    assert report.problem == str(error)
    assert report.remedy_needed is calls_a_person
