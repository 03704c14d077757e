"""What becomes of a prompt, for every answer that Bland may give, under both readings of each
open point: the real adapter, against the simulated vendor."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from issuebridge.domain.effect import Effect
from issuebridge.domain.prompt import PromptRequest
from tests.integration.served import ServedClock, ServedWorld
from tests.simulators import BlandSimulator

PROMPTS, SESSIONS = r".*/prompts$", r".*/agent-sessions$"
UNKNOWN = "nobody knows whether Norm took it"

READINGS: dict[str, dict[str, object]] = {
    "as documented": {},
    "while running: refused": {"prompt_while_running": "reject"},
    "while running: parallel": {"prompt_while_running": "parallel"},
    "second session: the same": {"session_create_twice": "same"},
    "ended session: refused": {"prompt_finished_session": "reject"},
    "entry text: shortened": {"prompt_entry_text": "shortened"},
    "entry text: no intent": {"prompt_entry_text": "without_intent"},
    "entry names the run": {"prompt_entry_run_id": "present"},
    "entry comes late": {"prompt_entry_delay_seconds": 30},
    "run shows late": {"processing_delay_seconds": 30},
    "no credit: 403": {"no_credit_status": 403},
    "limit counts letters": {"text_unit": "code_points"},
    "ends: error": {"run_outcome": "error"},
    "ends: a question": {"run_outcome": "awaiting_input"},
    "ends: never": {"run_outcome": "never_ends"},
}


@dataclass(frozen=True)
class Answer:
    """What happens to the first prompt, and what must become of it: `runs`, and why it parks."""

    prepare: Callable[[ServedWorld], None]
    runs: int
    parked: str = ""
    fix_parked: str = ""
    """Why a `/fix` parks where a read-only intent does not; then it has no run."""


def fault(**given: object) -> Callable[[ServedWorld], None]:
    return lambda world: world.sims["bland"].faults.add(method="POST", **given)


def without_credit(world: ServedWorld) -> None:
    world.sims["bland"].set_switches(credit=False)


def without_the_issue(world: ServedWorld) -> None:
    bland = world.sims["bland"]
    for issue_id in list(bland.issues):
        bland.remove(issue_id)


ANSWERS = {
    "202": Answer(lambda world: None, 1),
    "400": Answer(fault(path=PROMPTS, kind="status", status=400), 0, "400"),
    "401": Answer(fault(path=PROMPTS, kind="unauthorized"), 0, "401"),
    "no credit": Answer(without_credit, 0, "40"),
    "403": Answer(fault(path=PROMPTS, kind="status", status=403), 0, "403"),
    "404 issue": Answer(without_the_issue, 0, "404"),
    "404 session": Answer(fault(path=PROMPTS, kind="status", status=404), 1),
    "409": Answer(fault(path=PROMPTS, kind="status", status=409), 1),
    "409 five times": Answer(fault(path=PROMPTS, kind="status", status=409, times=5), 1),
    "429, wait": Answer(fault(path=PROMPTS, kind="status", status=429, retry_after=7), 1),
    "429": Answer(fault(path=PROMPTS, kind="status", status=429, body="flat"), 1),
    "500": Answer(fault(path=PROMPTS, kind="status", status=500), 1, fix_parked=UNKNOWN),
    "502 page": Answer(
        fault(path=PROMPTS, kind="status", status=502, body="html"), 1, fix_parked=UNKNOWN
    ),
    "lost, not taken": Answer(fault(path=PROMPTS, kind="drop_before"), 1, fix_parked=UNKNOWN),
    "lost twice": Answer(fault(path=PROMPTS, kind="drop_before", times=2), 0, UNKNOWN),
    "reply lost": Answer(fault(path=PROMPTS, kind="drop_after"), 1),
    "half a reply": Answer(fault(path=PROMPTS, kind="half_body"), 1),
    "no JSON": Answer(fault(path=PROMPTS, kind="wrong_json", body="text"), 1),
    "session lost": Answer(fault(path=SESSIONS, kind="drop_after"), 1),
    "session 500": Answer(fault(path=SESSIONS, kind="status", status=500), 1),
}


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[str, str], str]]:
    """Reading and answer -> what became of `/verify` and of `/fix`; `pytest -s` shows it."""
    cells: dict[tuple[str, str], str] = {}
    yield cells
    sys.stdout.write("\nreading | " + " | ".join(ANSWERS) + "\n")
    for reading in READINGS:
        row = [cells.get((reading, answer), "?") for answer in ANSWERS]
        sys.stdout.write(f"{reading} | {' | '.join(row)}\n")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[ServedWorld]:
    bland = BlandSimulator(switches=request.param)
    with bland.serving():
        connection = {
            "kind": "bland",
            "base_url": bland.api_url,
            "secret": "bland",
            "mode": "mirror",
            "requests_per_second": 10_000,
        }
        sims = {"bland": bland}
        document = {"version": 1, "connections": {"bland": connection}}
        world = ServedWorld(document, ServedClock(sims), sims)
        bland.add(title="Wrong queue", status="todo")
        world.poll("bland")
        yield world
        assert world.violations() == []


def ask(world: ServedWorld, intent: str, key: str = "k") -> Effect:
    """The ledger's row after the message, and the rounds that it takes."""
    fields = {"version": 1, "issue": "T-1001", "text": "Still?", "requested_by": "ada"}
    request = PromptRequest(intent=intent, idempotency_key=key, **fields)
    prompted = world.submit(request)
    for _ in range(14):
        world.clock.advance(60)
        world.track(remaining_seconds=lambda: 900)
        world.finish(remaining_seconds=lambda: 900)
        effect = world.ledger.get(prompted.key)
        assert effect
        if effect.shelf in ("ended", "parked"):
            break
    return effect


