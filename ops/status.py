"""`issuebridge status`: what each connection saw, what stops it, what is missing, what waits."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from issuebridge.domain.freshness import Freshness
from issuebridge.domain.gate import SORTS
from issuebridge.domain.round_state import ConnectionState
from issuebridge.wiring import Wiring
from ops.show import plain

MARKED_MAX = 20


def status_rows(wiring: Wiring) -> list[dict[str, Any]]:
    """One row for each connection; `freshness` tells for each lane when its last look was, how long
    ago, and within which time a change is seen: null where that does not hold now."""
    fresh = wiring.freshness
    return [_status_row(wiring, name, fresh.get(name, ())) for name in wiring.config.connections]


def _status_row(wiring: Wiring, name: str, fresh: Sequence[Freshness]) -> dict[str, Any]:
    connection, state = wiring.config.connections[name], wiring.connections.read(name)
    equation = state.completeness
    return {
        "connection": name,
        "kind": connection.kind,
        "mode": connection.mode,
        "polled_at": state.polled_at,
        "watermark": state.watermark,
        "freshness": {each.lane: _freshness(each) for each in fresh},
        "completeness": equation
        and {**equation.model_dump(mode="json"), "closes": equation.closes},
        "set_aside": {f.name: f.reason for f in state.failing.values()},
        "twins": _seconds(state, moving=False),
        "moving": _seconds(state, moving=True),
        "marked": {mark.name: mark.why for mark in state.marked.values()},
        "gate": _gate(wiring, name),
        "more": state.more,
        "missing": sorted(state.missing),
        "paused_until": wiring.connections.paused_until(name),
        "problem": wiring.connections.gate(name).shut or state.tripped or state.problem,
        "creating": [effect.reason for effect in wiring.ledger.open("create", name)],
    }


def _freshness(fresh: Freshness) -> dict[str, Any]:
    bound = None if fresh.is_stale else fresh.bound
    return {
        "at": fresh.at,
        "age_seconds": fresh.age and fresh.age.total_seconds(),
        "seen_within_seconds": bound and bound.total_seconds(),
        "stale": fresh.is_stale,
    }


def _seconds(state: ConnectionState, *, moving: bool) -> dict[str, str]:
    """Second copies: those for a person to close, or those that may be the first, renumbered."""
    told = {t.name: t.issue_id for t in state.twins.values() if t.is_told}
    moved = {t.name: t.issue_id for t in state.twins.values() if t.since}
    return moved if moving else told


def _gate(wiring: Wiring, name: str) -> dict[str, Any]:
    """`counts`: what it has changed within the window; more than `limit` of one sort shut it."""
    breaker, gate = wiring.config.connections[name].breaker, wiring.connections.gate(name)
    now = wiring.clock.now()
    counted = gate.counted((), breaker, now).counts
    return {
        "shut": gate.shut,
        "foreign": gate.foreign,
        "first_sweep_ended": gate.swept_at is not None,
        "counts": {sort: sum(row.values()) for sort, row in counted.items()},
        "limit": breaker.limit(gate.known),
        "window_minutes": breaker.window_minutes,
        "allowed_until": gate.allowed_until if gate.is_allowed(now) else None,
    }


def print_status(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        console.print(f"[bold]{row['connection']}[/] ({row['kind']}, {row['mode']})")
        for line in _status_lines(row):
            console.print(f"  {plain(line)}", markup=False)


def _status_lines(row: dict[str, Any]) -> list[str]:
    equation = row["completeness"]
    lines = [f"polled at {row['polled_at'] or 'never'}"]
    lines += [_fresh_line(lane, fresh) for lane, fresh in row["freshness"].items()]
    if equation:
        claimed = "" if equation["claimed"] is None else f"claimed {equation['claimed']} = "
        lines.append(
            f"{claimed}seen {equation['seen']} = stored {equation['stored']} + set aside "
            f"{equation['set_aside']}{'' if equation['closes'] else '   DOES NOT CLOSE'}"
        )
        lines += [f"cannot be read: {unread}" for unread in equation["unread"]]
    lines += [f"set aside: {name}: {reason}" for name, reason in row["set_aside"].items()]
    lines += [
        f"twin: {name} of {issue_id}: close it, or take our line out of it"
        for name, issue_id in row["twins"].items()
    ]
    lines += [
        f"moving: {name} may be what {issue_id} is called now: the next round tells"
        for name, issue_id in row["moving"].items()
    ]
    lines += [
        f"missing: {remote_id}: gone, if one known for longer still answers at the next sweep; if "
        f"none does and you know better, `issuebridge allow {row['connection']}`"
        for remote_id in row["missing"]
    ]
    lines += _marked_lines(row["marked"])
    lines += [f"{name}: {n} more find no room in this list" for name, n in row["more"].items()]
    lines += _gate_lines(row["gate"])
    lines += [f"paused until {row['paused_until']}"] if row["paused_until"] else []
    problem = row["problem"]
    is_told = problem is None or problem in (row["gate"]["shut"], row["gate"]["foreign"])
    return lines if is_told else [*lines, f"problem: {problem}"]


def _fresh_line(lane: str, fresh: dict[str, Any]) -> str:
    """What was looked at, when, and what that means for a change."""
    what = {"hot": "what its vendor shows first", "sweep": "every issue"}[lane]
    ago = "" if fresh["age_seconds"] is None else f", {fresh['age_seconds']:.0f} s ago"
    line = f"{what}: last looked at {fresh['at']}{ago}" if fresh["at"] else f"{what}: not looked at"
    if fresh["stale"]:
        return f"{line}: STALE, changes are not seen"
    within = fresh["seen_within_seconds"]
    return f"{line}; a change is seen within {within:.0f} s" if within else line


def _marked_lines(marked: dict[str, str]) -> Iterator[str]:
    if marked:
        yield f"marked: {len(marked)} issues are not ours to route"
    for name, why in [*marked.items()][:MARKED_MAX]:
        yield f"  {name}: {why}"


def _gate_lines(gate: dict[str, Any]) -> Iterator[str]:
    if gate["shut"]:
        yield f"stopped: {gate['shut']}"
    if gate["foreign"]:
        yield f"creates nothing: {gate['foreign']}"
    if not gate["first_sweep_ended"]:
        yield "nothing is created here before its first whole sweep has ended"
    if gate["allowed_until"]:
        yield f"allowed until {gate['allowed_until']}: nothing is too much"
    for sort, count in gate["counts"].items():
        within = f"within {gate['window_minutes']:g} minutes"
        yield f"{count} of at most {gate['limit']} issues {SORTS[sort]} {within}"
