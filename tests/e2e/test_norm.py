"""Norm on the deployed stack, in trouble: one run for each request, one at a time on an issue."""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from issuebridge.domain.effect import Effect
from issuebridge.domain.prompt import PromptRequest, prompt_key
from ops import norm
from ops.cli import main
from tests.e2e.test_prompts import command  # noqa: F401 - a fixture
from tests.fakes import DAWN

ISSUES, REQUESTS = 25, 100
SECONDS_MAX = 150
TROUBLE = (
    {"kind": "drop_after", "path": r".*/agent-sessions$", "every": 3},
    {"kind": "drop_after", "path": r".*/prompts$", "every": 3},
    {"kind": "drop_before", "path": r".*/prompts$", "every": 7, "after": 1},
    {"kind": "status", "status": 409, "path": r".*/prompts$", "every": 5, "after": 1},
)
INTENTS = ("verify", "status", "fix", "verify")


def requests_for(bridge, issues) -> dict[str, PromptRequest]:
    """Ledger key -> request."""
    made = {}
    for number in range(REQUESTS):
        issue = issues[number % ISSUES]
        request = PromptRequest(
            version=1,
            issue=issue["triage_id"],
            intent=INTENTS[number // ISSUES],
            text=f"Question {number}",
            requested_by="ada",
            idempotency_key=f"{bridge.prefix}-{number}",
            connection=f"{bridge.prefix}-voice",
        )
        made[prompt_key(bridge.issue_of(issue["id"]).issue_id, request)] = request
    return made


def send(bridge, requests) -> int:
    """Each once, and half of them again later, apart for the queue."""
    chance = Random(7)  # noqa: S311 - the same trouble each time
    messages = list(requests.values())
    messages += chance.sample(messages, REQUESTS // 2)
    entries = [
        {
            "Id": str(number),
            "MessageBody": request.model_dump_json(),
            "MessageGroupId": request.issue,
            "MessageDeduplicationId": f"{bridge.prefix}-m{number}",
        }
        for number, request in enumerate(messages)
    ]
    queue = bridge.stack.session.resource("sqs").Queue(bridge.stack.outputs["PromptQueueUrl"])
    for first in range(0, len(entries), 10):
        assert not queue.send_messages(Entries=entries[first : first + 10]).get("Failed")
    return len(messages)


def settle(bridge, requests) -> None:
    """What the schedules do, faster, until every request has come to its end."""
    ledger, until = bridge.stack.wiring().ledger, time.monotonic() + SECONDS_MAX
    open_keys = set(requests)
    while open_keys:
        assert time.monotonic() < until, told(ledger, open_keys)
        with ThreadPoolExecutor() as pool:
            list(pool.map(bridge.stack.invoke, ("TrackRuns", "Reconcile"), ({}, {})))
        effects = {key: ledger.get(key) for key in open_keys}
        open_keys = {key for key, effect in effects.items() if not is_over(effect)}


def is_over(effect: Effect | None) -> bool:
    return effect is not None and effect.shelf in ("ended", "parked")


def told(ledger, keys) -> list[str]:
    effects = map(ledger.get, keys)
    return [f"{e.key} {e.state}: {e.reason}" if e else "not planned" for e in effects]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_100_prompts_over_25_issues_in_trouble_end_with_one_run_each_or_a_reason(bridged):
    bridge = bridged([], recovery={"looks": 2, "over_seconds": 1})
    voice = bridge.voice
    voice.set_switches(
        prompt_while_running="parallel", run_seconds=0.4, processing_delay_seconds=0.2
    )
    issues = [voice.add(title=f"Call {n}", status="todo") for n in range(ISSUES)]
    bridge.round()
    requests = requests_for(bridge, issues)
    for fault in TROUBLE:
        voice.faults.add(fault, method="POST", times=0)

    began = time.monotonic()
    sent = send(bridge, requests)
    settle(bridge, requests)
    seconds = time.monotonic() - began

    ran = {key: [run for run in voice.runs if f"[ref {key}]" in run["text"]] for key in requests}
    ledger = bridge.stack.wiring().ledger
    parked = {key: e.reason for key in requests if (e := ledger.get(key)).state == "parked"}
    assert sum(map(len, ran.values())) == len(voice.runs)
    assert {key for key, runs in ran.items() if len(runs) != 1} <= set(parked)
    assert max(map(len, ran.values())) == 1
    assert all(parked.values())
    for issue in issues:
        mine = sorted((r for r in voice.runs if r["issue_id"] == issue["id"]), key=started)
        assert all(at(a["ended_at"]) <= at(b["accepted_at"]) for a, b in pairwise(mine))
        stored = bridge.issue_of(issue["id"])
        assert stored.prompts == ()
        known = {run.run_id for run in stored.runs if run.run_id}
        assert known <= {run["run_id"] for run in mine}
        assert {run.outcome for run in stored.runs} == {"complete"}
        assert len(stored.runs) == len(mine)
    figures = {
        "messages": sent,
        "seconds": round(seconds, 1),
        "runs": len(voice.runs),
        "parked": Counter(f"/{requests[key].intent}: {why}" for key, why in parked.items()),
        "struck": {f"{f.kind} {f.path}": f.struck for f in voice.faults._faults},
        "posts": Counter(w["path"].rpartition("/")[2] for w in voice.writes()),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def started(run) -> str:
    return str(run["accepted_at"])


def test_a_person_asks_by_the_command_and_reads_what_came_of_it(bridged, command):  # noqa: F811
    bridge = bridged([])
    issue = bridge.voice.add(title="Wrong queue", status="todo")
    bridge.round()
    command("norm", "prompt", issue["triage_id"], "verify", "Still?", "--by", "ada")
    told = bridge.round()
    assert [(run["requested_by"], run["outcome"]) for run in told.ended] == [("ada", "complete")]
    (run,) = bridge.voice.runs
    rows = json.loads(command("norm", "runs", "--json"))
    (row,) = [row for row in rows if row.get("run_id") == run["run_id"]]
    assert (row["state"], row["response"], row["issue"]) == (
        "complete",
        "Done (verify).",
        issue["triage_id"],
    )
    shown = json.loads(command("norm", "run", run["run_id"], "--json"))
    assert [e["type"] for e in shown["feed"]] == [
        "session_started",
        "prompt",
        "thought",
        "response",
    ]
    assert "Done (verify)." in command("norm", "run", row["key"])
    assert "Wrong queue" not in command("norm", "runs", "--days", "0")
    assert main(["norm", "prompt", "T-9999", "verify", "Still?"]) == 1


def test_a_message_that_does_not_fit_is_set_aside_with_its_reason_and_told(bridged):
    bridge = bridged([])
    bridge.stack.send_prompt("Fix it, please", group="any", key=bridge.prefix)
    bridge.round()
    url = bridge.stack.outputs["PromptDeadLettersUrl"]
    messages = (
        bridge.stack.session.resource("sqs")
        .Queue(url)
        .receive_messages(MessageAttributeNames=["All"], MaxNumberOfMessages=10, WaitTimeSeconds=5)
    )
    reasons = {m.body: m.message_attributes["reason"]["StringValue"] for m in messages}
    assert reasons["Fix it, please"].startswith("prompt message refused: ")
    rows = norm.rows(bridge.stack.wiring(), DAWN - timedelta(days=365))
    (row,) = [row for row in rows if row.get("message") == "Fix it, please"]
    assert (row["state"], row["reason"]) == ("refused", reasons["Fix it, please"])
