"""Push: bring every lagging copy of one issue into step, or create the counterpart it lacks.

Read, merge with what the copy says now, commit what we are about to send, send the smallest
write, commit what came back. Whatever stops half way leaves the pending mark, so the next round
begins again from what the remote then shows.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from issuebridge.domain.converge import DELETED_AT, Observed, observe
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import (
    Conflict,
    Gone,
    LostRace,
    Misconfigured,
    RateLimited,
    Refused,
    Rejected,
    SyncError,
    Transient,
    Tripped,
    Unreachable,
)
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue, with_ref
from issuebridge.domain.lag import is_unconfirmed, lagging, newly_pending
from issuebridge.domain.mark import Installation
from issuebridge.domain.policy import Policy
from issuebridge.domain.push import (
    Write,
    finish,
    may_mark,
    plan_write,
    rewritten,
    set_out,
)
from issuebridge.domain.routing import Landscape
from issuebridge.domain.words import Part
from issuebridge.ports import Clock, ConnectionStore, IssueStore, IssueSystem
from issuebridge.use_cases.create_counterpart import CreateCounterpart
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.heeding import UNREACHABLE_SECONDS, heed_pause
from issuebridge.use_cases.once import Step
from issuebridge.use_cases.pair_linked import PairLinked
from issuebridge.use_cases.post_comment import PostComment
from issuebridge.use_cases.races import RACES_MAX, until_won
from issuebridge.use_cases.stored import stored

LEASE_SECONDS = 150
"""Longer than mirror's own timeout, so that two workers never write to one copy at once."""
PAUSE_SECONDS_MIN = 2
PAUSE_SECONDS_MAX = 3600
REFUSED_PAUSE_SECONDS = 900
STOPPED_SECONDS = 60

Done = Literal["written", "created", "paired"]


@dataclass(frozen=True)
class Outcome:
    """What became of one copy; `detail` is for people."""

    issue_id: str
    connection: str
    kind: Done | Literal["agreed", "held", "waiting", "parked"]
    detail: str = ""


