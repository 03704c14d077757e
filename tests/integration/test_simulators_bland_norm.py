"""Norm in the bland simulator: what starts a run, how it goes on, and what each switch changes."""

import pytest

from tests.simulators import BlandSimulator
from tests.simulators.bland_norm import intent_and_text
from tests.simulators.caller import Caller

ISSUES = "/v1/triage/issues"
WELL_AFTER_SECONDS = 60


@pytest.fixture
def sim():
    simulator = BlandSimulator()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


@pytest.fixture
def issue_id(sim):
    return sim.add()["id"]


def new_session(call, issue_id):
    answer = call("POST", f"{ISSUES}/{issue_id}/agent-sessions", {})
    assert answer.status == 201
    return answer.json["data"]


def prompt(call, issue_id, session_id, detail="/verify it"):
    path = f"{ISSUES}/{issue_id}/agent-sessions/{session_id}/prompts"
    return call("POST", path, {"detail": detail})


def feed(call, issue_id):
    entries = call("GET", f"{ISSUES}/{issue_id}/activity").json["data"]["items"]
    return list(reversed(entries))


@pytest.mark.parametrize(
    ("detail", "intent", "text"),
    [
        ("/fix the greeting", "fix", "the greeting"),
        ("verify the greeting", "verify", "the greeting"),
        ("Status page shows 500", "status", "page shows 500"),
        ("/DEBUG it", "fix", "it"),
        ("the greeting", "fix", "the greeting"),
        ("verify: the greeting", "fix", "verify: the greeting"),
        ("fixing it", "fix", "fixing it"),
        ("/status", "status", ""),
    ],
)
def test_the_first_word_is_the_intent_and_is_stripped(detail, intent, text):
    assert intent_and_text(detail) == (intent, text)


def test_a_session_without_a_prompt_does_not_show_on_the_issue(sim, call, issue_id):
    session = new_session(call, issue_id)
    assert session.items() >= {"agent_name": "Norm", "status": "active"}.items()
    assert sim.issues[issue_id]["latest_agent_session"] is None
    assert sim.runs == []


def test_a_prompt_is_accepted_then_runs_then_ends(sim, call, issue_id):
    session = new_session(call, issue_id)
    accepted = prompt(call, issue_id, session["id"], "/verify [ref k1] it")
    assert accepted.status == 202
    answer = accepted.json["data"]
    assert (answer["session_id"], answer["intent"]) == (session["id"], "verify")
    assert sim.issues[issue_id]["is_processing"] is False, "not before the delay"
    sim.advance(1)
    assert sim.issues[issue_id]["is_processing"] is True
    sim.advance(WELL_AFTER_SECONDS)
    assert sim.issues[issue_id]["is_processing"] is False
    assert sim.issues[issue_id]["latest_agent_session"]["status"] == "complete"
    [run] = sim.runs
    assert run["run_id"] == answer["run_id"]
    assert (run["status"], run["detail"]) == ("complete", "[ref k1] it")
    assert run["accepted_at"] < run["started_at"] < run["ended_at"]
    agent = [e["type"] for e in feed(call, issue_id) if e["entry_kind"] == "agent"]
    assert agent == ["session_started", "prompt", "thought", "response"]


def test_a_session_of_another_issue_is_unknown(sim, call, issue_id):
    session = new_session(call, sim.add()["id"])
    assert prompt(call, issue_id, session["id"]).status == 404
    assert sim.runs == []


@pytest.mark.parametrize("detail", ["", "x" * 4001])
def test_a_prompt_has_1_to_4000_characters(sim, call, issue_id, detail):
    assert prompt(call, issue_id, new_session(call, issue_id)["id"], detail).status == 400
    assert sim.runs == []


@pytest.mark.parametrize(("reading", "same"), [("new", False), ("same", True)])
def test_a_second_session_is_new_or_the_same(sim, call, issue_id, reading, same):
    sim.set_switches(session_create_twice=reading)
    assert (new_session(call, issue_id) == new_session(call, issue_id)) is same


@pytest.mark.parametrize(
    ("reading", "expected"), [("queue", (202, 1)), ("parallel", (202, 2)), ("reject", (409, 1))]
)
def test_a_prompt_during_a_run_follows_its_switch(sim, call, issue_id, reading, expected):
    sim.set_switches(prompt_while_running=reading, run_seconds=100)
    session = new_session(call, issue_id)
    prompt(call, issue_id, session["id"])
    sim.advance(1)
    status = prompt(call, issue_id, session["id"]).status
    sim.advance(1)
    assert (status, [run["status"] for run in sim.runs].count("running")) == expected


def test_a_queued_run_starts_when_the_one_before_it_ends(sim, call, issue_id):
    session = new_session(call, issue_id)
    prompt(call, issue_id, session["id"])
    prompt(call, issue_id, session["id"])
    sim.advance(WELL_AFTER_SECONDS)
    first, second = sim.runs
    assert second["started_at"] == first["ended_at"]
    assert second["status"] == "complete"


