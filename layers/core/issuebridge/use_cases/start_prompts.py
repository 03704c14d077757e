"""Plan the prompts that rules ask for on one issue.

What is due stands on the issue, set in the commit of the change that made it so. Planning takes it
away in the commit that stores the prompt, so no crash can lose a prompt or double it. Only the
budget is paid outside of that, and before: a crash in between spends one too many, never too few.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from issuebridge.domain.config import Config
from issuebridge.domain.errors import Rejected
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.lag import asks_of
from issuebridge.domain.prompt import PromptRequest, prompt_key
from issuebridge.domain.routing import Landscape
from issuebridge.domain.rules import Rule, fire
from issuebridge.ports import Clock, IssueStore, Ledger
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.submit_prompt import Prompted, SubmitPrompt


@dataclass(frozen=True)
class StartPrompts:
    store: IssueStore
    ledger: Ledger
    submit: SubmitPrompt
    landscape: Landscape
    config: Config
    gate: Gate
    clock: Clock

    def __call__(self, issue_id: str) -> list[Prompted]:
        """What became of each prompt that was planned; nothing when no rule is due."""
        issue, now = self.store.load(issue_id), self.clock.now()
        due = [name for name, at in issue.asks.items() if at <= now] if issue else []
        return [prompted for name in sorted(due) if (prompted := self._start(issue_id, name))]

    def _start(self, issue_id: str, name: str) -> Prompted | None:
        is_paid = False

        def step() -> Prompted | None:
            nonlocal is_paid
            issue = self.store.load(issue_id)
            due = issue.asks.get(name) if issue else None
            if issue is None or due is None or due > self.clock.now():
                return None
            rule = next((rule for rule in self.landscape.rules if rule.name == name), None)
            if rule is None or name not in asks_of(issue, self.landscape):
                self._put_off(issue, name, None)
                return None
            said = [edit.by for edit in issue.edits.values()]
            if self.gate.shut([rule.at or "", issue.origin, *said]):
                return None
            if not is_paid and not self._pays(rule):
                self._put_off(issue, name, self._tomorrow())
                return None
            is_paid = True
            return self._plan(issue, rule)

        return until_won(issue_id, step)

    def _plan(self, issue: CanonicalIssue, rule: Rule) -> Prompted | None:
        fired, request = fire(issue, rule, self.clock.now())
        names = {other.name for other in self.landscape.rules}
        known = {name: last for name, last in fired.fired.items() if name in names}
        fired = fired.model_copy(update={"asks": asks_of(fired, self.landscape), "fired": known})
        if self._was_asked(issue, request, rule):
            self.store.commit(fired)
            return None
        try:
            effect = self.submit.plan(fired, rule.at or "", request, rule=rule.name)
        except Rejected:
            self._put_off(issue, rule.name, self._tomorrow())
            return None
        return self.submit.resume(effect)

    def _was_asked(self, issue: CanonicalIssue, request: PromptRequest, rule: Rule) -> bool:
        """Under its own key, or under that of before rules had keys of their own."""
        keys = (prompt_key(issue.issue_id, request, name) for name in (rule.name, None))
        return any(known and known.rule == rule.name for known in map(self.ledger.get, keys))

    def _pays(self, rule: Rule) -> bool:
        day = self.clock.now().date().isoformat()
        budgets = {
            f"norm rule {rule.name}": rule.daily_budget,
            f"norm at {rule.at}": self.config.norm.daily_budget,
        }
        return all(self.ledger.spend(name, day, limit) for name, limit in budgets.items())

    def _put_off(self, issue: CanonicalIssue, name: str, due_at: datetime | None) -> None:
        rest = {other: at for other, at in issue.asks.items() if other != name}
        asks = {**rest, name: due_at} if due_at else rest
        self.store.commit(issue.model_copy(update={"asks": asks}))

    def _tomorrow(self) -> datetime:
        return datetime.combine(self.clock.now().date() + timedelta(days=1), time(), UTC)
