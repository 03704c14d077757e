"""Take in one page of a list: what changed, and nothing else; set aside what cannot be taken in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property

from issuebridge.domain.buckets import Named
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import (
    AccessRefused,
    LostRace,
    RateLimited,
    Rejected,
    Transient,
    Tripped,
)
from issuebridge.domain.fingerprint import NO_DIGEST, NOT_STORED, fingerprint, text_digest
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue
from issuebridge.domain.round_state import ConnectionState, Failing, Marked, Twin
from issuebridge.domain.swept import Swept
from issuebridge.domain.taking import DIED
from issuebridge.ports import Clock, ConnectionStore, Ledger, Page
from issuebridge.use_cases.careful import Careful
from issuebridge.use_cases.fingerprints import Fingerprints
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.held import Held, OutOfTime
from issuebridge.use_cases.pull_report import PullReport
from issuebridge.use_cases.take_in import Known, TakeIn, Taken

UNREAD_MAX = 3
"""So many single reads that fail in a row are no longer about the issues."""
SET_ASIDE_ATTEMPTS = 3
"""After so many failures an issue no longer holds the watermark back: it is on the list of those
set aside, which is shown and tried again."""
DEADLY_ATTEMPTS = 6
"""What kills a worker is tried again after an hour first."""
RETRY_SECONDS = 60
RETRY_SECONDS_MAX = 6 * 3600


@dataclass
class TakePage:
    """`salt` stands for the configuration in the fingerprints. `digests` are those of the rows at
    hand, each computed once."""

    held: Held
    take_in: TakeIn
    ledger: Ledger
    connections: ConnectionStore
    gate: Gate
    salt: str
    clock: Clock
    digests: dict[int, tuple[RemoteIssue, str]] = field(default_factory=dict)
    unread: int = 0

    @cached_property
    def careful(self) -> Careful:
        return Careful(self.connections, f"poll {self.state.connection}", self.clock)

    @property
    def state(self) -> ConnectionState:
        return self.held.state

    @property
    def report(self) -> PullReport:
        return self.held.report

    @cached_property
    def seen(self) -> Fingerprints:
        return Fingerprints(self.connections, self.held)

    def hot(self, page: Page) -> bool:
        """As `__call__`. A page that shows what it showed when all of it was known, and nothing was
        stored since, is not looked at any further."""
        rows = sorted(f"{row.remote_id} {self._digest(row)}" for row in page.issues)
        digest = text_digest("\n".join(rows))
        if digest == self.state.hot_digest and self.seen.pushed.keys().isdisjoint(
            row.remote_id for row in page.issues
        ):
            self.report.seen += len(page.issues)
            return True
        clean = self(page)
        quiet = clean and all(map(self._is_known, page.issues))
        self.held.remember(hot_digest=digest if quiet else None)
        return clean

    def __call__(self, page: Page, ahead: int = 0) -> bool:
        """True when every issue of the page is stored; fingerprints follow what is stored.
        `ahead`: so many further pages of this list are soon to come."""
        open_creates = cache(self._open_creates)
        fresh: dict[Named, str | None] = {}
        clean = True
        rows = [id(remote) for remote in page.issues]
        self.digests = {row: self.digests[row] for row in rows if row in self.digests}
        self.seen.load([_named(remote) for remote in page.issues], ahead)
        self._check_plan(page)
        self._forget(page)
        try:
            for remote in sorted(page.issues, key=self._suspicion):
                self.report.seen += 1
                if self._is_known(remote):
                    continue
                if not self.held.has_time():
                    raise OutOfTime
                taken = {} if self._waits(remote) else self._taken(remote, open_creates)
                fresh |= taken
                clean &= bool(taken) or self._is_set_aside(remote.remote_id)
        finally:
            self._save(fresh)
        return clean

    def show(self, swept: Swept, page: Page) -> None:
        self.seen.show(swept, map(_named, page.issues))

    def one(self, remote: RemoteIssue) -> None:
        """One that the list did not show."""
        self._save(self._taken(remote, self._open_creates))

    def bury(self, remote_id: str) -> None:
        take_in = self.take_in
        issue_id = take_in.store.find(self.state.connection, remote_id)
        twins = self.state.twins.items()
        beside = {k: t for k, t in twins if t.issue_id == issue_id and k != remote_id}
        same = (k for k, twin in beside.items() if twin.same)
        names = (Named(k, beside[k].name) for k in same)
        again = {name: NOT_STORED for name in names if self.seen.of(name)}
        self._save(again)
        is_moving = any(twin.since for twin in beside.values())
        if again or is_moving or self._is_one_unread():  # one may be what it is called now
            return
        self.report.stored |= take_in.bury(self.state.connection, remote_id, self._pass)
        self._is_well(remote_id)
        self._is_alone(remote_id)
        self._save({Named(remote_id, ""): None})

    def _pass(self, before: CanonicalIssue, after: CanonicalIssue) -> None:
        self.gate.check(self.state.connection, before, after)

    def _check_plan(self, page: Page) -> None:
        """Tripped, before any of the page is stored, if it changes more than may pass at once."""
        name = self.state.connection
        rows = sorted(page.issues, key=self._suspicion)
        changed = [row for row in rows if not (self._is_known(row) or self._waits(row))]
        if not changed or len(changed) <= self.gate.room(name):
            return
        sorts = [sort for row in changed for sort in self._would_change(row)]
        if self.gate.would_shut(name, sorts):  # a list may be older than our own writes
            sorts = [s for row in changed for s in self._would_change(row, is_sure=True)]
        if reason := self.gate.would_shut(name, sorts):
            self.gate.close(name, reason)
            raise Tripped(reason)

    def _would_change(self, row: RemoteIssue, *, is_sure: bool = False) -> Sequence[str]:
        if self._is_deadly(row.remote_id):
            return ()
        self._note(row.remote_id)
        return self.take_in.would_change(self.state.connection, row, is_sure=is_sure)

    def _suspicion(self, remote: RemoteIssue) -> int:
        return self.careful.deaths(remote.remote_id)

    def _is_deadly(self, remote_id: str) -> bool:
        """Workers have died of it: three, or one more after it was set aside for that."""
        known = self.state.failing.get(remote_id)
        deaths = self.careful.deaths(remote_id)
        return self.careful.is_deadly(remote_id) or bool(deaths and known and known.reason == DIED)

    def _note(self, remote_id: str) -> None:
        known = self.state.failing.get(remote_id)
        self.careful.at(remote_id, always=known is not None and known.reason == DIED)

    def _forget(self, page: Page) -> None:
        """Before a change is stored, the old fingerprint goes: it would hold again if we stopped
        half way and a person then put the old values back. A new issue gets none yet: it would be
        stored and never missed if we stopped half way and a person then deleted it."""
        known = {
            name: self.seen.of(name)
            for r in page.issues
            if not self._is_known(r)
            for name in [_named(r)]
        }
        self._save(
            {
                name: NO_DIGEST if digest else NOT_STORED
                for name, digest in known.items()
                if digest not in (NO_DIGEST, NOT_STORED)
            }
        )

    def _is_known(self, remote: RemoteIssue) -> bool:
        """What is on the move is looked at until that has come to its end, whoever died of it."""
        twin = self.state.twins.get(remote.remote_id)
        is_moving = twin is not None and twin.since is not None
        return not is_moving and self.seen.holds(_named(remote), self._digest(remote))

    def _waits(self, remote: RemoteIssue) -> bool:
        """Set aside, unchanged since, and not due yet."""
        failing = self.state.failing.get(remote.remote_id)
        now = self.clock.now()
        return bool(failing and failing.digest == self._digest(remote) and failing.due_at > now)

    def _is_set_aside(self, remote_id: str) -> bool:
        failing = self.state.failing.get(remote_id)
        return failing is not None and failing.attempts >= SET_ASIDE_ATTEMPTS

    def _save(self, fresh: Mapping[Named, str | None]) -> None:
        if fresh:
            self.seen.save(fresh)

    def _digest(self, remote: RemoteIssue) -> str:
        if id(remote) not in self.digests:
            self.digests[id(remote)] = remote, fingerprint(remote, self.salt)
        return self.digests[id(remote)][1]

    def _open_creates(self) -> Sequence[Effect]:
        return self.ledger.open("create", self.state.connection)

    def _taken(
        self, remote: RemoteIssue, open_creates: Callable[[], Sequence[Effect]]
    ) -> dict[Named, str | None]:
        """The fingerprint of what was taken in; empty if it needs another look."""
        if self._is_deadly(remote.remote_id):
            self._set_aside(remote, DIED, DEADLY_ATTEMPTS)
            return {}
        self._note(remote.remote_id)
        return self._take(remote, open_creates)

    def _take(
        self, remote: RemoteIssue, open_creates: Callable[[], Sequence[Effect]]
    ) -> dict[Named, str | None]:
        twin = self.state.twins.get(remote.remote_id)
        stood_beside = twin is not None and twin.since is None
        gone_since = self._gone_since(remote.remote_id)
        known = Known(gone_since, open_creates, stood_beside, self._has_heir)
        try:
            taken = self.take_in(self.state.connection, remote, known, self._pass)
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
        self._tell_second(remote, taken)
        self._tell_mark(remote, taken)
        self._is_well(remote.remote_id)
        if taken.kind == "moving":
            return {}
        old = taken.replaces
        left = {Named(old.remote_id, old.display_id): None} if old else {}
        return {_named(taken.remote): self._digest(taken.remote), **left}

    def _has_heir(self, issue_id: str) -> bool:
        """One that was born with its copy, or one that may be read at the next look."""
        same = (twin.issue_id for twin in self.state.twins.values() if twin.same)
        return issue_id in same or self._is_one_unread()

    def _is_one_unread(self) -> bool:
        failing = self.state.failing.items()
        shown = (Named(k, f.name) for k, f in failing if k not in self.state.missing)
        unread = (n.remote_id for n, digest in self.seen.any_of(shown) if not digest)
        return not all(map(self._is_set_aside, unread))

    def _gone_since(self, remote_id: str) -> datetime | None:
        """When, in an earlier round, the copy that this one may replace was gone already."""
        twin = self.state.twins.get(remote_id)
        since = twin.since if twin else None
        return since if since and since < self.held.began_at else None

    def _tell_second(self, remote: RemoteIssue, taken: Taken) -> None:
        if taken.kind not in ("twin", "over", "moving"):
            self._is_alone(remote.remote_id)
            return
        known = self.state.twins.get(remote.remote_id)
        since = (known.since if known else None) or self.held.began_at
        twin = Twin(
            name=remote.display_id,
            issue_id=taken.issue_id,
            since=since if taken.kind == "moving" else None,
            over=taken.kind == "over",
            same=taken.is_same,
        )
        self.held.list("twins", remote.remote_id, twin)

    def _tell_mark(self, remote: RemoteIssue, taken: Taken) -> None:
        """Marks that keep appearing mean that another bridge is at work: nothing is created."""
        marked, remote_id = self.state.marked, remote.remote_id
        if not taken.why:
            self.held.unlist("marked", remote_id)
            return
        if taken.stops and remote_id not in marked and not self.seen.of(_named(remote)):
            self.gate.stop_creating(self.state.connection, taken.why)
        self.held.list("marked", remote_id, Marked(name=remote.display_id, why=taken.why))

    def _is_alone(self, remote_id: str) -> None:
        self.held.unlist("twins", remote_id)

    def _is_well(self, remote_id: str) -> None:
        self.held.unlist("failing", remote_id)

    def _set_aside(self, remote: RemoteIssue, reason: str, attempts_min: int = 1) -> None:
        """Tried again with growing pauses, and at once when it changes."""
        self.report.failed[remote.display_id] = reason
        before = self.state.failing.get(remote.remote_id)
        attempts = max(before.attempts + 1 if before else 1, attempts_min)
        pause = min(RETRY_SECONDS * 2**attempts, RETRY_SECONDS_MAX)
        failing = Failing(
            name=remote.display_id,
            reason=reason,
            digest=self._digest(remote),
            attempts=attempts,
            due_at=self.clock.now() + timedelta(seconds=pause),
        )
        self.held.list("failing", remote.remote_id, failing)


def _named(remote: RemoteIssue) -> Named:
    return Named(remote.remote_id, remote.display_id)
