"""After an adoption: the connection's own notes say what is still odd, and nothing else."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from issuebridge.domain.adoption import ODD, Told
from issuebridge.domain.errors import LostRace
from issuebridge.domain.round_state import ConnectionState, Marked, Twin
from issuebridge.ports import ConnectionStore
from issuebridge.use_cases.gate import Gate

LEASE_SECONDS = 60
LEASE_TRIES = 40
BUSY_SECONDS = 5
"""Together longer than the lease of any poll."""


@dataclass(frozen=True)
class TellAdopted:
    connections: ConnectionStore
    gate: Gate
    pause: Callable[[float], None]

    def __call__(self, connection: str, linked: Collection[str], told: Sequence[Told]) -> None:
        """`linked`: remote ids that need no note any more. Where nobody else's marks stand, what
        was stopped for the sake of our own lost ones goes on."""
        state = self._acquired(connection)
        self.connections.save(_noted(state, linked, told))
        if not any(each.odd == "foreign" for each in told):
            self.gate.change(connection, lambda gate: gate.model_copy(update={"foreign": None}))

    def _acquired(self, connection: str) -> ConnectionState:
        """The polls keep these notes under the connection's lease."""
        for _ in range(LEASE_TRIES):
            try:
                return self.connections.acquire(connection, self.gate.clock.now(), LEASE_SECONDS)
            except LostRace:
                self.pause(BUSY_SECONDS)
        raise LostRace(f"{connection}: a poll does not end: run this again")


def _noted(
    state: ConnectionState, linked: Collection[str], told: Sequence[Told]
) -> ConnectionState:
    """What does not fit into a list is told by the polls, which find it again."""
    marked = {k: v for k, v in state.marked.items() if k not in linked}
    state = state.model_copy(update={"marked": marked})
    for each in told:
        remote_id, name = each.remote.remote_id, each.remote.display_id
        if each.odd == "double":
            twin = Twin(name=name, issue_id=each.issue_id)
            state = state.without("marked", remote_id)
            state = state.listing("twins", remote_id, twin) or state
        elif each.odd != "foreign":  # those stop what finds them
            mark = Marked(name=name, why=f"{ODD[each.odd]}: {each.mark}")
            state = state.listing("marked", remote_id, mark) or state
    return state
