"""The prompts of one issue that have not ended, in their order: the first has its turn.

The line stands on the issue, whose version lets only one worker change it. Whatever joins or
leaves it does so in one commit with its ledger row, so neither is ever stored without the other.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import LostRace, Rejected
from issuebridge.domain.issue import AgentRun, CanonicalIssue, HistoryEntry
from issuebridge.domain.lag import newly_pending
from issuebridge.domain.limits import PROMPTS_MAX, RUNS_MAX
from issuebridge.ports import Clock, IssueStore, Ledger
from issuebridge.use_cases.races import RACES_MAX
from issuebridge.use_cases.stored import stored

WAITING_MAX = PROMPTS_MAX

OLD_ANSWERS_MAX = 3

Change = Callable[[CanonicalIssue], tuple[CanonicalIssue, Sequence[HistoryEntry]]]


@dataclass(frozen=True)
class PromptLine:
    store: IssueStore
    ledger: Ledger
    clock: Clock

    def issue(self, effect: Effect) -> CanonicalIssue:
        return stored(self.store, effect.issue_id)

    def join(self, issue: CanonicalIssue, effect: Effect) -> Effect:
        """Store the issue as given, with the new prompt at the end of its line."""
        if len(issue.prompts) >= WAITING_MAX:
            raise Rejected(f"{WAITING_MAX} prompts wait on this issue already")
        joined = issue.model_copy(update={"prompts": (*issue.prompts, effect.key)})
        self.store.commit(joined, done=effect)
        return effect.model_copy(update={"version": effect.version + 1})

    def has_turn(self, effect: Effect) -> bool:
        return self.issue(effect).prompts[:1] == (effect.key,)

    def started(self, effect: Effect, run: AgentRun) -> None:
        """The run keeps the turn of its prompt until it ends."""
        self._record(effect, lambda issue: (_with_run(issue, run), ()))

    def park(self, effect: Effect, reason: str) -> Effect:
        parked = effect.parked(reason)
        self._leave(parked, lambda issue: (issue, ()))
        return parked

    def ended(self, effect: Effect, run: AgentRun, change: Change) -> Effect | None:
        """The run is over. The prompt whose turn it is now, if one waits."""
        told = {"response": run.response, "links": run.links}
        done = effect.model_copy(update={"result": run.run_id, "ended_at": run.ended_at, **told})
        return self._leave(done, lambda issue: change(_with_run(issue, run)))

    def _leave(self, effect: Effect, change: Change) -> Effect | None:
        def without(issue: CanonicalIssue) -> tuple[CanonicalIssue, Sequence[HistoryEntry]]:
            rest = tuple(key for key in issue.prompts if key != effect.key)
            return change(issue.model_copy(update={"prompts": rest}))

        return self._call_next(self._record(effect, without))

    def _call_next(self, issue: CanonicalIssue) -> Effect | None:
        """Whose turn it is waits no longer. Should this get lost, its own time comes later."""
        first = self.ledger.get(issue.prompts[0]) if issue.prompts else None
        if first is None or first.state != "planned":
            return None
        with suppress(LostRace):
            return self.ledger.put(first.planned(self.clock.now()))
        return None

    def _record(self, effect: Effect, change: Change) -> CanonicalIssue:
        for _ in range(RACES_MAX):
            before = self.issue(effect)
            after, history = change(before)
            try:
                wake = newly_pending(before, after)
                return self.store.commit(after, history, wake=wake, done=effect)
            except LostRace:
                stored = self.ledger.get(effect.key)
                if stored is None or stored.version != effect.version:
                    raise
        raise LostRace(f"{effect.issue_id}: gave up after {RACES_MAX} races")


def _with_run(issue: CanonicalIssue, run: AgentRun) -> CanonicalIssue:
    """What Norm said stays in the ledger, which remembers every run."""
    run = run.model_copy(update={"response": None, "links": ()})
    known = any(other.key == run.key for other in issue.runs)
    runs = [run if other.key == run.key else other for other in issue.runs]
    return issue.model_copy(update={"runs": last_runs(runs if known else [*runs, run])})


def last_runs(runs: Sequence[AgentRun]) -> tuple[AgentRun, ...]:
    """What an issue remembers. Of those from before the ledger had them, the last three answers."""
    said = [run.key for run in runs if run.response or run.links][-OLD_ANSWERS_MAX:]
    plain: dict[str, object] = {"response": None, "links": ()}
    return tuple(
        run if run.key in said else run.model_copy(update=plain) for run in runs[-RUNS_MAX:]
    )
