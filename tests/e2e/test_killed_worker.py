"""A worker dies while a vendor has its request: the next one finds out what became of that."""

import os
import signal
import subprocess
import time

import pytest

PROCESSES = ("ps", "-Aww", "-o", "pid=,pgid=,args=")
LOOKS = 2
HELD_SECONDS = 10
WAIT_SECONDS_MAX = 30


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("drop_before", id="before the vendor does what it asked"),
        pytest.param("slow", id="after the vendor did what it asked"),
    ],
)
def test_a_worker_killed_at_a_create_and_at_a_write_leaves_nothing_undone_or_doubled(
    stack, bridged, fault
):
    bridge = bridged(
        [{"from": "incidents", "to": "voice"}], recovery={"looks": LOOKS, "over_seconds": 0.1}
    )
    disk = bridge.incidents.add(title="Disk full", status="investigating")["uuid"]
    kill_at(stack, bridge, fault, "POST")
    assert bridge.issue_of(disk).pending, "it died half way"
    recover(bridge)
    (copy,) = bridge.voice.issues.values()
    assert bridge.copy_of(disk, bridge.voice) == copy

    bridge.incidents.edit(disk, status="ready_to_fix")
    kill_at(stack, bridge, fault, "PATCH")
    assert bridge.issue_of(disk).pending, "it died half way"
    recover(bridge)
    (copy,) = bridge.voice.issues.values()
    assert copy["status"] == "in_review"

    issue = bridge.issue_of(disk)
    assert (len(issue.refs), issue.pending, issue.parked) == (2, {}, {})
    done = [write["method"] for write in bridge.voice.writes() if write["committed"]]
    assert done == ["POST", "PATCH"]
    writes, items = bridge.writes(), bridge.items()
    told = bridge.round()
    assert (told.pulled, told.pushed, told.created, told.prompted) == ([], [], [], [])
    assert bridge.writes() == writes
    assert bridge.items() == items


def kill_at(stack, bridge, fault, method) -> None:
    """Let the vendor hold its answer to this request, and kill the function that waits for it."""
    voice, mirror = bridge.voice, stack.outputs["MirrorFunctionName"]
    voice.faults.add(kind=fault, method=method, seconds=HELD_SECONDS)
    bridge.stack.invoke("PollAntimetal", {})
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not any(write["fault"] and write["method"] == method for write in voice.writes()):
        assert time.monotonic() < until
        time.sleep(0.05)
    killed = workers(stack, mirror)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    while set(killed) & set(workers(stack, mirror)):
        assert time.monotonic() < until
        time.sleep(0.05)


def recover(bridge) -> None:
    """What the schedules do until there is nothing to do."""
    bridge.end_leases()
    for _ in range(LOOKS + 1):
        bridge.stack.invoke("Reconcile", {})
    bridge.round()


def workers(stack, function) -> list[int]:
    """The processes of this very stack that run this function."""
    listed = subprocess.check_output(PROCESSES, text=True)
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [
        int(pid)
        for pid, group, command in rows
        if int(group) == stack.process_group and f"/ministack-lambda-{function}-" in command
    ]
