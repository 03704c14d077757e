"""What a list does not show: hidden, deleted, or a vendor that has lost its mind."""

import dataclasses

import pytest

from issuebridge.domain.errors import AccessRefused, Gone, Rejected, Transient
from issuebridge.ports import Page
from issuebridge.use_cases.pull_changes import LEASE_SECONDS
from tests.world import World, connection, document


def closing() -> World:
    routes = [{"from": "antimetal", "to": "bland", "on_delete": "close"}]
    return World(document(routes=routes))


def pair(world: World):
    world.systems["antimetal"].add("stays", severity="high")
    born = world.systems["antimetal"].add("goes", severity="high")
    world.rounds(2)
    twin = next(i for i in world.systems["bland"].issues.values() if i.title == "goes")
    return born, twin


def status(world: World, name: str, remote_id: str) -> str:
    return world.systems[name].issues[remote_id].raw["status"]


def test_a_deleted_issue_becomes_a_tombstone_only_after_two_sweeps():
    world = closing()
    born, twin = pair(world)
    del world.systems["antimetal"].issues[born.remote_id]
    world.poll("antimetal")
    assert not world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted
    world.poll("antimetal")
    assert world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted
    world.rounds(2)
    assert status(world, "bland", twin.remote_id) == "closed"
    assert world.connections.read("antimetal").completeness.closes


def test_the_other_side_is_left_alone_unless_the_route_says_close():
    world = World()
    born, twin = pair(world)
    before = status(world, "bland", twin.remote_id)
    del world.systems["antimetal"].issues[born.remote_id]
    world.rounds(4)
    assert status(world, "bland", twin.remote_id) == before
    assert world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted


def test_a_deleted_counterpart_is_never_made_anew():
    world = World()
    _, twin = pair(world)
    del world.systems["bland"].issues[twin.remote_id]
    world.rounds(6)
    assert [i.title for i in world.systems["bland"].issues.values()] == ["stays"]


def test_an_issue_that_comes_back_undoes_what_its_deletion_closed():
    world = closing()
    born, twin = pair(world)
    gone = world.systems["antimetal"].issues.pop(born.remote_id)
    world.rounds(4)
    assert status(world, "bland", twin.remote_id) == "closed"
    world.systems["antimetal"].issues[born.remote_id] = gone
    world.rounds(3)
    assert status(world, "antimetal", born.remote_id) == "investigating"
    assert status(world, "bland", twin.remote_id) == "in_progress"


def test_a_soft_delete_is_a_tombstone_at_once_and_its_word_reaches_nobody():
    routes = [{"from": "zylon", "to": "bland", "on_delete": "close"}]
    world = World(document(routes=routes))
    born = world.systems["zylon"].add()
    world.rounds(2)
    old = world.systems["zylon"].issues[born.remote_id]
    world.systems["zylon"].issues[born.remote_id] = dataclasses.replace(
        old, deleted=True, raw={**old.raw, "status": "Deleted"}
    )
    world.rounds(2)
    (twin,) = world.systems["bland"].issues.values()
    assert twin.raw["status"] == "closed"
    assert world.issue_of("zylon", born.remote_id).refs["zylon"].notes.get("status") is None


def test_an_issue_hidden_by_the_paging_is_no_deletion_and_shows_in_the_equation():
    world = World()
    born, twin = pair(world)
    page = world.systems["antimetal"].page

    def hiding(lane, cursor):
        shown = page(lane, cursor)
        return Page([i for i in shown.issues if i.remote_id != born.remote_id], shown.cursor)

    world.systems["antimetal"].page = hiding
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    report = world.poll("antimetal")
    assert report.completeness.missing == (born.remote_id,)
    assert not report.completeness.closes
    world.rounds(3)
    assert not world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted
    assert status(world, "bland", twin.remote_id) == "done", "it was read by itself"


def test_a_count_the_vendor_claims_and_does_not_show_keeps_the_equation_open():
    world = World()
    world.systems["zylon"].add()
    page = world.systems["zylon"].page
    world.systems["zylon"].page = lambda lane, cursor: dataclasses.replace(
        page(lane, cursor), claimed=2
    )
    assert not world.poll("zylon").completeness.closes


@pytest.mark.parametrize(
    "answer",
    [
        lambda lane, cursor: Page([], None),
        lambda lane, cursor: (_ for _ in ()).throw(AccessRefused("403")),
        lambda lane, cursor: (_ for _ in ()).throw(Transient("500")),
    ],
    ids=["an empty list", "403", "500"],
)
@pytest.mark.parametrize("count", [3, 60])
def test_a_vendor_out_of_its_mind_closes_nothing(answer, count):
    world = closing()
    for n in range(count):
        world.systems["antimetal"].add(f"issue {n}", severity="high")
    world.rounds(8)
    before = [i.raw["status"] for i in world.systems["bland"].issues.values()]
    assert len(before) == count
    world.systems["antimetal"].page = answer
    world.rounds(6)
    assert [i.raw["status"] for i in world.systems["bland"].issues.values()] == before


