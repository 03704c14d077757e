"""Several connections of one kind: the schedule hands each to an invocation of its own."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import yaml

from ops.config_file import read_config
from ops.stack import Stack, put_secrets
from tests.e2e.conftest import connection_to
from tests.simulators import BlandSimulator

HANGING, HEALTHY = 3, 5
SECONDS_MAX = 60


@pytest.fixture
def aws(stack) -> Stack:
    return Stack(stack.session(), stack.outputs)


@pytest.fixture
def boards(aws, tmp_path) -> Iterator[dict[str, BlandSimulator]]:
    """Boards of one kind, the first of which never answer."""
    with ExitStack() as running:
        sims = {f"board-{n}": BlandSimulator() for n in range(HANGING + HEALTHY)}
        for place, sim in enumerate(sims.values()):
            running.enter_context(sim.serving())
            sim.add(title=f"issue of board {place}")
            if place < HANGING:
                sim.faults.add({"kind": "slow", "seconds": 600}, times=0)
        document = {
            "version": 1,
            "connections": {name: connection_to(name, sim) for name, sim in sims.items()},
            "routes": [],
        }
        file = tmp_path / "boards.yaml"
        file.write_text(yaml.safe_dump(document))
        put_secrets(aws.session, {f"issuebridge/{n}": sim.api_key for n, sim in sims.items()})
        aws.push_config(read_config(file))
        yield sims


def scheduled(aws: Stack, function: str) -> dict[str, object]:
    """The event with which its schedule wakes it."""
    scheduler, name = aws.session.client("scheduler"), aws.output(f"{function}FunctionName")
    for row in scheduler.list_schedules()["Schedules"]:
        target = scheduler.get_schedule(Name=row["Name"])["Target"]
        if target["Arn"].endswith(f":{name}"):
            return json.loads(target["Input"])
    raise AssertionError(f"nothing wakes {function}")


def test_a_vendor_that_hangs_keeps_no_other_connection_of_its_kind_from_being_polled(aws, boards):
    assert aws.invoke("PollBland", scheduled(aws, "PollBland")) == {"handed out": [*boards]}
    healthy = [*boards][HANGING:]
    connections = aws.wiring().connections
    until = time.monotonic() + SECONDS_MAX
    while not all(connections.read(name).completeness for name in healthy):
        assert time.monotonic() < until, "nobody polls them"
        time.sleep(0.2)
    assert not any(connections.read(name).completeness for name in [*boards][:HANGING])
