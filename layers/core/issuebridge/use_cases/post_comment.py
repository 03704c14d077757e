"""Tell a link in a comment, where that is its carrier: once for each value.

Nobody can edit or delete a comment through the API, so another value is another comment, and a
value once told stays told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from issuebridge.domain.config import Recovery
from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import (
    CanonicalIssue,
    ExternalRef,
    FieldNote,
    HistoryEntry,
    comment_key,
    with_ref,
)
from issuebridge.domain.lag import lagging, newly_pending, settle, wanted
from issuebridge.domain.push import fought_note, refused_note, written
from issuebridge.domain.routing import Landscape
from issuebridge.ports import Clock, Comments, IssueStore, Ledger
from issuebridge.use_cases.once import Once, Step
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored

FIELD: Literal["external_link"] = "external_link"


@dataclass(frozen=True)
class PostComment:
    store: IssueStore
    ledger: Ledger
    comments: Callable[[str], Comments]
    landscape: Landscape
    recovery: Recovery
    clock: Clock

    @property
    def once(self) -> Once:
        return Once(self.ledger, self.recovery, self.clock)

    def __call__(self, issue: CanonicalIssue, connection: str) -> Step | None:
        """None when this copy needs no comment."""
        policy = self.landscape.policies[connection]
        now = self.clock.now()
        if policy.fields[FIELD].carrier != "comment" or FIELD not in lagging(issue, policy, now):
            return None
        if note := fought_note(issue, policy, FIELD, now):
            return self._note(issue.issue_id, connection, note, "held")
        value = wanted(issue, connection, FIELD)
        assert value is not None, "without a value there is nothing to carry"
        key = comment_key(issue.issue_id, connection, issue.refs[connection].posted)
        effect = self.ledger.get(key) or self._plan(issue, connection, key, value)
        if effect.state == "parked":
            effect = effect.again(now)
        if effect.state == "planned":
            effect = effect.model_copy(update={"request": value})
        return self.once(effect, self)

    def look(self, effect: Effect) -> Step:
        if not self._ref(effect).is_live:
            self.ledger.put(effect.parked("the copy is gone, or unlinked"))
            return Step("parked", "the copy is gone, or unlinked")
        if not self.landscape.policies[effect.connection].may_write:
            return Step("waiting", "nothing is written there now")
        return self.once.look(effect, self)

    def _plan(self, issue: CanonicalIssue, connection: str, key: str, value: str) -> Effect:
        now = self.clock.now()
        return self.ledger.put(
            Effect(
                key=key,
                kind="comment",
                issue_id=issue.issue_id,
                connection=connection,
                request=value,
                planned_at=now,
                due_at=now,
            )
        )

    def send(self, effect: Effect) -> str:
        text = f"[issuebridge ref={effect.key}] Linked issue: {effect.request}"
        self.comments(effect.connection).post(self._ref(effect).remote_id, text)
        return effect.request

    def find(self, effect: Effect, since: datetime) -> str | None:
        remote_id = self._ref(effect).remote_id
        stands = self.comments(effect.connection).stands(remote_id, effect.key, since)
        return effect.request if stands else None

    def is_wanted(self, effect: Effect) -> bool:
        policy = self.landscape.policies[effect.connection]
        issue = stored(self.store, effect.issue_id)
        is_meant = wanted(issue, effect.connection, FIELD) == effect.request
        return is_meant and FIELD in lagging(issue, policy, self.clock.now())

    def keep(self, effect: Effect, made: str) -> Step:
        """The value counts as carried from the commit that ends the effect."""

        def step() -> Step:
            issue = stored(self.store, effect.issue_id)
            ref, now = issue.refs[effect.connection], self.clock.now()
            if comment_key(issue.issue_id, effect.connection, ref.posted) != effect.key:
                return Step("done", made)
            told = _with_place(ref, made, now)
            after = settle(with_ref(issue, told), self.landscape, now)
            entry = HistoryEntry(at=now, field=FIELD, outcome="pushed", by=ref.connection, new=made)
            wake = newly_pending(issue, after)
            self.store.commit(after, [entry], wake=wake, done=effect.done(made))
            return Step("done", made)

        return until_won(effect.issue_id, step)

    def park(self, effect: Effect, reason: str) -> Step:
        """Set aside: tried again after a pause, when another value is meant, or once released."""
        before = self._ref(effect).notes.get(FIELD)
        note = refused_note(before, reason, effect.request, "comment", self.clock.now())
        return self._note(effect.issue_id, effect.connection, note, "rejected")

    def _note(
        self,
        issue_id: str,
        connection: str,
        note: FieldNote,
        outcome: Literal["held", "rejected"],
    ) -> Step:
        def step() -> Step:
            issue, now = stored(self.store, issue_id), self.clock.now()
            ref = issue.refs[connection]
            noted = ref.model_copy(update={"notes": {**ref.notes, FIELD: note}})
            entry = HistoryEntry(
                at=now, field=FIELD, outcome=outcome, by=connection, detail=note.detail
            )
            after = settle(with_ref(issue, noted), self.landscape, now)
            self.store.commit(after, [entry] if note.attempts <= 1 else [])
            return Step("parked", note.detail)

        return until_won(issue_id, step)

    def _ref(self, effect: Effect) -> ExternalRef:
        return stored(self.store, effect.issue_id).refs[effect.connection]


def _with_place(ref: ExternalRef, made: str, now: datetime) -> ExternalRef:
    """It may show natively too: that place comes first, the last comment's after it."""
    base = ref.baselines[FIELD]
    raws = (*base.raws[:1], made)
    baselines = {**ref.baselines, FIELD: base.model_copy(update={"raws": raws})}
    writes = {**ref.writes, FIELD: written(ref, FIELD, now)}
    told = {"comments": (made,), "commented": ref.posted + 1, "writes": writes}
    return ref.model_copy(update={**told, "baselines": baselines})
