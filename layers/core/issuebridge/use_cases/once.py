"""One step of an effect that must happen once, from wherever its ledger row says it stands.

The row is written before the request and the key travels inside it. An answer that never came is
resolved by looking for that key; the same request is sent again only when several looks, spread
over some minutes, found nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

from issuebridge.domain.config import Recovery
from issuebridge.domain.effect import Effect, look_due
from issuebridge.domain.errors import (
    Ambiguous,
    Conflict,
    Misconfigured,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
)
from issuebridge.ports import Clock, Ledger

LEASE_SECONDS = 150
LOOK_BACK_SECONDS = 600
"""How far before the send time we look, for clocks that disagree."""

LOOK_AGAIN_SECONDS = 60
NOT_WANTED = "not found, and no longer asked for"

Made = TypeVar("Made")


@dataclass(frozen=True)
class Step:
    """What became of it; `due_at` is when to come back, if it is not done yet."""

    kind: Literal["done", "waiting", "parked"]
    detail: str
    due_at: datetime | None = None


class Work(Protocol[Made]):
    """What is special about one kind of effect."""

    def send(self, effect: Effect) -> Made:
        """One request, never repeated in here."""

    def find(self, effect: Effect, since: datetime) -> Made | None:
        """What an earlier request of this effect has made, if it shows."""

    def keep(self, effect: Effect, made: Made) -> Step:
        """Store what was made together with the finished effect."""

    def park(self, effect: Effect, reason: str) -> Step:
        """Show on the issue what only a person can change."""

    def is_wanted(self, effect: Effect) -> bool:
        """Whether the issue still asks for it."""


@dataclass(frozen=True)
class Once:
    ledger: Ledger
    recovery: Recovery
    clock: Clock

    def __call__(self, effect: Effect, work: Work[Made]) -> Step:
        """For an effect that is not done."""
        if effect.state == "parked":
            return work.park(effect, effect.reason or "parked")
        if effect.due_at > self.clock.now():
            return Step("waiting", effect.reason or "under way", effect.due_at)
        if effect.reason == NOT_WANTED:  # it may have shown itself since
            effect = effect.again(self.clock.now())
        return self._send(effect, work) if effect.state == "planned" else self.look(effect, work)

    def _send(self, effect: Effect, work: Work[Made]) -> Step:
        now = self.clock.now()
        lease = now + timedelta(seconds=LEASE_SECONDS)
        effect = self.ledger.put(effect.sending(now).model_copy(update={"due_at": lease}))
        try:
            made = work.send(effect)
        except RateLimited as error:
            due = self.clock.now() + timedelta(seconds=error.retry_after_seconds)
            self.ledger.put(effect.doubted(due, str(error)))
            raise
        except Ambiguous as error:
            due = self.clock.now()
            self.ledger.put(effect.doubted(due, str(error)))
            return Step("waiting", f"no clear answer: {error}", due)
        except (Transient, Misconfigured, Conflict) as error:
            self.ledger.put(effect.planned(self.clock.now(), str(error)))
            raise
        except Rejected as error:
            return work.park(self.ledger.put(effect.parked(str(error))), str(error))
        return work.keep(effect, made)

    def look(self, effect: Effect, work: Work[Made]) -> Step:
        """What did become of it? Found: keep it. Not found often enough: the same request once
        more, if the issue still asks for it."""
        sent_at = effect.sent_at or effect.planned_at
        try:
            found = work.find(effect, sent_at - timedelta(seconds=LOOK_BACK_SECONDS))
        except SyncError as error:
            due = self.clock.now() + timedelta(seconds=LOOK_AGAIN_SECONDS)
            self.ledger.put(effect.model_copy(update={"due_at": due, "reason": str(error)}))
            raise
        if found is not None:
            return work.keep(effect, found)
        looks = effect.looks + 1
        over = self.recovery.over_seconds
        due = look_due(sent_at, looks, looks=self.recovery.looks, over_seconds=over)
        if looks >= self.recovery.looks and self.clock.now() >= due:
            if work.is_wanted(effect):
                return self._send(effect, work)
            self.ledger.put(effect.planned(self.clock.now(), NOT_WANTED))
            return Step("waiting", NOT_WANTED)
        self.ledger.put(effect.looked(due))
        return Step("waiting", f"not found at look {looks}", due)