def test_a_key_of_another_tenant_deletes_nothing():
    world = closing()
    pair(world)

    def stranger(call: str, moment: str) -> None:
        if call == "get":
            raise Gone("404")

    world.systems["antimetal"].page = lambda lane, cursor: Page([], None)
    world.systems["antimetal"].fail = stranger
    world.rounds(6)
    assert not [i for i in world.store.issues.values() if '"deleted":true' in i]


def test_a_counterpart_deleted_before_any_list_showed_it_becomes_a_tombstone():
    world = closing()
    world.systems["bland"].add("stays")
    born = world.systems["antimetal"].add("goes", severity="high")
    world.poll("bland")
    world.poll("antimetal")
    world.mirror()
    (twin,) = (i for i in world.systems["bland"].issues.values() if i.title == "goes")
    del world.systems["bland"].issues[twin.remote_id]
    world.rounds(4)
    assert world.issue_of("bland", twin.remote_id).refs["bland"].deleted
    assert status(world, "antimetal", born.remote_id) == "resolved"


def test_an_issue_stored_by_a_poll_that_crashed_and_deleted_then_becomes_a_tombstone():
    world = closing()
    world.systems["antimetal"].add("stays", severity="high")
    world.rounds(2)
    born = world.systems["antimetal"].add("goes", severity="high")
    commit = world.store.commit

    def crash_after(*given: object, **named: object) -> None:
        commit(*given, **named)
        raise KeyboardInterrupt

    world.store.commit = crash_after
    with pytest.raises(KeyboardInterrupt):
        world.poll("antimetal")
    world.store.commit = commit
    del world.systems["antimetal"].issues[born.remote_id]
    world.clock.advance(LEASE_SECONDS)
    world.rounds(4)
    assert world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted


def test_an_issue_that_was_set_aside_and_then_deleted_is_no_longer_shown():
    world = World()
    pair(world)
    system = world.systems["antimetal"]
    born = system.add("poison", severity="high")
    page = system.page
    system.page = lambda lane, cursor: _undated(page(lane, cursor))

    def refuse(call: str, moment: str) -> None:
        if call == "get" and born.remote_id in system.issues:
            raise Rejected("400: always")

    system.fail = refuse
    world.rounds(2)
    assert [*world.connections.read("antimetal").failing] == [born.remote_id]
    del system.issues[born.remote_id]
    world.rounds(4)
    assert world.connections.read("antimetal").failing == {}


def test_a_deletion_is_confirmed_by_whichever_issue_of_before_still_answers():
    """Not only by the first three: those may be deleted in their turn."""
    world = closing()
    system = world.systems["antimetal"]
    system.page_size = 100
    born = [system.add(f"issue {n}", severity="high").remote_id for n in range(6)]
    world.rounds(2)
    del system.issues[born[5]]
    world.rounds(1)
    for remote_id in born[:3]:
        del system.issues[remote_id]
    world.rounds(5)
    gone = [world.issue_of("antimetal", r).refs["antimetal"].deleted for r in born]
    assert gone == [True, True, True, False, False, True]


def test_one_that_nobody_can_confirm_keeps_no_other_from_being_confirmed():
    world = closing()
    system = world.systems["antimetal"]
    system.page_size = 100
    first = system.add("alone", severity="high").remote_id
    world.rounds(2)
    del system.issues[first]
    world.rounds(2)
    later = [system.add(f"issue {n}", severity="high").remote_id for n in range(3)]
    world.rounds(2)
    del system.issues[later[0]]
    world.rounds(3)
    assert world.issue_of("antimetal", later[0]).refs["antimetal"].deleted
    assert not world.issue_of("antimetal", first).refs["antimetal"].deleted


def test_when_no_issue_of_before_answers_only_a_person_can_say_that_they_are_gone():
    world = closing()
    born = world.systems["antimetal"].add("goes", severity="high")
    world.rounds(2)
    world.systems["antimetal"].add("comes", severity="high")
    del world.systems["antimetal"].issues[born.remote_id]
    world.rounds(6)
    assert not world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted
    assert world.connections.read("antimetal").completeness.missing == (born.remote_id,)
    world.allow("antimetal")
    world.rounds(3)
    assert world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted
    assert world.connections.read("antimetal").completeness.closes


def _undated(page: Page) -> Page:
    """As a vendor whose rows do not tell when they were created."""
    rows = [dataclasses.replace(row, created_at=None, is_row=True) for row in page.issues]
    return Page(rows, page.cursor)


