"""Where a link lives at bland: natively if that was shown to work, in a comment, or nowhere."""

import pytest

from issuebridge.domain.errors import Ambiguous, Misconfigured, Rejected, Transient
from tests.world import World, connection, document

ORIGIN = "https://antimetal.example/i/{}"


def carried(carrier: str) -> World:
    kinds = {name: connection(name) for name in ("bland", "antimetal")}
    kinds["bland"]["carriers"] = {"external_link": carrier}
    return World(document(connections=kinds, routes=[{"from": "antimetal", "to": "bland"}]))


def pair(world: World):
    born = world.systems["antimetal"].add().remote_id
    world.rounds()
    (twin,) = world.systems["bland"].issues
    return born, twin


def link(world: World, twin: str) -> str | None:
    return world.systems["bland"].issues[twin].raw["external_link"]


def told(world: World) -> list[str]:
    return [text.split("] ")[1] for _, text in world.systems["bland"].comments]


def is_quiet(world: World) -> bool:
    before = world.writes()
    world.rounds(3)
    return world.writes() == before


@pytest.mark.parametrize(("kind", "carrier"), [("zylon", "comment"), ("antimetal", "native")])
def test_a_carrier_that_a_system_does_not_have_is_refused_with_its_place(kind, carrier):
    odd = connection(kind, carriers={"external_link": carrier})
    world = World(document(connections={kind: odd}, routes=[]))
    with pytest.raises(Misconfigured, match=rf"connections\.{kind}\.carriers\.external_link"):
        _ = world.landscape


def test_a_native_link_is_written_by_itself_and_known_again_in_the_vendors_own_shape():
    world = carried("native")
    born, twin = pair(world)
    assert ORIGIN.format(born) in link(world, twin)
    writes = [what for call, what in world.systems["bland"].requests if call == "update"]
    assert [list(changes) for _, changes in writes] == [["external_link"]]
    issue = world.issue_of("bland", twin)
    assert issue.external_link is None, "our own link across is nobody's edit"
    assert not [e for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert is_quiet(world)


def test_a_link_that_is_ignored_or_refused_costs_no_other_field_its_write():
    for ignores in ({"external_link"}, set()):
        world = carried("native")
        bland = world.systems["bland"]
        bland.ignores = ignores
        if not ignores:
            plain = bland.update
            bland.update = lambda seen, changes, plain=plain: (
                refuse() if "external_link" in changes else plain(seen, changes)
            )
        born, twin = pair(world)
        world.systems["antimetal"].edit(born, status="resolved", severity="low")
        world.rounds()
        assert bland.issues[twin].raw["status"] == "done"
        assert bland.issues[twin].raw["severity"] == "low"
        note = world.issue_of("bland", twin).refs["bland"].notes["external_link"]
        assert note.kind == "rejected"
        assert is_quiet(world)


def refuse():
    raise Rejected("400: unknown field")


def test_a_link_is_told_in_one_comment_and_another_one_in_a_second():
    world = carried("comment")
    born, twin = pair(world)
    assert told(world) == [f"Linked issue: {ORIGIN.format(born)}"]
    assert is_quiet(world)
    bound = '{"html_url":"https://github.com/acme/voice/issues/42"}'
    world.systems["bland"].edit(twin, external_link=bound)
    world.rounds()
    assert len(told(world)) == 1, "the field itself shows the bound link"
    world.systems["bland"].edit(twin, external_link=None)
    world.rounds()
    assert len(told(world)) == 1, "and what was told stays told"
    assert is_quiet(world)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_comment_whose_answer_is_lost_is_looked_for_and_never_doubled(moment, times):
    world = carried("comment")
    left = [Ambiguous("lost")] * times

    def fail(call: str, when: str) -> None:
        if left and (call, when) == ("post", moment):
            raise left.pop()

    world.systems["bland"].fail = fail
    pair(world)
    world.rounds(12)
    assert len(told(world)) == 1
    assert is_quiet(world)


def test_a_crash_right_after_a_comment_ends_in_one():
    world = carried("comment")
    left = [KeyboardInterrupt()]

    def fail(call: str, when: str) -> None:
        if left and (call, when) == ("post", "after"):
            raise left.pop()

    world.systems["bland"].fail = fail
    world.systems["antimetal"].add()
    with pytest.raises(KeyboardInterrupt):
        world.rounds()
    world.rounds(12)
    assert len(told(world)) == 1
    assert is_quiet(world)


def test_a_refused_comment_is_set_aside_and_posted_once_released():
    world = carried("comment")
    plain = world.systems["bland"].post
    world.systems["bland"].post = lambda *given: refuse()
    born, twin = pair(world)
    issue = world.issue_of("bland", twin)
    assert issue.refs["bland"].notes["external_link"].detail == "400: unknown field"
    assert is_quiet(world)
    assert issue.pending["bland"].set_aside, "and tried again after a pause"
    world.systems["bland"].post = plain
    world.pipeline.release(issue.issue_id, "ours")
    world.rounds()
    assert told(world) == [f"Linked issue: {ORIGIN.format(born)}"]


def test_a_comment_that_found_no_connection_is_posted_later():
    world = carried("comment")
    left = [Transient("refused")] * 3

    def fail(call: str, when: str) -> None:
        if left and (call, when) == ("post", "before"):
            raise left.pop()

    world.systems["bland"].fail = fail
    pair(world)
    world.rounds(4)
    assert len(told(world)) == 1


def test_a_comment_in_doubt_that_was_parked_is_looked_for_before_it_is_posted_again():
    world = carried("comment")

    def fail(call: str, when: str) -> None:
        if (call, when) in (("post", "after"), ("stands", "before")):
            raise Ambiguous("lost") if call == "post" else Transient("no answer")

    world.poll("bland")
    world.systems["bland"].fail = fail
    world.systems["antimetal"].add()
    world.poll("antimetal")
    world.mirror()
    world.finish(remaining_seconds=lambda: 900)
    (effect,) = world.ledger.open("comment", "bland")
    world.ledger.put(effect.parked("the copy is gone, or unlinked"))
    world.systems["bland"].fail = lambda call, when: None
    assert len(told(world)) == 1
    world.rounds(12)
    assert len(told(world)) == 1
    assert is_quiet(world)
