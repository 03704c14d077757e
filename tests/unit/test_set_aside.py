"""What was refused rests, heals when its reason goes, and never loops, grows or blocks others."""

import pytest

from issuebridge.domain.errors import Gone, Rejected, Transient
from issuebridge.domain.prompt import PromptRequest
from issuebridge.use_cases.by_hand import probe_link, unlink
from tests.unit.test_switched_off import reconfigured
from tests.world import World, connection, document

ROUTES = [{"from": "antimetal", "to": "bland"}]
LINES = {"carriers": {"external_link": "managed_line"}}
DAY = 86400


def world_of(carrier: str | None = None, **more: object) -> World:
    kinds = {name: connection(name) for name in ("bland", "antimetal")}
    kinds["bland"] |= {"carriers": {"external_link": carrier}} if carrier else {}
    return World(document(connections=kinds, routes=ROUTES, **more))


def pair(world: World) -> tuple[str, str]:
    born = world.systems["antimetal"].add().remote_id
    world.rounds()
    (twin,) = world.systems["bland"].issues
    return born, twin


def refuse(*_: object) -> None:
    raise Rejected("400: no")


def ask(world: World, issue: str, intent: str = "fix"):
    given = {"issue": issue, "intent": intent, "text": "please", "requested_by": "me"}
    return world.submit(PromptRequest(version=1, idempotency_key="k1", **given))


def let_go(world: World, twin: str) -> None:
    issue_id = world.issue_of("bland", twin).issue_id
    unlink(world.store, world.landscape, issue_id, "bland", world.clock.now())


def is_still(world: World) -> bool:
    """Neither a vendor nor the table is written to, and nobody is asked for an issue."""
    asked = sum(len(system.requests) for system in world.systems.values())
    written = world.store.writes
    for _ in range(4):
        world.finish(remaining_seconds=lambda: 900)
        world.mirror()
        world.clock.advance(300)
    after = sum(len(system.requests) for system in world.systems.values())
    return (after, world.store.writes) == (asked, written)


def test_a_write_refused_for_months_is_tried_once_a_day_and_breaks_nothing():
    world = world_of()
    born, _ = pair(world)
    world.systems["bland"].ignores = {"severity"}
    world.systems["antimetal"].edit(born, severity="low")
    world.rounds(3)
    for _ in range(60):
        world.clock.advance(DAY)
        world.rounds(1)
    tried = [w for w in world.systems["bland"].writes() if "severity" in str(w)]
    assert 55 < len(tried) < 70


@pytest.mark.parametrize("carrier", ["comment", "hub", "managed_line"])
def test_a_link_refused_natively_is_carried_as_soon_as_it_has_another_carrier(carrier):
    world = world_of("native")
    bland = world.systems["bland"]
    plain = bland.update
    bland.update = lambda seen, changes: (
        refuse() if "external_link" in changes else plain(seen, changes)
    )
    _, twin = pair(world)
    carried = connection("bland", carriers={"external_link": carrier})
    other = reconfigured(world, bland=carried, zylon=None)
    other.clock.advance(3 * DAY)
    other.rounds(3)
    shown = bland.issues[twin].description + str(bland.comments)
    assert ("antimetal.example" in shown) == (carrier != "hub")
    assert is_still(other)


def test_a_comment_refused_is_carried_as_soon_as_it_has_another_carrier():
    world = world_of("comment")
    world.systems["bland"].post = refuse
    _, twin = pair(world)
    other = reconfigured(world, bland=connection("bland", **LINES), zylon=None)
    other.rounds(3)
    assert "link=https://antimetal" in world.systems["bland"].issues[twin].description
    assert is_still(other)


@pytest.mark.parametrize("mangle", [("\n", " "), ("[", "\\[")])
def test_a_vendor_that_rewrites_our_line_gets_it_twice_at_most_and_not_once_a_day(mangle):
    kinds = {"bland": connection("bland"), "zylon": connection("zylon", **LINES)}
    world = World(document(connections=kinds, routes=[{"from": "zylon", "to": "bland"}]))
    zylon = world.systems["zylon"]
    plain = zylon.edit

    def edit(remote_id: str, *, description: str | None = None, **raw: str | None) -> None:
        text = None if description is None else description.replace(*mangle)
        plain(remote_id, description=text, **raw)

    zylon.edit = edit
    born = zylon.add(description="Invents a discount.").remote_id
    for _ in range(8):
        world.rounds(3)
        world.clock.advance(DAY)
    assert zylon.issues[born].description.count("issuebridge ref=") == 2
    assert world.issue_of("zylon", born).refs["zylon"].notes["external_link"].kind == "unsupported"


def test_a_copy_unlinked_while_a_write_to_it_is_under_way_comes_to_rest():
    world = world_of()
    born, twin = pair(world)
    bland = world.systems["bland"]
    plain = bland.update

    def update(seen, changes):
        bland.update = plain
        let_go(world, twin)
        refuse()

    world.systems["antimetal"].edit(born, severity="low")
    world.poll("antimetal")
    bland.update = update
    world.rounds(3)
    issue = world.issue_of("bland", twin)
    assert "severity" not in issue.refs["bland"].notes
    assert issue.pending == {}
    assert is_still(world)


def test_a_copy_unlinked_and_then_deleted_comes_to_rest():
    world = world_of()
    world.systems["antimetal"].add("another")
    world.systems["antimetal"].add()
    world.rounds()
    twin = next(iter(world.systems["bland"].issues))
    issue_id = world.issue_of("bland", twin).issue_id
    del world.systems["bland"].issues[twin]
    unlink(world.store, world.landscape, issue_id, "bland", world.clock.now())
    world.rounds(4)
    issue = world.store.load(issue_id)
    assert issue.pending == {}
    assert is_still(world)


