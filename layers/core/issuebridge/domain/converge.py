"""What one copy of an issue says now, taken in: edited, linked, deleted, come back, unlinked.

Pure: the callers read and commit. Which copies lag then is told in `lag`, what to write in `push`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from issuebridge.domain import limits
from issuebridge.domain.field_merge import FieldMerge, Seen
from issuebridge.domain.fingerprint import text_digest
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    ExternalRef,
    HistoryEntry,
    RemoteIssue,
    issue_id_for,
    with_ref,
)
from issuebridge.domain.lag import settle
from issuebridge.domain.managed_line import find_marks, line_safe, read_line
from issuebridge.domain.mark import NO_MARK, reference_of, tag_of
from issuebridge.domain.policy import Policy
from issuebridge.domain.reading import read_fields
from issuebridge.domain.routing import LEADS, Landscape
from issuebridge.domain.words import FIELDS, Part

SENDING_SECONDS = 300
"""How long a value we set out to write is recognised as ours: twice a Lambda's longest push."""
DELETED_AT = "deleted at "
TIME_ROUNDED = timedelta(seconds=2)
"""A vendor may tell a time in whole seconds here and in fractions there."""


class _Words(TypedDict):
    title: str
    description: str
    category: str
    environment: str | None


@dataclass(frozen=True)
class Observed:
    """The issue after a copy was taken in, and what to remember of it."""

    issue: CanonicalIssue
    history: tuple[HistoryEntry, ...] = ()


def born(remote: RemoteIssue, connection: str) -> CanonicalIssue:
    """A canonical issue for a remote one seen for the first time; `observe` fills its fields."""
    return CanonicalIssue(
        issue_id=issue_id_for(connection, remote.remote_id),
        origin=connection,
        **_words(remote),
    )


def _words(remote: RemoteIssue) -> _Words:
    """What a counterpart is created from, and no more of it than that can use."""
    shown = remote.environment
    return {
        "title": limits.words(remote.title, limits.TITLE_UNITS, limits.TITLE),
        "description": limits.words(
            remote.description, limits.DESCRIPTION_UNITS, limits.DESCRIPTION
        ),
        "category": limits.words(remote.category, limits.CATEGORY_UNITS, limits.CATEGORY),
        "environment": shown and limits.words(shown, limits.CATEGORY_UNITS, limits.CATEGORY),
    }


def link(
    issue: CanonicalIssue,
    remote: RemoteIssue,
    policy: Policy,
    now: datetime,
    *,
    reference: str | None = None,
) -> CanonicalIssue:
    """The issue with this remote as one more copy, not merged yet, and our mark in it, if any."""
    ref = ExternalRef(
        connection=policy.connection,
        remote_id=remote.remote_id,
        display_id=limits.kept(remote.display_id, limits.NAME),
        url=_url_of(remote, policy),
        linked_at=now,
        reference=reference or NO_MARK,
    )
    parked = {name: why for name, why in issue.parked.items() if name != policy.connection}
    refs = {**issue.refs, policy.connection: ref}
    return issue.model_copy(update={"refs": refs, "parked": parked})


def moved(issue: CanonicalIssue, remote: RemoteIssue, policy: Policy) -> CanonicalIssue:
    """The issue with its copy there under another id: the vendor has renumbered or moved it."""
    there = {
        "remote_id": remote.remote_id,
        "display_id": limits.kept(remote.display_id, limits.NAME),
        "url": _url_of(remote, policy),
    }
    return with_ref(issue, issue.refs[policy.connection].model_copy(update=there))


def _url_of(remote: RemoteIssue, policy: Policy) -> str | None:
    if policy.issue_url is None:
        return None
    url = line_safe(
        policy.issue_url.format(
            id=remote.remote_id, number=remote.number, display_id=remote.display_id
        )
    )
    return url if limits.stored_bytes(url) <= limits.PAGE_URL else None


def observe(
    issue: CanonicalIssue,
    remote: RemoteIssue,
    landscape: Landscape,
    connection: str,
    *,
    now: datetime,
    skew: timedelta = timedelta(),
) -> Observed:
    """Merge what this copy says now. `skew` is how far the remote's clock runs ahead of ours."""
    policy = landscape.policies[connection]
    if remote.deleted:
        return bury(issue, landscape, connection, now)
    issue = _with_lines_seen(issue, remote, landscape, connection)
    if issue.refs[connection].ended:
        return Observed(settle(issue, landscape, now))
    if issue.refs[connection].deleted:
        issue = _restored(issue, policy)
    seen = _seen(issue.refs[connection], remote, now, skew)
    issue = _refreshed(issue, remote, policy, now, skew)
    commented = issue.refs[connection].comments[-1:] or (None,)
    readings = read_fields(remote, policy, reference_of(issue, connection), commented[0])
    history: list[HistoryEntry] = []
    for name in FIELDS:
        merge = FieldMerge(issue, name, policy, readings[name], seen)
        issue, entries = merge.result()
        history.extend(entries)
    renew = any(entry.outcome in ("pulled", "conflict") for entry in history)
    if any(entry.field == "external_link" for entry in history):
        parked = {k: why for k, why in issue.parked.items() if not why.startswith(LEADS)}
        issue = issue.model_copy(update={"parked": parked})
    return Observed(settle(issue, landscape, now, renew=renew), tuple(history))


