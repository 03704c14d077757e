"""Bringing the copies of one issue into step: what was edited, who wins, and who lags.

Pure: `observe` takes in what one copy says now, `settle` says which copies lag, `plan_write` is
the smallest write that ends a lag. The callers read, commit and send.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from issuebridge.domain.config import Route
from issuebridge.domain.fingerprint import text_digest
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    ExternalRef,
    FieldNote,
    HistoryEntry,
    Pending,
    RemoteIssue,
    issue_id_for,
    reference_for,
)
from issuebridge.domain.managed_line import line_safe
from issuebridge.domain.merge import Copy, merge_field
from issuebridge.domain.policy import FieldPolicy, Policy
from issuebridge.domain.reading import Reading, Source, carries, read_fields
from issuebridge.domain.rules import Rule, due_asks
from issuebridge.domain.words import FIELDS, Field

SENDING_SECONDS = 300
"""How long a value we set out to write is recognised as ours: twice a Lambda's longest push."""


@dataclass(frozen=True)
class Landscape:
    """What the configuration says, resolved: every policy, route and rule for Norm."""

    policies: Mapping[str, Policy]
    routes: Sequence[Route] = ()
    rules: Sequence[Rule] = ()


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


def wanted(issue: CanonicalIssue, connection: str, name: Field) -> str | None:
    """The value this copy shall hold. An unbound link leads across, to the origin or back."""
    value = issue.value(name)
    if name != "external_link" or value is not None:
        return value
    others = [issue.origin] if connection != issue.origin else sorted(issue.refs)
    urls = [
        issue.refs[other].url for other in others if other in issue.refs and other != connection
    ]
    return next((url for url in urls if url), None)


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
    if issue.refs[connection].deleted:
        issue = _restored(issue, policy)
    issue = _refreshed(issue, remote, policy, now, skew)
    edited_at = _by_our_clock(remote.updated_at or remote.activity_at or now, skew)
    born, touched = remote.created_at, remote.updated_at
    untouched = born is not None and touched is not None and touched <= born
    readings = read_fields(remote, policy, reference_for(issue.issue_id, connection))
    history: list[HistoryEntry] = []
    for name in FIELDS:
        merge = _FieldMerge(issue, name, policy, readings[name], edited_at, now, untouched)
        issue, entries = merge.result()
        history.extend(entries)
    renew = any(entry.outcome in ("pulled", "conflict") for entry in history)
    return Observed(settle(issue, landscape, now, renew=renew), tuple(history))


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
    issue = _with_ref(issue, ref.model_copy(update={"deleted": True, "sending": {}}))
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
    issue = _with_ref(issue, ref.model_copy(update={"deleted": False}))
    last, base = issue.edits.get("status"), ref.baselines.get("status")
    if base is None or last is None or last.by != _deleted_at(policy.connection):
        return issue
    known = base.model_copy(update={"value": issue.status, "raws": (None,) * len(base.raws)})
    baselines = {**ref.baselines, "status": known}
    return _with_ref(issue, ref.model_copy(update={"deleted": False, "baselines": baselines}))


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
    issue = _with_ref(issue, ref.model_copy(update=update))
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


def _with_ref(issue: CanonicalIssue, ref: ExternalRef) -> CanonicalIssue:
    return issue.model_copy(update={"refs": {**issue.refs, ref.connection: ref}})


