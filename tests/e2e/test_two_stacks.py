"""What goes wrong outside of the world of one stack that lives for ever: a second one beside it, a
connection that says too much, a table that was lost."""

import copy
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import yaml

from ops import cli
from ops.config_file import read_config
from ops.local_stack import LocalStack
from ops.stack import POLLERS, Stack, put_secrets
from ops.status import status_rows
from tests.e2e.conftest import Bridge

ROUTES = [
    {"from": "incidents", "to": "voice"},
    {"from": "answers", "to": "voice"},
    {"from": "voice", "to": "incidents", "filter": {"severity": ["critical"]}},
]
LINED = {"carriers": {"external_link": "managed_line"}}
DOUBLE_ROUNDS, AT_REST_AFTER = 20, 8
STREAM_SECONDS = 1.5


@pytest.fixture(scope="module")
def second():
    """The same template once more: another account, or the same one after a disaster."""
    with LocalStack.up({"SchedulesState": "DISABLED"}) as deployed:
        yield Stack(deployed.session(), deployed.outputs)


@pytest.fixture
def command(monkeypatch, capsys):
    """The command as a person runs it on this stack: exit status and words."""

    def run(stack: Stack, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(cli, "_stack", lambda _: stack)
        capsys.readouterr()
        ended = cli.main([*arguments])
        return ended, " ".join("".join(capsys.readouterr()).split())

    return run


def beside(bridge: Bridge, stack: Stack, prefix: str) -> Bridge:
    """The same vendors behind another stack, with its own names for them."""
    file = bridge.file.with_name(f"beside-{prefix}.yaml")
    file.write_text(bridge.file.read_text().replace(bridge.prefix, prefix))
    names = {name.replace(bridge.prefix, prefix): sim for name, sim in bridge.vendors.items()}
    put_secrets(stack.session, {f"issuebridge/{n}": sim.api_key for n, sim in names.items()})
    stack.push_config(read_config(file))
    return replace(bridge, stack=stack, prefix=prefix, file=file)


def turn(bridge: Bridge) -> None:
    """What the schedules do once."""
    with ThreadPoolExecutor() as pool:
        sweeps = [{"whole_sweep": True}] * len(POLLERS)
        list(pool.map(bridge.stack.invoke, POLLERS.values(), sweeps))
    bridge.stack.invoke("Reconcile", {})


def counts(bridge: Bridge) -> list[int]:
    return [len(sim.issues) for sim in bridge.vendors.values()]


def rows(bridge: Bridge) -> dict:
    return {sim.vendor: sim.issues for sim in bridge.vendors.values()}


def report_new(bridge: Bridge) -> None:
    for number in range(3):
        bridge.incidents.add(title=f"Incident {number}", status="investigating")
    bridge.answers.add(description="It invents a discount.", type="Inaccurate")
    bridge.voice.add(title="Wrong queue", severity="critical", status="todo")


def told(bridge: Bridge) -> list[str]:
    """What `status` says of another bridge."""
    found = status_rows(bridge.stack.wiring())
    whys = [why for row in found for why in [*row["marked"].values(), row["gate"]["foreign"] or ""]]
    return [why for why in whys if "another issuebridge writes here" in why]


@pytest.mark.parametrize("names", ["equal", "different"])
def test_two_stacks_on_the_same_vendors_come_to_rest(bridged, second, names):
    one = bridged(ROUTES, voice=LINED, answers=LINED)
    two = beside(one, second, one.prefix if names == "equal" else f"d{one.prefix[1:]}")
    for bridge in (one, two):
        turn(bridge)
    report_new(one)
    seen = []
    for _ in range(DOUBLE_ROUNDS):
        for bridge in (one, two):
            turn(bridge)
        seen.append(counts(one))
    surplus = [n - w for n, w in zip(seen[-1], (5, 4, 1), strict=True)]
    assert min(surplus) >= 0
    for sim in (one.voice, one.incidents):
        copies = Counter(issue["title"] for issue in sim.issues.values())
        assert max(copies.values()) <= 2, "at most one surplus counterpart for each issue"
    assert seen[AT_REST_AFTER:] == [seen[-1]] * (DOUBLE_ROUNDS - AT_REST_AFTER)
    before, writes = rows(one), one.writes()
    for bridge in (one, two):
        turn(bridge)
    time.sleep(STREAM_SECONDS)
    assert (rows(one), one.writes()) == (before, writes)
    assert told(one) or told(two)
    if any(surplus):
        assert told(one)
        assert told(two)
    sys.stdout.write(f"two stacks, {names} names: {seen[0]} -> {seen[-1]}, surplus {surplus}\n")


MANY, LIMIT = 5, 3


def test_while_the_gate_is_shut_nothing_spreads_by_any_other_door(bridged, command):
    narrow = {**LINED, "breaker": {"count": LIMIT, "share": 0.01}}
    bridge = bridged(ROUTES, voice=narrow, answers=LINED)
    bridge.round()
    for number in range(MANY):
        bridge.incidents.add(title=f"Incident {number}", status="investigating")
    bridge.round()
    assert counts(bridge) == [MANY, MANY, 0]
    for issue in bridge.voice.issues.values():
        bridge.voice.edit(issue["id"], status="done")
    turn(bridge)
    voice = f"{bridge.prefix}-voice"
    assert (
        f"more than {LIMIT} linked issues closed"
        in bridge.stack.wiring().connections.gate(voice).shut
    )

    first = bridge.issue_of(next(iter(bridge.incidents.issues)))
    for door in (moved_address, resumed, taken_theirs, edited_elsewhere, tracked):
        door(bridge, command, first)
        turn(bridge)
        time.sleep(STREAM_SECONDS)
        statuses = {issue["status"] for issue in bridge.incidents.issues.values()}
        assert statuses <= {"investigating", "ready_to_fix"}, door.__name__
        assert {issue["status"] for issue in bridge.voice.issues.values()} == {"done"}
    ended, words = command(bridge.stack, "status")
    assert f"stopped: more than {LIMIT} linked issues closed" in words

    ended, words = command(bridge.stack, "allow", voice)
    assert (ended, "was stopped" in words) == (0, True)
    bridge.round()
    bridge.round()
    closed = [i["status"] for i in bridge.incidents.issues.values()].count("resolved")
    assert closed >= MANY - 1, "and one was edited on both sides"


def pushed(bridge: Bridge, name: str, **more: object) -> None:
    """As somebody who asks nobody: not by the command, which would refuse it."""
    document = copy.deepcopy(yaml.safe_load(bridge.file.read_text()))
    document["connections"][f"{bridge.prefix}-{name}"] |= more
    file = bridge.file.with_name("changed.yaml")
    file.write_text(yaml.safe_dump(document))
    bridge.stack.push_config(read_config(file))


def moved_address(bridge, command, first) -> None:
    pushed(bridge, "incidents", issue_url="https://elsewhere.example/{id}")


def resumed(bridge, command, first) -> None:
    document = yaml.safe_load(bridge.file.read_text())
    assert document["connections"]
    pushed(bridge, "answers", mode="paused")
    turn(bridge)
    pushed(bridge, "answers")


def taken_theirs(bridge, command, first) -> None:
    command(bridge.stack, "release", first.issue_id, "--take", "theirs")
    command(bridge.stack, "release", "--at", f"{bridge.prefix}-voice", "--take", "theirs", "--yes")


def edited_elsewhere(bridge, command, first) -> None:
    remote_id = first.refs[f"{bridge.prefix}-incidents"].remote_id
    bridge.incidents.edit(remote_id, status="ready_to_fix")


def tracked(bridge, command, first) -> None:
    bridge.stack.invoke("TrackRuns", {})
    bridge.stack.invoke("Reconcile", {})


def test_a_lost_table_is_deployed_anew_and_its_pairs_are_linked_again(bridged, second, command):
    one = bridged(ROUTES, voice=LINED, answers=LINED)
    one.round()
    report_new(one)
    one.round()
    assert counts(one) == [5, 4, 1]
    before, writes = rows(one), one.writes()

    hand_over_the_secret(one.stack, second)
    two = beside(one, second, one.prefix)
    for _ in range(2):
        turn(two)
    time.sleep(STREAM_SECONDS)
    assert (rows(two), two.writes()) == (before, writes)
    adopted(two, command, "linked 5 copies")
    assert (rows(two), two.writes()) == (before, writes)

    empty(second)
    two = beside(one, second, one.prefix)
    adopted(two, command, "linked 5 copies")
    for _ in range(2):
        turn(two)
    time.sleep(STREAM_SECONDS)
    assert (rows(two), two.writes()) == (before, writes)

    twin = two.copy_of(next(iter(two.incidents.issues)), two.voice)
    two.voice.edit(str(twin["id"]), status="done")
    two.incidents.add(title="Cache cold", status="investigating")
    two.round()
    assert [i["status"] for i in two.incidents.issues.values()].count("resolved") == 1
    assert counts(two) == [6, 5, 1]


def hand_over_the_secret(old: Stack, new: Stack) -> None:
    """The installation's secret outlives its table."""
    key = old.session.client("secretsmanager").get_secret_value(
        SecretId=old.outputs["InstallationSecret"]
    )["SecretString"]
    put_secrets(new.session, {new.outputs["InstallationSecret"]: key})


def adopted(bridge: Bridge, command, words: str) -> None:
    ended, said = command(bridge.stack, "adopt", "--yes")
    assert (ended, words in said) == (0, True), said


def empty(stack: Stack) -> None:
    table = stack.session.resource("dynamodb").Table(stack.table_name)
    with table.batch_writer() as batch:
        for row in table.scan(ConsistentRead=True)["Items"]:
            batch.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})
