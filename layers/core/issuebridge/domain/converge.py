"""What one copy of an issue says now, taken in: edited, linked, deleted, come back, unlinked.

Pure: the callers read and commit. Which copies lag then is told in `lag`, what to write in `push`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from issuebridge.domain.field_merge import FieldMerge
from issuebridge.domain.fingerprint import text_digest
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    ExternalRef,
    HistoryEntry,
    RemoteIssue,
    issue_id_for,
    reference_for,
    with_ref,
)
from issuebridge.domain.lag import Landscape, settle
from issuebridge.domain.managed_line import line_safe, read_line
from issuebridge.domain.policy import Policy
from issuebridge.domain.reading import read_fields
from issuebridge.domain.words import FIELDS, Part

SENDING_SECONDS = 300
"""How long a value we set out to write is recognised as ours: twice a Lambda's longest push."""


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
        title=remote.title,
        description=remote.description,
        category=remote.category,
        environment=remote.environment,
    )


def link(
    issue: CanonicalIssue, remote: RemoteIssue, policy: Policy, now: datetime
) -> CanonicalIssue:
    """The issue with this remote as one more copy, not merged yet."""
    ref = ExternalRef(
        connection=policy.connection,
        remote_id=remote.remote_id,
        display_id=remote.display_id,
        url=_url_of(remote, policy),
        linked_at=now,
    )
    parked = {name: why for name, why in issue.parked.items() if name != policy.connection}
    refs = {**issue.refs, policy.connection: ref}
    return issue.model_copy(update={"refs": refs, "parked": parked})


def _url_of(remote: RemoteIssue, policy: Policy) -> str | None:
    if policy.issue_url is None:
        return None
    return line_safe(
        policy.issue_url.format(
            id=remote.remote_id, number=remote.number, display_id=remote.display_id
        )
    )


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
    issue = _with_line_seen(issue, remote, policy)
    if issue.refs[connection].ended:
        return Observed(settle(issue, landscape, now))
    if issue.refs[connection].deleted:
        issue = _restored(issue, policy)
    issue = _refreshed(issue, remote, policy, now, skew)
    edited_at = _by_our_clock(remote.updated_at or remote.activity_at or now, skew)
    born, touched = remote.created_at, remote.updated_at
    untouched = born is not None and touched is not None and touched <= born
    commented = issue.refs[connection].comments[-1:] or (None,)
    reference = reference_for(issue.issue_id, connection)
    readings = read_fields(remote, policy, reference, commented[0])
    history: list[HistoryEntry] = []
    for name in FIELDS:
        merge = FieldMerge(issue, name, policy, readings[name], edited_at, now, untouched)
        issue, entries = merge.result()
        history.extend(entries)
    renew = any(entry.outcome in ("pulled", "conflict") for entry in history)
    return Observed(settle(issue, landscape, now, renew=renew), tuple(history))


def _with_line_seen(issue: CanonicalIssue, remote: RemoteIssue, policy: Policy) -> CanonicalIssue:
    ref = issue.refs[policy.connection]
    line = read_line(remote.description, reference_for(issue.issue_id, policy.connection))
    seen: dict[Part, Baseline] = {"line": Baseline(value=None, raws=(str(line),))} if line else {}
    rest = {part: base for part, base in ref.baselines.items() if part != "line"}
    return with_ref(issue, ref.model_copy(update={"baselines": {**rest, **seen}}))


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
    return f"deleted at {connection}"


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
    known = base.model_copy(update={"value": issue.status, "raws": (None,) * len(base.raws)})
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
        "remote_updated_at": remote.updated_at or ref.remote_updated_at,
    }
    waits = policy.connection in issue.pending
    if ref.sending_at and not waits and now - ref.sending_at > timedelta(seconds=SENDING_SECONDS):
        update |= {"sending": {}, "sending_at": None}
    issue = with_ref(issue, ref.model_copy(update=update))
    if policy.connection != issue.origin:
        return issue
    return issue.model_copy(
        update={
            "title": remote.title,
            "description": remote.description,
            "category": remote.category,
            "environment": remote.environment,
            "created_at": issue.created_at
            or (remote.created_at and _by_our_clock(remote.created_at, skew)),
        }
    )
