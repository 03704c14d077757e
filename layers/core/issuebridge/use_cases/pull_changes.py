"""Pull: one round over one connection. Read, compare, merge, store; never write to a remote.

The hot lane finds fresh changes, then a slice of the sweep looks at every issue there is, resumed
next round where this one stops. What is stored last is the watermark, so a crash only means that
something is looked at twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property

from issuebridge.domain.config import Config, Connection, Kind
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import (
    AccessRefused,
    LostRace,
    Misconfigured,
    RateLimited,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
    Tripped,
)
from issuebridge.domain.fingerprint import NO_DIGEST, NOT_STORED, fingerprint
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue
from issuebridge.domain.round_state import FAILING_MAX, ConnectionState, Failing, Twin
from issuebridge.ports import Clock, ConnectionStore, IssueSystem, Lane, Ledger, Page, Seen
from issuebridge.use_cases.end_sweep import CONTROLS_MAX, EndSweep
from issuebridge.use_cases.pull_report import PullReport
from issuebridge.use_cases.take_in import TakeIn, closes

LEASE_SECONDS = 180
"""Longer than a poll's own timeout: a lease outlives every Lambda that can still write."""
REMAINING_SECONDS_MIN = 30
"""One more read may take a connect and a read time-out, and the state must still be stored."""
UNREAD_MAX = 3
"""So many single reads that fail in a row are no longer about the issues."""
WHOLE_SWEEP_PAGES_MAX = 100_000
SET_ASIDE_ATTEMPTS = 3
"""After so many failures an issue no longer holds the watermark back: it is on the list of those
set aside, which is shown and tried again."""
RETRY_SECONDS = 60
RETRY_SECONDS_MAX = 6 * 3600


@dataclass(frozen=True)
class PullChanges:
    """`salt` stands for the configuration in the fingerprints."""

    take_in: TakeIn
    ledger: Ledger
    connections: ConnectionStore
    system: Callable[[str], IssueSystem]
    config: Config
    salt: str
    clock: Clock

    def __call__(
        self, connection: str, *, remaining_seconds: Callable[[], float], whole_sweep: bool = False
    ) -> PullReport:
        """LostRace when another round holds this connection's lease."""
        now, report = self.clock.now(), PullReport(connection)
        until = self.connections.paused_until(connection)
        if until and until > now:
            report.problem = f"paused until {until.isoformat()}: its vendor asked or is silent"
            return report
        state = self.connections.acquire(connection, now, LEASE_SECONDS)
        _Round(self, state, report, remaining_seconds, whole_sweep).run()
        return report

    def kind(
        self, kind: Kind, *, remaining_seconds: Callable[[], float], whole_sweep: bool = False
    ) -> list[PullReport]:
        """Every connection of this kind; one that cannot be polled does not stop the next."""
        return [
            self._or_busy(name, remaining_seconds, whole_sweep)
            for name, connection in self.config.connections.items()
            if connection.kind == kind and connection.mode != "paused"
        ]

    def _or_busy(
        self, name: str, remaining_seconds: Callable[[], float], whole_sweep: bool
    ) -> PullReport:
        try:
            return self(name, remaining_seconds=remaining_seconds, whole_sweep=whole_sweep)
        except LostRace:
            return PullReport(name, problem="another round is under way", busy=True)
        except SyncError as error:
            passes = isinstance(error, Transient)
            return PullReport(name, problem=str(error), remedy_needed=not passes)


