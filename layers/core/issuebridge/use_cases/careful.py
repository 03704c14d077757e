"""Find out what kills a worker: after a death the next one notes each thing before it begins it.

As long as all goes well nothing is noted. What several workers have died at is set aside by the
next one, before it is touched again.
"""

from dataclasses import dataclass
from datetime import timedelta

from issuebridge.domain.taking import DEATHS_MAX, Taking
from issuebridge.ports import Clock, ConnectionStore

LIVES = timedelta(seconds=150)
"""Longer than any function's timeout."""


@dataclass
class Careful:
    connections: ConnectionStore
    worker: str
    clock: Clock
    noted: Taking | None = None
    is_careful: bool = False
    others_row: str | None = None

    def begin(self) -> None:
        """For a worker without a lease. While another one is at work it notes nothing, and leaves
        what that one is at."""
        last, now = self.connections.taking(self.worker) or Taking(), self.clock.now()
        if last.until and last.until > now:
            self.others_row = last.row
        elif last.until:
            self._go_on_after(last)
        else:
            self._note(Taking())

    def after_death(self) -> None:
        """For one whose lease has told that the worker before has died."""
        self._go_on_after(self.connections.taking(self.worker) or Taking())

    def at(self, row: str, *, always: bool = False) -> None:
        if self.is_careful or always:
            self._note((self.noted or Taking()).model_copy(update={"row": row}))

    def deaths(self, row: str) -> int:
        return self.noted.deaths.get(row, 0) if self.noted else 0

    def is_deadly(self, row: str) -> bool:
        return self.deaths(row) >= DEATHS_MAX

    def end(self) -> None:
        if self.noted:
            self.connections.save_taking(self.worker, Taking())

    def _go_on_after(self, last: Taking) -> None:
        self.is_careful = True
        self._note(last.after_death())

    def _note(self, taking: Taking) -> None:
        self.noted = taking.model_copy(update={"until": self.clock.now() + LIVES})
        self.connections.save_taking(self.worker, self.noted)
