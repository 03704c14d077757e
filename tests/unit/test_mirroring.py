"""The main job on fakes: counterparts, edits on every side, echoes, conflicts, odd words."""

from datetime import timedelta
from itertools import pairwise

import pytest

from issuebridge.domain.errors import Rejected
from tests.world import World, connection, document


@pytest.fixture
def world() -> World:
    return World()


def fail_once(error: Exception, call: str, moment: str):
    left = [error]

    def fail(asked: str, when: str) -> None:
        if left and (asked, when) == (call, moment):
            raise left.pop()

    return fail


def the_only(system):
    assert len(system.issues) == 1, [i.title for i in system.issues.values()]
    return next(iter(system.issues.values()))


def test_an_issue_born_after_the_route_was_switched_on_gets_exactly_one_counterpart(world):
    incident = world.systems["antimetal"].add("Disk full", severity="high")
    world.rounds(4)
    counterpart = the_only(world.systems["bland"])
    assert counterpart.title == "Disk full"
    assert counterpart.raw["severity"] == "high"
    issue = world.issue_of("antimetal", incident.remote_id)
    assert set(issue.refs) == {"antimetal", "bland"}
    assert the_only(world.systems["antimetal"]) is incident


def test_history_from_before_the_route_stays_where_it_is():
    world = World(
        document(routes=[{"from": "antimetal", "to": "bland", "since": "2027-01-01T00:00Z"}])
    )
    world.systems["antimetal"].add("old", severity="high")
    world.rounds()
    assert world.systems["bland"].issues == {}


def test_a_finished_issue_is_not_brought_over(world):
    world.systems["antimetal"].add(status="resolved")
    world.rounds()
    assert world.systems["bland"].issues == {}


def test_an_idle_round_writes_nothing_anywhere(world):
    for name in world.systems:
        world.systems[name].add(f"born at {name}")
    world.rounds(4)
    writes, stored = world.writes(), world.store.writes
    world.rounds(3)
    assert (world.writes(), world.store.writes) == (writes, stored)


@pytest.mark.parametrize(
    ("origin", "counterpart", "edit", "shows"),
    [
        ("antimetal", "bland", {"status": "resolved"}, {"status": "done"}),
        ("antimetal", "bland", {"severity": "low"}, {"severity": "low"}),
        ("zylon", "bland", {"status": "InReview"}, {"status": "in_progress"}),
        ("bland", "antimetal", {"status": "in_review"}, {"status": "ready_to_fix"}),
    ],
)
def test_an_edit_at_the_origin_reaches_the_counterpart(world, origin, counterpart, edit, shows):
    born = world.systems[origin].add()
    world.rounds()
    world.systems[origin].edit(born.remote_id, **edit)
    world.rounds()
    shown = the_only(world.systems[counterpart]).raw
    assert {name: shown[name] for name in shows} == shows


@pytest.mark.parametrize(
    ("origin", "edit", "shows"),
    [
        ("antimetal", "closed", "resolved"),
        ("antimetal", "backlog", "muted"),
        ("zylon", "done", "Closed"),
        ("zylon", "in_review", "InReview"),
    ],
)
def test_an_edit_at_the_counterpart_comes_back_to_the_origin(world, origin, edit, shows):
    born = world.systems[origin].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["bland"].edit(counterpart.remote_id, status=edit)
    world.rounds()
    assert world.systems[origin].issues[born.remote_id].raw["status"] == shows
    assert world.systems["bland"].issues[counterpart.remote_id].raw["status"] == edit


def test_a_word_that_already_means_the_value_is_left_alone(world):
    """antimetal's `investigating` stands for todo and for in_progress."""
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    before = len(world.systems["antimetal"].writes())
    for status in ("todo", "in_progress"):
        world.systems["bland"].edit(counterpart.remote_id, status=status)
        world.rounds()
        assert world.systems["bland"].issues[counterpart.remote_id].raw["status"] == status
    assert len(world.systems["antimetal"].writes()) == before
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "investigating"


