"""What somebody sends without measure costs at most itself: it is cut, frozen or set aside."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from issuebridge.domain.errors import Rejected
from issuebridge.domain.issue import issue_id_for
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.reading import find_url
from issuebridge.use_cases.take_prompt import TakePrompt
from tests.fakes import FakeDeadLetters
from tests.world import World, connection, document

ROUTES = [{"from": "antimetal", "to": "bland"}]


def pair_world(**bland: object) -> World:
    kinds = {"bland": connection("bland", **bland), "antimetal": connection("antimetal")}
    return World(document(connections=kinds, routes=ROUTES))


def ask(world: World, issue: str, key: str):
    given = {"issue": issue, "intent": "verify", "text": "please", "requested_by": "me"}
    return world.submit(PromptRequest(version=1, idempotency_key=key, **given))


def at_rest(world: World) -> bool:
    written = (world.store.writes, world.writes())
    world.rounds(2)
    return (world.store.writes, world.writes()) == written


@pytest.mark.parametrize("letter", ["a", "\x01", '"', "\U0001f600", "語"])
def test_a_report_of_any_length_gets_its_counterpart_and_holds_up_no_other(letter):
    world = pair_world()
    antimetal = world.systems["antimetal"]
    long = antimetal.add(letter * 900, description=letter * 380_000).remote_id
    plain = antimetal.add().remote_id
    world.rounds(3)
    assert len(world.systems["bland"].issues) == 2
    for born in (long, plain):
        assert "bland" in world.issue_of("antimetal", born).refs
    kept = world.issue_of("antimetal", long)
    assert kept.description.endswith("…")
    assert len(kept.model_dump_json().encode()) < 60_000
    assert at_rest(world)


def linked(url: str, padding: int) -> str:
    issue = {"url": url, "body": "x" * padding, "labels": ["a"] * 50}
    return json.dumps(issue, sort_keys=True, separators=(",", ":"))


def test_of_a_large_link_object_the_page_is_kept_and_the_object_is_known_again():
    world = pair_world()
    bland = world.systems["bland"]
    raw = linked("https://github.com/o/r/issues/1", 380_000)
    born = bland.add(external_link=raw).remote_id
    world.rounds(2)
    issue = world.issue_of("bland", born)
    assert issue.external_link == "https://github.com/o/r/issues/1"
    shown = issue.refs["bland"].baselines["external_link"].raws[0]
    assert find_url(shown) == issue.external_link
    assert len(shown) < 4096
    assert "sha256" in json.loads(shown)
    assert at_rest(world)
    bland.edit(born, external_link=linked("https://github.com/o/r/issues/2", 380_000))
    world.rounds(1)
    assert world.issue_of("bland", born).external_link == "https://github.com/o/r/issues/2"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps("https://github.com/" + "a" * 30_000),
        linked("https://github.com/" + "a" * 3_000, 400_000),
        linked("ftp://nowhere", 400_000),
    ],
)
def test_a_link_without_measure_is_frozen_with_its_reason_and_costs_no_other_field(raw):
    world = pair_world()
    bland = world.systems["bland"]
    born = bland.add(external_link=raw, status="done").remote_id
    world.rounds(2)
    issue = world.issue_of("bland", born)
    assert issue.refs["bland"].notes["external_link"].kind == "frozen"
    assert (issue.external_link, issue.status) == (None, "done")
    assert len(issue.model_dump_json()) < 20_000
    assert at_rest(world)
    if "a" * 3_000 in raw:
        assert "longer than 2,000" in issue.refs["bland"].notes["external_link"].detail


def test_a_long_link_in_our_own_line_is_frozen_too():
    world = pair_world(carriers={"external_link": "managed_line"})
    world.systems["antimetal"].add()
    world.rounds(3)
    (twin,) = world.systems["bland"].issues
    text = world.systems["bland"].issues[twin].description
    long = text.replace("link=https://", f"link=https://{'b' * 30_000}.")
    world.systems["bland"].edit(twin, description=long)
    world.rounds(3)
    issue = world.issue_of("bland", twin)
    assert "longer than 2,000" in issue.refs["bland"].notes["external_link"].detail
    assert len(issue.model_dump_json()) < 20_000
    assert at_rest(world)


def test_a_word_without_measure_is_frozen_and_known_again():
    world = pair_world()
    born = world.systems["bland"].add(status="x" * 390_000).remote_id
    world.rounds(2)
    issue = world.issue_of("bland", born)
    assert issue.refs["bland"].notes["status"].kind == "frozen"
    assert len(issue.model_dump_json()) < 20_000
    assert at_rest(world)
    world.systems["bland"].edit(born, status="x" * 390_000 + "y")
    world.rounds(1)
    world.systems["bland"].edit(born, status="done")
    world.rounds(2)
    assert world.issue_of("bland", born).status == "done"


def with_many_comments(world: World, twin: str, count: int) -> None:
    """As they were stored before there was a count."""
    issue_id = world.store.find("bland", twin)
    stored = json.loads(world.store.issues[issue_id])
    ref = stored["refs"]["bland"]
    ref.pop("commented", None)
    last = ref["comments"][-1]
    ref["comments"] = [f"https://antimetal.example/{'c' * 900}/{n}" for n in range(count)] + [last]
    world.store.issues[issue_id] = json.dumps(stored)


def test_many_long_comments_are_counted_and_only_the_last_is_kept():
    world = pair_world(carriers={"external_link": "comment"})
    bland = world.systems["bland"]
    world.systems["antimetal"].add()
    world.rounds(3)
    (twin,) = bland.issues
    assert len(bland.comments) == 1
    with_many_comments(world, twin, 430)
    kinds = {
        "bland": connection("bland", carriers={"external_link": "comment"}),
        "antimetal": connection("antimetal", issue_url="https://antimetal.example/new/{id}"),
    }
    other = replace(world, given=document(connections=kinds, routes=ROUTES), salt="another")
    vars(other).update({n: vars(world)[n] for n in ("systems", "store", "ledger", "connections")})
    other.rounds(4)
    assert len(bland.comments) == 2
    ref = other.issue_of("bland", twin).refs["bland"]
    assert len(ref.comments) <= 3
    assert other.ledger.find([]) == []
    assert len(other.issue_of("bland", twin).model_dump_json()) < 20_000
    assert at_rest(other)


def test_ten_runs_with_long_links_all_end_and_what_norm_said_is_in_their_ledger_rows():
    world = World(document(connections={"bland": connection("bland")}, routes=[]))
    issue = world.systems["bland"].add().remote_id
    world.rounds(1)
    world.agent.run_seconds = 90
    links = tuple(f"https://github.com/{'z' * 440}/{n}" for n in range(90))
    for number in range(40):
        ask(world, issue, f"k{number}")
        session = world.agent.sessions[-1]
        world.clock.advance(30)
        world.agent.note("response", "語" * 5000, session, world.clock.now(), links=links)
        world.rounds(3, seconds=60)
    stored = world.issue_of("bland", issue)
    assert len(world.agent.runs) == 40
    assert {run.outcome for run in stored.runs} == {"complete"}
    assert len(stored.runs) == 20
    assert len(stored.model_dump_json()) < 20_000
    effect = world.ledger.get(stored.runs[-1].key)
    assert effect.response == "Done."
    assert effect.links == links[:20]


def take(world: World, body: str):
    letters = FakeDeadLetters()
    taken = TakePrompt(world.submit, world.ledger, letters, ("verify",), world.clock)(body, "group")
    ((sent, reason),) = letters.sent.values()
    return taken, sent, reason


def test_a_message_with_thousands_of_unknown_keys_ends_at_once_with_a_short_reason():
    world = pair_world()
    body = json.dumps({f"key{n}" + "k" * 12: n for n in range(11_000)})
    taken, _, reason = take(world, body)
    assert taken.kind == "refused"
    assert len(reason) < 1000
    assert "issue: is missing; add it" in reason
    assert world.ledger.get(taken.key).state == "parked"


@pytest.mark.parametrize("letter", ["x", "語", "\\u0001"])
def test_a_message_larger_than_a_queue_takes_ends_at_once_too(letter):
    world = pair_world()
    taken, sent, reason = take(world, json.dumps(["key"]) + letter * 270_000)
    assert (taken.kind, "message" in reason) == ("refused", True)
    assert len(sent.encode()) < 256 * 1024
    assert sent.startswith('["key"]')


def test_reasons_without_measure_are_cut_wherever_they_are_kept():
    world = pair_world()
    bland = world.systems["bland"]
    born = world.systems["antimetal"].add().remote_id

    def fail(call: str, moment: str) -> None:
        if moment == "before" and call in ("create", "update"):
            raise Rejected("no: " + "\x00 because " * 50_000)

    bland.fail = fail
    world.rounds(3)
    issue = world.issue_of("antimetal", born)
    assert issue.parked["bland"].startswith("no: ")
    bland.fail = lambda call, moment: None
    world.release("antimetal", born, "ours")
    world.rounds(8)
    bland.fail = fail
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    issue = world.issue_of("antimetal", born)
    assert issue.refs["bland"].notes["status"].kind == "rejected"
    assert len(issue.model_dump_json()) < 20_000
    assert at_rest(world)


def test_what_fails_in_thousands_is_named_as_far_as_there_is_room_and_counted_beyond():
    world = pair_world()
    antimetal = world.systems["antimetal"]
    antimetal.page_size = 1000
    for n in range(700):
        antimetal.add(f"issue {n}", description="poison")
    plain = world.pipeline.take_in.store.commit

    def commit(issue, *given, **named):
        if issue.description == "poison":
            raise Rejected("語" * 400_000)
        return plain(issue, *given, **named)

    world.store.commit = commit
    report = world.poll("antimetal")
    state = world.connections.read("antimetal")
    assert len(state.model_dump_json().encode()) < 100_000
    assert 0 < len(state.failing) < 700
    assert state.more["failing"] == 700 - len(state.failing)
    assert report.summary()["more"] == state.more


def test_what_no_item_can_hold_is_set_aside_by_name_and_the_others_go_on():
    world = pair_world()
    antimetal = world.systems["antimetal"]
    huge = antimetal.add("huge").remote_id
    plain = antimetal.add().remote_id
    antimetal.issues[huge] = replace(antimetal.issues[huge], remote_id=huge)
    known = issue_id_for("antimetal", huge)
    commit = world.store.commit

    def with_padding(issue, *given, **named):
        padded = issue.model_copy(update={"joined": "x" * 500_000})
        return commit(padded if issue.issue_id == known else issue, *given, **named)

    world.store.commit = with_padding
    for _ in range(5):
        world.rounds(2)
        world.clock.advance(timedelta(hours=1).total_seconds())
    assert world.issue_of("antimetal", plain).refs["bland"]
    (failing,) = world.connections.read("antimetal").failing.values()
    assert failing.name == antimetal.issues[huge].display_id
    assert "an item may have" in failing.reason
