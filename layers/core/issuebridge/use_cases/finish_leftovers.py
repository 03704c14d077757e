"""Finish what a lost wake-up or a crash left: pending marks and open prompts, from stored state."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from issuebridge.domain.config import Config
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import SyncError
from issuebridge.domain.issue import Pending
from issuebridge.ports import Clock, IssueStore, Ledger
from issuebridge.use_cases.push_changes import Outcome, PushChanges
from issuebridge.use_cases.start_prompts import StartPrompts
from issuebridge.use_cases.submit_prompt import Prompted, SubmitPrompt

REMAINING_SECONDS_MIN = 50
DRIFT_WITHIN = timedelta(hours=1)


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
        """How many copies were set aside just now, for a person to decide."""
        return sum(outcome.kind == "held" for outcome in self.pushed)

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
    push: PushChanges
    submit: SubmitPrompt
    start: StartPrompts
    config: Config
    clock: Clock

    def __call__(self, *, remaining_seconds: Callable[[], float]) -> Leftovers:
        """Stops in time; the next call goes on with what is still marked."""
        report, broken = Leftovers(), []
        for name, finish in self._steps(report):
            if remaining_seconds() < REMAINING_SECONDS_MIN:
                break
            try:
                finish()
            except SyncError as error:
                report.failed[name] = str(error)
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

    def _steps(self, report: Leftovers) -> Iterator[tuple[str, Callable[[], None]]]:
        for issue_id in self.store.due(self.clock.now()):
            yield issue_id, partial(self._push, report, issue_id)
        for effect in self._doubtful():
            yield effect.key, partial(self._look, report, effect)
        for effect in self._open_prompts():
            yield effect.key, partial(self._resume, report, effect)

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
        comments = (self.ledger.open("comment", name) for name in self._blands())
        effects = [effect for found in (*creates, *comments) for effect in found]
        now = self.clock.now()
        return [effect for effect in effects if effect.state != "planned" and effect.due_at <= now]

    def _open_prompts(self) -> list[Effect]:
        return [effect for name in self._blands() for effect in self.ledger.open("prompt", name)]

    def _blands(self) -> list[str]:
        return [name for name, c in self.config.connections.items() if c.kind == "bland"]


def _is_late(mark: Pending, now: datetime) -> bool:
    return not mark.set_aside and (mark.attempts > 0 or mark.due_at <= now)
