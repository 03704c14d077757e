"""Finish what a lost wake-up or a crash left: pending marks and open prompts, from stored state."""

from collections.abc import Callable
from dataclasses import dataclass, field

from issuebridge.domain.config import Config
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import SyncError
from issuebridge.ports import Clock, IssueStore, Ledger
from issuebridge.use_cases.push_changes import Outcome, PushChanges
from issuebridge.use_cases.submit_prompt import Prompted, SubmitPrompt

REMAINING_SECONDS_MIN = 30


@dataclass
class Leftovers:
    """What was done; `failed` tells by issue or prompt why a step raised."""

    pushed: list[Outcome] = field(default_factory=list)
    prompted: list[Prompted] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        return {
            "pushed": [vars(outcome) for outcome in self.pushed],
            "prompted": [vars(prompted) for prompted in self.prompted],
            "failed": self.failed,
        }


@dataclass(frozen=True)
class FinishLeftovers:
    store: IssueStore
    ledger: Ledger
    push: PushChanges
    submit: SubmitPrompt
    config: Config
    clock: Clock

    def __call__(self, *, remaining_seconds: Callable[[], float]) -> Leftovers:
        """Stops in time; the next call goes on with what is still marked."""
        report = Leftovers()
        for issue_id in self.store.due(self.clock.now()):
            if remaining_seconds() < REMAINING_SECONDS_MIN:
                return report
            try:
                report.pushed.extend(self.push(issue_id))
            except SyncError as error:
                report.failed[issue_id] = str(error)
        for effect in self._open_prompts():
            if remaining_seconds() < REMAINING_SECONDS_MIN:
                return report
            try:
                report.prompted.append(self.submit.resume(effect))
            except SyncError as error:
                report.failed[effect.key] = str(error)
        return report

    def _open_prompts(self) -> list[Effect]:
        blands = [name for name, c in self.config.connections.items() if c.kind == "bland"]
        return [effect for name in blands for effect in self.ledger.open("prompt", name)]
