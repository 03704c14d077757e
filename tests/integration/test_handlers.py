"""Each function from its event to what it leaves in the table and at the vendors.

The vendors are simulated and the AWS is local; between them is what ships, handlers and all.
"""

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

from issuebridge.adapters.table import item_of, text
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.issue import Baseline, CanonicalIssue, ExternalRef, Pending
from issuebridge.systems import SYSTEMS

EVENTS = Path(__file__).parents[2] / "events"
FUNCTIONS = sorted(path.parent.name for path in EVENTS.parent.glob("functions/*/handler.py"))


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as handlers use."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:any"
    aws_request_id: str = "8a7b6c5d"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


def poll(kind: str, event: dict[str, object] | None = None):
    """The same function serves every kind; its environment says which."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POLL_KIND", kind)
        return handle("poll", event or {"whole_sweep": True})


def handle(function: str, event: dict[str, object]):
    """The handler's answer, as JSON would carry it to AWS."""
    handler = import_module(f"functions.{function}.handler").lambda_handler
    return json.loads(json.dumps(handler(event, Context(function))))


def event_of(name: str) -> dict[str, object]:
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_one_connection_is_polled_alone_and_an_unknown_one_is_named(bridge):
    assert [*poll("bland", {"connection": "voice"})] == ["voice"]
    with pytest.raises(Misconfigured, match=r"'answers' is none that is polled here.*voice"):
        poll("bland", {"connection": "answers"})


def test_a_schedule_s_event_polls_a_lone_connection_at_once(bridge):
    assert [*poll("bland", {"each": True})] == ["voice"]


def lagging(bridge, name: str = "isexample") -> str:
    """A stored issue whose copy at voice is behind; the copy's remote id."""
    remote = bridge.vendors.voice.add(status="todo", severity="low")
    ref = ExternalRef(
        connection="voice",
        remote_id=remote["id"],
        display_id=remote["triage_id"],
        baselines={"status": Baseline(value="todo", raws=("todo",))},
    )
    issue = CanonicalIssue(
        issue_id=name,
        origin="voice",
        title="T",
        description="D",
        category="Bug",
        status="done",
        severity="low",
        refs={"voice": ref},
        pending={"voice": Pending(due_at=datetime.now(UTC))},
    )
    bridge.db.issues.commit(issue, linked="voice", wake=True)
    return str(remote["id"])


def polls(bridge, function: str, event: dict[str, object]) -> None:
    names = {"bland": "voice", "antimetal": "incidents", "zylon": "answers"}
    for kind in SYSTEMS:
        name = names[kind]
        sim = getattr(bridge.vendors, name)
        added = [sim.add(description=f"Report {n}")[sim.id_field] for n in range(3)]
        told = poll(kind, event)
        assert (told[name]["stored_count"], told[name]["swept"]) == (3, True)
        assert all(bridge.db.issues.find(name, remote_id) for remote_id in added)
        assert sim.writes() == []


def mirrors(bridge, function: str, event: dict[str, object]) -> None:
    remote_id = lagging(bridge)
    assert handle(function, event) == {"batchItemFailures": []}
    assert bridge.vendors.voice.issues[remote_id]["status"] == "done"
    assert bridge.db.issues.load("isexample").pending == {}


def prompts(bridge, function: str, event: dict[str, object]) -> None:
    bridge.vendors.voice.add()
    poll("bland")
    assert handle(function, event) == {"batchItemFailures": []}
    (run,) = bridge.vendors.voice.runs
    recorded = bridge.db.issues.load(*bridge.db.issues.named("voice", "T-1001")).runs[0]
    assert (recorded.run_id, recorded.intent) == (run["run_id"], run["intent"])
    assert (recorded.intent, recorded.requested_by) == ("verify", "ada@example.com")


def reconciles(bridge, function: str, event: dict[str, object]) -> None:
    remote_id = lagging(bridge)
    (pushed,) = handle(function, event)["pushed"]
    assert (pushed["issue_id"], pushed["kind"]) == ("isexample", "written")
    assert bridge.vendors.voice.issues[remote_id]["status"] == "done"


def tracks(bridge, function: str, event: dict[str, object]) -> None:
    prompts(bridge, "submit_prompt", event_of("submit_prompt"))
    (key,) = handle(function, event)["running"]
    bridge.vendors.voice.advance(60)
    assert handle(function, event)["ended"] == {key: "complete"}
    (run,) = bridge.db.issues.load(*bridge.db.issues.named("voice", "T-1001")).runs
    assert run.outcome == "complete"
    assert bridge.db.ledger.get(key).response == "Done (verify)."


WHAT_EACH_EVENT_DOES = {
    "mirror": mirrors,
    "poll": polls,
    "reconcile": reconciles,
    "submit_prompt": prompts,
    "track_runs": tracks,
}
EVENT_FILES = {path.stem for path in EVENTS.glob("*.json")} - {"submit_prompt.schema"}


