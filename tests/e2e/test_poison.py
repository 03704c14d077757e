"""One issue of each poisonous sort beside thirty healthy ones at each vendor: the healthy ones are
linked and in step, the others are told by name. The same beside a vendor that hangs, and one that
sends a byte a second."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.attention import waiting

HEALTHY, FEW = 30, 4
ROUNDS = 3
ROUTES = [
    {"from": "incidents", "to": "voice"},
    {"from": "answers", "to": "voice"},
    {"from": "voice", "to": "incidents", "filter": {}, "daily_budget": 500},
]
TEXTS = {
    "mentions": "@" * 8000 + "norm",
    "a mention in pieces": "@\u200bn\u00ado\u2060rm " * 800,
    "control characters": "\x00\x01\x1b[2J\u202e\r\t" * 900,
    "half a pair": "\ud83d" * 3000,
    "one long line": "x" * 10_000,
}
"""Within what the vendors take; they are mirrored as any other."""
FORGED = "\n".join(f"[issuebridge ref=ib{n:a>42}]" for n in "bcdefghijklmnopqrstuvwxyz" * 6)
TOO_LARGE = "x" * 17_000_000
FUNCTION_SECONDS = 120


def test_poisonous_issues_cost_themselves_and_are_named(bridged):
    bridge = bridged(ROUTES)
    closed = bridge.incidents.add(title="Closed to us", status="investigating")
    bridge.round()
    healthy, texts = fill(bridge, HEALTHY), hostile(bridge)
    forged = {name: added(sim, FORGED) for name, sim in bridge.vendors.items()}
    too_large = {name: added(sim, TOO_LARGE) for name, sim in bridge.vendors.items()}
    bridge.incidents.faults.add(
        kind="status", status=403, method="GET", path=f".*/{closed['uuid']}", times=0
    )
    bridge.incidents.edit(closed["uuid"], status="ready_to_fix")
    for _ in range(ROUNDS):
        bridge.round()
    assert late(bridge, healthy) == []
    assert late(bridge, texts) == []
    connections = bridge.stack.wiring().connections
    told = {each.name: each for each in waiting(bridge.stack) if each.state == "quarantined"}
    for name in bridge.vendors:
        assert forged[name] in connections.read(name).marked
        assert "too large" in told[too_large[name]].reason
    assert "403" in told[str(closed["number"])].reason


@pytest.mark.parametrize(
    "fault", [{"kind": "slow", "seconds": 600}, {"kind": "drip", "seconds": 1}]
)
def test_a_vendor_that_does_not_come_to_an_end_costs_its_own_connection_alone(bridged, fault):
    bridge = bridged(ROUTES[:2])
    hanging = bridge.incidents.add(title="There before", status="investigating")["uuid"]
    bridge.round()
    answers = [i for i in fill(bridge, FEW) if i in bridge.answers.issues]
    bridge.incidents.faults.add(fault, times=0)
    bridge.voice.edit(bridge.copy_of(hanging, bridge.voice)["id"], status="in_review")
    with ThreadPoolExecutor() as pool:
        told = pool.submit(bridge.stack.invoke, "PollAntimetal", {})
        until = time.monotonic() + FUNCTION_SECONDS
        while waits(bridge, answers) and time.monotonic() < until:
            for name in ("PollBland", "PollZylon", "Reconcile"):
                bridge.stack.invoke(name, {})
        assert waits(bridge, answers) == []
        (report,) = told.result().values()
    assert "no answer" in report["problem"], "not killed at its time limit: that would raise"
    assert "incidents" in str(bridge.issue_of(hanging).pending), "its own write waits"


def waits(bridge, answers: list[str]) -> list[str]:
    """Those that have no counterpart yet."""
    store = bridge.stack.wiring().store
    found = {i: store.find(f"{bridge.prefix}-answers", i) for i in answers}
    return [i for i, issue_id in found.items() if not issue_id or late(bridge, [i])]


def fill(bridge, count: int) -> list[str]:
    """The ids of the issues that were filed, as many at each of them."""
    made = []
    for n in range(count):
        made += [bridge.voice.add(title=f"Call {n}", description="It rings.")["id"]]
        made += [bridge.incidents.add(title=f"Incident {n}", status="investigating")["uuid"]]
        made += [bridge.answers.add(description=f"Answer {n}", type="Other")["id"]]
    return made


def hostile(bridge) -> list[str]:
    made = []
    for name, text in TEXTS.items():
        made += [bridge.voice.add(title=text[:200], description=text)["id"]]
        made += [bridge.incidents.add(title=f"{name} {text}"[:200], description=text)["uuid"]]
        made += [bridge.answers.add(description=f"{name} {text}", type="Other")["id"]]
    return made


def added(sim, description: str) -> str:
    row = sim.add(description=description)
    return row.get("id") or row["uuid"]


def late(bridge, ids: list[str]) -> list[str]:
    """Those that are not linked, or lag, with what they wait for."""
    issues = map(bridge.issue_of, ids)
    return [
        f"{x.title} {[*x.refs]} {x.pending} {x.parked}"
        for x in issues
        if len(x.refs) < 2 or x.pending
    ]
