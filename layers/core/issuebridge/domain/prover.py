"""The mapping prover: what every word becomes on every path, from the configuration alone.

It runs the engine's own rules on an issue that lives at every connected connection, edits one
copy to one raw word, and lets the copies settle. A pair that never settles flaps, and such a
configuration is refused with the cycle. What is merely lossy is told, so that it surprises nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from issuebridge.domain.converge import link, observe
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue
from issuebridge.domain.policy import FieldPolicy, Policy
from issuebridge.domain.push import finish, plan_write
from issuebridge.domain.routing import Landscape
from issuebridge.domain.words import CANONICAL_WORDS, Field

STEPS_MAX = 8
_START = datetime(2026, 1, 1, tzinfo=UTC)
Remotes = dict[str, RemoteIssue]
_MAPPED: tuple[Field, ...] = ("status", "severity")


def prove(landscape: Landscape) -> None:
    """Misconfigured, with the exact cycle, if any edit of any word would never come to rest."""
    settled = Landscape(landscape.policies)
    for names in _linked(landscape):
        joined = _joined(settled, names)
        for name, field in product(names, _MAPPED):
            for raw in _raws(landscape.policies[name].fields[field]):
                _settle(settled, *joined, name, field, raw)


def findings(landscape: Landscape) -> list[str]:
    """Words that another word comes back for, and words that our writes never reach."""
    found = []
    for policy in landscape.policies.values():
        for name in _MAPPED:
            found += list(_lossy(policy, name))
    return found


def _lossy(policy: Policy, name: Field) -> Iterator[str]:
    lens, place = policy.fields[name].lens, f"{policy.connection}.{name}"
    if lens is None or not policy.fields[name].reads_native:
        return
    for word in CANONICAL_WORDS[name]:
        raw = lens.write(word)
        back = lens.read(raw) if raw else None
        if back != word:
            yield f"{place}: {word} is written as {raw}, which reads as {back}"
    written = {lens.write(word) for word in CANONICAL_WORDS[name]}
    for raw in lens.words:
        if raw not in written:
            yield f"{place}: {raw} is read and never written"


def _linked(landscape: Landscape) -> list[tuple[str, ...]]:
    """The connections that one issue can live at: an origin and everywhere its routes lead."""
    origins = {route.source for route in landscape.routes}
    return [
        (origin, *(route.target for route in landscape.routes if route.source == origin))
        for origin in sorted(origins)
    ]


def _raws(field: FieldPolicy) -> list[str]:
    return list(field.lens.words) if field.lens and field.reads_native else []


def _joined(landscape: Landscape, names: tuple[str, ...]) -> tuple[CanonicalIssue, Remotes]:
    """An issue that lives at all of them, and its copies, in step."""
    remotes = {name: _remote(landscape.policies[name], name) for name in names}
    issue = CanonicalIssue(issue_id="proof", origin=names[0], title="", description="", category="")
    for name in names:
        joined = link(issue, remotes[name], landscape.policies[name], _START)
        issue = observe(joined, remotes[name], landscape, name, now=_START).issue
    return _round(landscape, issue, remotes, _START)[:2]


def _settle(
    landscape: Landscape,
    issue: CanonicalIssue,
    remotes: Remotes,
    edited: str,
    field: Field,
    raw: str,
) -> None:
    edit = _with(remotes[edited], {field: raw}, _START + timedelta(hours=1))
    remotes = {**remotes, edited: edit}
    trail = [f"{edited} {field}={raw}"]
    for step in range(1, STEPS_MAX):
        at = _START + timedelta(hours=1, minutes=step)
        issue, remotes, written = _round(landscape, issue, remotes, at)
        if not written:
            return
        trail += written
    raise Misconfigured(f"maps: this never comes to rest: {' -> '.join(trail)}: change the maps")


def _round(
    landscape: Landscape,
    issue: CanonicalIssue,
    remotes: Remotes,
    at: datetime,
) -> tuple[CanonicalIssue, Remotes, list[str]]:
    """Every copy is read, merged and brought into step once."""
    written = []
    for name, remote in remotes.items():
        issue = observe(issue, remote, landscape, name, now=at).issue
    for name in list(remotes):
        policy = landscape.policies[name]
        write = plan_write(issue, remotes[name], policy, at)
        words = {field: write.changes[field] for field in _MAPPED if field in write.changes}
        remotes = {**remotes, name: _with(remotes[name], words, at)}
        issue = observe(issue, remotes[name], landscape, name, now=at).issue
        issue, _ = finish(issue, landscape, name, write, {}, remotes[name], at)
        written += [f"{name} {field}={raw}" for field, raw in words.items()]
    return issue, remotes, written


def _remote(policy: Policy, name: str) -> RemoteIssue:
    raws = {field: next(iter(_raws(policy.fields[field])), None) for field in _MAPPED}
    return RemoteIssue(
        remote_id=name,
        display_id=name,
        number=1,
        title="",
        description="",
        category="",
        raw=raws,
        created_at=_START,
        updated_at=_START,
    )


def _with(remote: RemoteIssue, raws: Mapping[Field, str], at: datetime) -> RemoteIssue:
    if not raws:
        return remote
    return replace(remote, raw={**remote.raw, **raws}, updated_at=at)
