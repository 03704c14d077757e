"""Issues that people have linked are paired, and what a row leaves out is read when needed."""

import dataclasses

import pytest

from issuebridge.domain.routing import not_taken
from issuebridge.ports import Page
from tests.unit.test_gate import pushed
from tests.world import World, document

LINK = '{"html_url":"https://antimetal.example/i/%s"}'


def routes(*pairs: tuple[str, str], since: str = "now") -> list[dict[str, object]]:
    bounds = {"filter": {}, "daily_budget": 9}
    return [
        {"from": a, "to": b, "since": since, **(bounds if b == "antimetal" else {})}
        for a, b in pairs
    ]


BOTH = [("antimetal", "bland"), ("bland", "antimetal")]


@pytest.mark.parametrize(
    "ways", [BOTH, BOTH[:1], BOTH[1:]], ids=["both ways", "to bland", "to antimetal"]
)
@pytest.mark.parametrize("first", ["antimetal", "bland"])
@pytest.mark.parametrize("since", ["now", "2026-01-01T00:00Z"])
def test_a_bound_link_that_is_the_address_of_the_other_pairs_the_two(ways, first, since):
    world = World(document(routes=routes(*ways, since=since)))
    incident = world.systems["antimetal"].add("incident", severity="high")
    issue = world.systems["bland"].add("issue", external_link=LINK % incident.remote_id)
    world.poll(first)
    world.rounds(4)
    assert [len(world.systems[n].issues) for n in ("bland", "antimetal")] == [1, 1]
    paired = world.issue_of("bland", issue.remote_id)
    assert paired == world.issue_of("antimetal", incident.remote_id)
    assert paired.origin == ("bland" if ways == BOTH[1:] else "antimetal")
    world.systems["antimetal"].edit(incident.remote_id, status="resolved")
    world.rounds(3)
    assert world.systems["bland"].issues[issue.remote_id].raw["status"] == "done"


def test_a_link_bound_later_pairs_two_issues_that_are_known_apart():
    world = World(document(routes=routes(("antimetal", "bland"), since="2027-01-01T00:00Z")))
    incident = world.systems["antimetal"].add("incident")
    issue = world.systems["bland"].add("issue")
    world.rounds(3)
    world.systems["bland"].edit(issue.remote_id, external_link=LINK % incident.remote_id)
    world.rounds(4)
    assert world.issue_of("bland", issue.remote_id) == world.issue_of(
        "antimetal", incident.remote_id
    )


def test_two_issues_with_one_address_are_shown_and_neither_is_paired():
    world = World(document(routes=routes(*BOTH)))
    incident = world.systems["antimetal"].add("incident", severity="high")
    twins = [
        world.systems["bland"].add(f"n{n}", external_link=LINK % incident.remote_id) for n in "ab"
    ]
    world.rounds(5)
    assert [len(world.systems[n].issues) for n in ("bland", "antimetal")] == [2, 1]
    parked = [world.issue_of("bland", twin.remote_id).parked for twin in twins]
    assert all("so do others" in reasons["antimetal"] for reasons in parked)
    assert "leave one" in world.issue_of("antimetal", incident.remote_id).parked["bland"]


def test_a_link_to_a_strangers_page_pairs_nothing():
    world = World(document(routes=routes(*BOTH)))
    world.systems["bland"].add(severity="high", external_link='{"url":"https://github.com/a/b/1"}')
    world.rounds(4)
    assert len(world.systems["antimetal"].issues) == 1


def test_a_person_links_two_and_says_whose_values_come_first():
    world = World(document(routes=[]))
    incident = world.systems["antimetal"].add("incident", status="ready_to_fix")
    issue = world.systems["bland"].add("issue", status="todo")
    world.rounds(2)
    a, b = (world.issue_of(n, i.remote_id) for n, i in (("antimetal", incident), ("bland", issue)))
    world.pair.join(b.issue_id, a.issue_id)
    world.rounds(3)
    assert world.issue_of("antimetal", incident.remote_id).status == "todo"
    assert world.systems["antimetal"].issues[incident.remote_id].raw["status"] == "investigating"
    told = [(e.outcome, e.by) for e in world.store.history(b.issue_id)]
    assert told


def without_births(world: World) -> None:
    """As at Antimetal, whose rows do not tell when an issue was born."""
    system = world.systems["antimetal"]
    page = system.page

    def rows(lane, cursor):
        shown = page(lane, cursor)
        bare = [
            dataclasses.replace(r, created_at=None, updated_at=None, is_row=True)
            for r in shown.issues
        ]
        return Page(bare, shown.cursor)

    system.page = rows


def test_an_issue_first_seen_without_a_route_gets_its_counterpart_once_there_is_one():
    world = World(document(routes=[]))
    without_births(world)
    incident = world.systems["antimetal"].add(severity="high")
    world.rounds(2)
    assert world.issue_of("antimetal", incident.remote_id).created_at is None
    pushed(
        world, lambda g: g.update(routes=routes(("antimetal", "bland"), since="2026-01-01T00:00Z"))
    )
    world.rounds(3)
    assert len(world.systems["bland"].issues) == 1


def test_what_a_route_does_not_take_has_a_reason():
    given = routes(("antimetal", "bland"))
    given[0]["filter"] = {"severity": ["high"]}
    world = World(document(routes=given))
    low = world.systems["antimetal"].add(severity="low").remote_id
    world.rounds(3)
    (route,) = world.config.routes
    assert "severity low" in not_taken(route, world.issue_of("antimetal", low))