@dataclass(frozen=True)
class _FieldMerge:
    """One field of one copy."""

    issue: CanonicalIssue
    name: Field
    policy: Policy
    reading: Reading
    edited_at: datetime
    now: datetime
    untouched: bool

    @property
    def ref(self) -> ExternalRef:
        return self.issue.refs[self.policy.connection]

    @property
    def raws(self) -> tuple[str | None, ...]:
        return tuple(source.raw for source in self.reading)

    def result(self) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        if not self.reading:
            return self.issue, []
        baseline = self.ref.baselines.get(self.name)
        if baseline is None:
            return self._first_meeting()
        if self._is_not_shown(baseline):
            return self.issue, []
        moved = [s for i, s in enumerate(self.reading) if self._moved(s, baseline, i)]
        if not moved:
            return self._agreed_or_unmoved(baseline)
        if not moved[0].known:
            return self._noted("frozen", f"unknown word: {moved[0].raw}", moved[0].raw)
        issue, history = self._edited(baseline, moved[0])
        return issue, [*history, *self._told_beside(issue, moved, "edited in two places: lost")]

    def _told_beside(
        self, issue: CanonicalIssue, shown: Sequence[Source], detail: str
    ) -> list[HistoryEntry]:
        """Edited in both of its places at once, the native one counts, and the other is told."""
        baseline = issue.refs[self.policy.connection].baselines.get(self.name)
        if baseline is None or baseline.raws != self.raws:
            return []
        value = wanted(issue, self.policy.connection, self.name)
        beside = [s for s in shown[1:] if s.raw and s.value not in (value, shown[0].value)]
        return [self._entry("conflict", s.value or s.raw, value, detail=detail) for s in beside]

    def _is_not_shown(self, baseline: Baseline) -> bool:
        """No vendor can clear a status or severity: an answer without it is thin, not an edit."""
        field = self.policy.fields[self.name]
        native = field.reads_native and field.lens is not None
        return native and self.reading[0].raw is None and _raw_at(baseline, 0) is not None

    def _moved(self, source: Source, baseline: Baseline, place: int) -> bool:
        """A copy moved if it left the baseline for something we did not send.

        A managed line that is gone is damage to mend, not an edit: the other place of the same
        field, or nothing at all, says what is meant.
        """
        if source.raw is None and self._is_line(place):
            return False
        seen = [baseline, self.ref.sending.get(self.name)]
        return source.raw not in [_raw_at(known, place) for known in seen if known]

    def _is_line(self, place: int) -> bool:
        field = self.policy.fields[self.name]
        return field.carrier == "managed_line" and place == len(self.reading) - 1

    def _agreed_or_unmoved(self, baseline: Baseline) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """Nothing new; but if our own write shows, it is what both agree on now. A copy that was
        set aside and went back to the baseline gives up its edit, which is told."""
        sent = self.ref.sending.get(self.name)
        value = sent.value if sent and sent.raws == self.raws else baseline.value
        issue = self._with(Baseline(value=value, raws=self.raws), thaw=True)
        note, ours = (
            self.ref.notes.get(self.name),
            wanted(self.issue, self.ref.connection, self.name),
        )
        set_aside = note is not None and note.kind in ("frozen", "held")
        if not set_aside or ours == value or self._means(ours):
            return issue, []
        shown = self.reading[0].value
        return issue, [self._entry("conflict", shown, ours, detail="went back: this edit lost")]

    def _means(self, ours: str | None) -> bool:
        return carries(self.policy.fields[self.name], self.raws, ours)

    def _first_meeting(self) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """The origin gives the first values; any other copy is brought to them. If that one was
        edited since its birth, a person's edit may be overruled, which is told."""
        source = next((s for s in self.reading if s.raw is not None), self.reading[0])
        if not source.known:
            return self._noted("frozen", f"unknown word: {source.raw}", source.raw)
        issue = self._with(Baseline(value=source.value, raws=self.raws), thaw=True)
        if source.value is None:
            return issue, []
        if self.policy.connection != self.issue.origin:
            return issue, self._overruled(issue, source)
        return self._take(issue, source.value), [self._entry("pulled", None, source.value)]

    def _overruled(self, issue: CanonicalIssue, source: Source) -> list[HistoryEntry]:
        ours = wanted(self.issue, self.policy.connection, self.name)
        if self.untouched:
            return []
        detail = "before it was linked: lost"
        beside = self._told_beside(issue, [s for s in self.reading if s.raw is not None], detail)
        if self._means(ours):
            return beside
        return [self._entry("conflict", source.value, ours, detail=detail), *beside]

    def _edited(
        self, baseline: Baseline, source: Source
    ) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        ours = wanted(self.issue, self.policy.connection, self.name)
        lens = self.policy.fields[self.name].lens
        if source.value == ours or (lens and lens.means(source.raw, ours)):
            return self._with(Baseline(value=ours, raws=self.raws), thaw=True), []
        winner = self._winner()
        merged = merge_field(
            baseline=baseline.value, canonical=ours, remote=source.value, winner=winner or "remote"
        )
        if merged.conflict and winner is None:
            return self._noted("held", f"edited on both sides: {ours} here", source.value)
        issue = self._with(Baseline(value=source.value, raws=self.raws), thaw=True)
        if merged.write_to != "canonical":
            return issue, [self._entry("conflict", source.value, ours, detail="this edit lost")]
        outcome = "conflict" if merged.conflict else "pulled"
        detail = f"lost: {ours} of {self._last_edit().by}" if merged.conflict else None
        taken = self._take(issue, source.value)
        return taken, [self._entry(outcome, ours, source.value, detail=detail)]

    def _last_edit(self) -> Edit:
        return self.issue.edits.get(self.name) or Edit(by=self.issue.origin, at=self.now)

    def _winner(self) -> Copy | None:
        """None: a person shall decide."""
        rule, last = self.policy.conflict[self.name], self._last_edit()
        if rule == "hold":
            return None
        preferred = rule.removeprefix("prefer:") if rule.startswith("prefer:") else None
        if preferred == self.policy.connection:
            return "remote"
        if preferred == last.by:
            return "canonical"
        return "remote" if self.edited_at > last.at else "canonical"

    def _take(self, issue: CanonicalIssue, value: str | None) -> CanonicalIssue:
        edit = Edit(by=self.policy.connection, at=self.edited_at)
        return issue.model_copy(
            update={self.name: value, "edits": {**issue.edits, self.name: edit}}
        )

    def _with(self, baseline: Baseline, *, thaw: bool = False) -> CanonicalIssue:
        """The new base of this field's merges; `thaw` drops a note that no longer holds."""
        ref = self.ref
        note = ref.notes.get(self.name)
        outdated = thaw and note is not None and note.kind in ("frozen", "held")
        notes = {k: v for k, v in ref.notes.items() if not (k == self.name and outdated)}
        baselines = {**ref.baselines, self.name: baseline}
        return _with_ref(
            self.issue, ref.model_copy(update={"baselines": baselines, "notes": notes})
        )

    def _noted(
        self, kind: str, detail: str, value: str | None
    ) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """Set the field aside on this copy; told once, as long as nothing about it changes."""
        note = FieldNote.model_validate(
            {"kind": kind, "detail": detail, "value": value, "raws": self.raws}
        )
        if self.ref.notes.get(self.name) == note:
            return self.issue, []
        ref = self.ref.model_copy(update={"notes": {**self.ref.notes, self.name: note}})
        return _with_ref(self.issue, ref), [self._entry(kind, None, value, detail=detail)]

    def _entry(
        self, outcome: str, old: str | None, new: str | None, *, detail: str | None = None
    ) -> HistoryEntry:
        return HistoryEntry.model_validate(
            {
                "at": self.now,
                "field": self.name,
                "outcome": outcome,
                "by": self.policy.connection,
                "edited_at": self.edited_at,
                "old": old,
                "new": new,
                "detail": detail,
            }
        )


