"""Create the counterpart a route asks for: once, whatever is lost on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial

from issuebridge.domain.config import Config
from issuebridge.domain.converge import link, observe
from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import CanonicalIssue, Draft, RemoteIssue
from issuebridge.domain.lag import newly_pending
from issuebridge.domain.mark import Installation, keys_of
from issuebridge.domain.push import draft_counterpart
from issuebridge.domain.routing import Landscape, not_taken
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.once import Once, Step
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored

HINDERED = timedelta(seconds=60)


@dataclass(frozen=True)
class CreateCounterpart:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    config: Config
    gate: Gate
    installation: Callable[[], Installation]
    clock: Clock

    @property
    def once(self) -> Once:
        return Once(self.ledger, self.config.recovery, self.clock)

    def __call__(self, issue: CanonicalIssue, connection: str) -> Step:
        effect = self._planned(issue, connection)
        if effect is None or effect.state == "planned":
            if why := self.gate.hinders_creating(connection):
                return Step("waiting", why, self.clock.now() + HINDERED)
            if why := self.gate.shut([issue.origin]):
                return Step("waiting", why, self.clock.now() + HINDERED)
        effect = effect or self._plan(issue, connection)
        if effect is None:
            return Step("waiting", "today's budget is used up", self._tomorrow())
        if effect.state == "done":
            return self.keep(effect, self.system(connection).get(effect.result or ""))
        return self.once(self._drafted_anew(effect, issue), self)

    def _drafted_anew(self, effect: Effect, issue: CanonicalIssue) -> Effect:
        """From what is true now, as long as nothing can have come of what was sent before."""
        if effect.state != "planned" or effect.doubts:
            return effect
        before = _draft(effect)
        draft = self._draft_of(issue, effect.connection, before.reference, before.triggered_at)
        return effect.model_copy(update={"request": draft.model_dump_json()})

    def _draft_of(
        self, issue: CanonicalIssue, connection: str, reference: str, triggered_at: datetime
    ) -> Draft:
        settings = self.config.connections[connection]
        return draft_counterpart(
            issue,
            self.landscape.policies[connection],
            reference,
            category=settings.category,
            now=triggered_at,
        )

    def _planned(self, issue: CanonicalIssue, connection: str) -> Effect | None:
        """Its row, whatever it was asked for under."""
        rows = map(self.ledger.get, keys_of(issue, connection, self.installation()))
        return next((effect for effect in rows if effect), None)

    def look(self, effect: Effect) -> Step:
        if not self.landscape.policies[effect.connection].may_write:
            return Step("waiting", "nothing is created there now")
        return self.once.look(effect, self)

    def _plan(self, issue: CanonicalIssue, connection: str) -> Effect | None:
        now = self.clock.now()
        for route in self.landscape.routes:
            takes = route.target == connection and not_taken(route, issue) is None
            if takes and route.daily_budget:
                budget = f"{route.source}>{route.target}"
                if not self.ledger.spend(budget, now.date().isoformat(), route.daily_budget):
                    return None
        reference = self.installation().reference(issue.issue_id, connection)
        draft = self._draft_of(issue, connection, reference, now)
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
        issue = stored(self.store, effect.issue_id)
        stopped = self.gate.hinders_creating(effect.connection) or self.gate.shut([issue.origin])
        return effect.connection in issue.pending and stopped is None

    def keep(self, effect: Effect, made: RemoteIssue) -> Step:
        """Link what was made; never what is linked already."""
        return until_won(effect.issue_id, partial(self._keep, effect.key, made))

    def _keep(self, key: str, made: RemoteIssue) -> Step:
        effect = self.ledger.get(key)
        assert effect is not None, "it was sent, so it is in the ledger"
        owner = self.store.find(effect.connection, made.remote_id)
        if owner not in (None, effect.issue_id):
            reason = f"{made.display_id} is linked to {owner} already; not linked twice"
            in_doubt = effect.doubted(self.clock.now(), reason)
            return self.park(self.ledger.put(in_doubt.parked(reason)), reason)
        issue, now = stored(self.store, effect.issue_id), self.clock.now()
        if effect.connection not in issue.refs:
            policy = self.landscape.policies[effect.connection]
            linked = link(issue, made, policy, now, reference=_draft(effect).reference)
            observed = observe(linked, made, self.landscape, effect.connection, now=now)
            self.gate.check(effect.connection, issue, observed.issue)
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
