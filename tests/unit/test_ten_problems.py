"""The ten worst problems that users of other sync tools report; each has its test here."""

from datetime import timedelta
from itertools import permutations, product
from pathlib import Path

import pytest

from issuebridge.domain.errors import Ambiguous, RateLimited, Rejected, Transient
from issuebridge.ports import Page
from tests.bench.__main__ import rounds
from tests.world import World, connection, document

STATUSES = ("backlog", "todo", "in_progress", "in_review", "done", "closed")


def pair(world: World) -> tuple[str, str]:
    """An incident and its counterpart, by their ids."""
    born = world.systems["antimetal"].add(severity="high")
    world.rounds(2)
    (twin,) = world.systems["bland"].issues
    return born.remote_id, twin


def shown(world: World, name: str, remote_id: str) -> str:
    return world.systems[name].issues[remote_id].raw["status"]


def test_1_twenty_deliveries_of_one_new_issue_make_one_counterpart():
    world = World()
    born = world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    issue_id = world.store.find("antimetal", born.remote_id)
    for _ in range(20):
        world.push(issue_id)
        world.poll("antimetal", whole_sweep=True)
    world.rounds(3)
    assert len(world.systems["bland"].issues) == 1


@pytest.mark.parametrize("lag_seconds", [0, 60, 900])
def test_2_an_answer_lost_after_the_commit_makes_no_second_one_however_late_the_search(lag_seconds):
    """A search that lags for longer than we look is the one case where a twin can come to be."""
    given = document(recovery={"looks": 4, "over_seconds": 1000})
    world = World(given)
    bland = world.systems["bland"]
    find, lost = bland.find_created, [Ambiguous("connection cut")]

    def late(draft, since):
        edge = world.clock.now().timestamp() - lag_seconds
        return [i for i in find(draft, since) if i.created_at.timestamp() <= edge]

    def fail(call, moment):
        if lost and (call, moment) == ("create", "after"):
            raise lost.pop()

    bland.find_created, bland.fail = late, fail
    world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    world.mirror()
    hidden = bland.page
    bland.page = lambda lane, cursor: Page([], None)
    world.rounds(25)
    bland.page = hidden
    assert len(bland.issues) == 1


def test_3_one_edit_is_one_write_in_fifty_rounds_with_a_vendor_that_rewrites_on_every_write():
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    update = bland.update

    def restless(seen, changes):
        update(seen, changes)
        bland.edit(seen.remote_id, description="rewritten by the vendor")
        return bland.issues[seen.remote_id]

    bland.update = restless
    before = world.writes()
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(50)
    assert world.writes() == before + 1
    for status in ("todo", "done", "in_review", "closed", "backlog"):
        bland.edit(twin, status=status)
        world.systems["antimetal"].edit(born, status="ready_to_fix")
    world.rounds(5)
    quiet = world.writes()
    world.rounds(20)
    assert world.writes() == quiet


@pytest.mark.parametrize("order", list(permutations(["resolved", "investigating", "muted"])))
def test_4_wake_ups_in_any_order_and_number_end_in_the_vendors_own_state(order):
    world = World()
    born, twin = pair(world)
    for status, repeats in zip(order, (1, 3, 2), strict=True):
        world.systems["antimetal"].edit(born, status=status)
        for _ in range(repeats):
            world.poll("antimetal")
    world.store.woken = list(reversed(world.store.woken)) * 2
    world.rounds(3)
    reads = {"resolved": "done", "investigating": "in_progress", "muted": "backlog"}
    assert shown(world, "bland", twin) == reads[order[-1]]


def test_5_a_change_within_the_second_of_the_create_or_of_a_lost_message_is_not_lost():
    world = World()
    born = world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    world.systems["antimetal"].edit(born.remote_id, status="ready_to_fix")
    world.mirror()
    world.poll("antimetal")
    world.store.woken.clear()
    world.rounds(2)
    (twin,) = world.systems["bland"].issues
    assert shown(world, "bland", twin) == "in_review"


def test_6_one_issue_that_always_fails_holds_up_none_of_the_others():
    world = World()
    bad = world.systems["antimetal"].add("bad", severity="high")
    world.rounds(2)
    (twin,) = world.systems["bland"].issues
    update = world.systems["bland"].update

    def poisoned(seen, changes):
        if seen.remote_id == twin:
            raise Transient("500 on every write")
        return update(seen, changes)

    world.systems["bland"].update = poisoned
    others = [world.systems["antimetal"].add(f"n{n}", severity="high") for n in range(15)]
    world.rounds(2)
    for issue in (bad, *others):
        world.systems["antimetal"].edit(issue.remote_id, status="ready_to_fix")
    world.rounds(3)
    rows = [i.raw["status"] for k, i in world.systems["bland"].issues.items() if k != twin]
    assert rows == ["in_review"] * 15
    mark = world.issue_of("antimetal", bad.remote_id).pending["bland"]
    assert mark.reason == "500 on every write"
    assert mark.attempts >= 2
    world.systems["bland"].update = update
    world.release("antimetal", bad.remote_id, "ours")
    world.mirror()
    assert shown(world, "bland", twin) == "in_review"


