"""The end of a sweep: whether the equation closes, and what became of issues it did not show.

A list that leaves an issue out proves nothing: paging drifts, keys change, servers answer half.
So each missing issue is read by itself. One that answers was only hidden, and is taken in. One
that is gone in two sweeps, while another known issue still answers, was deleted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from issuebridge.domain.errors import Gone, RateLimited, Rejected, Transient
from issuebridge.domain.issue import RemoteIssue
from issuebridge.domain.limits import SHOWN_SWEEPS_MAX
from issuebridge.domain.round_state import Completeness, ConnectionState
from issuebridge.domain.swept import Compared
from issuebridge.ports import IssueSystem

CONTROLS_MAX = 3
UNREAD_MAX = 3


@dataclass(frozen=True)
class EndSweep:
    """`take_in` stores an issue that was only hidden; `bury` makes a tombstone of a deleted one.
    `limit`: so many may be missing, unless a person has `allowed` more."""

    system: IssueSystem
    limit: int
    allowed: bool
    take_in: Callable[[RemoteIssue], None]
    bury: Callable[[str], None]
    has_time: Callable[[], bool]

    def __call__(
        self,
        state: ConnectionState,
        compared: Compared,
        now: datetime,
    ) -> ConnectionState:
        """The state with the equation, what is missing since when, and why the gate shuts."""
        missing = [*compared.missing]
        state = state.model_copy(update={"completeness": _equation(state, compared, now)})
        if compared.missing_count > self.limit and not self.allowed:
            if not all(self._is_gone(remote_id) for remote_id in missing[:CONTROLS_MAX]):
                # The list hides them: what they say is read all the same, and nothing is buried.
                still = self._look(state, missing, lambda first: False)
                return _waiting(state, still, compared.older)
            reason = (
                f"{compared.missing_count} of {compared.known} issues are missing from the list, "
                f"more than {self.limit}: nothing was closed; look at the vendor, then "
                f"`issuebridge allow {state.connection}` if they are really gone"
            )
            return state.model_copy(update={"tripped": reason})

        @cache
        def is_believed(first: int) -> bool:
            shown = [name for name in state.shown.get(first, ()) if name in compared.controls]
            return self.allowed or self._still_answers(shown)

        return _waiting(state, self._look(state, missing, is_believed), compared.older)

    def _look(
        self, state: ConnectionState, missing: Sequence[str], is_believed: Callable[[int], bool]
    ) -> dict[str, int]:
        """One that cannot be read keeps its place, and holds up no other."""
        still: dict[str, int] = {}
        confirmed: list[str] = []
        unread = 0
        for remote_id in missing:
            first = state.missing.get(remote_id)
            try:
                gone = unread < UNREAD_MAX and self.has_time() and self._is_gone(remote_id)
            except RateLimited:
                raise
            except (Transient, Rejected):
                unread += 1
                gone = False
                still |= {remote_id: first} if first else {}
            if not gone:
                continue
            still[remote_id] = first or state.sweep_number
            if first not in (None, state.sweep_number) and is_believed(first):
                confirmed.append(remote_id)
        for remote_id in confirmed:
            if self._is_gone(remote_id):  # not only until the others answered again
                self.bury(remote_id)
            del still[remote_id]
        return still

    def _is_gone(self, remote_id: str) -> bool:
        try:
            remote = self.system.get(remote_id)
        except Gone:
            return True
        self.take_in(remote)
        return False

    def _still_answers(self, shown: Sequence[str]) -> bool:
        """A changed key or tenant makes everything 404: then nothing was deleted."""
        return any(not self._is_gone(remote_id) for remote_id in shown[:CONTROLS_MAX])


def _waiting(state: ConnectionState, still: dict[str, int], shown: list[str]) -> ConnectionState:
    """The state with what is missing, and for each sweep that found some what it did show. Of more
    sweeps than are kept the oldest count as this one, which looks at theirs anew."""
    kept = {state.sweep_number: tuple(shown), **state.shown}
    last = sorted({*still.values()} & kept.keys())[-SHOWN_SWEEPS_MAX + 1 :]
    still = {name: first if first in last else state.sweep_number for name, first in still.items()}
    kept = {number: names for number, names in kept.items() if number in still.values()}
    return state.model_copy(update={"missing": still, "shown": kept})


def _equation(state: ConnectionState, compared: Compared, now: datetime) -> Completeness:
    return Completeness(
        at=now,
        rounds=state.sweep_rounds,
        claimed=state.sweep_claimed,
        seen=compared.shown,
        stored=compared.shown_stored,
        set_aside=compared.set_aside,
        missing=tuple(compared.gone),
        missing_count=compared.gone_count,
        unstored=tuple(compared.unstored),
        unread=state.sweep_unread,
    )
