"""Which counterparts an issue lacks, and why it gets none where a route could take it.

A link that already points across to an issue of another connection is no reason to create one
there, but the two to be paired (`across`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from issuebridge.domain.config import Route
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.limits import REFS_MAX
from issuebridge.domain.policy import Policy
from issuebridge.domain.rules import Rule

LEADS = "its link leads to "
"""How the reason begins for which an issue is not paired: another link is another matter."""
UNKNOWN_BIRTH = "its vendor does not tell when it was born, so nobody knows whether it is older"


@dataclass(frozen=True)
class Landscape:
    """What the configuration says, resolved: every policy, route and rule for Norm. `tag` is this
    installation's; `siblings` are connections that may show the same issues."""

    policies: Mapping[str, Policy]
    routes: Sequence[Route] = ()
    rules: Sequence[Rule] = ()
    tag: str = ""
    siblings: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Across:
    """Where a link leads: the connection, and what the issue is called there."""

    connection: str
    name: str


def lacking(issue: CanonicalIssue, landscape: Landscape) -> Iterator[str]:
    """The connections where it shall get a counterpart, or be paired with what it points at."""
    across = (found.connection for found in points_across(issue, landscape))
    yield from (name for name in across if landscape.policies[name].may_write)
    for route in landscape.routes:
        if why_not(route, issue, landscape) is None:
            yield route.target


def points_across(issue: CanonicalIssue, landscape: Landscape) -> list[Across]:
    """The issues elsewhere that this one's link may be the address of, until that is settled."""
    if not issue.external_link or len(issue.refs) != 1 or issue.origin not in issue.refs:
        return []
    if not issue.refs[issue.origin].is_live:
        return []
    found = addresses(issue.external_link, issue.origin, landscape)
    return [across for across in found if across.connection not in issue.parked]


def addresses(url: str, at: str, landscape: Landscape) -> Iterator[Across]:
    """What this deep link names at the connections that `at` exchanges issues with."""
    for name, policy in landscape.policies.items():
        if name == at or policy.issue_url is None or not _exchange(at, name, landscape):
            continue
        if found := re.fullmatch(_pattern(policy.issue_url), url):
            yield Across(name, next(part for part in found.groups() if part))


def _exchange(one: str, other: str, landscape: Landscape) -> bool:
    ends = {one, other}
    return any({route.source, route.target} == ends for route in landscape.routes)


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(
        re.escape(literal) + ("" if name is None else "([^/?#&]+)") for literal, name, _, _ in parts
    )


def why_not(route: Route, issue: CanonicalIssue, landscape: Landscape) -> str | None:
    """Why this route, which leaves from its origin, does not bring the issue over; None if it
    does, or has nothing to do with it."""
    if route.target in issue.refs:
        return "it has a copy there"
    if len(issue.refs) >= REFS_MAX:
        return f"it has {REFS_MAX} copies already, and no more are kept"
    if route.target in issue.parked:
        return issue.parked[route.target]
    if not landscape.policies[route.target].may_write:
        return f"{route.target} is not in mode mirror: nothing is created there"
    return not_taken(route, issue)


def not_taken(route: Route, issue: CanonicalIssue) -> str | None:
    """Why an issue is none of this route's; never one from before it was switched on."""
    origin = issue.refs.get(issue.origin)
    if route.source != issue.origin or origin is None:
        return f"it was not born at {route.source}"
    if not origin.is_live:
        return "it is gone, or unlinked, where it was born"
    if origin.foreign:
        return f"another issuebridge writes to it: its mark {origin.foreign} stands there"
    return _filtered(route, issue) or _too_old(route, issue)


def _too_old(route: Route, issue: CanonicalIssue) -> str | None:
    since = route.since_at.replace(microsecond=0)  # some vendors tell whole seconds
    if issue.created_at is None:
        return UNKNOWN_BIRTH
    if issue.created_at < since:
        return f"it is older than the route ({since.isoformat()})"
    return None


def _filtered(route: Route, issue: CanonicalIssue) -> str | None:
    shown = {"status": issue.status, "severity": issue.severity, "category": issue.category}
    for name, allowed in route.filter_or_default.model_dump().items():
        if allowed is not None and shown[name] not in allowed:
            return f"its {name} {shown[name]} is not in the filter"
    return None


def needs_detail(issue: CanonicalIssue, landscape: Landscape) -> bool:
    """Whether what a row of a list leaves out decides on a route or a rule."""
    shown = {"status": issue.status, "severity": issue.severity, "category": issue.category}
    gaps = {name for name, value in shown.items() if not value}
    asked = [
        (issue.created_at is None, rule.when.model_dump(include={*shown}))
        for rule in landscape.rules
        if rule.enabled and rule.when.origin in (None, [issue.origin])
    ]
    asked += [
        (issue.created_at is None, route.filter_or_default.model_dump())
        for route in landscape.routes
        if route.source == issue.origin and route.target not in issue.refs
    ]
    return any(
        (unborn or gaps & {n for n, allowed in given.items() if allowed is not None})
        and all(v is None or shown[n] in v or n in gaps for n, v in given.items())
        for unborn, given in asked
    )