def test_7_three_hundred_issues_with_one_timestamp_are_all_collected_while_rows_move():
    world = World(document(routes=[]))
    bland = world.systems["bland"]
    for n in range(300):
        bland.add(f"n{n}")
    page, moved = bland.page, []

    def drifting(lane, cursor):
        if len(moved) < 40:
            moved.append(bland.edit(f"uuid-{1001 + len(moved)}", status="done"))
        return page(lane, cursor)

    bland.page = drifting
    world.rounds(12)
    assert len(world.store.issues) == 300
    for n in range(40):
        assert world.issue_of("bland", f"uuid-{1001 + n}").status == "done"


def test_7_a_provider_clock_that_is_ten_minutes_off_loses_nothing():
    world = World()
    for system in world.systems.values():
        system.skew = timedelta(minutes=10)
    born, twin = pair(world)
    world.systems["bland"].edit(twin, status="closed")
    world.rounds(2)
    assert shown(world, "antimetal", born) == "resolved"


def test_8_see_test_deletion():
    """500, 403, an empty list, half a page and a wrong tenant: tests/unit/test_deletion.py."""
    told = (Path(__file__).parent / "test_deletion.py").read_text()
    assert "def test_a_vendor_out_of_its_mind_closes_nothing" in told


@pytest.mark.parametrize(
    ("origin", "raw"),
    [
        *product(["antimetal"], ["investigating", "ready_to_fix", "resolved", "muted"]),
        *product(["zylon"], ["NotReviewed", "InReview", "Closed"]),
    ],
)
def test_9_every_status_goes_forth_and_back_and_stays_for_ten_rounds(origin, raw):
    world = World()
    born = world.systems[origin].add()
    world.rounds(2)
    world.systems[origin].edit(born.remote_id, status=raw)
    world.rounds(2)
    before = world.writes()
    world.rounds(10)
    assert shown(world, origin, born.remote_id) == raw
    assert world.writes() == before


@pytest.mark.parametrize("status", STATUSES)
def test_9_every_status_of_the_finest_board_survives_the_coarser_ones(status):
    world = World()
    _, twin = pair(world)
    world.systems["bland"].edit(twin, status=status)
    world.rounds(5)
    assert shown(world, "bland", twin) == status


def test_9_resolve_regress_resolve_is_mirrored_three_times():
    world = World()
    born, twin = pair(world)
    seen = []
    for status in ("resolved", "investigating", "resolved"):
        world.systems["antimetal"].edit(born, status=status)
        world.rounds(2)
        seen.append(shown(world, "bland", twin))
    assert seen == ["done", "in_progress", "done"]


def test_10_a_long_retry_after_ends_the_round_is_shown_and_is_resumed_at_the_same_page():
    given = document(connections={n: connection(n) for n in ("bland", "antimetal", "zylon")})
    world = World({**given, "routes": []})
    bland = world.systems["bland"]
    for n in range(30):
        bland.add(f"n{n}")
    world.systems["zylon"].add()
    page, left = bland.page, [RateLimited("429", retry_after_seconds=600)]

    def limited(lane, cursor):
        if lane == "sweep" and cursor == "12" and left:
            raise left.pop()
        return page(lane, cursor)

    bland.page = limited
    assert "429" in world.poll("bland").problem
    assert world.poll("zylon").problem is None
    bland.requests.clear()
    world.clock.advance(599)
    assert "paused until" in world.poll("bland").problem
    assert bland.requests == []
    world.clock.advance(2)
    world.poll("bland")
    assert ("page", ("sweep", "12")) in bland.requests
    assert ("page", ("sweep", "0")) not in bland.requests
    assert len(world.store.issues) == 31


def test_a_refused_write_is_not_one_of_them():
    """A vendor that says no is shown, not retried: see test_mirroring."""
    world = World()
    born, _ = pair(world)

    def refuse(seen, changes):
        raise Rejected("400")

    world.systems["bland"].update = refuse
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    note = world.issue_of("antimetal", born).refs["bland"].notes["status"]
    assert (note.kind, note.detail) == ("rejected", "400")


def test_every_wake_up_and_stream_record_may_be_lost_and_all_still_converges():
    """The pending mark is the truth; reconcile finds it within one of its rounds."""
    world = World()
    born = world.systems["antimetal"].add(severity="high")
    for _ in range(3):
        for name in world.systems:
            world.poll(name)
        world.store.woken.clear()
        world.finish(remaining_seconds=lambda: 900)
        world.store.woken.clear()
        world.clock.advance(60)
    (twin,) = world.systems["bland"].issues
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    for _ in range(2):
        world.poll("antimetal")
        world.store.woken.clear()
        world.finish(remaining_seconds=lambda: 900)
    assert shown(world, "bland", twin) == "done"


def test_an_unchanged_issue_costs_no_read_and_no_write_of_the_table():
    told = rounds(issues=200)
    assert told["items read for an unchanged issue"] == 0
    assert told["items written for an unchanged issue"] == 0
