"""A refused create is drafted anew from what is true now, and can be given up by a person."""

from dataclasses import replace

import pytest

from issuebridge.domain.errors import Ambiguous, Misconfigured, Rejected, Transient
from issuebridge.use_cases.by_hand import give_up
from tests.unit.test_switched_off import reconfigured
from tests.world import World, connection, document

ROUTES = [{"from": "antimetal", "to": "bland"}]


def refusing(error: Exception, moment: str = "before"):
    def fail(call: str, when: str) -> None:
        if (call, when) == ("create", moment):
            raise error

    return fail


def heal(world: World) -> None:
    world.systems["bland"].fail = lambda call, moment: None


@pytest.fixture
def world() -> World:
    kinds = {name: connection(name) for name in ("antimetal", "bland")}
    return World(document(connections=kinds, routes=ROUTES))


def born(world: World, error: Exception, moment: str = "before") -> str:
    world.systems["bland"].fail = refusing(error, moment)
    remote_id = world.systems["antimetal"].add("first words").remote_id
    world.rounds(2)
    return remote_id


def drafts(world: World) -> list[object]:
    return [what for call, what in world.systems["bland"].requests if call == "create"]


def looks(world: World) -> int:
    return sum(call == "find_created" for call, _ in world.systems["bland"].requests)


def rename(world: World, remote_id: str) -> None:
    issues = world.systems["antimetal"].issues
    issues[remote_id] = replace(issues[remote_id], title="better words")
    world.systems["antimetal"].edit(remote_id, severity="low")


def test_a_refused_create_is_drafted_anew_when_it_is_released(world):
    remote_id = born(world, Rejected("400: the title"))
    assert "bland" in world.issue_of("antimetal", remote_id).parked
    rename(world, remote_id)
    world.rounds(1)
    heal(world)
    before = world.issue_of("antimetal", remote_id)
    effect = world.ledger.find([world.installation.reference(before.issue_id, "bland")])[0]
    world.release("antimetal", remote_id, "ours")
    world.rounds(2)
    (draft,) = drafts(world)
    assert (draft.title, draft.severity) == ("better words", "low")
    assert draft.reference == effect.key
    assert draft.triggered_at.isoformat()[:19] in effect.request
    assert looks(world) == 0, "a refusal leaves nothing to look for"


def test_what_is_asked_for_is_drafted_anew_as_long_as_nothing_was_made(world):
    remote_id = born(world, Misconfigured("the key may not create"))
    rename(world, remote_id)
    world.rounds(1)
    heal(world)
    changed = {"bland": connection("bland", category="From the bridge")}
    other = reconfigured(world, **changed, zylon=None)
    other.installation = world.installation
    vars(other).pop("pipeline", None)
    vars(other).pop("landscape", None)
    other.clock.advance(3600)
    other.rounds(2)
    (draft,) = drafts(other)
    assert (draft.title, draft.category) == ("better words", "From the bridge")


def test_a_create_in_doubt_is_sent_again_just_as_it_was(world):
    remote_id = born(world, Ambiguous("no answer"))
    rename(world, remote_id)
    heal(world)
    for _ in range(30):
        world.rounds(1, seconds=120)
    (draft,) = drafts(world)
    assert draft.title == "first words"
    assert looks(world) > 1


def test_a_create_that_was_in_doubt_before_it_was_refused_is_looked_for_when_released(world):
    remote_id = born(world, Ambiguous("no answer"))
    world.systems["bland"].fail = refusing(Rejected("400"))
    for _ in range(30):
        world.rounds(1, seconds=120)
    assert "bland" in world.issue_of("antimetal", remote_id).parked
    heal(world)
    before = looks(world)
    world.release("antimetal", remote_id, "ours")
    world.rounds(1)
    assert looks(world) > before


def given_up(world: World, remote_id: str) -> None:
    issue_id = world.issue_of("antimetal", remote_id).issue_id
    give_up(world.store, world.ledger, world.installation, issue_id, "bland")


@pytest.mark.parametrize("error", [Rejected("400"), Transient("503"), Ambiguous("no answer")])
def test_a_counterpart_can_be_given_up_and_taken_up_again(world, error):
    remote_id = born(world, error)
    given_up(world, remote_id)
    heal(world)
    for _ in range(10):
        world.rounds(1, seconds=3600)
    issue = world.issue_of("antimetal", remote_id)
    assert issue.parked == {"bland": "given up by a person"}
    assert issue.pending == {}
    assert drafts(world) == []
    world.release("antimetal", remote_id, "ours")
    for _ in range(20):
        world.rounds(1, seconds=120)
    assert len(drafts(world)) == 1
    assert "bland" in world.issue_of("antimetal", remote_id).refs


def test_one_that_was_made_all_the_same_is_linked_when_it_shows(world):
    remote_id = born(world, Ambiguous("the reply was lost"), "after")
    given_up(world, remote_id)
    heal(world)
    world.rounds(4)
    assert "bland" in world.issue_of("antimetal", remote_id).refs
    assert len(drafts(world)) == 1


def test_a_copy_that_is_there_cannot_be_given_up(world):
    remote_id = world.systems["antimetal"].add().remote_id
    world.rounds(3)
    with pytest.raises(Rejected, match="unlink"):
        given_up(world, remote_id)
