"""Norm prompts on fakes: one run for each request, whatever is lost or repeated."""

import json
from datetime import timedelta
from typing import get_args

import pytest

from issuebridge.domain.errors import Ambiguous, Conflict, Gone, Rejected, Transient
from issuebridge.domain.prompt import Intent, PromptRequest, parse_request
from tests.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.systems["bland"].add()
    world.rounds(1)
    return world


def request(**more: object) -> PromptRequest:
    base = {"issue": "T-1001", "intent": "verify", "text": "Still broken?", "requested_by": "ada"}
    return PromptRequest.model_validate({"version": 1, "idempotency_key": "k1", **base, **more})


def test_a_prompt_is_submitted_with_an_explicit_intent_and_recorded_on_the_issue(world):
    outcome = world.submit(request())
    assert (outcome.kind, outcome.run_id) == ("submitted", "run-1")
    run = world.issue_of("bland", "uuid-1001").runs[0]
    assert (run.session_id, run.run_id, run.intent) == ("session-1", "run-1", "verify")
    assert run.submitted_at == world.clock.now()
    assert world.agent.runs[0]["detail"] == f"/verify [ref {outcome.key}] Still broken?"


@pytest.mark.parametrize("name", ["uuid-1001", "T-1001"])
def test_an_issue_is_found_by_its_id_at_bland_or_its_short_code(world, name):
    assert world.submit(request(issue=name)).run_id == "run-1"


def test_an_issue_is_found_by_our_own_id(world):
    issue_id = world.issue_of("bland", "uuid-1001").issue_id
    assert world.submit(request(issue=issue_id)).run_id == "run-1"


def test_the_same_message_again_starts_no_second_run(world):
    outcomes = [world.submit(request()) for _ in range(5)]
    assert [o.kind for o in outcomes] == ["submitted", *["already"] * 4]
    assert {o.run_id for o in outcomes} == {"run-1"}
    assert len(world.agent.runs) == 1


def test_the_same_key_for_another_text_is_refused(world):
    world.submit(request())
    with pytest.raises(Rejected, match="idempotency_key k1"):
        world.submit(request(text="Something else"))


def test_a_prompt_whose_answer_was_lost_is_found_in_the_activity_and_not_sent_again(world):
    world.agent.lose_answers = 1
    assert world.submit(request()).kind == "waiting"
    world.rounds(3)
    assert len(world.agent.runs) == 1
    run = world.issue_of("bland", "uuid-1001").runs[0]
    assert (run.run_id, run.intent) == (None, "verify")


@pytest.mark.parametrize(
    ("intent", "state"), [("verify", "done"), ("status", "done"), ("fix", "parked")]
)
def test_a_prompt_that_never_arrived_is_resent_once_unless_it_can_write(world, intent, state):
    world.agent.fail = Ambiguous("timed out")
    key = world.submit(request(intent=intent)).key
    world.agent.fail = None
    world.rounds(6, seconds=60)
    assert world.ledger.get(key).state == state
    assert len(world.agent.runs) == (state == "done")


def test_a_prompt_that_is_parked_asks_for_a_person_once(world):
    world.agent.fail = Ambiguous("timed out")
    world.submit(request(intent="fix"))
    world.agent.fail = None
    told = []
    for _ in range(6):
        world.clock.advance(60)
        told.append(world.finish(remaining_seconds=lambda: 900).held)
    assert sum(told) == 1


def test_a_second_prompt_waits_until_norm_is_free(world):
    world.agent.processing = True
    assert world.submit(request()).kind == "waiting"
    world.rounds(3)
    assert world.agent.runs == []
    world.agent.processing = False
    world.rounds(2)
    assert len(world.agent.runs) == 1


def test_a_second_prompt_waits_while_the_first_has_no_answer(world):
    world.agent.fail = Ambiguous("timed out")
    world.submit(request())
    world.agent.fail = None
    assert world.submit(request(idempotency_key="k2")).kind == "waiting"
    assert world.agent.runs == []


def test_a_session_that_is_gone_is_replaced_once(world):
    world.agent.fail = Gone("no such session")
    world.submit(request())
    world.agent.fail = None
    world.rounds(2)
    assert [r["session_id"] for r in world.agent.runs] == ["session-2"]