@pytest.mark.parametrize(("reading", "status"), [("accept", 202), ("reject", 409)])
def test_a_finished_session_takes_another_prompt_or_not(sim, call, issue_id, reading, status):
    sim.set_switches(prompt_finished_session=reading)
    session = new_session(call, issue_id)
    prompt(call, issue_id, session["id"])
    sim.advance(WELL_AFTER_SECONDS)
    assert prompt(call, issue_id, session["id"]).status == status


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("complete", ("complete", "response", False)),
        ("error", ("error", "error", False)),
        ("awaiting_input", ("awaiting_input", "response", False)),
        ("never_ends", ("active", "thought", True)),
    ],
)
def test_a_run_ends_as_switched(sim, call, issue_id, outcome, expected):
    sim.set_switches(run_outcome=outcome)
    prompt(call, issue_id, new_session(call, issue_id)["id"])
    sim.advance(WELL_AFTER_SECONDS)
    issue = sim.issues[issue_id]
    session_status = issue["latest_agent_session"]["status"]
    last_entry = feed(call, issue_id)[-1]["type"]
    assert (session_status, last_entry, issue["is_processing"]) == expected


def test_a_person_can_stop_a_run(sim, call, issue_id):
    sim.set_switches(run_outcome="never_ends")
    prompt(call, issue_id, new_session(call, issue_id)["id"])
    sim.advance(1)
    sim.act(issue_id, "stop_run")
    assert sim.runs[0]["status"] == "cancelled"
    assert sim.issues[issue_id]["latest_agent_session"]["status"] == "cancelled"
    assert feed(call, issue_id)[-1]["type"] == "session_stopped"


LONG = "/verify " + "word " * 100


@pytest.mark.parametrize(
    ("reading", "shown"),
    [("full", LONG), ("shortened", LONG[:80]), ("without_intent", LONG.removeprefix("/verify "))],
)
def test_the_prompt_entry_has_the_text_of_its_switch(sim, call, issue_id, reading, shown):
    sim.set_switches(prompt_entry_text=reading)
    prompt(call, issue_id, new_session(call, issue_id)["id"], LONG)
    [entry] = [e for e in feed(call, issue_id) if e["type"] == "prompt"]
    assert (entry["detail"], entry["metadata"]) == (shown, None)


def test_the_prompt_entry_may_name_its_run(sim, call, issue_id):
    sim.set_switches(prompt_entry_run_id="present")
    prompt(call, issue_id, new_session(call, issue_id)["id"])
    [entry] = [e for e in feed(call, issue_id) if e["type"] == "prompt"]
    assert entry["metadata"] == {"run_id": sim.runs[0]["run_id"]}


def test_a_prompt_entry_may_come_late(sim, call, issue_id):
    sim.set_switches(prompt_entry_delay_seconds=30)
    prompt(call, issue_id, new_session(call, issue_id)["id"])
    assert "prompt" not in [entry["type"] for entry in feed(call, issue_id)]
    sim.advance(31)
    assert "prompt" in [entry["type"] for entry in feed(call, issue_id)]


@pytest.mark.parametrize("status", [402, 403])
def test_without_credit_nothing_runs(sim, call, issue_id, status):
    sim.set_switches(credit=False, no_credit_status=status)
    assert prompt(call, issue_id, new_session(call, issue_id)["id"]).status == status
    assert comment(call, issue_id, "@norm please").status == 201
    assert sim.runs == []


def comment(call, issue_id, detail):
    return call("POST", f"{ISSUES}/{issue_id}/comments", {"detail": detail})


def test_a_comment_is_kept_and_starts_nothing_by_itself(sim, call, issue_id):
    entry = comment(call, issue_id, "plain words").json["data"]
    assert (entry["type"], entry["entry_kind"]) == ("comment", "issue")
    assert feed(call, issue_id)[-1] == entry
    assert sim.runs == []
    assert sim.violations == []


def test_a_mention_in_a_comment_starts_a_run_in_a_fresh_session_and_is_noted(sim, call, issue_id):
    answer = comment(call, issue_id, "please @NoRm /verify the greeting")
    assert "run_id" not in answer.text
    assert answer.json["data"]["detail"] == "please @NoRm /verify the greeting"
    [run] = sim.runs
    assert (run["origin"], run["detail"]) == ("comment", "please  /verify the greeting")
    assert "@norm" in sim.violations[0]


@pytest.mark.parametrize(("reading", "runs"), [("anywhere", 1), ("word", 0)])
def test_a_mention_inside_an_address_counts_as_switched(sim, call, issue_id, reading, runs):
    sim.set_switches(mention=reading)
    comment(call, issue_id, "mail me@norman.example")
    assert len(sim.runs) == runs


def test_a_persons_mention_starts_a_run_and_is_no_violation(sim, issue_id):
    sim.act(issue_id, "comment", detail="@norm fix it")
    assert len(sim.runs) == 1
    assert sim.violations == []


def test_deleting_the_issue_ends_its_runs(sim, call, issue_id):
    sim.set_switches(run_outcome="never_ends")
    prompt(call, issue_id, new_session(call, issue_id)["id"])
    sim.remove(issue_id)
    assert sim.runs[0]["status"] == "cancelled"
    assert prompt(call, issue_id, "any").status == 404


def test_there_is_one_agent_and_it_is_norm(call):
    [agent] = call("GET", "/v1/triage/agents").json["data"]["items"]
    assert (agent["display_name"], agent["provider_type"]) == ("Norm", "blandcode")
