"""Take one message off the prompt queue: submit it, or set it aside with the reason, once."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Rejected
from issuebridge.domain.limits import DEAD_LETTER, NAME, REQUEST, kept
from issuebridge.domain.prompt import parse_request
from issuebridge.domain.text import cut_bytes
from issuebridge.ports import Clock, DeadLetters, Ledger
from issuebridge.use_cases.submit_prompt import Prompted, SubmitPrompt

BODY_KEPT_MAX = 20_000
REASON_MAX = 1_000


@dataclass(frozen=True)
class TakePrompt:
    submit: SubmitPrompt
    ledger: Ledger
    dead_letters: DeadLetters
    intents: Collection[str]
    clock: Clock

    def __call__(self, body: str, group: str, sender: str | None = None) -> Prompted:
        """`group` is the message's own, so that what was refused keeps its order too; `sender` is
        who sent it, as the queue knows."""
        try:
            request = parse_request(body, self.intents)
            return self.submit(request, sender and kept(sender, NAME))
        except Rejected as error:
            return self._refuse(body, group, str(error))

    def _refuse(self, body: str, group: str, reason: str) -> Prompted:
        """The queue would only deliver it again, in vain: it is done with here. Of a body that the
        dead letters cannot take the beginning goes there."""
        key = f"rj{hashlib.sha256(body.encode()).hexdigest()[:24]}"
        reason = kept(reason, REASON_MAX)
        self.dead_letters.send(cut_bytes(body, DEAD_LETTER), reason, group=group, key=key)
        if self.ledger.get(key) is None:
            now = self.clock.now()
            row = Effect(
                key=key,
                kind="prompt",
                issue_id="",
                connection="",
                request=kept(body[:BODY_KEPT_MAX], REQUEST),
                planned_at=now,
                due_at=now,
            )
            self.ledger.put(row.parked(reason))
        return Prompted("refused", "", key, detail=reason)