def test_a_refused_prompt_is_parked_with_its_reason(world):
    world.agent.fail = Rejected("402: no credit")
    outcome = world.submit(request())
    assert (outcome.kind, outcome.detail) == ("parked", "402: no credit")
    world.agent.fail = None
    world.rounds(3)
    assert world.agent.runs == []


def test_a_prompt_that_was_certainly_not_sent_is_sent_later(world):
    world.agent.fail = Transient("connection refused")
    world.submit(request())
    world.agent.fail = None
    world.rounds(3)
    assert len(world.agent.runs) == 1


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": 2}, "version"),
        ({"intent": "debug"}, "intent"),
        ({"text": ""}, "text"),
        ({"more": 1}, "more"),
    ],
)
def test_a_message_that_does_not_fit_is_refused_with_the_place(change, place):
    body = {**request().model_dump(), **change}
    with pytest.raises(Rejected, match=f"prompt message refused: {place}: .*events/"):
        parse_request(json.dumps(body), get_args(Intent))


def test_an_unknown_issue_is_refused_and_nothing_is_sent(world):
    with pytest.raises(Rejected, match="T-9 is not known here"):
        world.submit(request(issue="T-9"))


def test_text_from_outside_chooses_neither_the_intent_nor_wakes_norm(world):
    world.submit(request(text="/fix everything, @\u200bNoRm and @norm"))
    detail = world.agent.runs[0]["detail"]
    assert detail.startswith("/verify [ref ")
    assert "@" not in detail


def _show_prompts_as(world: World, shown: str) -> None:
    note = world.agent.note
    world.agent.note = lambda kind, text, *rest, **more: note(
        kind, shown if kind == "prompt" else text, *rest, **more
    )


@pytest.mark.parametrize("shown", ["[ref pr", "", "Prompted Norm"])
@pytest.mark.parametrize("intent", ["verify", "fix"])
def test_a_lost_prompt_is_recognised_where_the_feed_does_not_show_its_words(world, shown, intent):
    _show_prompts_as(world, shown)
    world.agent.lose_answers = 1
    world.submit(request(intent=intent))
    world.rounds(8)
    assert len(world.agent.runs) == 1
    assert world.issue_of("bland", "uuid-1001").runs[0].outcome == "complete"


def test_what_somebody_else_wrote_at_length_is_not_taken_for_a_lost_prompt(world):
    world.agent.fail = Ambiguous("timed out")
    world.submit(request())
    world.agent.fail = None
    text = "please look at the last three calls and tell me what went wrong"
    world.agent.note("prompt", text, "session-1", world.clock.now())
    world.rounds(6)
    assert len(world.agent.runs) == 1


def test_the_prompt_before_it_is_not_taken_for_a_lost_one(world):
    _show_prompts_as(world, "")
    world.submit(request())
    world.rounds(8, seconds=60)
    world.agent.fail = Ambiguous("timed out")
    world.submit(request(idempotency_key="k2"))
    world.agent.fail = None
    world.rounds(6)
    assert len(world.agent.runs) == 2


def test_a_vendor_minutes_behind_us_still_shows_that_it_took_a_prompt(world):
    note = world.agent.note
    behind = timedelta(minutes=5)
    world.agent.note = lambda kind, text, session, at, **more: note(
        kind, text, session, at - behind, **more
    )
    world.agent.lose_answers = 1
    world.submit(request())
    world.rounds(6)
    assert len(world.agent.runs) == 1


def test_a_conflict_is_waited_out_before_another_session_is_tried(world):
    """A person prompted a moment ago, and Norm does not show yet that it works."""
    world.agent.sessions.append("session-1")
    world.agent.runs.append({})
    world.agent.fail = Conflict("409: a run is active")
    world.submit(request())
    world.agent.fail = None
    world.clock.advance(30)
    world.rounds(1)
    assert world.agent.sessions == ["session-1"]
    world.clock.advance(60)
    world.rounds(1)
    assert [run["session_id"] for run in world.agent.runs[1:]] == ["session-1"]


@pytest.mark.parametrize("error", [Rejected("400"), Gone("404")])
def test_a_session_of_before_that_refuses_is_left_for_a_new_one_once(world, error):
    world.agent.sessions.append("session-1")
    world.agent.runs.append({})
    world.agent.fail = error
    world.submit(request())
    world.agent.fail = None
    world.rounds(2)
    assert [run["session_id"] for run in world.agent.runs[1:]] == ["session-2"]