def _seen(ref: ExternalRef, remote: RemoteIssue, now: datetime, skew: timedelta) -> Seen:
    """A vendor's own time that goes back is a restored backup, and nobody's edit."""
    born, touched, last = remote.created_at, remote.updated_at, ref.remote_updated_at
    return Seen(
        edited_at=_by_our_clock(touched or remote.activity_at or now, skew),
        now=now,
        untouched=born is not None and touched is not None and touched <= born,
        went_back=touched is not None and last is not None and touched < last - TIME_ROUNDED,
        went_on=touched is not None and last is not None and touched > last,
    )


def _with_lines_seen(
    issue: CanonicalIssue, remote: RemoteIssue, landscape: Landscape, connection: str
) -> CanonicalIssue:
    """Our line as it stands there, and the mark of another issuebridge, should one write to it."""
    ref, own = issue.refs[connection], reference_of(issue, connection)
    line = read_line(remote.description, own)
    seen: dict[Part, Baseline] = {"line": Baseline(value=None, raws=(line.brief,))} if line else {}
    rest = {part: base for part, base in ref.baselines.items() if part != "line"}
    others = (mark for mark in find_marks(remote.description) if mark != own)
    foreign = next((mark for mark in others if tag_of(mark) != landscape.tag), None)
    baselines = rest | seen
    update: dict[str, object] = {"baselines": baselines, "foreign": foreign}
    return with_ref(issue, ref.model_copy(update=update))


def _by_our_clock(at: datetime, skew: timedelta) -> datetime:
    try:
        return at - skew
    except OverflowError:  # a vendor's zero time
        return at


def bury(issue: CanonicalIssue, landscape: Landscape, connection: str, now: datetime) -> Observed:
    """A copy is gone: its ref becomes a tombstone, so that it is never made anew. The other sides
    are closed only if the route says so, and never deleted."""
    ref = issue.refs[connection]
    if ref.deleted:
        return Observed(issue)
    issue = with_ref(issue, ref.model_copy(update={"deleted": True, "sending": {}}))
    if ref.ended:
        return Observed(settle(issue, landscape, now))
    entry = HistoryEntry(at=now, field="status", outcome="deleted", by=connection, old=issue.status)
    if _closes(issue, landscape, connection):
        edit = Edit(by=_deleted_at(connection), at=now)
        edits = {**issue.edits, "status": edit}
        issue = issue.model_copy(update={"status": "closed", "edits": edits})
        entry = entry.model_copy(update={"new": "closed"})
    return Observed(settle(issue, landscape, now, renew=True), (entry,))


def _deleted_at(connection: str) -> str:
    return f"{DELETED_AT}{connection}"


def _closes(issue: CanonicalIssue, landscape: Landscape, connection: str) -> bool:
    ends = [
        {route.source, route.target} for route in landscape.routes if route.on_delete == "close"
    ]
    others = issue.refs.keys() - {connection}
    return any(
        {connection, other} in ends and issue.origin in (connection, other) for other in others
    )


def _restored(issue: CanonicalIssue, policy: Policy) -> CanonicalIssue:
    """A copy came back. What its deletion closed, it opens again, as an edit of its own."""
    ref = issue.refs[policy.connection]
    issue = with_ref(issue, ref.model_copy(update={"deleted": False}))
    last, base = issue.edits.get("status"), ref.baselines.get("status")
    if base is None or last is None or last.by != _deleted_at(policy.connection):
        return issue
    blank = (None,) * len(base.raws)
    known = Baseline(value=issue.status, raws=blank, edit_at=last.at)
    baselines = {**ref.baselines, "status": known}
    return with_ref(issue, ref.model_copy(update={"deleted": False, "baselines": baselines}))


def _refreshed(
    issue: CanonicalIssue, remote: RemoteIssue, policy: Policy, now: datetime, skew: timedelta
) -> CanonicalIssue:
    """What is not mirrored follows its own side; a write of ours that is too old is forgotten, and
    so is what a description had against our line, once that is another one."""
    ref = issue.refs[policy.connection]
    words = (text_digest(remote.description),)
    update: dict[str, object] = {
        "notes": {
            name: note
            for name, note in ref.notes.items()
            if note.kind != "unsupported" or note.raws in ((), words)
        },
        "url": _url_of(remote, policy),
        "remote_updated_at": _latest(remote.updated_at, ref.remote_updated_at),
        "born_at": remote.created_at or ref.born_at,
    }
    waits = policy.connection in issue.pending
    if ref.sending_at and not waits and now - ref.sending_at > timedelta(seconds=SENDING_SECONDS):
        update |= {"sending": {}, "sending_at": None}
    issue = with_ref(issue, ref.model_copy(update=update))
    if policy.connection != issue.origin:
        return issue
    return issue.model_copy(
        update={
            **_words(remote),
            "created_at": issue.created_at
            or (remote.created_at and _by_our_clock(remote.created_at, skew)),
        }
    )


def _latest(*times: datetime | None) -> datetime | None:
    return max((at for at in times if at), default=None)
