"""The smallest write that brings one copy into step, and what its answer means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from issuebridge.domain import limits
from issuebridge.domain.fingerprint import text_digest
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Draft,
    ExternalRef,
    FieldNote,
    HistoryEntry,
    RemoteIssue,
    with_ref,
)
from issuebridge.domain.lag import lagging, line_belongs, settle, shows_another, wanted
from issuebridge.domain.managed_line import (
    ManagedLine,
    drop_line,
    put_line,
    read_line,
    without_lines,
)
from issuebridge.domain.mark import reference_of
from issuebridge.domain.policy import Policy
from issuebridge.domain.routing import Landscape
from issuebridge.domain.text import cut, utf16_units, without_call, without_mention
from issuebridge.domain.words import Field, Part

Written = Literal["status", "severity", "external_link", "description"]
TITLE_UNITS_MAX = 200
REFUSED_PAUSE = timedelta(minutes=15)
REFUSED_PAUSE_MAX = timedelta(days=1)
FIGHT_WITHIN = timedelta(hours=1)
GROWTHS_MAX = 4
"""A refused write is tried again after a pause, each four times as long as the last."""


@dataclass(frozen=True)
class Write:
    """`changes`: raw words, or the whole description. `sending`: what shall show afterwards."""

    changes: Mapping[Written, str] = field(default_factory=dict)
    sending: Mapping[Part, Baseline] = field(default_factory=dict)
    notes: Mapping[Part, FieldNote] = field(default_factory=dict)

    def batches(self) -> list["Write"]:
        """A link goes by itself: no vendor documents that it can be written, and its refusal shall
        not cost the others."""
        link: list[Written] = [part for part in self.changes if part == "external_link"]
        rest = [part for part in self.changes if part not in link]
        return [self.only(parts) for parts in (rest, link) if parts]

    def only(self, parts: Sequence[Written]) -> "Write":
        """This write cut down to some of its changes."""
        of_line = "description" in parts
        sending = {
            name: expected
            for name, expected in self.sending.items()
            if name in parts or (of_line and name not in self.changes)
        }
        return Write({part: self.changes[part] for part in parts}, sending)


def plan_write(issue: CanonicalIssue, remote: RemoteIssue, policy: Policy, now: datetime) -> Write:
    """What to write so that this copy holds the canonical values; empty when it does."""
    lags = lagging(issue, policy, now)
    fought = {part: note for part in lags if (note := fought_note(issue, policy, part, now))}
    parts = [part for part in lags if part not in fought]
    native = [n for n, field in policy.fields.items() if n in parts and field.carrier == "native"]
    lined: list[Part] = [
        part for part in parts if part == "line" or policy.fields[part].carrier == "managed_line"
    ]
    changes: dict[Written, str] = {}
    sending: dict[Part, Baseline] = {}
    for name in native:
        value, lens = wanted(issue, policy.connection, name), policy.fields[name].lens
        raw = lens.write(value, remote.raw.get(name)) if lens and value else value
        if raw is not None:
            changes[name] = raw
            sending[name] = _expected(issue, policy, name, value, raw, 0)
    if not lined:
        return Write(changes, sending, fought)
    text, line = _with_line(remote.description, issue, policy)
    if problem := _cannot_write(text, policy):
        words = (text_digest(remote.description),)
        notes = {
            part: FieldNote(
                kind="unsupported",
                detail=problem,
                value=_meant(issue, policy, part),
                raws=words,
                carrier="managed_line",
            )
            for part in lined
        }
        return Write(changes, sending, {**fought, **notes})
    changes["description"] = text
    for part in lined:
        value = line if part == "line" else wanted(issue, policy.connection, part)
        sending[part] = _expected(issue, policy, part, value, value, -1)
    return Write(changes, sending, fought)


def fought_note(
    issue: CanonicalIssue, policy: Policy, part: Part, now: datetime
) -> FieldNote | None:
    """Why this is not written: it was so often of late that somebody may be undoing it."""
    ref = issue.refs[policy.connection]
    if len(recent_writes(ref, part, now)) < policy.writes_per_hour:
        return None
    base, value = ref.baselines[part], _meant(issue, policy, part)
    return FieldNote(
        kind="fought",
        detail=f"written {policy.writes_per_hour} times within an hour: do two automations undo "
        f"each other? it shows {_brief(base.raws[0])}, ours is {_brief(value)}: end one of them, "
        "then `issuebridge release`",
        value=base.value,
        raws=base.raws,
    )


def _brief(value: str | None) -> str | None:
    return value and limits.kept(value, limits.WORD)


def recent_writes(ref: ExternalRef, part: Part, now: datetime) -> tuple[datetime, ...]:
    return tuple(at for at in ref.writes.get(part, ()) if now - at < FIGHT_WITHIN)


def written(ref: ExternalRef, part: Part, now: datetime) -> tuple[datetime, ...]:
    """When this part was written of late, and now again."""
    return (*recent_writes(ref, part, now), now)[-limits.WRITES_MAX :]


def _with_line(text: str, issue: CanonicalIssue, policy: Policy) -> tuple[str, str | None]:
    """The description with our line as it shall be, and that line: none where a link ended."""
    if not line_belongs(issue, policy):
        return drop_line(text, reference_of(issue, policy.connection)), None
    line = managed_line(issue, policy)
    return put_line(text, line), line.brief


def _meant(issue: CanonicalIssue, policy: Policy, part: Part) -> str | None:
    return None if part == "line" else wanted(issue, policy.connection, part)


def _cannot_write(text: str, policy: Policy) -> str | None:
    """Why a description may not be written, since the words in it are people's. No vendor says
    what an empty one does."""
    if not text:
        return "without our line it would be empty"
    if utf16_units(text) > policy.description_units_max:
        return "no room for our line in the description"
    if _safe(text, policy) != text:
        return "the description mentions Norm, and writing it again could wake it"
    return None


def _expected(
    issue: CanonicalIssue,
    policy: Policy,
    name: Part,
    value: str | None,
    raw: str | None,
    place: int,
) -> Baseline:
    raws = list(issue.refs[policy.connection].baselines[name].raws)
    raws[place] = raw
    last = None if name == "line" else issue.edits.get(name)
    return Baseline(value=value, raws=tuple(raws), edit_at=last and last.at)


def managed_line(
    issue: CanonicalIssue, policy: Policy, reference: str | None = None
) -> ManagedLine:
    """Our line for this copy: always the reference, and the fields the line carries here."""
    carried = {
        name: wanted(issue, policy.connection, name)
        for name, field in policy.fields.items()
        if field.carrier == "managed_line"
    }
    return ManagedLine(
        ref=reference or reference_of(issue, policy.connection),
        severity=carried.get("severity"),
        link=carried.get("external_link"),
    )


def set_out(
    issue: CanonicalIssue, policy: Policy, write: Write, *, now: datetime, lease_until: datetime
) -> CanonicalIssue:
    """The issue with what we are about to write; its pending mark keeps other workers away."""
    ref = issue.refs[policy.connection]
    writes = {
        part: (*recent_writes(ref, part, now), now)[-limits.WRITES_MAX :] for part in write.sending
    }
    update = {"sending": dict(write.sending), "sending_at": now, "writes": {**ref.writes, **writes}}
    sent = ref.model_copy(update=update)
    mark = issue.pending[policy.connection].model_copy(update={"due_at": lease_until})
    return issue.model_copy(
        update={
            "refs": {**issue.refs, policy.connection: sent},
            "pending": {**issue.pending, policy.connection: mark},
        }
    )


def may_mark(issue: CanonicalIssue, policy: Policy) -> bool:
    """Whether this copy has no mark of ours yet, and a line is to be written to it."""
    ref = issue.refs[policy.connection]
    lined = any(field.carrier == "managed_line" for field in policy.fields.values())
    return lined and not ref.reference and "line" not in ref.baselines


def rewritten(issue: CanonicalIssue, policy: Policy, write: Write) -> list[str]:
    """What is written though nobody edited it: the configuration, or an address, has changed."""
    return ["rewritten" for part in write.sending if _is_unasked(issue, policy, part)]


def _is_unasked(issue: CanonicalIssue, policy: Policy, part: Part) -> bool:
    """Both had agreed on this very value, or on another way across than there is now."""
    if part == "line":
        return False
    agreed = issue.refs[policy.connection].baselines[part].value
    if agreed == wanted(issue, policy.connection, part):
        return True
    return part == "external_link" and agreed is not None and part not in issue.edits


def finish(
    issue: CanonicalIssue,
    landscape: Landscape,
    connection: str,
    write: Write,
    refused: Mapping[Part, str],
    reply: RemoteIssue,
    now: datetime,
) -> tuple[CanonicalIssue, list[HistoryEntry]]:
    """After the answer was observed: what was refused, or ignored without a word, is set aside.

    A copy that still shows what it showed before our write has ignored it. One that shows a third
    value was edited in the window of our round trip, and `observe` has taken that edit in. A line
    that twice stood there in a form we cannot read would only be added to: it is left.
    """
    policy, ref = landscape.policies[connection], issue.refs[connection]
    notes = {**ref.notes, **write.notes}
    history = [
        _entry(ref, name, "held", note.value, now, note.detail)
        for name, note in write.notes.items()
        if note.kind == "fought"
    ]
    for name, expected in write.sending.items():
        if ref.ended and name != "line":
            continue
        is_meant = name == "line" or wanted(issue, connection, name) == expected.value
        if name in refused or (shows_another(issue, policy, name) and is_meant):
            note = _set_aside(issue, policy, name, expected.value, refused.get(name), reply, now)
            before = ref.notes.get(name)
            notes[name] = note
            if before is None or before.detail != note.detail:
                history.append(_entry(ref, name, "rejected", expected.value, now, note.detail))
        else:
            history.append(_entry(ref, name, "pushed", expected.value, now, None))
    update = {"notes": notes, "sending": {}, "sending_at": None}
    freed = with_ref(issue, ref.model_copy(update=update))
    pending = {k: v for k, v in freed.pending.items() if k != connection}
    after = settle(freed.model_copy(update={"pending": pending}), landscape, now)
    return _with_attempts(after, issue, connection), history


def _with_attempts(
    after: CanonicalIssue, before: CanonicalIssue, connection: str
) -> CanonicalIssue:
    """What still lags has failed as often as before: its pauses go on growing."""
    old, new = before.pending.get(connection), after.pending.get(connection)
    if old is None or new is None or new.set_aside:
        return after
    mark = new.model_copy(update={"attempts": old.attempts})
    return after.model_copy(update={"pending": {**after.pending, connection: mark}})


def _set_aside(
    issue: CanonicalIssue,
    policy: Policy,
    part: Part,
    value: str | None,
    refusal: str | None,
    reply: RemoteIssue,
    now: datetime,
) -> FieldNote:
    ref, reference = issue.refs[policy.connection], reference_of(issue, policy.connection)
    carrier = "managed_line" if part == "line" else policy.fields[part].carrier
    heaps = (
        reply.description.count(reference) > 1 and read_line(reply.description, reference) is None
    )
    if carrier == "managed_line" and refusal is None and heaps:
        return FieldNote(
            kind="unsupported",
            detail="the vendor rewrites our line, so that it cannot be read again",
            value=value,
            raws=(text_digest(reply.description),),
            carrier=carrier,
        )
    detail = refusal or f"accepted, yet it still shows {[*map(_brief, ref.baselines[part].raws)]}"
    return refused_note(ref.notes.get(part), detail, value, carrier, now)


def refused_note(
    before: FieldNote | None, detail: str, value: str | None, carrier: str, now: datetime
) -> FieldNote:
    """A note that has the write tried again, after a longer pause at each refusal."""
    attempts = before.attempts + 1 if before and before.kind == "rejected" else 1
    pause = min(REFUSED_PAUSE * 4 ** min(attempts - 1, GROWTHS_MAX), REFUSED_PAUSE_MAX)
    return FieldNote(
        kind="rejected",
        detail=detail,
        value=value,
        carrier=carrier,
        attempts=attempts,
        due_at=now + pause,
    )


def _entry(
    ref: ExternalRef,
    name: Part,
    outcome: Literal["pushed", "rejected", "held"],
    new: str | None,
    now: datetime,
    detail: str | None,
) -> HistoryEntry:
    return HistoryEntry(
        at=now,
        field=name,
        outcome=outcome,
        by=ref.connection,
        new=new,
        detail=detail,
        edited_at=ref.remote_updated_at,
    )


def draft_counterpart(
    issue: CanonicalIssue,
    policy: Policy,
    reference: str,
    *,
    category: str | None,
    now: datetime,
) -> Draft:
    """What is sent to create the issue at this connection: people's words, no mention, our line."""
    line = str(managed_line(issue, policy, reference))
    room = policy.description_units_max - utf16_units(line) - 2
    words = _safe(cut(without_lines(issue.description), room), policy)
    return Draft(
        reference=reference,
        title=_safe(cut(issue.title, TITLE_UNITS_MAX), policy),
        description=f"{words}\n\n{line}" if words else line,
        category=category or _safe(issue.category, policy),
        environment=issue.environment,
        status=_raw(issue, policy, "status"),
        severity=_raw(issue, policy, "severity"),
        link=wanted(issue, policy.connection, "external_link"),
        triggered_at=now,
    )


def _safe(text: str, policy: Policy) -> str:
    """Nobody is mentioned in what we write; where none listens, an address is no mention."""
    return without_mention(text) if policy.wakes_agent else without_call(text)


def _raw(issue: CanonicalIssue, policy: Policy, name: Field) -> str | None:
    value, field = issue.value(name), policy.fields[name]
    return field.lens.write(value) if field.lens and value and field.reads_native else None
