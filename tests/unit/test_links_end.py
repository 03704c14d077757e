"""Our line leaves a description when what it stands for has ended; the words around it stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuebridge.domain.managed_line import ManagedLine, drop_line, put_line
from issuebridge.use_cases.by_hand import unlink
from tests.world import World, connection, document

LINED = {"carriers": {"external_link": "managed_line"}}


def lined(**more: object) -> World:
    """An issue of zylon, and its counterpart at bland: each leads to the other by its line."""
    kinds = {name: connection(name, **LINED) for name in ("bland", "zylon")}
    return World(document(connections=kinds, routes=[{"from": "zylon", "to": "bland", **more}]))


def pair(world: World):
    born = world.systems["zylon"].add(description="Invents a discount.\n\nSays the caller.")
    world.rounds()
    (twin,) = world.systems["bland"].issues
    assert "link=https://bland.example" in text(world, "zylon", born.remote_id)
    assert "link=https://zylon.example" in text(world, "bland", twin)
    return born.remote_id, twin


def text(world: World, name: str, remote_id: str) -> str:
    return world.systems[name].issues[remote_id].description


def test_unlinked_by_a_person_both_sides_lose_the_line_and_go_their_own_ways():
    world = lined()
    born, twin = pair(world)
    issue_id = world.issue_of("zylon", born).issue_id
    unlink(world.store, world.landscape, issue_id, "bland", world.clock.now())
    world.rounds()
    assert text(world, "zylon", born) == "Invents a discount.\n\nSays the caller."
    assert text(world, "bland", twin) == "Invents a discount.\n\nSays the caller."
    world.systems["zylon"].edit(born, status="Closed")
    world.systems["bland"].edit(twin, status="in_review")
    before = world.writes()
    world.rounds(4)
    assert world.writes() == before
    assert world.systems["bland"].issues[twin].raw["status"] == "in_review"
    assert [*world.systems["bland"].issues] == [twin], "and it is never made anew"


def test_the_copy_that_is_left_loses_the_line_when_the_other_is_deleted():
    world = lined()
    born, twin = pair(world)
    world.systems["bland"].add("another one, so that the list is not empty")
    world.rounds()
    del world.systems["bland"].issues[twin]
    world.rounds(4)
    assert text(world, "zylon", born) == "Invents a discount.\n\nSays the caller."
    assert world.systems["zylon"].issues[born].raw["status"] == "NotReviewed"


def test_a_carrier_that_is_no_longer_configured_leaves_no_value_behind():
    world = lined()
    born, twin = pair(world)
    kinds = {name: connection(name) for name in ("bland", "zylon")}
    other = World(
        document(connections=kinds, routes=[{"from": "zylon", "to": "bland"}]), clock=world.clock
    )
    for part in ("systems", "ledger", "connections", "store"):
        setattr(other, part, getattr(world, part))
    world.connections.digests.clear()
    other.rounds()
    assert "link=" not in text(other, "zylon", born) + text(other, "bland", twin)
    assert text(other, "bland", twin).startswith("Invents a discount.")
    before = other.writes()
    other.rounds()
    assert other.writes() == before


def test_a_line_that_cannot_be_taken_out_is_said_once_and_not_tried_for_ever():
    world = lined()
    born, twin = pair(world)
    issue_id = world.issue_of("zylon", born).issue_id
    world.systems["bland"].ignores = {"description"}
    unlink(world.store, world.landscape, issue_id, "bland", world.clock.now())
    before = len(world.systems["bland"].writes())
    world.rounds(8)
    assert len(world.systems["bland"].writes()) == before + 1
    assert world.issue_of("bland", twin).refs["bland"].notes["line"].kind == "rejected"


def test_a_description_is_never_emptied_as_no_vendor_says_what_that_does():
    world = lined()
    born = world.systems["zylon"].add(description="").remote_id
    world.rounds()
    issue = world.issue_of("zylon", born)
    unlink(world.store, world.landscape, issue.issue_id, "bland", world.clock.now())
    before = len(world.systems["zylon"].writes())
    world.rounds(8)
    assert len(world.systems["zylon"].writes()) == before
    note = world.issue_of("zylon", born).refs["zylon"].notes["line"]
    assert (note.kind, note.detail) == ("unsupported", "without our line it would be empty")
    world.systems["zylon"].edit(born, description=f"{text(world, 'zylon', born)}\nSays Ann.")
    world.rounds(2)
    assert text(world, "zylon", born) == "Says Ann."


@pytest.mark.parametrize("text", ["", "words", "words\n", "a\n\nb\n\n"])
def test_a_line_taken_out_again_leaves_the_words_as_they_were(text):
    line = ManagedLine("ibours", link="https://x.example")
    assert drop_line(put_line(text, line), "ibours") == text


@given(st.text(st.sampled_from("ab \n\u00e9[]"), max_size=30))
def test_whatever_the_words_are_putting_in_and_taking_out_changes_nothing(text):
    line = ManagedLine("ibours", severity="low")
    assert drop_line(put_line(text, line), "ibours") == text
    assert drop_line(text, "ibours") == text
