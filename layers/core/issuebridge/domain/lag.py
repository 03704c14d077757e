"""Which copies of an issue lag, which counterparts it lacks, and which rules are due.

Pure: `settle` gives the issue the marks that say so, from its values and the configuration.
"""

from datetime import UTC, datetime

from issuebridge.domain.issue import (
    CanonicalIssue,
    ExternalRef,
    FieldNote,
    Pending,
    with_ref,
)
from issuebridge.domain.managed_line import parse_line
from issuebridge.domain.policy import FieldPolicy, Policy
from issuebridge.domain.reading import agrees, carries
from issuebridge.domain.routing import Landscape, lacking
from issuebridge.domain.rules import due_asks
from issuebridge.domain.words import Field, Part

_LATER = datetime.max.replace(tzinfo=UTC)


def wanted(issue: CanonicalIssue, connection: str, name: Field) -> str | None:
    """The value this copy shall hold. An unbound link leads across, to the origin or back."""
    value = issue.value(name)
    if name != "external_link" or value is not None:
        return value
    others = [issue.origin] if connection != issue.origin else sorted(issue.refs)
    urls = [
        ref.url
        for other in others
        if (ref := issue.refs.get(other)) and other != connection and ref.is_live
    ]
    return next((url for url in urls if url), None)


def settle(
    issue: CanonicalIssue, landscape: Landscape, now: datetime, *, renew: bool = False
) -> CanonicalIssue:
    """Note what cannot be held, mark every copy that lags, and every rule that is due.

    `renew`: a value changed, so a copy that waits out its failures is tried again at once,
    unless a write to it is under way.
    """
    known = [policy for name, policy in landscape.policies.items() if name in issue.refs]
    for policy in known:
        issue = _settle_ref(issue, policy)
    pending = {
        policy.connection: mark
        for policy in known
        if (mark := _mark(issue, policy, now, renew=renew))
    }
    for target in lacking(issue, landscape):
        pending[target] = issue.pending.get(target) or Pending(due_at=now)
    return issue.model_copy(update={"pending": pending, "asks": asks_of(issue, landscape)})


def asks_of(issue: CanonicalIssue, landscape: Landscape) -> dict[str, datetime]:
    """Which rules are due to prompt Norm about this issue, and when."""
    refs = issue.refs
    askable = {
        name: policy.may_write and not (name in refs and refs[name].foreign)
        for name, policy in landscape.policies.items()
    }
    return due_asks(issue, landscape.rules, askable)


def _mark(issue: CanonicalIssue, policy: Policy, now: datetime, *, renew: bool) -> Pending | None:
    """When to write to this copy, if ever: now, when its failures are waited out, or when what
    was refused is tried again."""
    mark = issue.pending.get(policy.connection)
    if not _lags(issue, policy):
        return _retry(issue, policy)
    if mark is None or mark.set_aside:
        return Pending(due_at=now)
    if renew and not issue.refs[policy.connection].sending:
        return mark.model_copy(update={"due_at": min(mark.due_at, now)})
    return mark


def _retry(issue: CanonicalIssue, policy: Policy) -> Pending | None:
    notes = issue.refs[policy.connection].notes
    refused = [notes[part] for part in lagging(issue, policy, _LATER) if part in notes]
    dues = [(note.due_at, note.detail) for note in refused if note.due_at]
    if not dues:
        return None
    due_at, reason = min(dues)
    return Pending(due_at=due_at, reason=reason, set_aside=True)


def _lags(issue: CanonicalIssue, policy: Policy) -> bool:
    """It shows something else, or may yet: nobody knows what became of our last write, or whether
    it still shows what already means our new value."""
    ref = issue.refs[policy.connection]
    in_doubt = bool(ref.sending) and policy.may_write and not ref.deleted
    return in_doubt or bool(lagging(issue, policy)) or is_unconfirmed(issue, policy)


def is_unconfirmed(issue: CanonicalIssue, policy: Policy) -> bool:
    """Whether somebody's edit needs no write here, but no read of this copy has shown so yet: an
    edit that waits there unseen would be taken for one that knew of it."""
    ref = issue.refs[policy.connection]
    if not ref.is_live or not policy.may_read:
        return False
    return any(_awaits_read(issue, ref, name, field) for name, field in policy.fields.items())