def test_one_edit_causes_one_write_in_fifty_rounds(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    before = world.writes()
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.rounds(50)
    assert world.writes() == before + 1


def test_putting_the_old_value_back_right_after_our_push_is_an_edit_like_any_other(world):
    """The poll has seen that old value before; only our push tells it that it is news."""
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.poll("bland")
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.mirror()
    assert world.systems["bland"].issues[counterpart.remote_id].raw["status"] == "done"
    world.clock.advance(1)
    world.systems["bland"].edit(counterpart.remote_id, status="in_progress")
    world.rounds()
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "investigating"


def test_of_two_edits_apart_the_later_one_stands_and_the_other_is_kept_in_the_history(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.clock.advance(10)
    world.systems["bland"].edit(counterpart.remote_id, status="in_review")
    world.rounds()
    assert world.systems["bland"].issues[counterpart.remote_id].raw["status"] == "in_review"
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "ready_to_fix"
    issue = world.issue_of("antimetal", born.remote_id)
    conflict = [e for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert [(e.field, e.new) for e in conflict] == [("status", "in_review")]
    assert "done" in (conflict[0].old or "") + (conflict[0].detail or "")


@pytest.mark.parametrize("preferred", ["antimetal", "bland"])
def test_the_preferred_side_wins_a_conflict(preferred):
    rule = {"conflict": {"status": {"prefer": preferred}}}
    connections = {name: connection(name, **rule) for name in ("bland", "antimetal", "zylon")}
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["bland"].edit(counterpart.remote_id, status="in_review")
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.rounds()
    expected = {"antimetal": ("done", "resolved"), "bland": ("in_review", "ready_to_fix")}
    assert (
        world.systems["bland"].issues[counterpart.remote_id].raw["status"],
        world.systems["antimetal"].issues[born.remote_id].raw["status"],
    ) == expected[preferred]


def test_a_conflict_on_hold_changes_neither_side_and_is_told_once():
    rule = {"conflict": {"status": "hold"}}
    connections = {name: connection(name, **rule) for name in ("bland", "antimetal", "zylon")}
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["bland"].edit(counterpart.remote_id, status="in_review")
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.rounds(5)
    assert world.systems["bland"].issues[counterpart.remote_id].raw["status"] == "in_review"
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "resolved"
    issue = world.issue_of("antimetal", born.remote_id)
    assert [e.outcome for e in world.store.history(issue.issue_id)].count("held") == 1


@pytest.mark.parametrize(
    ("take", "expected"),
    [("ours", ("done", "resolved")), ("theirs", ("in_review", "ready_to_fix"))],
)
def test_a_held_conflict_ends_as_the_person_decides_who_releases_it(take, expected):
    rule = {"conflict": {"status": "hold"}}
    connections = {name: connection(name, **rule) for name in ("bland", "antimetal", "zylon")}
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.systems["bland"].edit(counterpart.remote_id, status="in_review")
    world.rounds()
    world.release("antimetal", born.remote_id, take)
    world.rounds()
    assert (
        world.systems["bland"].issues[counterpart.remote_id].raw["status"],
        world.systems["antimetal"].issues[born.remote_id].raw["status"],
    ) == expected


def test_a_refused_create_is_parked_and_tried_again_once_released(world):
    world.systems["bland"].fail = fail_once(Rejected("422: no such category"), "create", "before")
    born = world.systems["antimetal"].add()
    world.rounds()
    assert world.systems["bland"].issues == {}
    assert world.issue_of("antimetal", born.remote_id).parked == {"bland": "422: no such category"}
    world.release("antimetal", born.remote_id, "ours")
    world.rounds()
    the_only(world.systems["bland"])


def test_an_unknown_word_freezes_that_field_of_that_issue_and_thaws_by_itself(world):
    born = world.systems["antimetal"].add()
    other = world.systems["antimetal"].add("other")
    world.rounds()
    world.systems["antimetal"].edit(born.remote_id, status="escalated", severity="low")
    world.systems["antimetal"].edit(other.remote_id, status="resolved")
    world.rounds()
    shown = {i.title: i.raw for i in world.systems["bland"].issues.values()}
    assert (shown["broken"]["status"], shown["broken"]["severity"]) == ("in_progress", "low")
    assert shown["other"]["status"] == "done"
    world.systems["antimetal"].edit(born.remote_id, status="ready_to_fix")
    world.rounds()
    shown = {i.title: i.raw for i in world.systems["bland"].issues.values()}
    assert shown["broken"]["status"] == "in_review"


def test_a_frozen_word_is_never_overwritten(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["antimetal"].edit(born.remote_id, status="escalated")
    world.systems["bland"].edit(counterpart.remote_id, status="closed")
    world.rounds()
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "escalated"


def test_what_a_vendor_cannot_hold_is_unsupported_and_never_retried(world):
    born = world.systems["bland"].add(severity="high")
    world.rounds()
    counterpart = the_only(world.systems["antimetal"])
    world.systems["bland"].edit(born.remote_id, severity="low")
    world.rounds()
    issue = world.issue_of("bland", born.remote_id)
    assert issue.refs["antimetal"].notes["severity"].kind == "unsupported"
    assert issue.pending == {}
    assert counterpart.raw["severity"] == "high"


def test_a_write_that_is_refused_is_set_aside_and_the_others_go_through(world):
    connections = {
        **{name: connection(name) for name in ("bland", "antimetal", "zylon")},
        "bland": connection(
            "bland",
            maps={
                "status": {
                    "backlog": ["backlog"],
                    "todo": ["todo"],
                    "in_progress": ["in_progress"],
                    "in_review": ["in_review"],
                    "refused": ["done", "closed"],
                }
            },
        ),
    }
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add()
    world.rounds()
    world.systems["antimetal"].edit(born.remote_id, status="resolved", severity="low")
    world.rounds(6)
    assert the_only(world.systems["bland"]).raw["severity"] == "low"
    issue = world.issue_of("antimetal", born.remote_id)
    assert issue.refs["bland"].notes["status"].kind == "rejected"
    refused = [r for r in world.systems["bland"].writes() if "refused" in str(r)]
    assert len(refused) <= 2, "once with the others, once alone, then not in these six minutes"


def test_a_refused_write_is_tried_again_after_pauses_that_grow_and_then_heals(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    bland = world.systems["bland"]
    bland.ignores = {"status"}
    start, before = world.clock.now(), len(bland.writes())
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    tried = []
    for _ in range(400):
        world.rounds(1, seconds=600)
        while len(bland.writes()) > before:
            before += 1
            tried.append((world.clock.now() - start) / timedelta(minutes=1))
    gaps = [round(b - a) for a, b in pairwise(tried)]
    assert gaps == [20, 60, 240, 960, 1440], "15 minutes, told in rounds of 10; a day at most"
    issue = world.issue_of("antimetal", born.remote_id)
    told = [e for e in world.store.history(issue.issue_id) if e.outcome == "rejected"]
    assert len(told) == 1, "told once, since nothing about it changed"
    bland.ignores = set()
    world.rounds(150, seconds=600)
    issue = world.issue_of("antimetal", born.remote_id)
    assert the_only(bland).raw["status"] == "done"
    assert (issue.pending, issue.refs["bland"].notes.get("status")) == ({}, None)


def test_a_write_that_is_ignored_without_a_word_is_noticed_and_not_repeated_at_once(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    world.systems["bland"].ignores = {"status"}
    before = world.writes()
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.rounds(6)
    assert world.writes() == before + 1
    issue = world.issue_of("antimetal", born.remote_id)
    assert issue.refs["bland"].notes["status"].kind == "rejected"


def test_a_daily_budget_bounds_what_is_created(world):
    routes = [{"from": "bland", "to": "antimetal", "filter": {}, "daily_budget": 2}]
    world = World(document(routes=routes))
    for n in range(5):
        world.systems["bland"].add(f"issue {n}")
    world.rounds(5)
    assert len(world.systems["antimetal"].issues) == 2
    world.clock.advance(24 * 3600)
    world.rounds(5)
    assert len(world.systems["antimetal"].issues) == 4


def test_a_connection_in_observe_is_read_and_never_written_to():
    connections = {
        **{name: connection(name) for name in ("bland", "zylon")},
        "antimetal": connection("antimetal", mode="observe"),
    }
    world = World(document(connections=connections, routes=[{"from": "antimetal", "to": "bland"}]))
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = the_only(world.systems["bland"])
    world.systems["bland"].edit(counterpart.remote_id, status="closed")
    world.rounds()
    assert world.systems["antimetal"].writes() == []
    assert world.issue_of("antimetal", born.remote_id).status == "closed"


class TestLinks:
    def make(self) -> World:
        line = {"carriers": {"external_link": "managed_line"}}
        connections = {
            "bland": connection("bland", **line),
            "antimetal": connection("antimetal"),
            "zylon": connection("zylon", **line),
        }
        return World(document(connections=connections))

    def test_each_side_leads_across_to_the_other(self):
        world = self.make()
        born = world.systems["zylon"].add(description="The answer was wrong.")
        world.rounds()
        counterpart = the_only(world.systems["bland"])
        assert f"link=https://zylon.example/i/{born.remote_id}]" in counterpart.description
        origin = world.systems["zylon"].issues[born.remote_id].description
        assert origin.startswith("The answer was wrong.\n\n[issuebridge ref=ib")
        assert f"link=https://bland.example/i/{counterpart.remote_id}]" in origin

    def test_a_link_bound_by_a_person_replaces_it_on_every_side(self):
        world = self.make()
        born = world.systems["zylon"].add()
        world.rounds()
        counterpart = the_only(world.systems["bland"])
        bound = '{"html_url":"https://github.com/o/r/issues/7","provider":"github"}'
        world.systems["bland"].edit(counterpart.remote_id, external_link=bound)
        world.rounds()
        origin = world.systems["zylon"].issues[born.remote_id].description
        assert "link=https://github.com/o/r/issues/7]" in origin

    def test_people_may_write_around_the_line_and_lose_nothing(self):
        world = self.make()
        born = world.systems["zylon"].add(description="before")
        world.rounds()
        text = world.systems["zylon"].issues[born.remote_id].description
        world.systems["zylon"].edit(born.remote_id, description=f"{text}\nafter 🚒")
        counterpart = the_only(world.systems["bland"])
        world.systems["bland"].edit(counterpart.remote_id, external_link='"https://x.example/1"')
        world.rounds()
        lines = world.systems["zylon"].issues[born.remote_id].description.split("\n")
        assert (lines[0], lines[-1]) == ("before", "after 🚒")
        assert sum(line.startswith("[issuebridge ") for line in lines) == 1
        assert "link=https://x.example/1]" in lines[-2]

    def test_a_description_that_mentions_norm_is_left_alone(self):
        world = self.make()
        born = world.systems["bland"].add(description="please ask @Norm to look", severity="high")
        world.rounds()
        assert world.systems["bland"].writes() == []
        notes = world.issue_of("bland", born.remote_id).refs["bland"].notes
        assert notes["external_link"].kind == "unsupported"
        assert "@norm" not in the_only(world.systems["antimetal"]).description.lower()


def test_what_a_counterpart_showed_as_it_was_made_was_agreed_on_by_nobody(world):
    """It is made as `investigating`; should the origin come to mean that, a person's edit of the
    counterpart did not know of it."""
    world.rounds()
    born = world.systems["bland"].add(status="in_review", severity="high")
    world.poll("bland")
    world.mirror()
    made = the_only(world.systems["antimetal"])
    assert made.raw["status"] == "investigating"
    world.systems["antimetal"].edit(made.remote_id, status="resolved")
    world.clock.advance(60)
    world.systems["bland"].edit(born.remote_id, status="in_progress")
    world.poll("bland")
    world.rounds()
    assert world.systems["bland"].issues[born.remote_id].raw["status"] == "in_progress"
    issue = world.issue_of("bland", born.remote_id)
    lost = [row for row in world.store.history(issue.issue_id) if row.outcome == "conflict"]
    assert [(row.by, row.old) for row in lost] == [("antimetal", "done")]
