"""Create the counterpart a route asks for: once, whatever is lost on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial

from issuebridge.domain.config import Config
from issuebridge.domain.converge import link, observe
from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import CanonicalIssue, Draft, RemoteIssue, reference_for
from issuebridge.domain.lag import Landscape, newly_pending, route_takes
from issuebridge.domain.push import draft_counterpart
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.once import Once, Step
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored


@dataclass(frozen=True)
class CreateCounterpart:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    config: Config
    clock: Clock

    @property
    def once(self) -> Once:
        return Once(self.ledger, self.config.recovery, self.clock)

    def __call__(self, issue: CanonicalIssue, connection: str) -> Step:
        effect = self.ledger.get(reference_for(issue.issue_id, connection))
        effect = effect or self._plan(issue, connection)
        if effect is None:
            return Step("waiting", "today's budget is used up", self._tomorrow())
        if effect.state == "done":
            return self.keep(effect, self.system(connection).get(effect.result or ""))
        return self.once(effect, self)

    def look(self, effect: Effect) -> Step:
        if not self.landscape.policies[effect.connection].may_write:
            return Step("waiting", "nothing is created there now")
        return self.once.look(effect, self)

    def _plan(self, issue: CanonicalIssue, connection: str) -> Effect | None:
        now = self.clock.now()
        for route in self.landscape.routes:
            if route.target == connection and route_takes(route, issue) and route.daily_budget:
                budget = f"{route.source}>{route.target}"
                if not self.ledger.spend(budget, now.date().isoformat(), route.daily_budget):
                    return None
        settings = self.config.connections[connection]
        draft = draft_counterpart(
            issue,
            self.landscape.policies[connection],
            category=settings.category,
            environment=settings.environment,
            now=now,
        )
        return self.ledger.put(
            Effect(
                key=draft.reference,
                kind="create",
                issue_id=issue.issue_id,
                connection=connection,
                request=draft.model_dump_json(),
                planned_at=now,
                due_at=now,
            )
        )

    def _tomorrow(self) -> datetime:
        day = self.clock.now().date() + timedelta(days=1)
        return datetime.combine(day, time(), UTC)

    def send(self, effect: Effect) -> RemoteIssue:
        return self.system(effect.connection).create(_draft(effect))

    def find(self, effect: Effect, since: datetime) -> RemoteIssue | None:
        """Of twins, the one with the lowest number."""
        found = self.system(effect.connection).find_created(_draft(effect), since)
        mine = [remote for remote in found if self._is_free(effect, remote)]
        return min(mine, key=lambda remote: remote.number, default=None)

    def _is_free(self, effect: Effect, remote: RemoteIssue) -> bool:
        return self.store.find(effect.connection, remote.remote_id) in (None, effect.issue_id)

    def is_wanted(self, effect: Effect) -> bool:
        return effect.connection in stored(self.store, effect.issue_id).pending

    def keep(self, effect: Effect, made: RemoteIssue) -> Step:
        """Link what was made; never what is linked already."""
        return until_won(effect.issue_id, partial(self._keep, effect.key, made))

    def _keep(self, key: str, made: RemoteIssue) -> Step:
        effect = self.ledger.get(key)
        assert effect is not None, "it was sent, so it is in the ledger"
        owner = self.store.find(effect.connection, made.remote_id)
        if owner not in (None, effect.issue_id):
            reason = f"{made.display_id} is linked to {owner} already; not linked twice"
            return self.park(self.ledger.put(effect.parked(reason)), reason)
        issue, now = stored(self.store, effect.issue_id), self.clock.now()
        if effect.connection not in issue.refs:
            linked = link(issue, made, self.landscape.policies[effect.connection], now)
            observed = observe(linked, made, self.landscape, effect.connection, now=now)
            self.store.commit(
                observed.issue,
                observed.history,
                wake=newly_pending(issue, observed.issue),
                done=effect.done(made.remote_id),
                linked=effect.connection,
                pushing=effect.connection,
            )
        return Step("done", made.display_id)

    def park(self, effect: Effect, reason: str) -> Step:
        """Shown on the issue and never tried again until a person releases it."""

        def step() -> Step:
            issue = stored(self.store, effect.issue_id)
            pending = {k: v for k, v in issue.pending.items() if k != effect.connection}
            parked = {**issue.parked, effect.connection: reason}
            self.store.commit(issue.model_copy(update={"pending": pending, "parked": parked}))
            return Step("parked", reason)

        return until_won(effect.issue_id, step)


def _draft(effect: Effect) -> Draft:
    return Draft.model_validate_json(effect.request)
