"""Follow every run to its end: what came of it, what Norm said, and whose turn it is then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from issuebridge.domain.config import Config
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Gone, SyncError, Tripped
from issuebridge.domain.issue import AgentRun, CanonicalIssue, Edit, HistoryEntry
from issuebridge.domain.lag import settle
from issuebridge.domain.routing import Landscape
from issuebridge.domain.run import Shown, follow
from issuebridge.domain.taking import DIED
from issuebridge.ports import Agent, Clock, ConnectionStore, IssueStore, Ledger
from issuebridge.use_cases.careful import Careful
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.jobs import Job, carefully, in_turn
from issuebridge.use_cases.prompt_line import PromptLine
from issuebridge.use_cases.stored import stored
from issuebridge.use_cases.submit_prompt import CLOCKS_APART_SECONDS, Prompted, SubmitPrompt

REMAINING_SECONDS_MIN = 50
BY_NORM = "norm"


@dataclass
class Tracked:
    """`running` and `ended` by ledger key; `prompted`: whose turn came by that."""

    running: dict[str, AgentRun] = field(default_factory=dict)
    ended: dict[str, AgentRun] = field(default_factory=dict)
    prompted: list[Prompted] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def counts(self, outcome: str) -> int:
        return sum(run.outcome == outcome for run in self.ended.values())

    def summary(self) -> dict[str, object]:
        return {
            "running": {key: run.run_id for key, run in self.running.items()},
            "ended": {key: run.outcome for key, run in self.ended.items()},
            "prompted": [vars(prompted) for prompted in self.prompted],
            "failed": self.failed,
        }


@dataclass(frozen=True)
class TrackRuns:
    store: IssueStore
    ledger: Ledger
    connections: ConnectionStore
    agent: Callable[[str], Agent]
    submit: SubmitPrompt
    landscape: Landscape
    config: Config
    gate: Gate
    clock: Clock

    def __call__(self, *, remaining_seconds: Callable[[], float]) -> Tracked:
        """Stops in time; the next call goes on with what still runs."""
        report = Tracked()
        careful = Careful(self.connections, "track_runs", self.clock)
        has_time = lambda: remaining_seconds() >= REMAINING_SECONDS_MIN  # noqa: E731
        for job in carefully(self._jobs(report), careful, has_time):
            try:
                job.do()
            except SyncError as error:
                report.failed[job.name] = str(error)
        return report

    def _jobs(self, report: Tracked) -> list[Job]:
        """Of each connection in turn: one that is slow costs the others nothing."""
        connections = self.config.connections
        names = [n for n in self.config.with_agent if connections[n].mode != "paused"]
        return in_turn(
            *(
                [
                    Job(e.key, partial(self._one, e, report), partial(self._give_up, e, report))
                    for e in self.ledger.runs(name)
                ]
                for name in names
            )
        )

    def _one(self, effect: Effect, report: Tracked) -> None:
        issue, known = self._known(effect)
        run = self._followed(effect, known, issue.refs[effect.connection].remote_id)
        self._record(effect, known, run, report)

    def _give_up(self, effect: Effect, report: Tracked) -> None:
        _, known = self._known(effect)
        ended = {"outcome": "timed_out", "ended_at": self.clock.now(), "response": DIED}
        self._record(effect, known, known.model_copy(update=ended), report)

    def _known(self, effect: Effect) -> tuple[CanonicalIssue, AgentRun]:
        issue = stored(self.store, effect.issue_id)
        known = next((run for run in issue.runs if run.key == effect.key), None)
        assert known is not None, "an issue keeps its runs until they end"
        return issue, known

    def _record(self, effect: Effect, known: AgentRun, run: AgentRun, report: Tracked) -> None:
        line = PromptLine(self.store, self.ledger, self.clock)
        if run.outcome == "running":
            report.running[effect.key] = run
            if run != known:
                line.started(effect.done(run.run_id), run)
            return
        following = line.ended(effect, run, lambda issue: self._mirrored(issue, effect, run))
        report.ended[effect.key] = run
        if following:
            report.prompted.append(self.submit.resume(following))

    def _followed(self, effect: Effect, run: AgentRun, remote_id: str) -> AgentRun:
        agent, now = self.agent(effect.connection), self.clock.now()
        since = run.submitted_at - timedelta(seconds=CLOCKS_APART_SECONDS)
        try:
            session, is_processing = agent.latest_session(remote_id)
            entries = agent.activity(remote_id, since)
        except Gone as error:
            gone = {"outcome": "cancelled", "ended_at": now, "response": f"its issue: {error}"}
            return run.model_copy(update=gone)
        shown = Shown(
            session.session_id if session else None,
            session.status if session else None,
            is_processing,
            entries[::-1],
        )
        return follow(run, shown, now, self.config.norm.run_minutes_max)

    def _mirrored(
        self, issue: CanonicalIssue, effect: Effect, run: AgentRun
    ) -> tuple[CanonicalIssue, Sequence[HistoryEntry]]:
        """The status a rule gives to what Norm is done with, unless a person was faster."""
        status = next((r.on_complete for r in self.landscape.rules if r.name == run.rule), None)
        last, now = issue.edits.get("status"), self.clock.now()
        is_newer = last is not None and last.at > run.submitted_at
        if not issue.refs[effect.connection].is_live:
            return issue, ()
        if run.outcome != "complete" or status in (None, issue.status) or is_newer:
            return issue, ()
        edits = {**issue.edits, "status": Edit(by=BY_NORM, at=now)}
        edited = issue.model_copy(update={"status": status, "edits": edits})
        if why := self.gate.shut([effect.connection]):
            raise Tripped(why)
        self.gate.check(effect.connection, issue, edited)
        entry = HistoryEntry(
            at=now,
            field="status",
            outcome="pulled",
            by=BY_NORM,
            old=issue.status,
            new=status,
            detail=f"rule {run.rule}: its run is complete",
        )
        return settle(edited, self.landscape, now, renew=True), (entry,)