def _raw_at(baseline: Baseline, place: int) -> str | None:
    return baseline.raws[place] if place < len(baseline.raws) else None


def settle(
    issue: CanonicalIssue, landscape: Landscape, now: datetime, *, renew: bool = False
) -> CanonicalIssue:
    """Agree where nothing needs writing, mark every copy that lags, and every rule that is due.

    `renew`: a value changed, so a copy that waits out its failures is tried again at once,
    unless a write to it is under way.
    """
    known = [policy for name, policy in landscape.policies.items() if name in issue.refs]
    for policy in known:
        issue = _settle_ref(issue, policy)
    lagging = [policy.connection for policy in known if _lags(issue, policy)]
    pending = {name: _mark(issue, name, now, renew=renew) for name in lagging}
    for target in _route_targets(issue, landscape):
        pending[target] = issue.pending.get(target) or Pending(due_at=now)
    return issue.model_copy(update={"pending": pending, "asks": asks_of(issue, landscape)})


def asks_of(issue: CanonicalIssue, landscape: Landscape) -> dict[str, datetime]:
    """Which rules are due to prompt Norm about this issue, and when."""
    askable = {name: policy.may_write for name, policy in landscape.policies.items()}
    return due_asks(issue, landscape.rules, askable)


def _lags(issue: CanonicalIssue, policy: Policy) -> bool:
    """It shows something else, or may yet: nobody knows what became of our last write."""
    ref = issue.refs[policy.connection]
    in_doubt = bool(ref.sending) and policy.may_write and not ref.deleted
    return in_doubt or bool(lagging_fields(issue, policy))


