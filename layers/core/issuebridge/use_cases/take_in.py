"""Take in one remote issue: merge it into the canonical issue it belongs to, or start one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from issuebridge.domain.converge import TIME_ROUNDED, Observed, born, bury, link, moved, observe
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Gone, LostRace
from issuebridge.domain.gate import FINISHED, changes
from issuebridge.domain.issue import CanonicalIssue, ExternalRef, RemoteIssue
from issuebridge.domain.lag import newly_pending, settle
from issuebridge.domain.managed_line import find_marks
from issuebridge.domain.mark import issue_of, reference_of, tag_of
from issuebridge.domain.routing import Landscape, needs_detail
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.races import RACES_MAX, until_won
from issuebridge.use_cases.stored import stored

CLOCKS_APART_SECONDS = 600
UUID_LENGTH = 36
"""Ids that are this long are nobody else's by chance."""

Gate = Callable[[CanonicalIssue, CanonicalIssue], None]
"""Asked before a change of a known issue is stored; raises to stop the round."""

FOREIGN = "another issuebridge writes here"
NOT_WRITTEN = f"{FOREIGN}: {{}}: nothing of ours is written to it while that mark stands"
LOST = "our own mark, which this table does not know: was the table lost? `issuebridge adopt`"
ELSEWHERE = "our mark of {}: both reach the same issues, keep one of the two connections"


@dataclass(frozen=True)
class Known:
    """What a round remembers of a row: that the issue it seems to replace was gone at that time, or
    that it stood beside it; the counterparts that are being created here right now, and whether an
    issue may have a nearer heir than a copy with a birth of its own."""

    gone_since: datetime | None
    open_creates: Callable[[], Sequence[Effect]]
    stood_beside: bool = False
    has_heir: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True)
class Taken:
    """What was done, and the issue as it was last read: not always the row of the list. `marked`
    ones are not routed: `why` says whose they are, and `stops` that nothing is created there; a
    linked one may have a `why`, too.
    `replaces`: the copy at the id that this issue had before. `is_same`: it was born with the copy
    that it is a second of."""

    kind: Literal["unchanged", "stored", "deferred", "twin", "over", "moving", "marked"]
    remote: RemoteIssue
    issue_id: str = ""
    why: str = ""
    stops: bool = False
    replaces: ExternalRef | None = None
    is_same: bool = False


