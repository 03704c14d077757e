"""Two people who cannot know of each other: is it told, and does the really later edit stand?

The engine merges by what it remembers as agreed, so its history alone cannot convict it: an edit
that counts as agreed too early is taken in as if nothing stood against it. What happened is read
from the vendors' own record of edits, by our clock, and from when the history says they were read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from issuebridge.domain.issue import CanonicalIssue, HistoryEntry
from issuebridge.domain.words import Field
from tests.simulation.people import HumanEdit
from tests.simulation.vendor import Broken, Vendor
from tests.simulation.world import SimWorld

MERGED: tuple[Field, ...] = ("status", "severity")
"""Fields of words; in their native places."""
UNLESS = ("deleted", "restored", "unlinked")


def won(entry: HistoryEntry) -> bool:
    """Whether this edit won a conflict; `detail` names whose it overruled."""
    return entry.outcome == "conflict" and (entry.detail or "").startswith("lost: ")


@dataclass(frozen=True)
class Clashes:
    """Of one field of one issue."""

    world: SimWorld
    issue: CanonicalIssue
    name: Field

    def check(self) -> None:
        if any(entry.outcome in UNLESS for entry in self._entries):
            return
        for before, entry in pairwise(self._setters):
            if entry.outcome == "pulled" and self._is_silent(before, entry):
                raise Broken(f"clash: {self.issue.issue_id} tells no conflict of {before}, {entry}")
        for place, entry in enumerate(self._entries):
            self._check_told(self._setter_before(place), entry)

    @property
    def _entries(self) -> list[HistoryEntry]:
        return self.world.store.history(self.issue.issue_id)

    @property
    def _setters(self) -> list[HistoryEntry]:
        """What gave our side its value."""
        entries = (entry for entry in self._entries if entry.field == self.name)
        return [entry for entry in entries if entry.outcome == "pulled" or won(entry)]

    def _setter_before(self, place: int) -> HistoryEntry | None:
        known = self._entries[:place]
        return next((e for e in reversed(known) if e in self._setters), None)

    # what should have been told

    def _is_silent(self, before: HistoryEntry, entry: HistoryEntry) -> bool:
        """The edit it tells of was made before the other one was taken in, so neither knew."""
        edit, other = self._edit(entry), self._edit(before)
        same = before.by == entry.by or before.new == entry.new
        if edit is None or other is None or same or edit.at >= before.at:
            return False
        return not (self._was_set_aside(edit, entry) or self._knew(edit, other, before))

    def _was_set_aside(self, edit: HumanEdit, entry: HistoryEntry) -> bool:
        """A person decided, or a word was learned."""
        return any(
            e.outcome in ("held", "frozen") and (e.by, e.field) == (entry.by, self.name)
            for e in self._entries
            if edit.at <= e.at <= entry.at
        )

    def _knew(self, edit: HumanEdit, other: HumanEdit, taken: HistoryEntry) -> bool:
        """It replaced that same value, or one that our side had held since that copy was last in
        step: who takes back what was new has edited nothing, for a three-way merge."""
        found = [state.raw.get(self.name) for at, state in self._states(edit) if at < edit.at][-1]
        if {*self._read_as(edit.connection, found)} & self._meanings(other):
            return True
        return taken.new in self._held(self._in_step_at(edit), edit.at)

    def _in_step_at(self, edit: HumanEdit) -> datetime:
        """When the history last told anything of that copy before."""
        told = [e for e in self._entries if (e.by, e.field) == (edit.connection, self.name)]
        linked = self.issue.refs[edit.connection].linked_at or edit.at
        return max([linked, *(e.at for e in told if e.at <= edit.at)])

    def _states(self, edit: HumanEdit) -> list:
        return self.world.vendors[edit.connection].history[edit.remote_id]

    def _held(self, since: datetime, until: datetime) -> Iterator[str | None]:
        """Every value our side held in that time."""
        before: list[str | None] = [entry.old for entry in self._setters[:1]]
        for entry in self._setters:
            if entry.at <= since:
                before = [entry.new]
            elif entry.at <= until:
                yield entry.new
        yield from before

    # what was told

    def _check_told(self, standing: HistoryEntry | None, entry: HistoryEntry) -> None:
        if entry.field != self.name or standing is None or not self._is_decided(standing, entry):
            return
        ours, theirs = self._edit(standing), self._edit(entry)
        if ours is None or theirs is None or ours.connection == theirs.connection:
            return
        if any(
            standing.at < at < theirs.at and self._agreed(entry, standing, at) for at in self._calms
        ):
            raise Broken(f"agreed: {self.issue.issue_id} had settled {standing}, yet {entry}")
        rule = self.world.landscape.policies[entry.by].conflict[self.name]
        winner, loser = (theirs, ours) if won(entry) else (ours, theirs)
        timed = rule == "latest" and self._tells_time(winner) and self._tells_time(loser)
        if timed and self._said_last(entry.new, entry.at) < loser.at:
            raise Broken(f"late: {loser} is later than {winner}, yet {entry}")

    def _is_decided(self, standing: HistoryEntry, entry: HistoryEntry) -> bool:
        """An edit that says in another word what had stood there is told as lost, but none."""
        before = self._setters[: self._setters.index(standing) + 1]
        reworded = entry.old in {value for known in before for value in (known.old, known.new)}
        return won(entry) or (entry.detail == "this edit lost" and not reworded)

    @property
    def _calms(self) -> Sequence[datetime]:
        return self.world.calms

    def _agreed(self, entry: HistoryEntry, standing: HistoryEntry, at: datetime) -> bool:
        """Whether that copy showed our value when all had come to rest."""
        vendor = self.world.vendors[entry.by]
        remote = vendor.as_of(self.issue.refs[entry.by].remote_id, at)
        noted = any(
            e.outcome in ("held", "frozen", "rejected") and (e.by, e.field) == (entry.by, self.name)
            for e in self._entries
        )
        shown = remote.raw.get(self.name) if remote else None
        agreed = not noted and standing.new in self._words(entry.by, shown)
        return agreed and not self._is_said_anew(standing, at, entry)

    def _is_said_anew(self, standing: HistoryEntry, since: datetime, entry: HistoryEntry) -> bool:
        """Set to another word of the same meaning, which moves nothing and is in no history."""
        return any(
            edit.field == self.name
            and since < edit.at <= entry.at
            and standing.new in self._meanings(edit)
            for name, ref in self.issue.refs.items()
            for edit in self.world.vendors[name].edits
            if name != entry.by and edit.remote_id == ref.remote_id
        )

    def _tells_time(self, edit: HumanEdit) -> bool:
        habits = self.world.vendors[edit.connection].habits
        return habits.skew_measured or not habits.skew

    def _said_last(self, value: str | None, until: datetime) -> datetime:
        """When some copy that shows this value was changed, whatever was changed of it: the vendors
        tell no more, and two people may say the same."""
        return max(
            at
            for name, ref in self.issue.refs.items()
            for at, state in self.world.vendors[name].history[ref.remote_id]
            if at <= until and value in self._words(name, state.raw.get(self.name))
        )

    # who did it

    def _edit(self, entry: HistoryEntry) -> HumanEdit | None:
        """The edit of a linked copy that this entry tells of; none if it is not certain."""
        ref = self.issue.refs.get(entry.by)
        if ref is None or ref.linked_at is None:
            return None
        value = entry.old if entry.detail == "this edit lost" else entry.new
        made = [
            edit
            for edit in self._vendor(entry).edits
            if (edit.remote_id, edit.field) == (ref.remote_id, self.name)
            and edit.at <= entry.at
            and value in self._meanings(edit)
        ]
        linked = max(ref.linked_at for ref in self.issue.refs.values() if ref.linked_at)
        restored = self._vendor(entry).upheaval.restored.get(ref.remote_id, ())
        came_back = any(value in self._words(entry.by, s.raw.get(self.name)) for s in restored)
        certain = made and linked <= made[-1].at and made[-1].fate in (None, "by a person")
        certain = certain and not came_back
        return made[-1] if certain else None

    def _vendor(self, entry: HistoryEntry) -> Vendor:
        return self.world.vendors[entry.by]

    def _meanings(self, edit: HumanEdit) -> set[str | None]:
        return {*self._words(edit.connection, edit.raw)}

    def _words(self, connection: str, raw: str | None) -> Iterator[str]:
        for words in self.world.lenses[connection, self.name]:
            yield from words.get(raw or "", ())

    def _read_as(self, connection: str, raw: str | None) -> Iterator[str]:
        for words in self.world.lenses[connection, self.name]:
            yield from words.get(raw or "", ())[:1]