def overlapping(runs: list[dict[str, str]]) -> bool:
    ends = [run["ended_at"] or "9999" for run in runs]
    return any(end > after["accepted_at"] for end, after in zip(ends, runs[1:], strict=False))


@pytest.mark.parametrize(
    ("reading", "world", "name", "intent"),
    [
        pytest.param(reading, switches, name, intent, id=f"{reading}-{name}-{intent}")
        for reading, switches in READINGS.items()
        for name, answer in ANSWERS.items()
        for intent in ("verify", "fix")
        if intent == "verify" or answer.fix_parked or not switches
    ],
    indirect=["world"],
)
def test_a_prompt_has_one_run_or_a_reason_whatever_bland_answers(
    reading, world, name, intent, table
):
    answer = ANSWERS[name]
    answer.prepare(world)
    effect = ask(world, intent)
    why = (intent == "fix" and answer.fix_parked) or answer.parked
    expected = 0 if why else answer.runs
    issue = world.store.load(effect.issue_id)
    told = [run.outcome for run in issue.runs] or [effect.state]
    table[reading, name] = " / ".join(filter(None, [table.get((reading, name)), *told]))
    assert len(world.sims["bland"].runs) == expected
    assert effect.state == ("parked" if why else "done")
    assert why in (effect.reason or "")
    assert len(issue.runs) == expected
    never = world.sims["bland"].switches["run_outcome"] == "never_ends"
    assert issue.prompts == ((effect.key,) if never and expected else ())


@pytest.mark.parametrize("world", READINGS.values(), ids=READINGS.keys(), indirect=True)
def test_two_prompts_of_one_issue_never_run_at_once(world):
    never = world.sims["bland"].switches["run_outcome"] == "never_ends"
    world.submit(
        PromptRequest(
            version=1,
            issue="T-1001",
            intent="verify",
            text="First?",
            requested_by="ada",
            idempotency_key="first",
        )
    )
    second = ask(world, "verify", "second")
    runs = world.sims["bland"].runs
    assert len(runs) == (1 if never else 2)
    assert not overlapping(runs)
    assert second.shelf == ("prompt" if never else "ended")
