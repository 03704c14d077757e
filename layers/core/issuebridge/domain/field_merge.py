"""One field of one copy: was it edited, who wins, and what is told of the loser."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    ExternalRef,
    FieldNote,
    HistoryEntry,
    with_ref,
)
from issuebridge.domain.lag import wanted
from issuebridge.domain.limits import WORD, kept
from issuebridge.domain.merge import Copy, merge_field
from issuebridge.domain.policy import Policy
from issuebridge.domain.reading import Reading, Source, agrees, carries, find_url
from issuebridge.domain.rewriting import same_link
from issuebridge.domain.words import Field

SET_ANEW = "\0 set anew"
"""A base that no value is equal to."""
ROLLED_BACK = "older than what was seen of it: restored from a backup? take theirs, or push ours"


@dataclass(frozen=True)
class Seen:
    """When a copy was edited last, by our clock. `untouched`: not since its birth. `went_back`: its
    vendor shows an older state than it did before; `went_on`: a newer one."""

    edited_at: datetime
    now: datetime
    untouched: bool
    went_back: bool
    went_on: bool


@dataclass(frozen=True)
class FieldMerge:
    """One field of one copy."""

    issue: CanonicalIssue
    name: Field
    policy: Policy
    reading: Reading
    seen: Seen

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
            return self._with(self._confirmed(baseline)), []
        moved = [s for i, s in enumerate(self.reading) if self._moved(s, baseline, i)]
        if moved:
            return self._left(baseline, moved)
        return self._put_back() or self._agreed_or_unmoved(baseline)

    def _put_back(self) -> tuple[CanonicalIssue, list[HistoryEntry]] | None:
        """What a restored backup had taken away was set again: an edit of what came back."""
        note, sent = self.ref.notes.get(self.name), self.ref.sending.get(self.name)
        ours = sent is not None and sent.raws == self.raws
        if ours or note is None or note.kind != "rolled_back" or not self.seen.went_on:
            return None
        base = Baseline(value=note.value, raws=note.raws)
        shown = enumerate(self.reading)
        again = next((source for i, source in shown if source.raw != _raw_at(base, i)), None)
        return replace(self, issue=self._with(base))._edited(base, again) if again else None

    def _left(
        self, baseline: Baseline, moved: Sequence[Source]
    ) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """The copy shows something that neither was agreed on nor is ours."""
        if self._is_rolled_back():
            return self._noted("rolled_back", ROLLED_BACK, moved[0].value)
        if not moved[0].known:
            return self._noted("frozen", moved[0].told, moved[0].raw)
        issue, history = self._edited(baseline, moved[0])
        return issue, [*history, *self._told_beside(issue, moved, "edited in two places: lost")]

    def _is_rolled_back(self) -> bool:
        """Also for as long as it shows just what came back, whatever else is edited there."""
        note = self.ref.notes.get(self.name)
        stays = note is not None and note.kind == "rolled_back" and note.raws == self.raws
        return self.seen.went_back or stays

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
        carrier = self.policy.fields[self.name].carrier
        is_last = place == len(self.reading) - 1
        if is_last and (carrier == "comment" or (carrier == "managed_line" and source.raw is None)):
            return False
        sent = self.ref.sending.get(self.name)
        ours = sent is not None and self._shows(source, sent, place)
        return not (ours or self._shows(source, baseline, place))

    def _shows(self, source: Source, known: Baseline, place: int) -> bool:
        """Whether this is seen here, a link if need be in the vendor's own shape. Another word of
        the same meaning is a person's: some vendors' words are spelled as ours."""
        raw = _raw_at(known, place)
        if source.raw == raw or raw is None or source.raw is None:
            return source.raw == raw
        is_link = self.policy.fields[self.name].lens is None
        return is_link and same_link(find_url(raw) or raw, find_url(source.raw) or source.raw)

    def _agreed_or_unmoved(self, baseline: Baseline) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """Nothing new; but if our own write shows, it is what both agree on now. A copy that was
        set aside and went back to the baseline gives up its edit, which is told."""
        sent = self.ref.sending.get(self.name)
        is_ours = sent and all(self._shows(s, sent, place) for place, s in enumerate(self.reading))
        known = sent if sent and is_ours else baseline
        value = known.value
        issue = self._with(self._confirmed(known.model_copy(update={"raws": self.raws})), thaw=True)
        note, ours = self.ref.notes.get(self.name), self._ours
        set_aside = note is not None and note.kind in ("frozen", "held")
        if not set_aside or ours == value or self._means(ours):
            return issue, []
        shown = self.reading[0].value
        return issue, [self._entry("conflict", shown, ours, detail="went back: this edit lost")]

    @property
    def _ours(self) -> str | None:
        return wanted(self.issue, self.policy.connection, self.name)

    def _means(self, ours: str | None) -> bool:
        return carries(self.policy.fields[self.name], self.raws, ours)

    def _confirmed(self, shown: Baseline) -> Baseline:
        """What this read has shown, agreed on if it needs no write: whatever is edited here from
        now on was edited in the knowledge of our value."""
        if agrees(self.policy.fields[self.name], shown.raws, self._ours):
            last = self.issue.edits.get(self.name)
            return shown.model_copy(update={"value": self._ours, "edit_at": last and last.at})
        return shown

    def _first_meeting(self) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """The origin gives the first values; any other copy is brought to them. If that one was
        edited since its birth, a person's edit may be overruled, which is told."""
        source = next((s for s in self.reading if s.raw is not None), self.reading[0])
        if not source.known:
            return self._noted("frozen", source.told, source.raw)
        shown = self._shown(source)
        if self.policy.connection != self.issue.origin:
            issue = self._with(self._confirmed(shown), thaw=True)
            return issue, self._overruled(issue, source) if source.value else []
        if source.value is None:
            return self._with(shown, thaw=True), []
        if self.name in self.issue.edits:  # it was frozen here, and set elsewhere meanwhile
            return self._edited(Baseline(value=None, raws=()), source)
        return self._taken(source.value), [self._entry("pulled", None, source.value)]

    def _overruled(self, issue: CanonicalIssue, source: Source) -> list[HistoryEntry]:
        ours = self._ours
        if self.seen.untouched:
            return []
        detail = "before it was linked: lost"
        beside = self._told_beside(issue, [s for s in self.reading if s.raw is not None], detail)
        if self._means(ours):
            return beside
        return [self._entry("conflict", source.value, ours, detail=detail), *beside]

    def _edited(
        self, baseline: Baseline, source: Source
    ) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        ours = self._ours
        lens = self.policy.fields[self.name].lens
        if source.value == ours or (lens and lens.means(source.raw, ours)):
            return self._seconded(ours), []
        winner = self._winner()
        merged = merge_field(
            baseline=self._base(baseline, ours),
            canonical=ours,
            remote=source.value,
            winner=winner or "remote",
        )
        if merged.conflict and winner is None:
            return self._noted("held", f"edited on both sides: {ours} here", source.value)
        if merged.write_to != "canonical":
            issue = self._with(self._shown(source), thaw=True)
            return issue, [self._entry("conflict", source.value, ours, detail="this edit lost")]
        outcome = "conflict" if merged.conflict else "pulled"
        detail = f"lost: {ours} of {self._last_edit().by}" if merged.conflict else None
        return self._taken(source.value), [self._entry(outcome, ours, source.value, detail=detail)]

    def _base(self, baseline: Baseline, ours: str | None) -> str | None:
        """What nobody edited, such as the link across by default, is no side of a conflict. What
        was set anew since, to the same value even, was agreed on by nobody."""
        last = self.issue.edits.get(self.name)
        if last is None:
            return ours
        is_news = last.by != self.policy.connection and baseline.edit_at not in (None, last.at)
        return SET_ANEW if is_news else baseline.value

    def _seconded(self, ours: str | None) -> CanonicalIssue:
        """Two people made the same edit: it is as late as the later one, and preferred as both."""
        mine = Edit(by=self.policy.connection, at=self.seen.edited_at)
        last = self.issue.edits.get(self.name, mine)
        first, second = sorted((last, mine), key=lambda edit: edit.at, reverse=True)
        others = dict.fromkeys((second.by, *last.also))
        also = tuple(name for name in others if name != first.by)
        shown = Baseline(value=ours, raws=self.raws, edit_at=first.at)
        edits = {**self.issue.edits, self.name: first.model_copy(update={"also": also})}
        return self._with(shown, thaw=True).model_copy(update={"edits": edits})

    def _shown(self, source: Source) -> Baseline:
        """It is overruled by the edit that stands now: a later one to the same value is news."""
        last = self.issue.edits.get(self.name)
        return Baseline(value=source.value, raws=self.raws, edit_at=last and last.at)

    def _last_edit(self) -> Edit:
        return self.issue.edits.get(self.name) or Edit(by=self.issue.origin, at=self.seen.now)

    def _winner(self) -> Copy | None:
        """None: a person shall decide."""
        rule, last = self.policy.conflict[self.name], self._last_edit()
        if rule == "hold":
            return None
        preferred = rule.removeprefix("prefer:") if rule.startswith("prefer:") else None
        if preferred == self.policy.connection:
            return "remote"
        if preferred in (last.by, *last.also):
            return "canonical"
        return "remote" if self.seen.edited_at > last.at else "canonical"

    def _taken(self, value: str | None) -> CanonicalIssue:
        edit = Edit(by=self.policy.connection, at=self.seen.edited_at)
        issue = self._with(Baseline(value=value, raws=self.raws, edit_at=edit.at), thaw=True)
        return issue.model_copy(
            update={self.name: value, "edits": {**issue.edits, self.name: edit}}
        )

    def _with(self, baseline: Baseline, *, thaw: bool = False) -> CanonicalIssue:
        """The new base of this field's merges; `thaw` drops a note that no longer holds."""
        ref = self.ref
        note = ref.notes.get(self.name)
        outdated = thaw and note is not None and note.kind in ("frozen", "held", "rolled_back")
        notes = {k: v for k, v in ref.notes.items() if not (k == self.name and outdated)}
        baselines = {**ref.baselines, self.name: baseline}
        return with_ref(self.issue, ref.model_copy(update={"baselines": baselines, "notes": notes}))

    def _noted(
        self, kind: str, detail: str, value: str | None
    ) -> tuple[CanonicalIssue, list[HistoryEntry]]:
        """Set the field aside on this copy; told once, as long as nothing about it changes."""
        shown = kept(value, WORD * 2) if value and kind == "frozen" else value
        note = FieldNote.model_validate(
            {"kind": kind, "detail": detail, "value": shown, "raws": self.raws}
        )
        if self.ref.notes.get(self.name) == note:
            return self.issue, []
        ref = self.ref.model_copy(update={"notes": {**self.ref.notes, self.name: note}})
        return with_ref(self.issue, ref), [self._entry(kind, None, value, detail=detail)]

    def _entry(
        self, outcome: str, old: str | None, new: str | None, *, detail: str | None = None
    ) -> HistoryEntry:
        return HistoryEntry.model_validate(
            {
                "at": self.seen.now,
                "field": self.name,
                "outcome": outcome,
                "by": self.policy.connection,
                "edited_at": self.seen.edited_at,
                "old": old,
                "new": new,
                "detail": detail,
            }
        )


def _raw_at(baseline: Baseline, place: int) -> str | None:
    return baseline.raws[place] if place < len(baseline.raws) else None
