"""Norm prompts through the queue, and the operator's commands, on the deployed stack."""

import json

import pytest
import yaml

from issuebridge.domain.prompt import PromptRequest
from ops.cli import main


def request(issue: str, **more: str) -> PromptRequest:
    body = {"issue": issue, "intent": "verify", "text": "Still?", "requested_by": "ada", **more}
    return PromptRequest.model_validate({"version": 1, "idempotency_key": issue, **body})


def test_a_message_that_is_delivered_three_times_starts_one_run_known_to_both_sides(bridged):
    bridge = bridged([])
    issue = bridge.voice.add(title="Wrong queue")
    bridge.round()
    body = request(issue["id"]).model_dump_json()
    for delivery in range(3):  # apart for the queue, which would drop an equal one by itself
        bridge.stack.send_prompt(body, group=issue["id"], key=f"{issue['id']}-{delivery}")
    bridge.round()

    (run,) = bridge.voice.runs
    assert run["intent"] == "verify"
    (recorded,) = bridge.issue_of(issue["id"]).runs
    assert (recorded.run_id, recorded.session_id) == (run["run_id"], run["session_id"])
    assert recorded.requested_by == "ada"
    assert recorded.outcome == "complete", "the round followed it, whoever was first at the queue"
    posts = [w["path"].rpartition("/")[2] for w in bridge.voice.writes()]
    assert posts == ["agent-sessions", "prompts"]


def test_a_prompt_whose_answer_is_lost_is_not_sent_again(bridged):
    bridge = bridged([], recovery={"looks": 2, "over_seconds": 1})
    bridge.voice.set_switches(prompt_entry_run_id="present")
    issue = bridge.voice.add(title="Wrong queue")
    bridge.round()
    bridge.voice.faults.add(kind="drop_after", method="POST", path=".*/prompts$")
    body = request(issue["id"], intent="fix").model_dump_json()
    bridge.stack.send_prompt(body, group=issue["id"], key=issue["id"])
    bridge.round()
    (run,) = bridge.voice.runs
    (recorded,) = bridge.issue_of(issue["id"]).runs
    assert (recorded.run_id, recorded.intent) == (run["run_id"], "fix")


@pytest.fixture
def command(stack, monkeypatch, capsys):
    """Run `issuebridge` with these arguments as a person does; what it printed."""
    for variable, value in stack.environment.items():
        monkeypatch.setenv(variable, value)

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_the_commands_tell_what_is_linked_and_why(bridged, command):
    bridge = bridged([{"from": "incidents", "to": "voice"}])
    file = str(bridge.file)
    assert "3 connections, 1 routes: fine" in " ".join(command("check", file).split())
    command("push", file)

    disk = bridge.incidents.add(title="Disk full on db-3", status="investigating")["uuid"]
    told = json.loads(command("round", "--json"))
    assert [created["connection"] for created in told["created"]] == [f"{bridge.prefix}-voice"]
    number = told["created"][0]["as"]

    bridge.voice.edit(bridge.copy_of(disk, bridge.voice)["id"], status="done")
    told = json.loads(command("round", "--json"))
    assert [(p["field"], p["new"]) for p in told["pushed"]] == [("status", "done")]
    rows = [r for r in json.loads(command("links", "--json")) if r["title"] == "Disk full on db-3"]
    assert [(row["status"], row["pending"]) for row in rows] == [("done", [])]

    explained = json.loads(command("explain", "--json", number))
    assert explained["refs"][f"{bridge.prefix}-incidents"]["remote_id"] == disk
    outcomes = [
        (e["field"], e["outcome"], e["by"].rpartition("-")[2]) for e in explained["history"]
    ]
    assert ("status", "pulled", "voice") in outcomes
    assert ("status", "pushed", "incidents") in outcomes


def test_a_file_with_a_mistake_is_refused_with_its_path_and_is_not_pushed(bridged, command, capsys):
    bridge = bridged([])
    document = yaml.safe_load(bridge.file.read_text())
    document["connections"][f"{bridge.prefix}-voice"]["mode"] = "mirrored"
    bridge.file.write_text(yaml.safe_dump(document))
    running = bridge.stack.running_config()
    assert main(["push", str(bridge.file)]) == 1
    assert f"connections.{bridge.prefix}-voice.mode" in capsys.readouterr().err.replace("\n", "")
    assert bridge.stack.running_config() == running
