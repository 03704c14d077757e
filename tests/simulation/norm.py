"""Norm in memory: every accepted prompt is one paid run that takes its time."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from issuebridge.domain.errors import Conflict, Gone
from issuebridge.ports import ActivityEntry, Session, Submitted
from tests.fakes import FakeClock
from tests.simulation.vendor import Broken, wakes_norm

DETAIL_MAX = 4000
_DETAIL = re.compile(r"^/(fix|verify|status) \[ref (\w+)\] ", re.DOTALL)


@dataclass(frozen=True)
class NormHabits:
    """`guards`: a prompt during a run is refused. `lag`: so late a run begins to show."""

    run_seconds: int = 40
    guards: bool = False
    lag: int = 0


@dataclass(frozen=True)
class Run:
    remote_id: str
    session_id: str
    key: str
    intent: str
    began: datetime
    ends: datetime


@dataclass
class Norm:
    clock: FakeClock
    habits: NormHabits = NormHabits()
    runs: list[Run] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)
    is_gone: Callable[[str], bool] = lambda remote_id: False

    def _running(self, remote_id: str, *, shown: bool) -> bool:
        now = self.clock.now()
        lag = timedelta(seconds=self.habits.lag if shown else 0)
        return any(
            run.remote_id == remote_id and run.began + lag <= now < run.ends for run in self.runs
        )

    def _demand(self, remote_id: str) -> None:
        if self.is_gone(remote_id):
            raise Gone("404: no such issue")

    def latest_session(self, remote_id: str) -> tuple[Session | None, bool]:
        self._demand(remote_id)
        mine = [session for session, issue in self.sessions.items() if issue == remote_id]
        latest = Session(mine[-1], "active") if mine else None
        return latest, self._running(remote_id, shown=True)

    def create_session(self, remote_id: str) -> Session:
        self._demand(remote_id)
        session_id = f"session-{len(self.sessions) + 1}"
        self.sessions[session_id] = remote_id
        return Session(session_id, "active")

    def submit(self, remote_id: str, session_id: str, detail: str) -> Submitted:
        """Two runs for one key, or two at once on one issue, are what must never happen."""
        self._demand(remote_id)
        if self.sessions.get(session_id) != remote_id:
            raise Gone("no such session")
        found = _DETAIL.match(detail)
        if not found or len(detail.encode("utf-16-le")) // 2 > DETAIL_MAX or wakes_norm(detail):
            raise Broken(f"prompt: {detail[:80]!r}")
        intent, key = found.groups()
        if self._running(remote_id, shown=False):
            if self.habits.guards:
                raise Conflict("409: a run is under way")
            raise Broken(f"runs: two at once on {remote_id}: {key}")
        if any(run.key == key for run in self.runs):
            raise Broken(f"runs: {key} starts a second run")
        now = self.clock.now()
        ends = now + timedelta(seconds=self.habits.run_seconds)
        self.runs.append(Run(remote_id, session_id, key, intent, now, ends))
        return Submitted(f"run-{len(self.runs)}", intent)

    def activity(self, remote_id: str, since: datetime) -> Sequence[ActivityEntry]:
        self._demand(remote_id)
        now, lag = self.clock.now(), timedelta(seconds=self.habits.lag)
        entries = [
            ActivityEntry(f"{n}{type_}", "agent", type_, text, run.session_id, None, at)
            for n, run in enumerate(self.runs)
            if run.remote_id == remote_id
            for type_, text, at in (
                ("prompt", f"[ref {run.key}] …", run.began),
                ("response", "Done.", run.ends),
            )
        ]
        shown = [entry for entry in entries if since <= entry.created_at <= now - lag]
        return sorted(shown, key=lambda entry: entry.created_at, reverse=True)