def _awaits_read(issue: CanonicalIssue, ref: ExternalRef, name: Field, field: FieldPolicy) -> bool:
    base, note = ref.baselines.get(name), ref.notes.get(name)
    value, last = wanted(issue, ref.connection, name), issue.edits.get(name)
    if base is None or last is None or not field.is_read:
        return False
    is_news = last.by != ref.connection and base.edit_at not in (None, last.at)
    if base.value == value and not is_news:
        return False
    return (note is None or note.kind == "unsupported") and agrees(field, base.raws, value)


def _settle_ref(issue: CanonicalIssue, policy: Policy) -> CanonicalIssue:
    ref = issue.refs[policy.connection]
    notes = dict(ref.notes)
    for name, field in policy.fields.items() if not ref.ended else ():
        value, base, note = (
            wanted(issue, policy.connection, name),
            ref.baselines.get(name),
            notes.get(name),
        )
        carried = base is not None and carries(field, base.raws, value)
        if note and _is_outdated(note, field, value, carried=carried):
            del notes[name]
        if not carried and not field.writable and name not in notes and value is not None:
            notes[name] = FieldNote(
                kind="unsupported", detail="not held here", value=value, carrier=field.carrier
            )
    if "line" in notes and not shows_another(issue, policy, "line"):
        del notes["line"]
    return with_ref(issue, ref.model_copy(update={"notes": notes}))


def _is_outdated(note: FieldNote, field: FieldPolicy, value: str | None, *, carried: bool) -> bool:
    """The reason has gone: it is carried, it has another carrier, or another value is meant, unless
    the reason lies in the words around it."""
    if note.kind == "fought":
        return carried
    if note.kind not in ("unsupported", "rejected"):
        return False
    is_of_words = note.kind == "unsupported" and bool(note.raws)
    other_value = note.value != value and not is_of_words
    return carried or note.carrier != field.carrier or other_value


def lagging(issue: CanonicalIssue, policy: Policy, now: datetime | None = None) -> list[Part]:
    """What of this copy a write would bring into step; with `now`, also what was refused and is
    due again. Nothing, where the mark of another issuebridge stands."""
    ref = issue.refs[policy.connection]
    if ref.deleted or ref.foreign or not policy.may_write:
        return []
    fields = [] if ref.ended else [n for n, field in policy.fields.items() if field.writable]
    parts: list[Part] = [*fields, "line"]
    return [p for p in parts if shows_another(issue, policy, p) and _may_try(ref, p, now)]


def shows_another(issue: CanonicalIssue, policy: Policy, part: Part) -> bool:
    """Whether this copy shows something that does not mean our value."""
    base = issue.refs[policy.connection].baselines.get(part)
    if base is None:
        return False
    if part == "line":
        return _is_stale(base.raws[0] or "", issue, policy)
    field = policy.fields[part]
    if field.carrier == "managed_line" and not line_belongs(issue, policy):
        return False
    return not carries(field, base.raws, wanted(issue, policy.connection, part))


def line_belongs(issue: CanonicalIssue, policy: Policy) -> bool:
    """Our line stands in a copy for as long as another one lives."""
    mine = issue.refs[policy.connection]
    return mine.is_live and any(ref.is_live for ref in issue.refs.values() if ref != mine)


def _is_stale(shown: str, issue: CanonicalIssue, policy: Policy) -> bool:
    """The link has ended, or the line tells what it no longer carries."""
    line = parse_line(shown)
    if line is None or not policy.description_writable:
        return False
    told = {"severity": line.severity, "external_link": line.link}
    odd = [n for n, f in policy.fields.items() if told.get(n) and f.carrier != "managed_line"]
    return bool(odd) or not line_belongs(issue, policy)


def _may_try(ref: ExternalRef, name: Part, now: datetime | None) -> bool:
    note = ref.notes.get(name)
    return note is None or (now is not None and note.is_due(now))


def newly_pending(before: CanonicalIssue | None, after: CanonicalIssue) -> bool:
    """Whether mirror has something to do that it was not woken for before."""
    marks, asks = (before.pending, before.asks) if before else ({}, {})
    return any(
        name not in marks or mark.due_at < marks[name].due_at
        for name, mark in after.pending.items()
    ) or any(name not in asks or due < asks[name] for name, due in after.asks.items())