@dataclass(frozen=True)
class PushChanges:
    """`issue_id` -> one outcome for each copy that was due."""

    store: IssueStore
    connections: ConnectionStore
    system: Callable[[str], IssueSystem]
    create: CreateCounterpart
    comment: PostComment
    pair: PairLinked
    landscape: Landscape
    gate: Gate
    installation: Callable[[], Installation]
    clock: Clock

    def __call__(self, issue_id: str) -> list[Outcome]:
        issue = self.store.load(issue_id)
        due = issue.pending if issue else {}
        now = self.clock.now()
        return [
            self._one(issue_id, name) for name, mark in sorted(due.items()) if mark.due_at <= now
        ]

    def look(self, effect: Effect) -> Outcome:
        """One look for a counterpart or comment that may or may not have been made."""
        look = partial(self._look, effect)
        return self._sorted(effect.issue_id, effect.connection, look)

    def _look(self, effect: Effect) -> Outcome:
        heed_pause(self.connections, effect.connection, self.clock.now())
        issue_id, connection = effect.issue_id, effect.connection
        if why := self.gate.shut([connection, stored(self.store, issue_id).origin]):
            raise Tripped(why)
        if effect.kind == "comment":
            return self._told(issue_id, connection, self.comment.look(effect), "written")
        return self._told(issue_id, connection, self.create.look(effect), "created")

    def _one(self, issue_id: str, connection: str) -> Outcome:
        return self._sorted(
            issue_id, connection, partial(self._push_or_create, issue_id, connection)
        )

    def _sorted(self, issue_id: str, connection: str, step: Callable[[], Outcome]) -> Outcome:
        """What a failure means for this copy; it stops no other."""
        try:
            return step()
        except LostRace:
            return Outcome(issue_id, connection, "waiting", "another worker was faster")
        except RateLimited as error:
            return self._rate_limited(issue_id, connection, error)
        except Unreachable as error:
            until = self.clock.now() + timedelta(seconds=UNREACHABLE_SECONDS)
            self.connections.pause(connection, until)
            return self._postpone(issue_id, connection, error, None)
        except Tripped as error:
            until = self.clock.now() + timedelta(seconds=STOPPED_SECONDS)
            self._mark(issue_id, connection, until, str(error), failed=False)
            return Outcome(issue_id, connection, "waiting", str(error))
        except (Transient, Rejected, Misconfigured) as error:
            pause = REFUSED_PAUSE_SECONDS if isinstance(error, Misconfigured) else None
            return self._postpone(issue_id, connection, error, pause)

    def _push_or_create(self, issue_id: str, connection: str) -> Outcome:
        issue = self.store.load(issue_id)
        if issue is None or connection not in issue.pending:
            return Outcome(issue_id, connection, "agreed")
        policy = self.landscape.policies.get(connection)
        if policy is None or not (policy.may_write or _is_to_be_read(issue, policy)):
            return self._switched_off(issue, connection)
        heed_pause(self.connections, connection, self.clock.now())
        if connection in issue.refs:
            self._heed_gates(issue, policy)
            return self._push(issue, connection)
        if paired := self.pair(issue, connection):
            return self._told(issue_id, connection, paired, "paired")
        return self._told(issue_id, connection, self.create(issue, connection), "created")

    def _heed_gates(self, issue: CanonicalIssue, policy: Policy) -> None:
        """To a connection that is stopped nothing is written, and what it said goes nowhere."""
        lags = lagging(issue, policy)
        said = [edit.by.removeprefix(DELETED_AT) for n, edit in issue.edits.items() if n in lags]
        names = [policy.connection, *said]
        if why := self.gate.shut(names):
            raise Tripped(why)

    def _told(
        self,
        issue_id: str,
        connection: str,
        step: Step,
        done: Literal["created", "paired", "written"],
    ) -> Outcome:
        if step.due_at:
            self._mark(issue_id, connection, step.due_at, step.detail, failed=False)
        kind = done if step.kind == "done" else step.kind
        return Outcome(issue_id, connection, kind, step.detail)

    def _switched_off(self, issue: CanonicalIssue, connection: str) -> Outcome:
        """Nothing is written there now. The issue is looked at again when the connection is back,
        also with the very configuration of before, and so the mark comes back."""
        pending = {name: mark for name, mark in issue.pending.items() if name != connection}
        ref = issue.refs.get(connection) or issue.refs.get(issue.origin)
        looked_at = ref.connection if ref and ref.is_live else None
        self.store.commit(issue.model_copy(update={"pending": pending}), pushing=looked_at)
        return Outcome(issue.issue_id, connection, "agreed", "nothing is written there now")

    def _push(self, issue: CanonicalIssue, connection: str) -> Outcome:
        written = self._write_lagging(issue, connection)
        if self.landscape.policies[connection].fields["external_link"].carrier != "comment":
            return written
        commented = self.comment(stored(self.store, issue.issue_id), connection)
        if commented is None:
            return written
        return self._told(issue.issue_id, connection, commented, "written")

    def _write_lagging(self, issue: CanonicalIssue, connection: str) -> Outcome:
        policy, system = self.landscape.policies[connection], self.system(connection)
        remote = system.get(issue.refs[connection].remote_id)
        issue = self._with_mark(issue, policy)
        observed = self._observe(issue, remote, connection)
        write = plan_write(observed.issue, remote, policy, self.clock.now())
        fought = [note.detail for note in write.notes.values() if note.kind == "fought"]
        if not write.changes:
            self._conclude(issue, connection, remote, write, {})
            kind: Literal["held", "agreed"] = "held" if fought else "agreed"
            return Outcome(issue.issue_id, connection, kind, "; ".join(fought))
        self.gate.check(connection, issue, observed.issue)
        self.gate.count(connection, rewritten(observed.issue, policy, write))
        now = self.clock.now()
        lease_until = now + timedelta(seconds=LEASE_SECONDS)
        sending = set_out(observed.issue, policy, write, now=now, lease_until=lease_until)
        sent = self.store.commit(
            sending, observed.history, wake=newly_pending(issue, sending), pushing=connection
        )
        reply, refused = self._write(system, remote, write)
        self._conclude(sent, connection, reply, write, refused)
        done = ", ".join(sorted(set(write.changes) - set(refused)))
        told = "; ".join([done, *fought])
        return Outcome(issue.issue_id, connection, "held" if fought else "written", told)

    def _with_mark(self, issue: CanonicalIssue, policy: Policy) -> CanonicalIssue:
        """A copy that was not created by us gets its mark when we first write a line to it."""
        if not may_mark(issue, policy):
            return issue
        mark = self.installation().reference(issue.issue_id, policy.connection)
        ref = issue.refs[policy.connection].model_copy(update={"reference": mark})
        return with_ref(issue, ref)

    def _write(
        self, system: IssueSystem, remote: RemoteIssue, write: Write
    ) -> tuple[RemoteIssue, dict[Part, str]]:
        """Each batch in one request; one by one what the vendor refuses together."""
        refused: dict[Part, str] = {}
        for batch in write.batches():
            remote, no = self._write_batch(system, remote, batch)
            refused |= no
        return remote, refused

    def _write_batch(
        self, system: IssueSystem, remote: RemoteIssue, write: Write
    ) -> tuple[RemoteIssue, dict[Part, str]]:
        try:
            return system.update(remote, write.changes), {}
        except (Gone, Conflict, Refused):
            raise
        except Rejected as error:
            if len(write.changes) == 1:
                return remote, dict.fromkeys(write.sending, str(error))
        refused: dict[Part, str] = {}
        for part in write.changes:
            remote, no = self._write_batch(system, remote, write.only([part]))
            refused |= no
        return remote, refused

    def _conclude(
        self,
        issue: CanonicalIssue,
        connection: str,
        reply: RemoteIssue,
        write: Write,
        refused: dict[Part, str],
    ) -> None:
        """Commit what the copy shows now. Losing the race means reading both sides again."""
        for attempt in range(RACES_MAX):
            if attempt:
                issue = stored(self.store, issue.issue_id)
                reply = self.system(connection).get(reply.remote_id)
            observed = self._observe(issue, reply, connection)
            self.gate.check(connection, issue, observed.issue)
            done, history = finish(
                observed.issue,
                self.landscape,
                connection,
                write,
                refused,
                reply,
                self.clock.now(),
            )
            try:
                self.store.commit(
                    done,
                    (*observed.history, *history),
                    wake=newly_pending(issue, done),
                    pushing=connection if done.refs[connection] != issue.refs[connection] else None,
                )
            except LostRace:
                continue
            return
        raise LostRace(f"{issue.issue_id}: gave up after {RACES_MAX} races")

    def _observe(self, issue: CanonicalIssue, remote: RemoteIssue, connection: str) -> Observed:
        skew = self.system(connection).skew
        return observe(issue, remote, self.landscape, connection, now=self.clock.now(), skew=skew)

    def _rate_limited(self, issue_id: str, connection: str, error: RateLimited) -> Outcome:
        until = self.clock.now() + timedelta(seconds=error.retry_after_seconds)
        self.connections.pause(connection, until)
        self._mark(issue_id, connection, until, str(error), failed=False)
        return Outcome(issue_id, connection, "waiting", str(error))

    def _postpone(
        self, issue_id: str, connection: str, error: SyncError, seconds: float | None
    ) -> Outcome:
        """Set this copy aside with its reason, for longer at each failure; the others move on."""
        issue = stored(self.store, issue_id)
        mark = issue.pending.get(connection)
        attempts = mark.attempts if mark else 0
        pause = seconds or min(PAUSE_SECONDS_MIN * 2**attempts, PAUSE_SECONDS_MAX)
        due_at = self.clock.now() + timedelta(seconds=pause)
        self._mark(issue_id, connection, due_at, str(error), failed=True)
        return Outcome(issue_id, connection, "waiting", str(error))

    def _mark(
        self, issue_id: str, connection: str, due_at: datetime, reason: str, *, failed: bool
    ) -> None:
        def step() -> None:
            issue = stored(self.store, issue_id)
            mark = issue.pending.get(connection)
            if mark is None:
                return
            update = {"due_at": due_at, "reason": reason, "attempts": mark.attempts + failed}
            pending = {**issue.pending, connection: mark.model_copy(update=update)}
            self.store.commit(issue.model_copy(update={"pending": pending}))

        with suppress(LostRace):  # the mark stands as others left it
            until_won(issue_id, step)


def _is_to_be_read(issue: CanonicalIssue, policy: Policy) -> bool:
    return policy.connection in issue.refs and is_unconfirmed(issue, policy)
