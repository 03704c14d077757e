"""Who puts prompts on the queue: what they may ask, how often, and what they can't take away."""

import json

import pytest

from issuebridge.domain.prompt import PromptRequest, prompt_key
from issuebridge.use_cases.take_prompt import TakePrompt
from tests.fakes import DAWN, FakeDeadLetters
from tests.world import World, document

RULE = {"name": "verify-high", "when": {"severity": ["high"]}, "prompt": "Still going on?"}


def message(issue: str = "T-1001", **more: str) -> str:
    fields = {"intent": "verify", "text": "Is it over?", "requested_by": "ada"}
    return json.dumps({"version": 1, "issue": issue, "idempotency_key": "k", **fields, **more})


def queue(world: World, intents: tuple[str, ...] = ("verify", "status")) -> TakePrompt:
    letters = FakeDeadLetters()
    return TakePrompt(world.submit, world.ledger, letters, intents, world.clock)


def linked(**norm: object) -> World:
    world = World(document(norm=norm))
    world.rounds(2)
    world.systems["bland"].add("broken", severity="high")
    world.poll("bland")
    return world


def test_a_sender_asks_for_fix_only_where_the_stack_lets_them():
    world = linked()
    taken = queue(world)(message(intent="fix"), "group")
    assert taken.kind == "refused"
    assert "intent: fix is not among what senders may ask, verify, status" in taken.detail
    assert "PromptIntents" in taken.detail
    assert world.agent.runs == []
    assert queue(world, ("fix",))(message(intent="fix"), "group").kind == "submitted"


def test_no_sender_can_use_up_the_key_of_a_rule():
    world = linked(rules=[RULE])
    (issue,) = world.systems["bland"].issues.values()
    stolen = message(idempotency_key="rule verify-high 1", requested_by="rule verify-high")
    queue(world)(stolen, "group")
    world.rounds(4)
    stored = world.issue_of("bland", issue.remote_id)
    assert sorted(run.rule or "" for run in stored.runs) == ["", "verify-high"]


def test_what_senders_ask_in_a_day_is_bounded_and_the_rest_is_refused_with_the_remedy():
    world = linked(queue_daily_budget=2)
    take = queue(world)
    told = [take(message(idempotency_key=f"k{n}"), "group") for n in range(3)]
    assert [each.kind == "refused" for each in told] == [False, False, True]
    assert "2 prompts by queue at bland are used up" in told[-1].detail
    assert take(message(idempotency_key="k0"), "group").kind != "refused"
    world.clock.advance(86_400)
    assert take(message(idempotency_key="k2"), "group").kind != "refused"


@pytest.mark.parametrize("text", [" \n\t", "\u200b\u200d\ufeff", "\u2028"])
def test_a_text_in_which_there_is_nothing_to_read_is_refused(text):
    world = linked()
    taken = queue(world)(message(text=text), "group")
    assert taken.kind == "refused"
    assert "text: there is nothing to read in it" in taken.detail
    assert world.agent.runs == []


def test_a_run_tells_who_sent_it_beside_who_that_one_claims_to_be():
    world = linked()
    queue(world)(message(requested_by="the boss"), "group", "AIDAEXAMPLE:ada")
    (issue,) = world.systems["bland"].issues.values()
    (run,) = world.issue_of("bland", issue.remote_id).runs
    assert (run.requested_by, run.sender) == ("the boss", "AIDAEXAMPLE:ada")


def test_a_rule_that_asked_before_rules_had_keys_of_their_own_does_not_ask_again():
    world = linked(rules=[RULE])
    world.rounds(4)
    (effect,) = (e for e in map(world.ledger.get, world.ledger.effects) if e and e.rule)
    request = PromptRequest.model_validate_json(effect.request)
    old_key = prompt_key(effect.issue_id, request)
    del world.ledger.effects[effect.key]
    world.ledger.put(effect.model_copy(update={"key": old_key, "version": 0}))
    issue = world.store.load(effect.issue_id)
    world.store.commit(issue.model_copy(update={"fired": {}, "asks": {RULE["name"]: DAWN}}))
    world.rounds(3)
    assert len(world.agent.runs) == 1
    assert world.store.load(effect.issue_id).fired[RULE["name"]].times == 1