@dataclass(frozen=True)
class TakeIn:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    clock: Clock

    def __call__(self, connection: str, remote: RemoteIssue, known: Known, gate: Gate) -> Taken:
        """Raises LostRace when others keep committing first; the next round finds it again."""
        for race in range(RACES_MAX):
            if race:
                remote = self._read_again(connection, remote)
            issue_id = self.store.find(connection, remote.remote_id)
            try:
                if issue_id:
                    return self._known(connection, remote, issue_id, known, gate)
                return self._unknown(connection, remote, known, gate)
            except LostRace:
                continue
        raise LostRace(f"{connection} {remote.display_id}: gave up after {RACES_MAX} races")

    def bury(self, connection: str, remote_id: str, gate: Gate) -> dict[str, str]:
        """This copy was deleted at its vendor: its name there and the issue it belonged to."""

        def step() -> dict[str, str]:
            issue = self.store.load(self.store.find(connection, remote_id) or "")
            ref = issue.refs.get(connection) if issue else None
            if issue is None or ref is None or ref.remote_id != remote_id:
                return {}
            observed = bury(issue, self.landscape, connection, self.clock.now())
            if observed.issue == issue:
                return {}
            gate(issue, observed.issue)
            self._commit(issue, observed)
            return {ref.display_id: issue.issue_id}

        return until_won(f"{connection} {remote_id}", step)

    def would_change(
        self, connection: str, row: RemoteIssue, *, is_sure: bool = False
    ) -> tuple[str, ...]:
        """What this row, if it is believed, changes about an issue that has another copy;
        `is_sure`: as a read by itself shows it."""
        issue = self.store.load(self.store.find(connection, row.remote_id) or "")
        if issue is None or issue.refs[connection].remote_id != row.remote_id:
            return ()
        found = changes(issue, self.observe(issue, row, connection).issue)
        if not (found and is_sure):
            return found
        try:
            remote = self._read_again(connection, row)
        except Gone:
            return ()
        return changes(issue, self.observe(issue, remote, connection).issue)

    def _commit(self, before: CanonicalIssue, observed: Observed) -> None:
        after = observed.issue
        wake = newly_pending(before, after)
        moved_on = after.external_link != before.external_link
        moved_on |= bool(after.pending.keys() - before.pending.keys() - after.refs.keys())
        points_at = self.points_at(after) if moved_on else None
        self.store.commit(after, observed.history, wake=wake, points_at=points_at)

    def points_at(self, issue: CanonicalIssue) -> str | None:
        """Where its link leads: it may be the address of an issue, now or by a later route."""
        return issue.external_link if len(issue.refs) == 1 else None

    def _known(
        self, connection: str, remote: RemoteIssue, issue_id: str, known: Known, gate: Gate
    ) -> Taken:
        """A row of a list may be older than our own last write, so an edit of a linked issue is
        believed only when a read that began after the item was loaded shows it. So is a row that
        is older than what we have seen of it."""
        issue = stored(self.store, issue_id)
        ref = issue.refs[connection]
        if ref.remote_id != remote.remote_id:
            return self._second(connection, remote, issue, known, gate)
        seen_at, row_at = ref.remote_updated_at, remote.updated_at
        is_older = seen_at is not None and row_at is not None and row_at < seen_at
        if len(issue.refs) > 1 or issue.pending or is_older:
            remote = self._read_again(connection, remote)
        observed, remote = self._observed(issue, remote, connection)
        foreign = observed.issue.refs[connection].foreign
        why = NOT_WRITTEN.format(foreign) if foreign else ""
        if observed.issue == issue:
            return Taken("unchanged", remote, why=why)
        gate(issue, observed.issue)
        self._commit(issue, observed)
        return Taken("stored", remote, issue.issue_id, why)

    def _observed(
        self, issue: CanonicalIssue, remote: RemoteIssue, connection: str
    ) -> tuple[Observed, RemoteIssue]:
        """With what the row left out, where a route or a rule depends on it."""
        observed = self.observe(issue, remote, connection)
        is_origin = remote.is_row and connection == issue.origin
        if is_origin and needs_detail(observed.issue, self.landscape):
            remote = self._read_again(connection, remote)
            observed = self.observe(issue, remote, connection)
        return observed, remote

    def _read_again(self, connection: str, row: RemoteIssue) -> RemoteIssue:
        """A row that is marked as deleted may answer 404 by itself: both say the same."""
        try:
            return self.system(connection).get(row.remote_id)
        except Gone:
            if row.deleted:
                return row
            raise

    def _unknown(self, connection: str, remote: RemoteIssue, known: Known, gate: Gate) -> Taken:
        marks = find_marks(remote.description)
        if marks and (taken := self._with_mark(connection, remote, marks, known, gate)):
            return taken
        if remote.deleted:
            return Taken("unchanged", remote)
        if why := self._shown_elsewhere(connection, remote):
            return Taken("marked", remote, why=why)
        if any(self._may_be(effect, remote) for effect in known.open_creates()):
            return Taken("deferred", remote)
        return self._born(connection, remote)

    def _born(self, connection: str, remote: RemoteIssue) -> Taken:
        observed, remote = self.first_seen(connection, remote)
        after = observed.issue
        wake, points_at = newly_pending(None, after), self.points_at(after)
        self.store.commit(after, wake=wake, linked=connection, points_at=points_at)
        return Taken("stored", remote, after.issue_id)

    def first_seen(
        self, connection: str, remote: RemoteIssue, reference: str | None = None
    ) -> tuple[Observed, RemoteIssue]:
        """A canonical issue that begins with this copy, not stored yet; `reference`: our mark that
        stands in it already."""
        policy, now = self.landscape.policies[connection], self.clock.now()
        issue = link(born(remote, connection), remote, policy, now, reference=reference)
        return self._observed(issue, remote, connection)

    def _with_mark(
        self,
        connection: str,
        remote: RemoteIssue,
        marks: Sequence[str],
        known: Known,
        gate: Gate,
    ) -> Taken | None:
        """It carries a mark: it is what we asked for, a second copy, or somebody else's."""
        effects = [e for e in self.ledger.find(marks) if e.kind == "create"]
        mine = next((effect for effect in effects if effect.connection == connection), None)
        if mine:
            return self._ours(mine, remote, known, gate)
        named = {e.issue_id: e.connection for e in effects}
        for issue in filter(None, (self.store.load(issue_of(mark) or "") for mark in marks)):
            if reference_of(issue, connection) in marks and connection in issue.refs:
                return self._second(connection, remote, issue, known, gate)
            owner = next((n for n in issue.refs if reference_of(issue, n) in marks), None)
            named |= {issue.issue_id: owner} if owner else {}
        if remote.deleted:
            return Taken("unchanged", remote)
        if named:
            return Taken("marked", remote, why=ELSEWHERE.format(next(iter(named.values()))))
        why = LOST if self.landscape.tag in map(tag_of, marks) else f"{FOREIGN}: {marks[0]}"
        return Taken("marked", remote, why=why, stops=len(marks) == 1)

    def _shown_elsewhere(self, connection: str, remote: RemoteIssue) -> str | None:
        """Two connections that reach the same organisation show each issue twice."""
        if len(remote.remote_id) < UUID_LENGTH:
            return None
        siblings = self.landscape.siblings.get(connection, ())
        same = (name for name in siblings if self.store.find(name, remote.remote_id))
        return next((f"known at {name}: {ELSEWHERE.format(name)}" for name in same), None)

    def _ours(self, effect: Effect, remote: RemoteIssue, known: Known, gate: Gate) -> Taken:
        """It carries the reference of a counterpart we asked for: adopt it, unless there is one
        already, or it cannot be what we sent."""
        issue, connection = stored(self.store, effect.issue_id), effect.connection
        ref = issue.refs.get(connection)
        if ref and ref.remote_id == remote.remote_id:
            raise LostRace(f"{remote.display_id} was linked just now")
        if effect.state == "done" or connection in issue.refs:
            return self._second(connection, remote, issue, known, gate)
        remote = self._read_again(connection, remote)
        if not self._was_sent(effect, remote):
            return Taken("marked", remote, why=f"a copy of our mark: {effect.key}")
        policy = self.landscape.policies[connection]
        linked = link(issue, remote, policy, self.clock.now(), reference=effect.key)
        observed = self.observe(linked, remote, connection)
        gate(issue, observed.issue)
        self.store.commit(
            observed.issue,
            observed.history,
            wake=newly_pending(issue, observed.issue),
            done=effect.done(remote.remote_id),
            linked=connection,
        )
        return Taken("stored", remote, issue.issue_id)

    def _was_sent(self, effect: Effect, remote: RemoteIssue) -> bool:
        """Born no earlier than our request, as far as clocks agree."""
        apart = timedelta(seconds=CLOCKS_APART_SECONDS) - self.system(effect.connection).skew
        born_at = remote.created_at or effect.sent_at
        return (
            effect.sent_at is not None
            and born_at is not None
            and (born_at >= effect.sent_at - apart)
        )

    def _second(
        self,
        connection: str,
        remote: RemoteIssue,
        issue: CanonicalIssue,
        known: Known | None = None,
        gate: Gate | None = None,
    ) -> Taken:
        """There is a copy at this connection already. Should that one be gone, now and when this
        one was first seen, it is the same under another id; else a person shall close one. What
        has a birth of its own and stood beside it, or came when it was long gone, is somebody's
        copy of our line: it takes its place never."""
        ref = issue.refs.get(connection)
        is_same = ref is not None and self._has_birth_of(ref, remote)
        if known and gate and ref and self._may_replace(ref, known, is_same=is_same):
            is_first = is_same or not known.has_heir(issue.issue_id)
            if is_first and (ref.deleted or known.gone_since):
                return self._renumbered(connection, remote, issue, gate)
            return Taken("moving", remote, issue.issue_id, is_same=is_same)
        lens, raw = self.landscape.policies[connection].fields["status"].lens, remote.raw
        is_over = lens is not None and lens.read(raw["status"] or "") in FINISHED
        is_over = is_over or remote.deleted
        return Taken("over" if is_over else "twin", remote, issue.issue_id, is_same=is_same)

    def _has_birth_of(self, ref: ExternalRef, remote: RemoteIssue) -> bool:
        if remote.created_at is None and ref.born_at and not remote.deleted:
            remote = self._read_again(ref.connection, remote)
        if ref.born_at is None or remote.created_at is None:
            return False
        return abs(remote.created_at - ref.born_at) <= TIME_ROUNDED

    def _may_replace(self, ref: ExternalRef, known: Known, *, is_same: bool) -> bool:
        is_late = known.stood_beside or ref.deleted
        return not ref.ended and (is_same or not is_late) and self._is_gone(ref)

    def _is_gone(self, ref: ExternalRef) -> bool:
        if ref.deleted:
            return True
        try:
            return self.system(ref.connection).get(ref.remote_id).deleted
        except Gone:
            return True

    def _renumbered(
        self, connection: str, remote: RemoteIssue, issue: CanonicalIssue, gate: Gate
    ) -> Taken:
        remote, now = self._read_again(connection, remote), self.clock.now()
        before = issue.refs[connection]
        at_new_id = moved(issue, remote, self.landscape.policies[connection])
        observed = self.observe(at_new_id, remote, connection)
        after = settle(observed.issue, self.landscape, now, renew=True)
        gate(issue, after)
        wake = newly_pending(issue, after)
        new = () if self.store.find(connection, remote.remote_id) else connection
        self.store.commit(after, observed.history, wake=wake, linked=new)
        return Taken("stored", remote, issue.issue_id, replaces=before)

    def _may_be(self, effect: Effect, remote: RemoteIssue) -> bool:
        """A new issue that shows up while a create has no answer may be that counterpart, should
        the vendor have rewritten the words that carry our reference."""
        if effect.state == "planned" or effect.sent_at is None:
            return False
        if remote.created_at is None:
            return True
        return remote.created_at >= effect.sent_at - timedelta(seconds=CLOCKS_APART_SECONDS)

    def observe(self, issue: CanonicalIssue, remote: RemoteIssue, connection: str) -> Observed:
        """The issue with what this copy says now."""
        skew = self.system(connection).skew
        return observe(issue, remote, self.landscape, connection, now=self.clock.now(), skew=skew)