def _mark(issue: CanonicalIssue, connection: str, now: datetime, *, renew: bool) -> Pending:
    mark = issue.pending.get(connection) or Pending(due_at=now)
    if renew and not issue.refs[connection].sending:
        return mark.model_copy(update={"due_at": min(mark.due_at, now)})
    return mark


def _settle_ref(issue: CanonicalIssue, policy: Policy) -> CanonicalIssue:
    ref = issue.refs[policy.connection]
    baselines, notes = dict(ref.baselines), dict(ref.notes)
    for name, field in policy.fields.items():
        value, base, note = (
            wanted(issue, policy.connection, name),
            baselines.get(name),
            notes.get(name),
        )
        carried = base is not None and carries(field, base.raws, value)
        if note and _is_outdated(note, field, value, carried=carried):
            del notes[name]
        if not carried and not field.writable and name not in notes and value is not None:
            notes[name] = FieldNote(kind="unsupported", detail="not held here", value=value)
            carried = base is not None
        if base and carried:
            baselines[name] = Baseline(value=value, raws=base.raws)
    return _with_ref(issue, ref.model_copy(update={"baselines": baselines, "notes": notes}))


def _is_outdated(note: FieldNote, field: FieldPolicy, value: str | None, *, carried: bool) -> bool:
    """The reason has gone: it is carried, another value is meant, or a carrier was configured."""
    if note.kind not in ("unsupported", "rejected"):
        return False
    now_has_a_carrier = note.kind == "unsupported" and field.writable and not note.raws
    return carried or note.value != value or now_has_a_carrier


def lagging_fields(issue: CanonicalIssue, policy: Policy) -> list[Field]:
    """The fields of this copy that a write would bring into step."""
    ref = issue.refs[policy.connection]
    if ref.deleted or not policy.may_write:
        return []
    return [
        name
        for name, field in policy.fields.items()
        if field.writable
        and name not in ref.notes
        and name in ref.baselines
        and not carries(field, ref.baselines[name].raws, wanted(issue, policy.connection, name))
    ]


def newly_pending(before: CanonicalIssue | None, after: CanonicalIssue) -> bool:
    """Whether mirror has something to do that it was not woken for before."""
    marks, asks = (before.pending, before.asks) if before else ({}, {})
    return any(
        name not in marks or mark.due_at < marks[name].due_at
        for name, mark in after.pending.items()
    ) or any(name not in asks or due < asks[name] for name, due in after.asks.items())


def _route_targets(issue: CanonicalIssue, landscape: Landscape) -> list[str]:
    return [
        route.target
        for route in landscape.routes
        if route.target not in issue.refs
        and route.target not in issue.parked
        and landscape.policies[route.target].may_write
        and route_takes(route, issue)
    ]


def route_takes(route: Route, issue: CanonicalIssue) -> bool:
    """Whether this route brings the issue over; never one from before it was switched on."""
    origin = issue.refs.get(issue.origin)
    if route.source != issue.origin or origin is None or origin.deleted:
        return False
    since = route.since_at.replace(microsecond=0)  # some vendors tell whole seconds
    if issue.created_at is None or issue.created_at < since:
        return False
    shown = {"status": issue.status, "severity": issue.severity, "category": issue.category}
    rules = route.filter_or_default.model_dump()
    return all(allowed is None or shown[name] in allowed for name, allowed in rules.items())
