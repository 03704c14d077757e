"""`issuebridge explain`: why one issue is as it is, and why it is not where it could be."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.routing import Landscape, why_not
from issuebridge.domain.rules import Rule
from issuebridge.wiring import Wiring

IS_TAKEN = "it is taken over by the next push"


def explained(wiring: Wiring, issue: CanonicalIssue) -> dict[str, Any]:
    """Its sides and marks, then each route and rule with what came of it, then its history."""
    history = wiring.store.history(issue.issue_id)
    gates = {
        name: why for name in issue.refs if (why := wiring.pipeline.gate.shut([name])) is not None
    }
    return {
        **issue.model_dump(mode="json", exclude_defaults=True),
        **({"stopped": gates} if gates else {}),
        "routes": dict(_routes(wiring, issue)),
        "rules": {
            rule.name: _rule(issue, rule, wiring.landscape, wiring.clock.now())
            for rule in wiring.landscape.rules
        },
        "history": [entry.model_dump(mode="json", exclude_none=True) for entry in history],
    }


def _routes(wiring: Wiring, issue: CanonicalIssue) -> Iterator[tuple[str, str]]:
    for route in wiring.landscape.routes:
        if route.source == issue.origin:
            why = why_not(route, issue, wiring.landscape)
            waits = why or wiring.pipeline.gate.hinders_creating(route.target) or IS_TAKEN
            yield f"{route.source} -> {route.target}", waits


def _rule(issue: CanonicalIssue, rule: Rule, landscape: Landscape, now: datetime) -> str:
    """Why a rule asks, has asked, or does not."""
    if due := issue.asks.get(rule.name):
        return f"asks Norm {'by the next push' if due <= now else f'at {due.isoformat()}'}"
    if fired := issue.fired.get(rule.name):
        again = "again after its cool-down" if rule.cool_down_hours else "once for each issue"
        return f"asked {fired.times} times, last at {fired.at.isoformat()}: {again}"
    return next(_silent(issue, rule, landscape), "asks Norm at the next look at the issue")


def _silent(issue: CanonicalIssue, rule: Rule, landscape: Landscape) -> Iterator[str]:
    ref, policy = issue.refs.get(rule.at or ""), landscape.policies.get(rule.at or "")
    if not rule.enabled:
        yield "it is switched off"
    if ref is None or not ref.is_live or policy is None:
        yield f"the issue has no copy at {rule.at}, where it would ask"
        return
    if not policy.may_write:
        yield f"{rule.at} is not in mode mirror"
    if ref.foreign:
        yield f"another issuebridge writes to its copy at {rule.at}"
    if issue.created_at is None:
        yield "its vendor does not tell when it was born"
    elif issue.created_at < rule.since_at.replace(microsecond=0):
        yield f"it is older than the rule ({rule.since_at.isoformat()})"
    yield from _unfit(issue, rule)


def _unfit(issue: CanonicalIssue, rule: Rule) -> Iterator[str]:
    shown = {
        "origin": issue.origin,
        "severity": issue.severity,
        "status": issue.status,
        "category": issue.category,
    }
    for name, value in shown.items():
        given = getattr(rule.when, name)
        if given and value not in given:
            yield f"its {name} {value} is none of {', '.join(given)}"
    if not rule.when.holds(issue):
        yield "its words contain none of those the rule looks for"
