"""Effects that must happen once: creating a counterpart, posting a comment, submitting a prompt.

The row is written before the request and says what is known of it:

planned -> sending -> done
              |  `-> unknown   sent, and no answer: look at the remote before anything is sent again
              `----> parked    the remote refuses, or only a person can tell: shown, never retried
"""

from datetime import datetime, timedelta
from typing import Literal, Self

from issuebridge.domain.issue import Frozen
from issuebridge.domain.limits import Name, Reason

State = Literal["planned", "sending", "unknown", "done", "parked"]


class Effect(Frozen):
    """One row of the ledger. `request` is the JSON of what is sent, so a repeat sends the same.

    A prompt also has the `rule` that asked, or the `sender` as the queue knows it, how many
    `sessions` it tried, whether it `reuses` one that was there before, and `ended_at`, when its run
    was over, with Norm's last word, cut short, and the `links` of its artifacts.
    """

    key: str
    kind: Literal["create", "comment", "prompt"]
    issue_id: str
    connection: str
    request: str
    state: State = "planned"
    planned_at: datetime
    due_at: datetime
    sent_at: datetime | None = None
    looks: int = 0
    sends: int = 0
    doubts: int = 0
    session_id: str | None = None
    sessions: int = 0
    reuses: bool = False
    rule: str | None = None
    sender: Name | None = None
    ended_at: datetime | None = None
    result: str | None = None
    response: str | None = None
    links: tuple[str, ...] = ()
    reason: Reason | None = None
    version: int = 0

    @property
    def is_open(self) -> bool:
        return self.state not in ("done", "parked")

    @property
    def shelf(self) -> str | None:
        """Under which name rows like this one are listed; None if nobody asks for them."""
        if self.is_open:
            return self.kind
        if self.kind != "prompt":
            return None
        if self.state == "parked":
            return "parked"
        return "ended" if self.ended_at else "run"

    def sending(self, now: datetime) -> Self:
        return self.model_copy(
            update={"state": "sending", "sent_at": now, "looks": 0, "sends": self.sends + 1}
        )

    def doubted(self, due_at: datetime, reason: str) -> Self:
        """Sent, and nobody knows what became of it."""
        update = {"state": "unknown", "due_at": due_at, "reason": reason, "doubts": self.doubts + 1}
        return self.model_copy(update=update)

    def looked(self, due_at: datetime) -> Self:
        """Looked for and not found, yet. A crash after sending comes here without `doubted`."""
        update = {"state": "unknown", "looks": self.looks + 1, "due_at": due_at}
        return self.model_copy(update={**update, "doubts": max(self.doubts, 1)})

    def planned(self, due_at: datetime, reason: str | None = None) -> Self:
        return self.model_copy(update={"state": "planned", "due_at": due_at, "reason": reason})

    def again(self, now: datetime) -> Self:
        """Tried again after it was parked: if it was ever in doubt, it is looked for first."""
        planned = self.planned(now)
        return (
            planned.model_copy(update={"state": "unknown", "looks": 0}) if self.doubts else planned
        )

    def done(self, result: str | None) -> Self:
        return self.model_copy(update={"state": "done", "result": result, "reason": None})

    def given_up(self, reason: str) -> Self:
        """By a person, wherever it stands: what is under way is in doubt from now on."""
        doubts = max(self.doubts, self.state in ("sending", "unknown"))
        return self.model_copy(update={"doubts": doubts}).parked(reason)

    def parked(self, reason: str) -> Self:
        return self.model_copy(update={"state": "parked", "reason": reason})


def look_due(sent_at: datetime, looks_done: int, *, looks: int, over_seconds: float) -> datetime:
    """When to look next: at once, then spread so that the last look falls at the end."""
    share = looks_done / max(looks - 1, 1)
    return sent_at + timedelta(seconds=over_seconds * min(share, 1))
