"""What must have come of a small history, told from the README's guarantees alone.

It knows what people set where, what each copy showed after every step and what the history tells,
and shares nothing with the engine. Two edits clash when neither person could know of the other's:
who edits a copy knows what that copy showed, once the other edit was read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MEANINGS = {
    "bland": {w: (w,) for w in ("backlog", "todo", "in_progress", "in_review", "done", "closed")},
    "antimetal": {
        "investigating": ("in_progress", "todo"),
        "ready_to_fix": ("in_review",),
        "resolved": ("done", "closed"),
        "muted": ("backlog",),
    },
    "zylon": {
        "NotReviewed": ("todo", "backlog"),
        "InReview": ("in_progress", "in_review"),
        "Closed": ("done", "closed"),
    },
}
"""The first meaning is what a word reads as."""


@dataclass(frozen=True)
class Told:
    """An entry of the history: `old` is the value that lost, if it is a conflict."""

    outcome: str
    by: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Moment:
    """One step (`set`, `poll`, `push`, `wait`), what every copy showed after it, what was told."""

    act: str
    at: str
    shown: Mapping[str, str]
    told: tuple[Told, ...] = ()
    writes: int = 0


@dataclass(frozen=True)
class Story:
    """`moments` begins with the start and ends at rest. An edit is the index of its moment; `rule`
    is `latest`, `hold` or the copy that is preferred."""

    moments: Sequence[Moment]
    rule: str

    def complaints(self) -> Iterator[str]:
        yield from self._agreement()
        yield from self._overwritten()
        yield from self._needless()

    def _agreement(self) -> Iterator[str]:
        """Every copy means the same status; or a clash is held, and a person was told."""
        shown = self.moments[-1].shown
        if set.intersection(*(self._means(at, word) for at, word in shown.items())):
            return
        edited = [at for at in shown if self._standing(at, len(self.moments)) is not None]
        if self.rule != "hold" or not self._told("held") or len(edited) <= 1:
            yield f"apart: in the end they show {dict(shown)}"

    def _overwritten(self) -> Iterator[str]:
        """No edit is lost in silence, nor to one that the rule does not let win."""
        for now, moment in enumerate(self.moments):
            for copy, word in moment.shown.items():
                lost = self._standing(copy, now)
                if lost is None or not self._wrote(now, copy) or self._was_unseen(lost):
                    continue
                causes = [e for e in self._edits(now) if self._brings(e, copy, word)]
                reasons = [self._objection(lost, cause, now) for cause in causes]
                if all(reasons):
                    why = reasons[-1] if reasons else "nobody's"
                    yield f"{why}: {self._show(lost)} gave way to {word}"

    def _objection(self, lost: int, won: int, now: int) -> str | None:
        """Why this edit may not give way to that one; None if it may."""
        why = self._fault(lost, won, now)
        return "repeated" if why and self._is_said_elsewhere(lost, now) else why

    def _fault(self, lost: int, won: int, now: int) -> str | None:
        if won > lost and self._may_know(won, lost):
            return None
        if self._must_know(lost, won):
            return "old beats new"
        if self._was_taken_back(lost, won):
            return None
        if not self._is_told(lost, now):
            return "untold"
        if self.rule == "hold":
            return "not held"
        preferred = [edit for edit in (won, lost) if self.moments[edit].at == self.rule]
        winner = preferred[0] if preferred else max(won, lost)
        return None if winner == won else "wrong winner"

    def _needless(self) -> Iterator[str]:
        """A conflict needs two edits, of people who could not know of each other's."""
        for now, moment in enumerate(self.moments):
            told = [entry for entry in moment.told if entry.outcome in ("conflict", "held")]
            if told and not self._clashes(self._edits(now)):
                yield f"needless: nothing clashes, yet {told[0]}"

    # what people knew

    def _clashes(self, edits: Sequence[int]) -> bool:
        return any(
            self.moments[a].at != self.moments[b].at and not self._must_know(b, a)
            for a in edits
            for b in edits
            if a < b
        )

    def _may_know(self, later: int, earlier: int) -> bool:
        """The later edit replaced that very value; or its copy agreed, from when it was read."""
        there, copy, was_read = self.moments[earlier].at, self.moments[later].at, False
        meant = self._means(there, self._word(earlier))
        if self._value(copy, self._replaced(later, earlier)) in meant:
            return True
        for moment in self.moments[earlier + 1 : later]:
            was_read |= moment.act == "push" or (moment.act, moment.at) == ("poll", there)
            if was_read and meant & self._means(copy, moment.shown[copy]):
                return True
        return False

    def _replaced(self, later: int, earlier: int) -> str:
        """The word that stood there before; of edits that nobody read in between, before the
        first: a poll sees where they led, and no more."""
        copy, first = self.moments[later].at, later
        for i in range(later - 1, earlier, -1):
            moment = self.moments[i]
            if moment.act == "push" or (moment.act, moment.at) == ("poll", copy):
                break
            if (moment.act, moment.at) == ("set", copy):
                first = i
        return self.moments[first - 1].shown[copy]

    def _must_know(self, later: int, earlier: int) -> bool:
        """The earlier edit was polled, and then all was pushed and the other copy polled, which
        showed it each time."""
        there, copy, left = self.moments[earlier].at, self.moments[later].at, None
        for moment in self.moments[earlier + 1 : later]:
            step = "push" if moment.act == "push" else f"{moment.act} {moment.at}"
            if left is None and step == f"poll {there}":
                left = {"push", f"poll {copy}"}
            elif left and self._reads(earlier) in self._means(copy, moment.shown[copy]):
                left.discard(step)
        return left == set()

    # what happened

    def _edits(self, until: int) -> list[int]:
        return [i for i, moment in enumerate(self.moments[:until]) if moment.act == "set"]

    def _standing(self, copy: str, until: int) -> int | None:
        """The edit whose word this copy shows just before that moment."""
        for i in range(until - 1, 0, -1):
            if (self.moments[i].act, self.moments[i].at) == ("set", copy):
                return i
            if self.moments[i].shown[copy] != self.moments[i - 1].shown[copy]:
                return None
        return None

    def _wrote(self, now: int, copy: str) -> bool:
        """Whether it was us who changed this copy then."""
        before, moment = self.moments[now - 1], self.moments[now]
        return moment.act != "set" and moment.shown[copy] != before.shown[copy]

    def _was_unseen(self, edit: int) -> bool:
        """Since the copy last showed this word nobody polled it."""
        copy, word = self.moments[edit].at, self._word(edit)
        for moment in reversed(self.moments[:edit]):
            if moment.shown[copy] == word:
                return True
            if (moment.act, moment.at) == ("poll", copy):
                return False
        return False

    def _was_taken_back(self, lost: int, won: int) -> bool:
        """It shows again what people found there, and we wrote nothing to the other copy meanwhile:
        three-way merges take this for no edit."""
        copy, first = self.moments[lost].at, lost
        while (before := self._standing(copy, first)) is not None:
            first = before
        is_back = self.moments[first - 1].shown[copy] == self._word(lost)
        moved = any(self._wrote(i, self.moments[won].at) for i in range(first, won))
        return first != lost and is_back and not moved

    def _is_said_elsewhere(self, edit: int, until: int) -> bool:
        """Another copy's edit said the same, and could be read before it was replaced."""
        at, word = self.moments[edit].at, self._word(edit)
        return any(
            self._brings(other, at, word) and self._was_readable(other, until)
            for other in self._edits(until)
        )

    def _was_readable(self, edit: int, until: int) -> bool:
        at = self.moments[edit].at
        for moment in self.moments[edit + 1 : until]:
            if moment.act == "push" or (moment.act, moment.at) == ("poll", at):
                return True
            if moment.at == at:
                return False
        return False

    def _is_told(self, lost: int, until: int) -> bool:
        means = self._means(self.moments[lost].at, self._word(lost))
        since = self.moments[lost : until + 1]
        return any(t.outcome == "conflict" and t.old in means for m in since for t in m.told)

    def _told(self, outcome: str) -> bool:
        return any(entry.outcome == outcome for m in self.moments for entry in m.told)

    def _brings(self, edit: int, copy: str, word: str) -> bool:
        at = self.moments[edit].at
        return at != copy and bool(self._means(at, self._word(edit)) & self._means(copy, word))

    def _word(self, edit: int) -> str:
        return self.moments[edit].shown[self.moments[edit].at]

    def _means(self, copy: str, word: str) -> set[str]:
        return set(MEANINGS[copy][word])

    def _reads(self, edit: int) -> str:
        return self._value(self.moments[edit].at, self._word(edit))

    def _value(self, copy: str, word: str) -> str:
        return MEANINGS[copy][word][0]

    def _show(self, edit: int) -> str:
        return f"{self.moments[edit].at} {self._word(edit)}"
