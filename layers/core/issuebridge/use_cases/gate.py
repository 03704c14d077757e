"""Ask a connection's gate before what it says is stored, and before anything is written to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from issuebridge.domain.config import Breaker, Config
from issuebridge.domain.errors import Tripped
from issuebridge.domain.gate import GateState, changes
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.ports import Clock, ConnectionStore
from issuebridge.use_cases.races import until_won

ALLOWED = timedelta(hours=1)


@dataclass(frozen=True)
class Gate:
    connections: ConnectionStore
    config: Config
    clock: Clock

    def check(self, connection: str, before: CanonicalIssue, after: CanonicalIssue) -> None:
        """Count what this copy changes. Tripped, and nothing counts as said, if it is too much."""
        self.count(connection, changes(before, after))

    def count(self, connection: str, sorts: Iterable[str]) -> None:
        sorts = tuple(sorts)
        if not sorts:
            return
        breaker, now = self._breaker(connection), self.clock.now()
        state = self.change(connection, lambda gate: gate.counted(sorts, breaker, now))
        if state.shut:
            raise Tripped(state.shut)

    def would_shut(self, connection: str, sorts: Iterable[str]) -> str | None:
        """Why so many more at once are too much; nothing is counted."""
        state = self.connections.gate(connection)
        return state.counted(sorts, self._breaker(connection), self.clock.now()).shut

    def room(self, connection: str) -> int:
        """How many changes pass in any case, of whatever sort."""
        state, breaker = self.connections.gate(connection), self._breaker(connection)
        counted = state.counted((), breaker, self.clock.now()).counts.values()
        return breaker.limit(state.known) - max((sum(row.values()) for row in counted), default=0)

    def shut(self, connections: Iterable[str]) -> str | None:
        """Why one of these is stopped, if one is."""
        known = (name for name in connections if name in self.config.connections)
        reasons = (self.connections.gate(name).shut for name in dict.fromkeys(known))
        return next((reason for reason in reasons if reason), None)

    def close(self, connection: str, reason: str) -> None:
        self.change(connection, lambda gate: gate.model_copy(update={"shut": gate.shut or reason}))

    def stop_creating(self, connection: str, why: str) -> None:
        """Marks that are not ours appear: whatever we create there may be a second counterpart."""
        told = f"{why}; nothing is created here until `issuebridge allow {connection}`"
        self.change(
            connection, lambda gate: gate.model_copy(update={"foreign": gate.foreign or told})
        )

    def swept(self, connection: str, known: int, *, is_whole: bool = True) -> None:
        """A sweep has ended, which saw so many issues; `is_whole`: and every one could be read."""
        now = self.clock.now() if is_whole else None
        self.change(
            connection,
            lambda gate: gate.model_copy(update={"known": known, "swept_at": gate.swept_at or now}),
        )

    def hinders_creating(self, connection: str) -> str | None:
        """Why nothing may be created there now: its marks may not all be known, or are not ours."""
        state = self.connections.gate(connection)
        if state.shut or state.foreign:
            return state.shut or state.foreign
        return None if state.swept_at else f"the first whole sweep of {connection} has not ended"

    def change(self, connection: str, step: Callable[[GateState], GateState]) -> GateState:
        """Stored with this change, whoever else changes it meanwhile."""

        def once() -> GateState:
            before = self.connections.gate(connection)
            after = step(before)
            return before if after == before else self.connections.save_gate(after)

        return until_won(f"gate of {connection}", once)

    def _breaker(self, connection: str) -> Breaker:
        found = self.config.connections.get(connection)
        return found.breaker if found else Breaker()


def widen(connections: ConnectionStore, config: Config, clock: Clock, connection: str) -> None:
    """For an hour nothing is too much there; what is stopped stays so."""
    update: dict[str, object] = {"counts": {}, "allowed_until": clock.now() + ALLOWED}
    Gate(connections, config, clock).change(connection, lambda gate: gate.model_copy(update=update))


def allow(connections: ConnectionStore, config: Config, clock: Clock, connection: str) -> None:
    """A person has looked: for an hour the connection may do what it stopped at, and marks of
    another bridge that stand there by now no longer keep us from creating."""
    update: dict[str, object] = {
        "shut": None,
        "foreign": None,
        "counts": {},
        "allowed_until": clock.now() + ALLOWED,
    }
    Gate(connections, config, clock).change(connection, lambda gate: gate.model_copy(update=update))
