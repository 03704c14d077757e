"""Pull: one round over one connection. Read, compare, merge, store; never write to a remote.

The hot lane finds fresh changes, then a slice of the sweep looks at every issue there is, resumed
next round where this one stops. What is stored last is the watermark, so a crash only means that
something is looked at twice.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial

from issuebridge.domain.config import Config, Connection
from issuebridge.domain.errors import (
    LostRace,
    Misconfigured,
    RateLimited,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
    Tripped,
)
from issuebridge.domain.limits import CURSOR, UNREAD_MAX, stored_bytes
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.swept import Swept
from issuebridge.ports import Clock, ConnectionStore, IssueSystem, Lane, Ledger, Page
from issuebridge.use_cases.end_sweep import EndSweep
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.held import Held, OutOfTime
from issuebridge.use_cases.hot_lane import HotLane
from issuebridge.use_cases.pull_report import PullReport
from issuebridge.use_cases.take_in import TakeIn
from issuebridge.use_cases.take_page import TakePage

LEASE_SECONDS = 180
"""Longer than a poll's own timeout: a lease outlives every Lambda that can still write."""
WHOLE_SWEEP_PAGES_MAX = 100_000
ROWS_TWICE_MAX = 200
"""So many rows may come twice, as they move between pages, before a list counts as endless."""