@pytest.mark.parametrize("name", sorted(EVENT_FILES))
def test_each_event_file_does_what_its_function_is_for(bridge, name):
    WHAT_EACH_EVENT_DOES[name](bridge, name, event_of(name))


def test_every_function_has_an_event_file():
    assert set(FUNCTIONS) == EVENT_FILES


def messages(*wanted: tuple[str, str, str]) -> dict[str, object]:
    """A batch of FIFO messages: (message id, group, body or the issue it is about)."""
    (example,) = event_of("submit_prompt")["Records"]
    records = []
    for message_id, group, body in wanted:
        record = deepcopy(example) | {"messageId": message_id, "body": body}
        if body.startswith("T-"):
            key = {"issue": body, "idempotency_key": message_id}
            record["body"] = json.dumps(json.loads(example["body"]) | key)
        record["attributes"]["MessageGroupId"] = group
        records.append(record)
    return {"Records": records}


BAD = {
    "no JSON": "Fix it, please",
    "another version": json.dumps({"version": 2}),
    "an unknown issue": "T-9999",
}


def set_aside(bridge) -> dict[str, str]:
    """Body -> reason of each message on the dead-letter queue."""
    url = bridge.db.session.client("sqs").get_queue_url(QueueName=f"{bridge.db.name}.fifo")
    answer = bridge.db.session.client("sqs").receive_message(
        QueueUrl=url["QueueUrl"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return {
        message["Body"]: message["MessageAttributes"]["reason"]["StringValue"]
        for message in answer.get("Messages", [])
    }


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_set_aside_at_once_with_its_reason_and_holds_nobody_back(bridge, body):
    bridge.vendors.voice.add()
    poll("bland")
    batch = messages(("bad", "T-1001", body), ("good", "T-1001", "T-1001"))
    assert handle("submit_prompt", batch) == {"batchItemFailures": []}
    assert len(bridge.vendors.voice.runs) == 1
    ((refused, reason),) = set_aside(bridge).items()
    assert refused == batch["Records"][0]["body"]
    assert reason.startswith(("prompt message refused: ", "issue T-9999 is not known"))
    (row,) = bridge.db.ledger.listed("parked", "")
    assert (row.request, row.reason) == (refused, reason)


def broken(bridge, name: str) -> None:
    """An issue that is known under this name at voice, and cannot be read."""
    bridge.db.table.put(item_of((f"REF#voice#{name}", "REF"), issue_id=text("isbroken")))
    bridge.db.table.put(item_of(("ISSUE#isbroken", "ISSUE"), doc=text("no issue at all")))


def test_a_message_that_fails_comes_back_with_those_behind_it_in_its_group_and_no_other(bridge):
    bridge.vendors.voice.add()
    poll("bland")
    broken(bridge, "T-7")
    batch = messages(("fails", "g1", "T-7"), ("behind", "g1", "T-1001"), ("other", "g2", "T-1001"))
    failures = handle("submit_prompt", batch)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == ["fails", "behind"]
    assert len(bridge.vendors.voice.runs) == 1


def test_the_same_message_again_starts_no_second_run_now_or_later(bridge):
    bridge.vendors.voice.add()
    poll("bland")
    for _ in range(3):
        assert handle("submit_prompt", event_of("submit_prompt")) == {"batchItemFailures": []}
    assert len(bridge.vendors.voice.runs) == 1
    assert list(bridge.db.ledger.open("prompt", "voice")) == [], "nothing waits to be sent"


def test_a_stream_record_that_fails_is_reported_alone(bridge):
    remote_id = lagging(bridge, "isgood")
    broken(bridge, "T-7")
    (example,) = event_of("mirror")["Records"]
    batch = []
    for number, name in enumerate(("isbroken", "isgood", "isunknown")):
        record = deepcopy(example)
        record["dynamodb"]["Keys"]["pk"]["S"] = f"ISSUE#{name}"
        record["dynamodb"]["SequenceNumber"] = f"{number}"
        batch.append(record)
    answer = handle("mirror", {"Records": batch})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert bridge.vendors.voice.issues[remote_id]["status"] == "done"


def stale_counts(printed: str) -> list[float]:
    """What Reconcile's metric told, in the form that CloudWatch reads from a log."""
    lines = (json.loads(line) for line in printed.splitlines() if '"Stale"' in line)
    return [value for line in lines for value in line["Stale"]]


def test_reconcile_tells_which_connection_nobody_looks_at_and_is_content_once_it_is(bridge, capsys):
    poll("bland")
    poll("zylon")
    capsys.readouterr()
    assert handle("reconcile", {})["stale"] == {"incidents": ["hot", "sweep"]}
    assert stale_counts(capsys.readouterr().out) == [1]
    poll("antimetal")
    capsys.readouterr()
    assert handle("reconcile", {})["stale"] == {}
    assert stale_counts(capsys.readouterr().out) == [0]
