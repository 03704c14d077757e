"""Take in one remote issue: merge it into the canonical issue it belongs to, or start one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from issuebridge.domain.converge import Observed, born, bury, link, observe
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Gone, LostRace
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue
from issuebridge.domain.lag import Landscape, newly_pending
from issuebridge.domain.managed_line import find_lines
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.races import RACES_MAX, until_won
from issuebridge.use_cases.stored import stored

CLOCKS_APART_SECONDS = 600

Gate = Callable[[CanonicalIssue, CanonicalIssue], None]
"""Asked before a change of a known issue is stored; raises to stop the round."""


FINISHED = ("done", "closed")


def closes(before: CanonicalIssue, after: CanonicalIssue) -> bool:
    """Whether an issue that had more than one copy is finished by this change."""
    lives = sum(ref.is_live for ref in before.refs.values())
    return lives > 1 and after.status in FINISHED and before.status not in FINISHED


@dataclass(frozen=True)
class Taken:
    """What was done, and the issue as it was last read: not always the row of the list."""

    kind: Literal["unchanged", "stored", "deferred", "twin"]
    remote: RemoteIssue
    issue_id: str = ""


@dataclass(frozen=True)
class TakeIn:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    clock: Clock

    def __call__(
        self,
        connection: str,
        remote: RemoteIssue,
        open_creates: Callable[[], Sequence[Effect]],
        gate: Gate,
    ) -> Taken:
        """`open_creates`: the counterparts being created at this connection right now.

        Raises LostRace when others keep committing first; the next round finds it again."""
        for race in range(RACES_MAX):
            if race:
                remote = self._read_again(connection, remote)
            issue_id = self.store.find(connection, remote.remote_id)
            try:
                if issue_id:
                    return self._known(connection, remote, issue_id, gate)
                return self._unknown(connection, remote, open_creates)
            except LostRace:
                continue
        raise LostRace(f"{connection} {remote.display_id}: gave up after {RACES_MAX} races")

    def bury(self, connection: str, remote_id: str, gate: Gate) -> dict[str, str]:
        """This copy was deleted at its vendor: its name there and the issue it belonged to."""

        def step() -> dict[str, str]:
            issue = self.store.load(self.store.find(connection, remote_id) or "")
            if issue is None or connection not in issue.refs:
                return {}
            observed = bury(issue, self.landscape, connection, self.clock.now())
            if observed.issue == issue:
                return {}
            gate(issue, observed.issue)
            self._commit(issue, observed)
            return {issue.refs[connection].display_id: issue.issue_id}

        return until_won(f"{connection} {remote_id}", step)

    def would_close(self, connection: str, row: RemoteIssue) -> bool:
        """Whether this row, if it is believed, closes an issue that has another copy."""
        issue = self.store.load(self.store.find(connection, row.remote_id) or "")
        if issue is None:
            return False
        return closes(issue, self._observe(issue, row, connection).issue)

    def _commit(self, before: CanonicalIssue, observed: Observed) -> None:
        wake = newly_pending(before, observed.issue)
        self.store.commit(observed.issue, observed.history, wake=wake)

    def _known(self, connection: str, remote: RemoteIssue, issue_id: str, gate: Gate) -> Taken:
        """A row of a list may be older than our own last write, so an edit of a linked issue is
        believed only when a read that began after the item was loaded shows it. So is a row that
        is older than what we have seen of it."""
        issue = stored(self.store, issue_id)
        seen_at, row_at = issue.refs[connection].remote_updated_at, remote.updated_at
        is_older = seen_at is not None and row_at is not None and row_at < seen_at
        if len(issue.refs) > 1 or issue.pending or is_older:
            remote = self._read_again(connection, remote)
        observed = self._observe(issue, remote, connection)
        if observed.issue == issue:
            return Taken("unchanged", remote)
        gate(issue, observed.issue)
        self._commit(issue, observed)
        return Taken("stored", remote, issue.issue_id)

    def _read_again(self, connection: str, row: RemoteIssue) -> RemoteIssue:
        """A row that is marked as deleted may answer 404 by itself: both say the same."""
        try:
            return self.system(connection).get(row.remote_id)
        except Gone:
            if row.deleted:
                return row
            raise

    def _unknown(
        self, connection: str, remote: RemoteIssue, open_creates: Callable[[], Sequence[Effect]]
    ) -> Taken:
        for line in find_lines(remote.description):
            effect = self.ledger.get(line.ref)
            if effect and effect.connection == connection:
                return self._ours(effect, remote)
        if remote.deleted:
            return Taken("unchanged", remote)
        if any(self._may_be(effect, remote) for effect in open_creates()):
            return Taken("deferred", remote)
        if remote.created_at is None and self._leaves_from(connection):
            remote = self.system(connection).get(remote.remote_id)
        policy = self.landscape.policies[connection]
        issue = link(born(remote, connection), remote, policy, self.clock.now())
        born_issue = self._observe(issue, remote, connection).issue
        self.store.commit(born_issue, wake=newly_pending(None, born_issue), linked=connection)
        return Taken("stored", remote, issue.issue_id)

    def _ours(self, effect: Effect, remote: RemoteIssue) -> Taken:
        """It carries the reference of a counterpart we asked for: adopt it, or name it a twin."""
        issue = stored(self.store, effect.issue_id)
        if effect.state == "done" or effect.connection in issue.refs:
            lens, raw = self.landscape.policies[effect.connection].fields["status"].lens, remote.raw
            is_over = lens is not None and lens.read(raw["status"] or "") in FINISHED
            return Taken("unchanged" if is_over else "twin", remote, issue.issue_id)
        remote = self._read_again(effect.connection, remote)
        policy = self.landscape.policies[effect.connection]
        linked = link(issue, remote, policy, self.clock.now())
        observed = self._observe(linked, remote, effect.connection)
        self.store.commit(
            observed.issue,
            observed.history,
            wake=newly_pending(issue, observed.issue),
            done=effect.done(remote.remote_id),
            linked=effect.connection,
        )
        return Taken("stored", remote, issue.issue_id)

    def _may_be(self, effect: Effect, remote: RemoteIssue) -> bool:
        """A new issue that shows up while a create has no answer may be that counterpart, should
        the vendor have rewritten the words that carry our reference."""
        if effect.state == "planned" or effect.sent_at is None:
            return False
        if remote.created_at is None:
            return True
        return remote.created_at >= effect.sent_at - timedelta(seconds=CLOCKS_APART_SECONDS)

    def _leaves_from(self, connection: str) -> bool:
        return any(route.source == connection for route in self.landscape.routes)

    def _observe(self, issue: CanonicalIssue, remote: RemoteIssue, connection: str) -> Observed:
        skew = self.system(connection).skew
        return observe(issue, remote, self.landscape, connection, now=self.clock.now(), skew=skew)
