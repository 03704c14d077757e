"""What a round works on while it holds the lease of a connection."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from issuebridge.domain.round_state import ConnectionState, Entry, Listed
from issuebridge.use_cases.pull_report import PullReport

REMAINING_SECONDS_MIN = 50
"""One more read may take a connect and a read time-out, and the state must still be stored."""


class OutOfTime(Exception):
    """The round ends here; its page is read again by the next, which knows what is stored."""


@dataclass
class Held:
    """What a round works on while it holds the lease of a connection, and what it will tell.

    `reserved_seconds` are kept for what comes after.
    """

    state: ConnectionState
    report: PullReport
    remaining_seconds: Callable[[], float]
    began_at: datetime
    reserved_seconds: float = 0
    crowded: set[tuple[str, str]] = field(default_factory=set)

    def remember(self, **update: object) -> None:
        self.state = self.state.model_copy(update=update)

    def list(self, name: Listed, remote_id: str, entry: Entry) -> None:
        listed = self.state.listing(name, remote_id, entry)
        if listed is None:
            self.crowded.add((name, remote_id))
            self.remember(more=dict(Counter(name for name, _ in self.crowded)))
        self.state = listed or self.state

    def unlist(self, name: Listed, remote_id: str) -> None:
        if remote_id in getattr(self.state, name):
            self.state = self.state.without(name, remote_id)

    def has_time(self) -> bool:
        return self.remaining_seconds() > REMAINING_SECONDS_MIN + self.reserved_seconds

    def advance(self, to: datetime | None) -> None:
        """The watermark never goes back."""
        if to and (self.state.watermark is None or to > self.state.watermark):
            self.remember(watermark=to)
