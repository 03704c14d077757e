"""Following Norm's runs: what came of each, and whose turn it is then."""

from datetime import timedelta

import pytest

from issuebridge.domain.errors import LostRace
from issuebridge.domain.issue import AgentRun
from issuebridge.domain.limits import ANSWER_UNITS
from issuebridge.domain.run import ActivityEntry, Shown, follow
from tests.fakes import DAWN
from tests.unit.test_prompts import request
from tests.world import World

SECOND = timedelta(seconds=1)
RUN = AgentRun(
    key="prmine",
    session_id="s1",
    run_id="r1",
    intent_asked="verify",
    intent="verify",
    requested_by="ada",
    submitted_at=DAWN,
)
PROMPT = ("prompt", "[ref prmine] Still broken?")


def shown(*entries, status="active", processing=False, session="s1", **more) -> Shown:
    feed = [
        ActivityEntry(f"e{n}", "agent", e[0], e[1], "s1", *(e[2:] or (None,)), DAWN + n * SECOND)
        for n, e in enumerate(entries)
    ]
    return Shown(session, status, processing, feed)


def outcome(seen: Shown, after_seconds: float = 10) -> str:
    return follow(RUN, seen, DAWN + after_seconds * SECOND, run_minutes_max=60).outcome


ENDINGS = {
    "a response": (shown(PROMPT, ("response", "Fine."), status="complete"), "complete"),
    "a response, session still active": (shown(PROMPT, ("response", "Fine.")), "complete"),
    "a question": (
        shown(PROMPT, ("response", "Which?"), status="awaiting_input"),
        "awaiting_input",
    ),
    "an error": (shown(PROMPT, ("error", "Oh."), status="error"), "error"),
    "stopped by a person": (shown(PROMPT, ("session_stopped", "Stopped")), "cancelled"),
    "a prompt of somebody else follows": (
        shown(PROMPT, ("response", "Fine."), ("prompt", "another"), processing=True),
        "complete",
    ),
    "noted before it ended": (
        shown(PROMPT, ("prompt", "another"), ("error", "Oh."), ("response", "theirs")),
        "error",
    ),
}
UNDER_WAY = {
    "nothing shows yet": shown(),
    "only our prompt": shown(PROMPT),
    "it works": shown(PROMPT, ("thought", "Hm"), processing=True),
    "it answers and works on": shown(PROMPT, ("response", "First …"), processing=True),
    "an answer to an earlier prompt": shown(("response", "old"), PROMPT, status="complete"),
    "an answer in the session before ours was shown": shown(("response", "old"), status="complete"),
}


