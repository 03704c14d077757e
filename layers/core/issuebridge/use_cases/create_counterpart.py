"""Create the counterpart a route asks for: once, whatever is lost on the way.

The ledger row is written before the request and the reference travels inside it. An answer that
never came is resolved by looking for that reference; the same body is sent again only when
several looks, spread over some minutes, found nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from issuebridge.domain.config import Config
from issuebridge.domain.converge import link, observe
from issuebridge.domain.effect import Effect, look_due
from issuebridge.domain.errors import (
    Ambiguous,
    LostRace,
    Misconfigured,
    RateLimited,
    Rejected,
    Transient,
)
from issuebridge.domain.issue import CanonicalIssue, Draft, RemoteIssue, reference_for
from issuebridge.domain.lag import Landscape, newly_pending, route_takes
from issuebridge.domain.push import draft_counterpart
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.races import RACES_MAX, until_won

LEASE_SECONDS = 150
LOOK_BACK_SECONDS = 600
"""How far before the send time we look, for clocks that disagree."""


@dataclass(frozen=True)
class Created:
    """`due_at` is when to come back, if the counterpart is not linked yet."""

    kind: Literal["created", "waiting", "parked"]
    detail: str
    due_at: datetime | None = None


@dataclass(frozen=True)
class CreateCounterpart:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    config: Config
    clock: Clock

    def __call__(self, issue: CanonicalIssue, connection: str) -> Created:
        """One step of the effect, from wherever the ledger says it stands."""
        effect = self.ledger.get(reference_for(issue.issue_id, connection))
        if effect is None:
            effect = self._plan(issue, connection)
            if effect is None:
                return Created("waiting", "today's budget is used up", self._tomorrow())
        now = self.clock.now()
        if effect.state == "parked":
            return self._park(effect, effect.reason or "parked")
        if effect.state == "done":
            return self._link(effect, self.system(connection).get(effect.result or ""))
        if effect.due_at > now:
            return Created("waiting", effect.reason or "being created", effect.due_at)
        return self._send(effect) if effect.state == "planned" else self.look(effect)

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

    def _send(self, effect: Effect) -> Created:
        now = self.clock.now()
        lease = now + timedelta(seconds=LEASE_SECONDS)
        effect = self.ledger.put(effect.sending(now).model_copy(update={"due_at": lease}))
        try:
            remote = self.system(effect.connection).create(
                Draft.model_validate_json(effect.request)
            )
        except RateLimited as error:
            due = self.clock.now() + timedelta(seconds=error.retry_after_seconds)
            self.ledger.put(effect.doubted(due, str(error)))
            raise
        except Ambiguous as error:
            due = self.clock.now()
            self.ledger.put(effect.doubted(due, str(error)))
            return Created("waiting", f"no clear answer: {error}", due)
        except (Transient, Misconfigured) as error:
            self.ledger.put(effect.planned(self.clock.now(), str(error)))
            raise
        except Rejected as error:
            return self._park(self.ledger.put(effect.parked(str(error))), str(error))
        return self._link(effect, remote)

    def look(self, effect: Effect) -> Created:
        """What did become of it? Found: link. Not found often enough: the same body once more, if
        the issue still asks for it."""
        if not self.landscape.policies[effect.connection].may_write:
            return Created("waiting", "nothing is created there now", None)
        sent_at = effect.sent_at or effect.planned_at
        draft = Draft.model_validate_json(effect.request)
        since = sent_at - timedelta(seconds=LOOK_BACK_SECONDS)
        found = self.system(effect.connection).find_created(draft, since)
        mine = [remote for remote in found if self._is_free(effect, remote)]
        if mine:
            return self._link(effect, min(mine, key=lambda remote: remote.number))
        recovery, looks = self.config.recovery, effect.looks + 1
        due = look_due(sent_at, looks, looks=recovery.looks, over_seconds=recovery.over_seconds)
        if looks >= recovery.looks and self.clock.now() >= due:
            planned = self.ledger.put(effect.planned(self.clock.now(), "not found: sent again"))
            return (
                self._send(planned) if self._is_wanted(effect) else Created("waiting", "not found")
            )
        self.ledger.put(effect.looked(due))
        return Created("waiting", f"not found at look {looks}", due)

    def _is_wanted(self, effect: Effect) -> bool:
        issue = self.store.load(effect.issue_id)
        return issue is not None and effect.connection in issue.pending

    def _is_free(self, effect: Effect, remote: RemoteIssue) -> bool:
        return self.store.find(effect.connection, remote.remote_id) in (None, effect.issue_id)

    def _link(self, effect: Effect, remote: RemoteIssue) -> Created:
        policy = self.landscape.policies[effect.connection]
        for _ in range(RACES_MAX):
            owner = self.store.find(effect.connection, remote.remote_id)
            if owner not in (None, effect.issue_id):
                reason = f"{remote.display_id} is linked to {owner} already; not linked twice"
                return self._park(self.ledger.put(effect.parked(reason)), reason)
            issue = self.store.load(effect.issue_id)
            assert issue is not None, "an issue is never deleted from the store"
            if effect.connection in issue.refs:
                return Created("created", remote.display_id)
            now = self.clock.now()
            observed = observe(
                link(issue, remote, policy, now), remote, self.landscape, effect.connection, now=now
            )
            try:
                self.store.commit(
                    observed.issue,
                    observed.history,
                    wake=newly_pending(issue, observed.issue),
                    done=effect.done(remote.remote_id),
                    linked=effect.connection,
                )
            except LostRace:
                effect = self.ledger.get(effect.key) or effect
                continue
            return Created("created", remote.display_id)
        raise LostRace(f"{effect.issue_id}: gave up after {RACES_MAX} races")

    def _park(self, effect: Effect, reason: str) -> Created:
        """Shown on the issue and never tried again until a person releases it."""

        def step() -> Created:
            issue = self.store.load(effect.issue_id)
            assert issue is not None, "an issue is never deleted from the store"
            pending = {k: v for k, v in issue.pending.items() if k != effect.connection}
            parked = {**issue.parked, effect.connection: reason}
            self.store.commit(issue.model_copy(update={"pending": pending, "parked": parked}))
            return Created("parked", reason)

        return until_won(effect.issue_id, step)
