"""Doors that led past a guard, each as an attack on it found them: the smallest form of each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from issuebridge.domain.config import switched_on
from issuebridge.domain.errors import Ambiguous
from issuebridge.domain.issue import RemoteIssue
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.round_state import Failing
from issuebridge.systems import parse_config
from tests.world import World, document

ADDRESS = "https://antimetal.example/i/%s"


def pushed(old: World, given: dict[str, object]) -> World:
    """The same table and vendors under another configuration."""
    new = World(given, old.clock, installation=old.installation, salt=f"{old.salt}*")
    new.config = switched_on(parse_config(given, "test"), old.config, old.clock.now())
    same = ("ledger", "connections", "store", "systems", "agent")
    new.__dict__.update({name: getattr(old, name) for name in same})
    return new


def shown(world: World, name: str) -> list[str]:
    return [issue.raw["status"] for issue in world.systems[name].issues.values()]


REWRITINGS = {
    "escaped": lambda text: text.replace("[", "\\["),
    "html": lambda text: "".join(f"<p>{line}</p>" for line in text.split("\n")),
}


@pytest.mark.parametrize("how", REWRITINGS)
@pytest.mark.parametrize("who", [("antimetal",), ("bland",), ("antimetal", "bland")])
def test_two_bridges_know_each_other_though_the_vendors_rewrite_what_they_are_given(how, who):
    one = World()
    two = World(document(), one.clock)
    two.__dict__["systems"] = one.systems
    for name in who:
        add = one.systems[name].add

        def rewriting(title="broken", add=add, **given):
            given["description"] = REWRITINGS[how](str(given.get("description", "words")))
            return add(title, **given)

        one.systems[name].add = rewriting
    one.rounds(1)
    two.rounds(1)
    one.systems["antimetal"].add("disk full")
    one.systems["bland"].add("voice", severity="critical")
    for turn in range(20):
        for world in (one, two) if turn % 2 else (two, one):
            world.rounds(1)
    assert sum(len(system.issues) for system in one.systems.values()) <= 6


@pytest.mark.parametrize("since", ["now", "2020-01-01T00:00Z"])
def test_what_was_linked_by_hand_before_there_was_a_route_is_paired_once_there_is_one(since):
    world = World(document(routes=[]))
    incident = world.systems["antimetal"].add("disk full")
    issue = world.systems["bland"].add("voice", external_link=ADDRESS % incident.remote_id)
    world.rounds(3)
    given = document()
    given["routes"] = [{**route, "since": since} for route in given["routes"]]
    world = pushed(world, given)
    world.rounds(4)
    assert world.issue_of("bland", issue.remote_id) == world.issue_of(
        "antimetal", incident.remote_id
    )
    assert len(world.systems["bland"].issues) == 1


def test_deleted_issues_that_come_back_by_the_dozen_pass_the_gate():
    world = World()
    zylon = world.systems["zylon"]
    for number in range(40):
        zylon.add(f"z{number}")
    world.rounds(3)
    world.allow("zylon")
    for key in zylon.issues:
        zylon.issues[key] = replace(zylon.issues[key], deleted=True)
    world.rounds(3)
    world.clock.advance(7200)
    for key in zylon.issues:
        zylon.issues[key] = replace(zylon.issues[key], deleted=False)
        zylon.edit(key, status="Closed")
    world.rounds(4)
    assert world.connections.gate("zylon").shut
    assert "done" not in shown(world, "bland")


def test_pairing_by_the_dozen_passes_the_gate():
    route = {"from": "bland", "to": "antimetal", "daily_budget": 5}
    world = World(document(routes=[{**route, "filter": {"severity": ["critical"]}}]))
    for number in range(40):
        world.systems["antimetal"].add(f"i{number}")
        world.systems["bland"].add(f"old{number}", status="done", severity="low")
    world.rounds(3)
    for number in range(40):
        name = f"uuid-{1001 + number}"
        world.systems["bland"].edit(name, external_link=ADDRESS % name)
    world.rounds(3)
    assert "paired" in world.connections.gate("antimetal").shut
    assert "resolved" not in shown(world, "antimetal")


def lost(call: str, moment: str) -> None:
    if (call, moment) == ("create", "before"):
        raise Ambiguous("lost")


def test_a_create_in_doubt_is_not_sent_again_while_its_origin_is_stopped():
    world = World()
    world.rounds(1)
    world.systems["bland"].fail = lost
    world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    world.mirror()
    world.systems["bland"].fail = lambda call, moment: None
    world.pipeline.gate.close("antimetal", "stopped")
    world.rounds(6)
    assert world.systems["bland"].issues == {}


def test_what_was_made_and_hidden_while_its_connection_was_stopped_is_not_made_again():
    world = World()
    bland = world.systems["bland"]
    world.rounds(1)
    hidden = [True]
    find = bland.find_created
    bland.find_created = lambda draft, since: [] if hidden else find(draft, since)

    def answer_lost(call: str, moment: str) -> None:
        if (call, moment) == ("create", "after"):
            raise Ambiguous("lost")

    bland.fail = answer_lost
    world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    world.mirror()
    bland.fail = lambda call, moment: None
    world.pipeline.gate.close("bland", "stopped")
    world.rounds(8)
    hidden.clear()
    world.clock.advance(7200)
    world.allow("bland")
    world.rounds(4)
    assert len(bland.issues) == 1


def test_a_prompt_waits_while_its_connection_is_stopped():
    world = World()
    issue = world.systems["bland"].add()
    world.rounds(2)
    world.agent.processing = True
    body = {"issue": issue.remote_id, "intent": "fix", "text": "?", "requested_by": "ada"}
    world.submit(PromptRequest.model_validate({**body, "version": 1, "idempotency_key": "k"}))
    world.pipeline.gate.close("bland", "stopped")
    world.agent.processing = False
    world.clock.advance(60)
    world.finish(remaining_seconds=lambda: 900)
    assert world.agent.runs == []


@pytest.mark.parametrize("is_born_with_it", [True, False], ids=["the same", "a copy by hand"])
def test_a_second_copy_takes_the_place_of_one_that_goes_only_if_it_was_born_with_it(
    is_born_with_it,
):
    given = document()
    given["routes"] = [{**route, "on_delete": "close"} for route in given["routes"]]
    world = World(given)
    world.systems["antimetal"].add("x", severity="high")
    world.rounds(3)
    bland = world.systems["bland"]
    (old,) = bland.issues.values()
    bland.add("other", severity="low")
    world.rounds(2)
    new = replace(old, remote_id="uuid-9999", display_id="T-9999", number=9999)
    if not is_born_with_it:
        new = replace(new, created_at=world.clock.now())
    bland.issues[new.remote_id] = new
    world.rounds(1)
    del bland.issues[old.remote_id]
    world.rounds(6)
    (ref,) = [world.issue_of("bland", old.remote_id).refs["bland"]]
    assert (ref.remote_id == "uuid-9999") is is_born_with_it
    assert ("resolved" in shown(world, "antimetal")) is not is_born_with_it


def one_pair() -> tuple[World, RemoteIssue]:
    """A world in step, and the counterpart that is about to go."""
    world = World()
    world.systems["antimetal"].add("x", severity="high")
    world.rounds(3)
    (old,) = world.systems["bland"].issues.values()
    return world, old


def test_of_two_copies_that_come_as_one_goes_the_one_born_with_it_takes_its_place():
    world, old = one_pair()
    moved = replace(old, remote_id="uuid-9998", display_id="T-9998", number=9998)
    by_hand = replace(old, remote_id="uuid-9999", number=9999, created_at=world.clock.now())
    world.systems["bland"].issues = {new.remote_id: new for new in (by_hand, moved)}
    world.rounds(6)
    assert world.issue_of("bland", "uuid-9998").refs["bland"].remote_id == "uuid-9998"
    assert [twin.name for twin in world.connections.read("bland").twins.values()] == ["T-1001"]


@pytest.mark.parametrize(("attempts", "takes"), [(1, False), (3, True)], ids=["new", "set aside"])
def test_while_what_may_be_it_cannot_be_read_a_copy_takes_no_place_but_not_for_ever(
    attempts, takes
):
    world, old = one_pair()
    late = world.clock.now() + timedelta(days=1)
    unread = Failing(name="T-7", reason="?", digest="", attempts=attempts, due_at=late)
    state = world.connections.read("bland")
    world.connections.states["bland"] = state.model_copy(update={"failing": {"uuid-7": unread}})
    copied = replace(old, remote_id="uuid-9999", number=9999, created_at=world.clock.now())
    world.systems["bland"].issues = {copied.remote_id: copied}
    world.rounds(2)
    ref = world.issue_of("bland", old.remote_id).refs["bland"]
    assert (ref.remote_id == "uuid-9999") is takes


def test_a_copy_of_our_words_filed_long_after_a_deletion_is_a_twin_and_moves_nothing():
    world, old = one_pair()
    bland = world.systems["bland"]
    bland.add("other", severity="low")
    world.rounds(2)
    del bland.issues[old.remote_id]
    world.rounds(6)
    world.clock.advance(30 * 86400)
    bland.add("mine", description=f"as told:\n{old.description}", status="done")
    world.rounds(3)
    assert "resolved" not in shown(world, "antimetal")


def test_a_list_that_lags_behind_our_own_writes_is_no_restored_backup():
    world = World()
    bland = world.systems["bland"]
    bland.page_size = 100
    for number in range(12):
        world.systems["antimetal"].add(f"a{number}", severity="high")
        world.systems["zylon"].add(f"z{number}")
    world.rounds(4)
    for key in world.systems["antimetal"].issues:
        world.systems["antimetal"].edit(key, status="resolved")
    for key in world.systems["zylon"].issues:
        world.systems["zylon"].edit(key, status="Closed")
    old, page = dict(bland.issues), bland.page
    world.poll("antimetal")
    world.poll("zylon")
    world.mirror()

    def stale(lane, cursor):
        now, bland.issues = bland.issues, old
        try:
            return page(lane, cursor)
        finally:
            bland.issues = now

    bland.page = stale
    world.clock.advance(30)
    assert world.poll("bland").problem is None


def test_a_short_code_still_names_one_issue_after_a_pairing():
    world = World()
    world.rounds(1)
    incident = world.systems["antimetal"].add("d")
    issue = world.systems["bland"].add("v", severity="critical")
    world.clock.advance(1)
    world.systems["bland"].edit(issue.remote_id, external_link=ADDRESS % incident.remote_id)
    world.poll("bland")
    world.rounds(3)
    paired = world.issue_of("bland", issue.remote_id)
    assert len(paired.refs) == 2
    assert world.store.named("bland", issue.display_id) == [paired.issue_id]


def test_a_field_that_a_copy_shows_nowhere_any_more_is_not_asked_for_each_round():
    given = document()
    lined = {"severity": "managed_line", "external_link": "managed_line"}
    given["connections"]["zylon"]["carriers"] = lined
    world = World(given)
    world.systems["zylon"].add("wrong")
    world.rounds(4)
    world = pushed(world, document())
    world.rounds(3)
    (twin,) = world.systems["bland"].issues
    world.systems["bland"].edit(twin, severity="low")
    world.systems["bland"].edit(twin, external_link="https://github.com/x/1")
    world.rounds(3)
    asked = len([r for r in world.systems["zylon"].requests if r[0] != "page"])
    version = world.issue_of("bland", twin).version
    world.rounds(3)
    assert len([r for r in world.systems["zylon"].requests if r[0] != "page"]) == asked
    assert world.issue_of("bland", twin).version == version


def test_comments_are_braked_like_any_other_write():
    given = document()
    given["connections"]["bland"]["carriers"] = {"external_link": "comment"}
    given["connections"]["zylon"]["carriers"] = {"external_link": "managed_line"}
    world = World(given)
    report = world.systems["zylon"].add("wrong")
    world.rounds(4)
    zylon = world.systems["zylon"]
    for number in range(20):
        text = zylon.issues[report.remote_id].description
        line = text.rpartition("[issuebridge")[2]
        flipped = f"{line.split(' link=')[0]} link=https://ci.example/{number % 2}]"
        zylon.edit(report.remote_id, description=text.replace(line, flipped))
        world.rounds(1)
    assert len(world.systems["bland"].comments) <= 7