def test_a_comment_in_doubt_on_a_copy_that_is_gone_is_given_up():
    world = world_of("comment")
    world.systems["antimetal"].add("another")
    world.rounds()
    bland = world.systems["bland"]

    def lost(call: str, moment: str) -> None:
        if (call, moment) in (("post", "after"), ("stands", "before")):
            raise Transient("no answer") if call == "stands" else Gone("404")

    bland.fail = lost
    world.systems["antimetal"].add()
    world.poll("antimetal")
    world.mirror()
    twin = list(bland.issues)[-1]
    bland.fail = lambda call, moment: None
    let_go(world, twin)
    world.rounds(4)
    assert is_still(world)


def test_one_issue_that_breaks_us_does_not_hold_up_the_others():
    world = world_of()
    for n in range(3):
        world.systems["antimetal"].add(f"issue {n}")
    world.rounds()
    for issue in list(world.systems["antimetal"].issues):
        world.systems["antimetal"].edit(issue, status="resolved")
    world.poll("antimetal")
    world.store.woken.clear()
    bland = world.systems["bland"]
    first, plain = next(iter(bland.issues)), bland.get

    def get(remote_id: str):
        if remote_id == first:
            raise ZeroDivisionError
        return plain(remote_id)

    bland.get = get
    with pytest.raises(ExceptionGroup):
        world.finish(remaining_seconds=lambda: 900)
    words = {name: issue.raw["status"] for name, issue in bland.issues.items()}
    assert [words.pop(first), set(words.values())] == ["in_progress", {"done"}]


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_a_prompt_that_waits_is_not_sent_where_nothing_may_be_written_now(mode):
    world = World(document(connections={"bland": connection("bland")}, routes=[]))
    issue = world.systems["bland"].add().remote_id
    world.rounds(1)
    world.agent.processing = True
    ask(world, issue)
    changed = {"bland": connection("bland", mode=mode)}
    other = reconfigured(world, **changed, antimetal=None, zylon=None)
    other.agent.processing = False
    other.clock.advance(60)
    other.finish(remaining_seconds=lambda: 900)
    assert other.agent.runs == []


def test_a_prompt_that_waits_is_not_sent_to_a_copy_that_was_unlinked():
    world = world_of()
    _, twin = pair(world)
    world.agent.processing = True
    ask(world, twin)
    let_go(world, twin)
    world.agent.processing = False
    world.clock.advance(60)
    world.rounds(2)
    assert world.agent.runs == []


def test_a_run_at_a_copy_that_was_unlinked_sets_no_status_of_the_others():
    rule = {"name": "look", "when": {}, "prompt": "look", "on_complete": "done"}
    world = world_of(norm={"rules": [rule]})
    world.agent.run_seconds = 300
    _, twin = pair(world)
    assert len(world.agent.runs) == 1
    let_go(world, twin)
    world.rounds(10)
    assert world.issue_of("bland", twin).status != "done"


def test_a_failing_comment_is_tried_after_pauses_that_grow():
    world = world_of("comment")
    tried = []

    def fail(call: str, moment: str) -> None:
        if (call, moment) == ("post", "before"):
            tried.append(world.clock.now())
            raise Transient("500")

    world.systems["bland"].fail = fail
    pair(world)
    world.rounds(288, seconds=300)
    assert len(tried) < 50


def test_a_waiting_rule_and_a_resting_refusal_are_no_drift():
    world = world_of(
        "native", norm={"rules": [{"name": "old", "when": {"age_minutes_min": 45}, "prompt": "x"}]}
    )
    world.systems["bland"].ignores = {"external_link"}
    pair(world)
    for _ in range(12):
        assert world.finish(remaining_seconds=lambda: 900).drift == 0
        world.clock.advance(60)


def test_a_page_is_judged_by_what_would_be_stored_and_not_by_its_words():
    kinds = {
        "antimetal": connection("antimetal", breaker={"count": 3, "share": 0.1}),
        "bland": connection("bland"),
    }
    world = World(document(connections=kinds, routes=ROUTES))
    for n in range(6):
        world.systems["antimetal"].add(f"issue {n}", severity="high")
    world.rounds(2)
    now = world.clock.now()
    for remote_id in list(world.systems["antimetal"].issues):
        issue_id = world.issue_of("antimetal", remote_id).issue_id
        unlink(world.store, world.landscape, issue_id, "antimetal", now)
        world.systems["antimetal"].edit(remote_id, status="resolved")
    world.systems["antimetal"].page_size = 100
    world.rounds(2)
    assert world.connections.gate("antimetal").shut is None


def test_a_twin_that_was_closed_or_made_an_issue_of_its_own_is_not_shown_any_more():
    for ending in ({"status": "closed"}, {"description": "an issue of its own"}):
        world = world_of()
        _, twin = pair(world)
        bland = world.systems["bland"]
        copy = bland.add("by hand", description=bland.issues[twin].description).remote_id
        assert world.poll("bland").twins
        bland.edit(copy, **ending)
        assert world.poll("bland").twins == {}


def test_a_probe_is_no_probe_if_the_issue_is_gone_or_the_link_comes_back_otherwise():
    world = world_of("hub")
    bland = world.systems["bland"]
    with pytest.raises(Gone):
        probe_link(bland, "uuid-of-nobody")
    plain = bland.edit
    bland.edit = lambda remote_id, **raw: plain(
        remote_id, **{k: v and v.lower() for k, v in raw.items()}
    )
    assert not probe_link(bland, bland.add().remote_id)
    bland.edit = plain
    assert probe_link(bland, bland.add().remote_id)