@dataclass(frozen=True)
class PullChanges:
    """`salt` stands for the configuration in the fingerprints."""

    take_in: TakeIn
    ledger: Ledger
    connections: ConnectionStore
    system: Callable[[str], IssueSystem]
    config: Config
    gate: Gate
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
        _Round(self, Held(state, report, remaining_seconds, now), whole_sweep).run()
        return report

    def polled(self, kind: str, only: object = None) -> list[str]:
        """The connections of this kind, or one of them; Misconfigured if it is none."""
        names = [
            name
            for name, connection in self.config.connections.items()
            if connection.kind == kind and connection.mode != "paused"
        ]
        if only is not None and only not in names:
            raise Misconfigured(
                f"event: connection: {str(only)[:80]!r} is none that is polled here; these are: "
                f"{', '.join(names) or 'none'}"
            )
        return names if only is None else [str(only)]

    def each(
        self,
        names: Iterable[str],
        *,
        remaining_seconds: Callable[[], float],
        whole_sweep: bool = False,
    ) -> list[PullReport]:
        """One after the other; one that cannot be polled does not stop the next."""
        return [self._or_busy(name, remaining_seconds, whole_sweep) for name in names]

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
    held: Held
    whole_sweep: bool
    swept: Swept = field(default_factory=Swept)

    @property
    def state(self) -> ConnectionState:
        return self.held.state

    @property
    def report(self) -> PullReport:
        return self.held.report

    @cached_property
    def take_page(self) -> TakePage:
        return TakePage(
            self.held,
            self.pull.take_in,
            self.pull.ledger,
            self.pull.connections,
            self.pull.gate,
            self.pull.salt,
            self.pull.clock,
        )

    @property
    def connection(self) -> Connection:
        return self.pull.config.connections[self.state.connection]

    def run(self) -> None:
        self.held.remember(more={}, begun_at=self.state.begun_at or self.held.began_at)
        if self.state.former_died:
            self.take_page.careful.after_death()
            self.held.remember(hot_digest=None, counted_at=None)
        self._take_over()
        gate = self.pull.connections.gate(self.state.connection)
        if gate.shut:
            self.report.problem, self.report.remedy_needed = gate.shut, True
        else:
            self._run()
            if not self.report.swept:
                self._save_swept()
            self._tell_foreign()
        self.held.remember(problem=self.report.problem, polled_at=self.held.began_at)
        self.report.twins = {
            twin.name: twin.issue_id for twin in self.state.twins.values() if twin.is_told
        }
        self.report.more = self.state.more
        self.report.marked = {mark.name: mark.why for mark in self.state.marked.values()}
        self.take_page.careful.end()
        self.pull.connections.save(self.state)

    def _take_over(self) -> None:
        """What was kept in the state before gates had a row of their own."""
        name, gate = self.state.connection, self.pull.gate
        if self.state.tripped:
            if not self.pull.connections.gate(name).is_allowed(self.held.began_at):
                gate.close(name, self.state.tripped)
            self.held.remember(tripped=None)
        told = self.state.completeness
        if told and not told.set_aside and not self.pull.connections.gate(name).swept_at:
            gate.swept(name, told.stored)

    def _tell_foreign(self) -> None:
        """For as long as nothing is created here, a person is asked."""
        foreign = self.pull.connections.gate(self.state.connection).foreign
        if foreign and not self.report.problem:
            self.report.problem, self.report.remedy_needed = foreign, True

    def _run(self) -> None:
        """A sweep that got no page in time goes first in the next round."""
        owed = self.state.sweep_owed
        self.held.remember(sweep_owed=False)
        try:
            self.take_page.seen.take_over()
            if not owed:
                self._hot()
            self._sweep()
        except RateLimited as error:
            until = self.pull.clock.now() + timedelta(seconds=error.retry_after_seconds)
            self.pull.connections.pause(self.state.connection, until)
            self.report.problem = str(error)
        except (Misconfigured, Tripped) as error:
            self.report.problem, self.report.remedy_needed = str(error), True
        except (Transient, Rejected) as error:
            self.report.problem = str(error)
        except OutOfTime:
            self.held.remember(sweep_owed=not owed and not self.swept)

    def _page(self, lane: Lane, cursor: str | None) -> Page:
        page = self.pull.system(self.state.connection).page(lane, cursor)
        if page.cursor and stored_bytes(page.cursor) > CURSOR:
            raise Transient(f"its page cursor has {len(page.cursor):,} letters")
        self.report.unread += [told for told in page.unread if told not in self.report.unread]
        return page

    def _hot(self) -> None:
        poll = self.connection.poll
        lane = HotLane(
            self.held,
            partial(self._page, "hot"),
            self.take_page.hot,
            self.take_page,
            poll.pages_max,
            timedelta(seconds=poll.overlap_seconds),
        )
        lane()

    def _rests(self) -> bool:
        """The last sweep found everything in order, and began so lately that a change is seen in
        time by the next, too."""
        state, began = self.state, self.state.sweep_began_at
        if self.whole_sweep or state.sweep_cursor or state.completeness is None or began is None:
            return False
        if state.missing or state.signpost or not state.sweep_clean:
            return False
        every = timedelta(minutes=self.connection.poll.seen_within_minutes)
        return self.held.began_at < began + every

    def _sweep(self) -> None:
        if self._rests():
            return
        if self.whole_sweep or self.state.sweep_cursor is None:
            number = self.state.sweep_number + 1
            begun = {"sweep_rounds": 0, "sweep_rows": 0, "sweep_clean": True, "sweep_unread": ()}
            begun |= {"sweep_number": number, "sweep_began_at": self.held.began_at}
            self.held.remember(sweep_cursor=None, **begun)
        self.held.remember(sweep_rounds=self.state.sweep_rounds + 1)
        pages_max = self.connection.poll.pages_max
        pages = WHOLE_SWEEP_PAGES_MAX if self.whole_sweep else pages_max
        for ahead in reversed(range(pages)):
            if self._sweep_page(ahead):
                return

    def _save_swept(self) -> None:
        """However the round ended: its cursor is past these, and the equation counts them."""
        self.pull.connections.save_swept(self.state, self.swept, self.pull.clock.now())

    def _sweep_page(self, ahead: int) -> bool:
        """One page further; True when the sweep ended here."""
        before = self.state.sweep_cursor
        if not self.held.has_time():
            raise OutOfTime
        try:
            page = self._page("sweep", before)
        except StaleCursor as error:
            self.held.remember(sweep_cursor=None)
            self.report.problem = f"the sweep starts again: {error}"
            return True
        clean = self.take_page(page, ahead)
        self.take_page.show(self.swept, page)
        unread = dict.fromkeys((*self.state.sweep_unread, *page.unread))
        self.held.remember(
            sweep_cursor=page.cursor,
            sweep_claimed=page.claimed,
            sweep_rows=self.state.sweep_rows + len(page.issues),
            sweep_clean=self.state.sweep_clean and clean,
            sweep_unread=tuple(unread)[:UNREAD_MAX],
        )
        if _breaks_off(page, before):
            self.held.remember(sweep_cursor=None)
            self.report.problem = "the sweep starts again: the list broke off before its end"
            return True
        is_over = page.cursor is None or self._goes_round()
        if is_over:
            self.held.remember(sweep_cursor=None)
            self._end_sweep()
        return is_over

    def _goes_round(self) -> bool:
        """A cursor led back: the rows of a list are few more than the issues in it."""
        return self.state.sweep_rows > 2 * self.state.known + ROWS_TWICE_MAX

    def _end_sweep(self) -> None:
        """A signpost came from an issue: a list without any grants none."""
        self.report.swept = True
        swept = self.pull.connections.swept(self.state.connection, self.state.sweep_number)
        swept.update(self.swept)
        if self.state.sweep_clean and swept:
            self.held.advance(self.state.signpost)
        self.held.remember(signpost=None)
        compared = self.take_page.seen.compare(swept, self.pull.clock.now())
        gate = self.pull.connections.gate(self.state.connection)
        end = EndSweep(
            system=self.pull.system(self.state.connection),
            limit=self.connection.breaker.limit(compared.stored),
            allowed=gate.is_allowed(self.pull.clock.now()),
            take_in=self.take_page.one,
            bury=self.take_page.bury,
            has_time=self.held.has_time,
        )
        ended = end(self.state, compared, self.pull.clock.now())
        told = ("completeness", "missing", "shown", "tripped")  # the rest may have moved meanwhile
        self.held.remember(**{name: getattr(ended, name) for name in told})
        if reason := self.state.tripped:
            self._take_over()
            raise Tripped(reason)
        assert self.state.completeness, "the end of a sweep states the equation"
        self.report.completeness = self.state.completeness
        is_whole = self.state.sweep_clean
        self.pull.gate.swept(self.state.connection, compared.stored, is_whole=is_whole)


def _breaks_off(page: Page, cursor: str | None) -> bool:
    """It says that more follows, yet shows nothing or leads to itself."""
    shows_nothing = not page.issues and not page.unread
    return page.cursor is not None and (shows_nothing or page.cursor == cursor)
