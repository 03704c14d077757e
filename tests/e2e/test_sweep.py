"""Many issues behind vendors that say 429: each round reads no more than its pages, and in the end
everything is stored."""

import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import ceil

from ops.stack import POLLERS

ISSUES = int(os.environ.get("ISSUEBRIDGE_SWEEP_ISSUES", "150"))
"""At each vendor. To store one costs this machine some 20 ms: 5,000 take minutes."""
LINKED = 3
PAGE, PAGES_MAX = 100, ceil(ISSUES / 300)
ROUNDS_MAX = ceil(ISSUES / PAGE / PAGES_MAX) + 3
"""Each vendor ends one round with a pause, and starts one with what a pause left."""
PAUSE_SECONDS = 6
"""Longer than a function sleeps: the connection pauses instead, and the round ends."""
BUSY = (
    {"every": 2, "times": 3},
    {"after": 3, "retry_after": PAUSE_SECONDS},
    {"every": 9, "times": 0, "retry_after": 0.05},
)


def test_a_sweep_under_429s_stores_everything_within_its_pages(bridged):
    settings = {"poll": {"pages_max": PAGES_MAX}, "requests_per_second": 1000}
    everywhere = dict.fromkeys(("voice", "incidents", "answers"), settings)
    routes = [{"from": "incidents", "to": "voice"}, {"from": "answers", "to": "voice"}]
    bridge = bridged(routes, is_swept=False, **everywhere)
    fill(bridge)
    make_busy(bridge)
    began, rounds = time.monotonic(), []
    while not all(equations(bridge)):
        assert len(rounds) < ROUNDS_MAX, rounds
        rounds.append(poll(bridge))
        wait_for_pauses(bridge)
    seconds = time.monotonic() - began
    assert max(n for asked in rounds for (_, what), n in asked.items() if what == "page") <= (
        2 * PAGES_MAX
    ), "as many in the hot lane as in the sweep"
    struck = [fault.struck for sim in bridge.vendors.values() for fault in sim.faults._faults]
    assert all(struck)

    for sim in bridge.vendors.values():
        sim.faults.clear()
    bridge.round()
    bridge.round()
    assert_linked_once(bridge)
    stored = [(e.closes, e.seen, e.stored) for e in equations(bridge)]
    assert stored == [(True, len(s.issues), len(s.issues)) for s in bridge.vendors.values()]
    writes, items = bridge.writes(), bridge.items()
    told = bridge.round()
    assert (told.pulled, told.pushed, told.created, told.prompted) == ([], [], [], [])
    assert bridge.writes() == writes == 2 * LINKED
    assert bridge.items() == items
    figures = {"issues": 3 * ISSUES, "rounds": len(rounds), "seconds": round(seconds)}
    asked = {f"{name[10:]} {what}": n for (name, what), n in sum(rounds, Counter()).items()}
    sys.stdout.write(json.dumps(figures | asked | {"429": sum(struck)}) + "\n")


def fill(bridge) -> None:
    """Most of them are finished, so that no route takes them."""
    for n in range(ISSUES):
        status, state = "resolved", "Closed"
        if n >= ISSUES - LINKED:
            status, state = "investigating", "InReview"
        bridge.voice.add(title=f"Call {n}", status="done")
        bridge.incidents.add(title=f"Incident {n}", status=status)
        bridge.answers.add(description=f"Answer {n}", type="Other", state=state)


def make_busy(bridge) -> None:
    for sim in bridge.vendors.values():
        for fault in BUSY:
            sim.faults.add(fault, kind="status", status=429, method="GET")


def poll(bridge) -> Counter:
    """How many pages and single issues this round read at each vendor."""
    before = {name: len(sim.requests) for name, sim in bridge.vendors.items()}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: bridge.stack.invoke(name, {}), POLLERS.values()))
    return Counter(
        (name, "single" if entry["path"].rpartition("/")[2] in sim.rows else "page")
        for name, sim in bridge.vendors.items()
        for entry in sim.requests[before[name] :]
        if entry["method"] == "GET" and entry["status"] == 200
    )


def equations(bridge) -> list:
    connections = bridge.stack.wiring().connections
    return [connections.read(name).completeness for name in bridge.vendors]


def wait_for_pauses(bridge) -> None:
    connections = bridge.stack.wiring().connections
    pauses = filter(None, map(connections.paused_until, bridge.vendors))
    time.sleep(max([0, *(until.timestamp() - time.time() for until in pauses)]))


def assert_linked_once(bridge) -> None:
    more = [len(sim.issues) - ISSUES for sim in bridge.vendors.values()]
    assert more == [2 * LINKED, 0, 0]
    for sim in (bridge.incidents, bridge.answers):
        for remote_id in list(sim.issues)[-LINKED:]:
            issue = bridge.issue_of(remote_id)
            assert (len(issue.refs), issue.pending, issue.parked) == (2, {}, {})