def test_issues_that_a_list_hides_by_the_dozen_are_read_by_themselves():
    """As when a vendor names a new state, which no filter of ours asks for."""
    world = small_breaker()
    born = [world.systems["antimetal"].add(f"issue {n}", severity="high") for n in range(12)]
    world.rounds(3)
    page = world.systems["antimetal"].page
    hidden = {issue.remote_id for issue in born[:6]}

    def hiding(lane, cursor):
        shown = page(lane, cursor)
        return Page([i for i in shown.issues if i.remote_id not in hidden], shown.cursor)

    world.systems["antimetal"].page = hiding
    world.systems["antimetal"].page_size = 100
    world.systems["antimetal"].edit(born[5].remote_id, status="escalated")
    world.rounds(3)
    notes = world.issue_of("antimetal", born[5].remote_id).refs["antimetal"].notes
    assert notes["status"].kind == "frozen"
    assert not [i for i in world.store.issues.values() if '"deleted":true' in i]


def test_a_vendor_that_comes_back_between_two_reads_has_deleted_nothing():
    world = World()
    born, _ = pair(world)
    system = world.systems["antimetal"]
    asked: list[str] = []

    def come_back(call: str, moment: str) -> None:
        if call == "get":
            asked.append(call)
            if len(asked) in (1, 2):  # at the first sweep, and first of all at the second
                raise Gone("404")

    page = system.page
    system.page = lambda lane, cursor: Page(
        [i for i in page(lane, cursor).issues if i.remote_id != born.remote_id], None
    )
    system.fail = come_back
    world.rounds(2)
    assert len(asked) > 2
    assert not world.issue_of("antimetal", born.remote_id).refs["antimetal"].deleted


def small_breaker(**more: object) -> World:
    connections = {
        "antimetal": connection("antimetal", breaker={"count": 3, "share": 0.1}),
        "bland": connection("bland"),
    }
    return World(
        document(
            connections=connections,
            routes=[{"from": "antimetal", "to": "bland", "on_delete": "close"}],
        )
    )


def test_more_missing_issues_than_the_limit_trip_the_breaker_until_a_person_allows_it():
    world = small_breaker()
    for n in range(12):
        world.systems["antimetal"].add(f"issue {n}", severity="high")
    world.rounds(3)
    for remote_id in list(world.systems["antimetal"].issues)[:6]:
        del world.systems["antimetal"].issues[remote_id]
    report = world.poll("antimetal")
    assert "6 of 12 issues are missing" in report.problem
    assert report.remedy_needed
    world.rounds(5)
    assert "closed" not in {i.raw["status"] for i in world.systems["bland"].issues.values()}
    world.allow("antimetal")
    world.rounds(5)
    closed = [i for i in world.systems["bland"].issues.values() if i.raw["status"] == "closed"]
    assert len(closed) == 6


def test_more_closings_than_the_limit_in_one_round_trip_the_breaker():
    world = small_breaker()
    born = [world.systems["antimetal"].add(f"issue {n}", severity="high") for n in range(12)]
    world.rounds(3)
    for issue in born:
        world.systems["antimetal"].edit(issue.remote_id, status="resolved")
    world.rounds(5)
    done = [i for i in world.systems["bland"].issues.values() if i.raw["status"] == "done"]
    assert done == [], "what a stopped connection said before goes nowhere either"
    assert "allow antimetal" in world.connections.gate("antimetal").shut
    world.allow("antimetal")
    world.rounds(5)
    assert {i.raw["status"] for i in world.systems["bland"].issues.values()} == {"done"}


def test_a_page_that_would_close_too_many_is_refused_before_any_of_it_is_stored():
    world = small_breaker()
    born = [world.systems["antimetal"].add(f"issue {n}", severity="high") for n in range(12)]
    world.rounds(3)
    world.systems["antimetal"].page_size = 100
    for issue in born:
        world.systems["antimetal"].edit(issue.remote_id, status="resolved")
    world.rounds(2)
    assert "done" not in {i.raw["status"] for i in world.systems["bland"].issues.values()}
    assert "allow antimetal" in world.connections.gate("antimetal").shut


def test_an_issue_that_cannot_be_taken_in_is_set_aside_shown_and_tried_again():
    world = World()
    born, _ = pair(world)
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    broken = [True]

    def fail(call: str, moment: str) -> None:
        if broken[0] and (call, moment) == ("get", "before"):
            raise Rejected("400: always")

    world.systems["antimetal"].fail = fail
    world.rounds(20, seconds=120)
    failing = world.connections.read("antimetal").failing[born.remote_id]
    assert (failing.name, failing.reason) == (born.display_id, "400: always")
    asked = len([r for r in world.systems["antimetal"].requests if r[0] == "get"])
    assert asked < 12, "with growing pauses"
    broken[0] = False
    world.rounds(10, seconds=3600)
    assert world.connections.read("antimetal").failing == {}
    assert world.issue_of("antimetal", born.remote_id).status == "done"
