"""Finish what a lost wake-up or a crash left: pending marks and open prompts, from stored state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from issuebridge.domain.config import Config
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import SyncError
from issuebridge.domain.issue import Pending
from issuebridge.domain.taking import SET_ASIDE
from issuebridge.ports import Clock, ConnectionStore, IssueStore, Ledger
from issuebridge.use_cases.careful import Careful
from issuebridge.use_cases.jobs import Job, carefully, in_turn
from issuebridge.use_cases.push_changes import Outcome, PushChanges
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.start_prompts import StartPrompts
from issuebridge.use_cases.stored import stored
from issuebridge.use_cases.submit_prompt import Prompted, SubmitPrompt

REMAINING_SECONDS_MIN = 50
DRIFT_WITHIN = timedelta(hours=1)
FAR_BACK = timedelta(hours=6)


@dataclass
class Leftovers:
    """What was done; `failed` tells by issue or prompt why a step raised, `drift` how many issues
    are still out of step somewhere, but for what is set aside or waits its turn."""

    pushed: list[Outcome] = field(default_factory=list)
    prompted: list[Prompted] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    drift: int = 0

    @property
    def held(self) -> int:
        """How many copies and prompts were set aside just now, for a person to decide."""
        kinds = [*(o.kind for o in self.pushed), *(p.kind for p in self.prompted)]
        return sum(kind in ("held", "parked") for kind in kinds)

    def summary(self) -> dict[str, object]:
        return {
            "pushed": [vars(outcome) for outcome in self.pushed],
            "prompted": [vars(prompted) for prompted in self.prompted],
            "failed": self.failed,
            "drift": self.drift,
        }


@dataclass(frozen=True)
class FinishLeftovers:
    store: IssueStore
    ledger: Ledger
    connections: ConnectionStore
    push: PushChanges
    submit: SubmitPrompt
    start: StartPrompts
    config: Config
    clock: Clock

    def __call__(self, *, remaining_seconds: Callable[[], float]) -> Leftovers:
        """Stops in time; the next call goes on with what is still marked."""
        report, broken = Leftovers(), []
        careful = Careful(self.connections, "reconcile", self.clock)
        has_time = lambda: remaining_seconds() >= REMAINING_SECONDS_MIN  # noqa: E731
        for left in carefully(self._left(report), careful, has_time):
            try:
                left.do()
            except SyncError as error:
                report.failed[left.name] = str(error)
            except Exception as error:  # noqa: BLE001 - a defect at one issue stops no other
                broken.append(error)
        if broken:
            raise ExceptionGroup("what is left was tried, but for these", broken)
        report.drift = self._drift()
        return report

    def _drift(self) -> int:
        """How many issues have a copy that lags, and neither waits its turn nor is set aside."""
        now = self.clock.now()
        issues = [self.store.load(issue_id) for issue_id in self.store.due(now + DRIFT_WITHIN)]
        marks = [issue.pending.values() for issue in issues if issue]
        late = [any(_is_late(mark, now) for mark in of_issue) for of_issue in marks]
        return sum(late)

    def _left(self, report: Leftovers) -> list[Job]:
        """Of each sort in turn, so that none waits for all of another."""
        pushes = [
            Job(issue_id, partial(self._push, report, issue_id), partial(self._shelve, issue_id))
            for issue_id in self.store.due(self.clock.now())
        ]
        looks = [
            Job(e.key, partial(self._look, report, e), partial(self._shelve_effect, e))
            for e in self._doubtful()
        ]
        prompts = [
            Job(e.key, partial(self._resume, report, e), partial(self._give_up, report, e))
            for e in self._open_prompts()
        ]
        return in_turn(pushes, looks, prompts)

    def _shelve(self, issue_id: str) -> None:
        """Its marks go far back, with the reason; `release` takes them up again."""

        def step() -> None:
            issue, now = stored(self.store, issue_id), self.clock.now()
            far = {"due_at": now + FAR_BACK, "reason": SET_ASIDE}
            pending = {
                name: mark.model_copy(update=far) if mark.due_at <= now else mark
                for name, mark in issue.pending.items()
            }
            asks = {name: max(at, now + FAR_BACK) for name, at in issue.asks.items()}
            self.store.commit(issue.model_copy(update={"pending": pending, "asks": asks}))

        until_won(issue_id, step)

    def _shelve_effect(self, effect: Effect) -> None:
        far = {"due_at": self.clock.now() + FAR_BACK, "reason": SET_ASIDE}
        self.ledger.put(effect.model_copy(update=far))

    def _give_up(self, report: Leftovers, effect: Effect) -> None:
        report.prompted.append(self.submit.give_up(effect, SET_ASIDE))

    def _push(self, report: Leftovers, issue_id: str) -> None:
        report.pushed.extend(self.push(issue_id))
        report.prompted.extend(self.start(issue_id))

    def _look(self, report: Leftovers, effect: Effect) -> None:
        report.pushed.append(self.push.look(effect))

    def _resume(self, report: Leftovers, effect: Effect) -> None:
        report.prompted.append(self.submit.resume(effect))

    def _doubtful(self) -> list[Effect]:
        """Sent, and no answer; nobody else looks once the issue asks for none any more."""
        creates = (self.ledger.open("create", name) for name in self.config.connections)
        comments = (
            self.ledger.open("comment", name)
            for name, connection in self.config.connections.items()
            if connection.traits.comments
        )
        effects = [effect for found in (*creates, *comments) for effect in found]
        now = self.clock.now()
        return [effect for effect in effects if effect.state != "planned" and effect.due_at <= now]

    def _open_prompts(self) -> list[Effect]:
        return [
            effect for name in self.config.with_agent for effect in self.ledger.open("prompt", name)
        ]


def _is_late(mark: Pending, now: datetime) -> bool:
    return not mark.set_aside and (mark.attempts > 0 or mark.due_at <= now)