@dataclass
class _Round:
    """One round of one connection, while it holds the lease."""

    pull: PullChanges
    state: ConnectionState
    report: PullReport
    remaining_seconds: Callable[[], float]
    whole_sweep: bool
    fresh: dict[str, str | None] = field(default_factory=dict)
    swept: set[str] = field(default_factory=set)
    closed: int = 0
    unread: int = 0

    @cached_property
    def seen(self) -> Seen:
        return self.pull.connections.seen(self.state.connection)

    @property
    def connection(self) -> Connection:
        return self.pull.config.connections[self.state.connection]

    def run(self) -> None:
        now = self.pull.clock.now()
        if self.state.tripped:
            self.report.problem, self.report.remedy_needed = self.state.tripped, True
        else:
            self._run()
            if not self.report.swept:
                self._save_swept()
        self._remember(problem=self.report.problem, polled_at=now)
        self.report.twins = {twin.name: twin.issue_id for twin in self.state.twins.values()}
        self.pull.connections.save(self.state)

    def _run(self) -> None:
        try:
            self._hot()
            self._sweep()
        except RateLimited as error:
            until = self.pull.clock.now() + timedelta(seconds=error.retry_after_seconds)
            self.pull.connections.pause(self.state.connection, until)
            self.report.problem = str(error)
        except (Misconfigured, Tripped) as error:
            self.report.problem, self.report.remedy_needed = str(error), True
            if isinstance(error, Tripped):
                self._remember(tripped=str(error))
        except (Transient, Rejected) as error:
            self.report.problem = str(error)
        except _OutOfTime:
            return

    def _remember(self, **update: object) -> None:
        self.state = self.state.model_copy(update=update)

    def _page(self, lane: Lane, cursor: str | None) -> Page:
        return self.pull.system(self.state.connection).page(lane, cursor)

    def _has_time(self) -> bool:
        return self.remaining_seconds() > REMAINING_SECONDS_MIN

    def _hot(self) -> None:
        """Down to the watermark. Before the first sweep has ended, only the signpost is fixed; and
        again when there was more than one round reads, so that the sweep grants it."""
        cursor: str | None = None
        newest: datetime | None = None
        clean = True
        for number in range(self.connection.poll.pages_max):
            try:
                page = self._page("hot", cursor)
            except StaleCursor:
                return
            times = [issue.activity_at for issue in page.issues if issue.activity_at]
            newest = newest if number else max(times, default=None)
            if self.state.watermark is None and newest:
                self._signpost(newest)
                return
            clean &= self._take_page(page)
            if page.cursor is not None and page.cursor == cursor:
                return
            if self._ends_hot(page, times):
                self._advance(newest if clean else None)
                return
            cursor = page.cursor
        if newest and self.state.signpost is None:
            self._signpost(newest)

    def _ends_hot(self, page: Page, times: Sequence[datetime]) -> bool:
        mark = self.state.watermark
        overlap = timedelta(seconds=self.connection.poll.overlap_seconds)
        reached = bool(times) and mark is not None and min(times) < mark - overlap
        return reached or page.cursor is None

    def _signpost(self, newest: datetime) -> None:
        if self.state.sweep_cursor is None or self.state.signpost is None:
            self._remember(signpost=newest, sweep_cursor=None)

    def _advance(self, to: datetime | None) -> None:
        """The watermark never goes back."""
        if to and (self.state.watermark is None or to > self.state.watermark):
            self._remember(watermark=to)

    def _sweep(self) -> None:
        if self.whole_sweep or self.state.sweep_cursor is None:
            number = self.state.sweep_number + 1
            self._remember(sweep_cursor=None, sweep_rounds=0, sweep_clean=True, sweep_number=number)
        self._remember(sweep_rounds=self.state.sweep_rounds + 1)
        pages_max = self.connection.poll.pages_max
        for _ in range(WHOLE_SWEEP_PAGES_MAX if self.whole_sweep else pages_max):
            if self._sweep_page():
                return

    def _save_swept(self) -> None:
        """However the round ended: its cursor is past these, and the equation counts them."""
        self.pull.connections.save_swept(self.state, self.swept, self.pull.clock.now())

    def _sweep_page(self) -> bool:
        """One page further; True when the sweep ended here."""
        before = self.state.sweep_cursor
        if not self._has_time():
            raise _OutOfTime
        try:
            page = self._page("sweep", before)
        except StaleCursor as error:
            self._remember(sweep_cursor=None)
            self.report.problem = f"the sweep starts again: {error}"
            return True
        clean = self._take_page(page)
        self.swept.update(issue.remote_id for issue in page.issues)
        self._remember(
            sweep_cursor=page.cursor,
            sweep_claimed=page.claimed,
            sweep_clean=self.state.sweep_clean and clean,
        )
        if _breaks_off(page, before):
            self._remember(sweep_cursor=None)
            self.report.problem = "the sweep starts again: the list broke off before its end"
            return True
        if page.cursor is None:
            self._end_sweep()
        return page.cursor is None

    def _end_sweep(self) -> None:
        """A signpost came from an issue: a list without any grants none."""
        self.report.swept = True
        swept = self.swept | self.pull.connections.swept(
            self.state.connection, self.state.sweep_number
        )
        if self.state.sweep_clean and swept:
            self._advance(self.state.signpost)
        self._remember(signpost=None)
        end = EndSweep(
            system=self.pull.system(self.state.connection),
            breaker=self.connection.breaker,
            take_in=lambda remote: self._save(self._taken(remote, self._open_creates)),
            bury=self._bury,
            has_time=self._has_time,
        )
        if not self.state.missing:
            self._remember(controls=tuple(sorted(self.seen.digests.keys() & swept)[:CONTROLS_MAX]))
        now = self.pull.clock.now()
        known = {**self.seen.digests, **self.fresh}
        stored = {remote_id for remote_id, digest in known.items() if digest}
        expected = {*self.seen.digests, *self.seen.pushed, *stored}
        expected -= {remote_id for remote_id, digest in known.items() if digest is None}
        ended = end(self.state, swept, stored, expected, now)
        told = ("completeness", "missing", "tripped")  # the rest may have moved meanwhile
        self._remember(**{name: getattr(ended, name) for name in told})
        if self.state.tripped:
            raise Tripped(self.state.tripped)
        assert self.state.completeness, "the end of a sweep states the equation"
        self.report.completeness = self.state.completeness

    def _bury(self, remote_id: str) -> None:
        take_in = self.pull.take_in
        self.report.stored |= take_in.bury(self.state.connection, remote_id, self._gate)
        self._is_well(remote_id)
        self._remember(twins={k: v for k, v in self.state.twins.items() if k != remote_id})
        self._save({remote_id: None})

    def _gate(self, before: CanonicalIssue, after: CanonicalIssue) -> None:
        """Count what this round closes; the one that goes beyond the limit is not stored."""
        if closes(before, after):
            self._demand_few(1)
            self.closed += 1

    def _check_plan(self, page: Page) -> None:
        """Tripped, before any of the page is stored, if it closes more than a round may."""
        name, take_in = self.state.connection, self.pull.take_in
        changed = [row for row in page.issues if not self._is_known(row)]
        if self.closed + len(changed) > self._closings_max():
            self._demand_few(sum(take_in.would_close(name, row) for row in changed))

    def _demand_few(self, more: int) -> None:
        limit = self._closings_max()
        now, allowed = self.pull.clock.now(), self.state.allowed_until
        if self.closed + more > limit and not (allowed and allowed > now):
            raise Tripped(
                f"more than {limit} linked issues would be closed at once; look at the "
                f"vendor, then `issuebridge allow {self.state.connection}` if that is right"
            )

    def _closings_max(self) -> int:
        return self.connection.breaker.limit(len(self.seen.digests))

    def _take_page(self, page: Page) -> bool:
        """True when every issue of the page is stored; fingerprints follow what is stored."""
        open_creates = cache(self._open_creates)
        fresh: dict[str, str | None] = {}
        clean = True
        self._check_plan(page)
        self._forget(page)
        try:
            for remote in page.issues:
                self.report.seen += 1
                if self._is_known(remote):
                    continue
                if not self._has_time():
                    raise _OutOfTime
                taken = {} if self._waits(remote) else self._taken(remote, open_creates)
                fresh |= taken
                clean &= bool(taken) or self._is_set_aside(remote.remote_id)
        finally:
            self._save(fresh)
        return clean

    def _forget(self, page: Page) -> None:
        """Before a change is stored, the old fingerprint goes: it would hold again if we stopped
        half way and a person then put the old values back. A new issue gets none yet: it would be
        stored and never missed if we stopped half way and a person then deleted it."""
        known = self.seen.digests
        forgotten = {
            remote.remote_id: NO_DIGEST if known.get(remote.remote_id) else NOT_STORED
            for remote in page.issues
            if not self._is_known(remote)
            and known.get(remote.remote_id) not in (NO_DIGEST, NOT_STORED)
        }
        if forgotten:
            self.pull.connections.save_seen(self.state, forgotten, {})

    def _is_known(self, remote: RemoteIssue) -> bool:
        digest = self._digest(remote)
        if remote.remote_id in self.fresh:
            return self.fresh[remote.remote_id] == digest
        return self.seen.holds(remote.remote_id, digest)

    def _waits(self, remote: RemoteIssue) -> bool:
        """Set aside, unchanged since, and not due yet."""
        failing = self.state.failing.get(remote.remote_id)
        now = self.pull.clock.now()
        return bool(failing and failing.digest == self._digest(remote) and failing.due_at > now)

    def _is_set_aside(self, remote_id: str) -> bool:
        failing = self.state.failing.get(remote_id)
        return failing is not None and failing.attempts >= SET_ASIDE_ATTEMPTS

    def _save(self, fresh: Mapping[str, str | None]) -> None:
        if fresh:
            pushed = {k: v for k, v in self.seen.pushed.items() if k in fresh}
            self.pull.connections.save_seen(self.state, fresh, pushed)
            self.fresh.update(fresh)

    def _digest(self, remote: RemoteIssue) -> str:
        return fingerprint(remote, self.pull.salt)

    def _open_creates(self) -> Sequence[Effect]:
        return self.pull.ledger.open("create", self.state.connection)

    def _taken(
        self, remote: RemoteIssue, open_creates: Callable[[], Sequence[Effect]]
    ) -> dict[str, str | None]:
        """The fingerprint of what was taken in; empty if it needs another look."""
        try:
            taken = self.pull.take_in(self.state.connection, remote, open_creates, self._gate)
        except LostRace as error:
            self.report.failed[remote.display_id] = str(error)
            return {}
        except RateLimited:
            raise
        except (Rejected, Transient, AccessRefused) as error:
            self._set_aside(remote, str(error))
            self.unread += not isinstance(error, Rejected)
            if self.unread >= UNREAD_MAX:
                raise
            return {}
        self.unread = 0
        if taken.kind == "deferred":
            self.report.deferred.append(remote.display_id)
            return {}
        if taken.kind == "stored":
            self.report.stored[remote.display_id] = taken.issue_id
        self._remember(twins={k: v for k, v in self.state.twins.items() if k != remote.remote_id})
        if taken.kind == "twin" and len(self.state.twins) < FAILING_MAX:
            twin = Twin(name=remote.display_id, issue_id=taken.issue_id)
            self._remember(twins={**self.state.twins, remote.remote_id: twin})
        self._is_well(remote.remote_id)
        return {remote.remote_id: self._digest(taken.remote)}

    def _is_well(self, remote_id: str) -> None:
        if remote_id in self.state.failing:
            rest = {k: v for k, v in self.state.failing.items() if k != remote_id}
            self._remember(failing=rest)

    def _set_aside(self, remote: RemoteIssue, reason: str) -> None:
        """Tried again with growing pauses, and at once when it changes."""
        self.report.failed[remote.display_id] = reason
        before = self.state.failing.get(remote.remote_id)
        attempts = before.attempts + 1 if before else 1
        pause = min(RETRY_SECONDS * 2**attempts, RETRY_SECONDS_MAX)
        failing = Failing(
            name=remote.display_id,
            reason=reason,
            digest=self._digest(remote),
            attempts=attempts,
            due_at=self.pull.clock.now() + timedelta(seconds=pause),
        )
        if before or len(self.state.failing) < FAILING_MAX:
            self._remember(failing={**self.state.failing, remote.remote_id: failing})


class _OutOfTime(Exception):
    """The round ends here; its page is read again by the next, which knows what is stored."""


def _breaks_off(page: Page, cursor: str | None) -> bool:
    """It says that more follows, yet shows nothing or leads to itself."""
    return page.cursor is not None and (not page.issues or page.cursor == cursor)
