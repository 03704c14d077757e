"""One list of all that waits for a person; each row says what ends it, and then it is gone."""

import copy
import json
from datetime import UTC, datetime, timedelta

from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import AgentRun, Pending
from issuebridge.domain.taking import SET_ASIDE
from ops.attention import QUEUES, WAITING


def rows(operated) -> dict[str, dict]:
    found = json.loads(operated.run("attention", "--json", code=WAITING))
    return {row["state"]: row for row in found}


def held(operated):
    """The pair whose status was edited on both sides, apart."""
    operated.document = copy.deepcopy(operated.document)
    for connection in operated.document["connections"].values():
        connection["conflict"] = {"status": "hold"}
    operated.fill()
    incidents, voice = operated.vendors.incidents, operated.vendors.voice
    (incident,) = (i for i in incidents.issues.values() if i["title"] == "Disk full")
    (counterpart,) = (i for i in voice.issues.values() if i["title"] == "Disk full")
    incidents.edit(incident["uuid"], status="resolved")
    voice.edit(counterpart["id"], status="in_review")
    operated.rounds()
    return counterpart


def test_nothing_waits_in_a_world_in_step(operated):
    operated.fill()
    assert operated.run("attention") == "nothing waits for you"


def test_a_held_field_waits_until_its_own_command_was_run(operated):
    held(operated)
    row = rows(operated)["held"]
    assert row["reason"].startswith("status: edited on both sides")
    assert datetime.now(UTC) - datetime.fromisoformat(row["since"]) < timedelta(minutes=5)
    command = row["remedy"].removeprefix("issuebridge ").split()
    operated.run(*command)
    assert operated.run("attention") == "nothing waits for you"


def test_a_word_that_nobody_knows_and_a_copy_of_a_copy_wait(operated):
    operated.fill()
    voice = operated.vendors.voice
    one, two, *_ = voice.issues.values()
    voice.edit(one["id"], status="triaged")
    voice.add(title="Copy", description=two["description"], status="todo")
    operated.rounds()
    found = rows(operated)
    assert found["frozen"]["remedy"].startswith("add the word to connections.voice.maps")
    assert found["twin"]["name"] == "T-1004"


def test_a_connection_that_is_stopped_and_one_that_nobody_looks_at_wait(operated):
    operated.fill()
    operated.wiring.pipeline.gate.close("voice", "too many issues were closed at once")
    state = operated.wiring.connections.acquire("answers", datetime.now(UTC), 0)
    old = datetime.now(UTC) - timedelta(days=21)
    late = {"looked_at": old, "begun_at": old, "problem": "HTTP 503"}
    operated.wiring.connections.save(state.model_copy(update=late))
    found = rows(operated)
    assert found["stopped"]["remedy"] == "issuebridge allow voice"
    assert (found["stale"]["connection"], found["stale"]["reason"]) == ("answers", "HTTP 503")
    operated.run("allow", "voice")
    operated.rounds(1)
    assert operated.run("attention") == "nothing waits for you"


def test_what_was_parked_set_aside_or_refused_waits_with_its_reason(operated):
    operated.fill()
    wiring, now = operated.wiring, datetime.now(UTC)
    first, second, *_ = wiring.store.all()
    wiring.store.commit(first.model_copy(update={"parked": {"zylon": "no anchor"}}))
    mark = Pending(due_at=now + timedelta(days=1), reason=SET_ASIDE)
    wiring.store.commit(second.model_copy(update={"pending": {"voice": mark}}))
    prompt = Effect(
        key="prkey",
        kind="prompt",
        issue_id=first.issue_id,
        connection="voice",
        request="{}",
        planned_at=now,
        due_at=now,
    )
    wiring.ledger.put(prompt.parked("nobody knows whether Norm took it"))
    for output in QUEUES:
        url = operated.stack.output(output)
        operated.stack.session.client("sqs").send_message(
            QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId=output
        )
    found = rows(operated)
    assert found["parked"]["reason"] == "no anchor"
    assert found["set aside"]["remedy"] == f"issuebridge release {second.issue_id}"
    assert found["prompt parked"]["remedy"] == "issuebridge norm run prkey"
    assert "in http" in found["dead letter"]["reason"]


def test_what_norm_asks_waits_until_the_issue_is_done_or_asked_about_anew(operated):
    operated.fill()
    wiring, now = operated.wiring, datetime.now(UTC)
    (issue,) = (i for i in wiring.store.all() if i.title == "Wrong queue")

    def asked(minutes: int, outcome: str) -> AgentRun:
        return AgentRun(
            key=f"pr{minutes}",
            session_id="s",
            run_id="r",
            intent_asked="verify",
            intent="verify",
            requested_by="ada",
            submitted_at=now - timedelta(minutes=minutes),
            outcome=outcome,
        )

    def has(**update: object) -> None:
        wiring.store.commit(wiring.store.load(issue.issue_id).model_copy(update=update))

    waits = asked(30, "awaiting_input")
    has(runs=(waits,))
    assert rows(operated)["awaiting input"]["name"] == "T-1001"
    has(runs=(waits, asked(1, "complete")))
    assert operated.run("attention") == "nothing waits for you"
    has(runs=(waits.model_copy(update={"submitted_at": now - timedelta(days=8)}),))
    assert operated.run("attention") == "nothing waits for you"
    has(runs=(waits,), status="done")
    assert operated.run("attention") == "nothing waits for you"


def test_no_text_from_outside_steers_the_terminal(operated):
    operated.fill()
    voice = operated.vendors.voice
    voice.edit(next(iter(voice.issues)), status="\x1b[2Jtriaged\u202e")
    operated.rounds()
    operated.wiring.pipeline.gate.close("voice", "its vendor said \x1b[2J")
    for command in (("attention",), ("status",), ("explain", "T-1001"), ("links",)):
        code = WAITING if command == ("attention",) else 0
        told = operated.run_raw(*command, code=code)
        assert "\x1b" not in told, command
        assert "\u202e" not in told, command


def test_a_row_that_alone_is_too_large_to_be_read_waits_by_its_name_until_it_can_be(operated):
    operated.fill()
    voice = operated.vendors.voice
    row = voice.add(title="Long", description="x" * 17_000_000)
    operated.rounds(2)
    waits = rows(operated)["quarantined"]
    assert (waits["connection"], waits["name"]) == ("voice", row["id"])
    assert "too large" in waits["reason"]
    assert f"cannot be read: {row['id']}: too large" in operated.run("status")
    voice.edit(row["id"], description="short")
    operated.rounds(2)
    assert operated.run("attention") == "nothing waits for you"