@pytest.mark.parametrize(("seen", "expected"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_run_ends_as_its_activity_says(seen, expected):
    assert outcome(seen) == expected


@pytest.mark.parametrize("seen", UNDER_WAY.values(), ids=UNDER_WAY.keys())
def test_a_run_without_an_end_goes_on_until_its_time_is_up(seen):
    assert outcome(seen) == "running"
    assert outcome(seen, 3601) in ("timed_out", "complete")


@pytest.mark.parametrize("seen", [shown(PROMPT, status="complete"), shown(status="complete")])
def test_a_session_s_own_word_is_taken_once_it_cannot_be_an_old_one(seen):
    assert [outcome(seen, seconds) for seconds in (299, 301)] == ["running", "complete"]


def test_a_quotation_of_our_reference_is_not_our_prompt():
    quoted = ("prompt", "[ref prother] > evidence [ref prmine] more")
    assert outcome(shown(quoted, ("response", "theirs"))) == "running"


@pytest.mark.parametrize(
    "text", ["/verify [ref prmine] whole", "[ref prmine] cut …", "[ref prmine]"]
)
def test_our_prompt_is_known_whole_shortened_or_without_its_intent(text):
    assert outcome(shown(("prompt", text), ("response", "Fine."))) == "complete"


def test_a_lost_run_id_is_learned_from_the_activity():
    lost = RUN.model_copy(update={"run_id": None})
    seen = shown(("prompt", "[ref prmine]", "r7"))
    assert follow(lost, seen, DAWN, 60).run_id == "r7"


def test_norm_s_last_word_is_kept_up_to_its_limit():
    long = shown(PROMPT, ("response", "first"), ("response", "x" * 9000))
    kept = follow(RUN, long, DAWN, 60).response
    assert kept == "x" * (ANSWER_UNITS - 1) + "…"


@pytest.fixture
def world() -> World:
    world = World()
    world.systems["bland"].add()
    world.rounds(1)
    world.agent.run_seconds = 100
    return world


def runs(world: World) -> list[AgentRun]:
    return list(world.issue_of("bland", "uuid-1001").runs)


def test_the_end_of_a_run_is_recorded_once(world):
    world.submit(request())
    began = world.clock.now()
    world.rounds(1)
    assert [run.outcome for run in runs(world)] == ["running"]
    world.rounds(3)
    (run,) = runs(world)
    assert (run.run_id, run.outcome) == ("run-1", "complete")
    assert world.ledger.get(run.key).response == "Done."
    assert run.ended_at >= began + timedelta(seconds=100)
    version = world.issue_of("bland", "uuid-1001").version
    world.rounds(3)
    assert world.issue_of("bland", "uuid-1001").version == version


def test_prompts_of_one_issue_run_one_after_the_other_in_their_order(world):
    for key in "abc":
        world.submit(request(idempotency_key=key, text=key))
    busiest = 0
    for _ in range(20):
        world.rounds(1, seconds=40)
        busiest = max(busiest, len(world.agent.due))
    assert [run["detail"][-1] for run in world.agent.runs] == ["a", "b", "c"]
    assert busiest == 1
    assert [run.outcome for run in runs(world)] == ["complete"] * 3
    assert world.issue_of("bland", "uuid-1001").prompts == ()


def test_the_end_of_a_run_calls_the_next_prompt_at_once(world):
    world.submit(request(idempotency_key="a"))
    world.submit(request(idempotency_key="b"))
    world.clock.advance(101)
    tracked = world.track(remaining_seconds=lambda: 900)
    assert [prompted.kind for prompted in tracked.prompted] == ["submitted"]


def test_a_prompt_that_is_parked_gives_its_turn_to_the_next(world):
    world.agent.processing = True
    first = world.submit(request(idempotency_key="a", deadline="2026-11-22T08:02:00Z"))
    world.submit(request(idempotency_key="b"))
    world.clock.advance(300)
    world.agent.processing = False
    world.rounds(2)
    assert world.ledger.get(first.key).reason.startswith("its deadline passed: Norm works on this")
    assert [run["detail"].startswith("/verify") for run in world.agent.runs] == [True]


def test_a_run_that_never_ends_is_given_up_and_its_issue_is_free_for_the_next(world):
    world.agent.ends = None
    world.submit(request(idempotency_key="a"))
    world.submit(request(idempotency_key="b"))
    world.clock.advance(3601)
    world.rounds(1)
    assert [run.outcome for run in runs(world)] == ["timed_out"]
    assert len(world.agent.runs) == 1, "Norm still shows that it works"
    world.agent.due.clear()
    world.rounds(2)
    assert len(world.agent.runs) == 2


def test_a_prompt_that_can_never_be_sent_is_given_up_with_its_reason(world):
    world.agent.processing = True
    key = world.submit(request()).key
    world.clock.advance(1441 * 60)
    world.rounds(1)
    reason = "given up after 1440 minutes: Norm works on this issue"
    assert (world.ledger.get(key).state, world.ledger.get(key).reason) == ("parked", reason)
    assert world.issue_of("bland", "uuid-1001").prompts == ()


def test_a_run_awaiting_input_is_over_for_us_and_counted(world):
    world.agent.ends = "awaiting_input"
    world.submit(request())
    world.clock.advance(101)
    assert world.track(remaining_seconds=lambda: 900).counts("awaiting_input") == 1


def test_a_message_for_a_connection_that_only_observes_is_refused():
    given = World().given
    given["connections"]["bland"]["mode"] = "observe"
    given["routes"] = []
    world = World(given)
    world.systems["bland"].add()
    world.rounds(1)
    with pytest.raises(Exception, match=r"connections\.bland\.mode"):
        world.submit(request())


def test_a_message_whose_prompt_another_worker_is_at_is_done_with(world):
    """Else the queue hides it, and all that wait behind it, for as long as a worker may take."""
    world.submit(request(idempotency_key="a"))
    world.submit(request(idempotency_key="b"))
    world.clock.advance(400)

    def faster(effect):
        raise LostRace(effect.key)

    world.ledger.put = faster
    assert world.submit(request(idempotency_key="b")).kind == "waiting"
