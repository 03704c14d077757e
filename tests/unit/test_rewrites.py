"""What only the configuration has changed: told before it is pushed, and limited by the gate."""

from datetime import timedelta

import pytest

from issuebridge.domain.rewrites import rewrites
from tests.unit.test_gate import careful, linked, pushed
from tests.world import World, connection, document

LINED = {"carriers": {"external_link": "managed_line"}}


def lined(count: int) -> World:
    given = document()
    given["connections"]["bland"] = connection("bland", **LINED)
    return careful(count, connections=given["connections"])


def moved_address(given) -> None:
    given["connections"]["antimetal"]["issue_url"] = "https://elsewhere.example/{number}"


def other_maps(given) -> None:
    given["connections"]["bland"]["maps"] = {
        "status": {
            "backlog": ["backlog"],
            "todo": ["todo", "in_progress"],
            "in_progress": [],
            "in_review": ["in_review"],
            "done": ["done"],
            "closed": ["closed"],
        }
    }


def no_line(given) -> None:
    given["connections"]["bland"]["carriers"] = {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(moved_address, {("bland", "external_link")}, id="another address"),
        pytest.param(other_maps, {("bland", "status")}, id="other maps"),
        pytest.param(no_line, {("bland", "line")}, id="another carrier"),
        pytest.param(lambda given: None, set(), id="nothing"),
    ],
)
def test_each_copy_that_would_be_written_anew_is_told_by_field(change, told):
    world = lined(count=20)
    ids = [world.issue_of("antimetal", a).issue_id for a, _ in linked(world, 2)]
    before, now = world.landscape, world.clock.now()
    pushed(world, change)
    for issue_id in ids:
        found = rewrites(world.store.load(issue_id), before, world.landscape, now)
        assert {*found} == told


def test_an_edit_that_waits_is_nothing_that_the_configuration_rewrites():
    world = lined(count=20)
    ((incident, _),) = linked(world, 1)
    world.systems["antimetal"].edit(incident, status="ready_to_fix")
    world.clock.advance(5)
    world.poll("antimetal")
    issue = world.issue_of("antimetal", incident)
    assert issue.pending
    now = world.clock.now() + timedelta(hours=1)
    assert not [*rewrites(issue, world.landscape, world.landscape, now)]


def test_a_new_address_is_written_to_no_more_issues_than_the_gate_lets_pass():
    world = lined(count=3)
    linked(world, 6)
    world.clock.advance(4000)
    world.rounds(1)
    pushed(world, moved_address)
    world.rounds(3)
    texts = [issue.description for issue in world.systems["bland"].issues.values()]
    assert sum("elsewhere.example" in text for text in texts) <= 3
    assert "written anew" in world.connections.gate("bland").shut
    world.allow("bland")
    world.rounds(3)
    texts = [issue.description for issue in world.systems["bland"].issues.values()]
    assert all("elsewhere.example" in text for text in texts)


def test_linking_many_issues_and_binding_many_links_rewrites_nothing():
    world = lined(count=3)
    pairs = linked(world, 3)
    for number, (_, twin) in enumerate(pairs):
        url = f"https://git.example/{number}"
        world.systems["bland"].edit(twin, external_link=f'{{"url":"{url}"}}')
    world.rounds(2)
    for _, twin in pairs[:2]:
        world.systems["bland"].edit(twin, external_link=None)
    world.rounds(2)
    assert "rewritten" not in world.connections.gate("bland").counts
