"""Submit a Norm prompt once, and record its run.

A prompt starts a paid agent that can write, so it is never repeated on a guess: the ledger row
comes first, one prompt at a time is in flight for an issue, and an answer that was lost is looked
for in the issue's activity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from issuebridge.domain.config import Config
from issuebridge.domain.effect import Effect, look_due
from issuebridge.domain.errors import (
    Ambiguous,
    Conflict,
    Gone,
    LostRace,
    Misconfigured,
    RateLimited,
    Rejected,
    Transient,
)
from issuebridge.domain.issue import AgentRun, CanonicalIssue
from issuebridge.domain.prompt import PromptRequest, prompt_detail, prompt_key
from issuebridge.ports import ActivityEntry, Agent, Clock, IssueStore, Ledger, Session, Submitted

LEASE_SECONDS = 150
BUSY_SECONDS = 20
SHOWS_SECONDS = 60
"""So long may an accepted prompt take until its issue shows that Norm works on it."""
RESENDS_MAX = 1
CLOCKS_APART_SECONDS = 60
RACES_MAX = 5
REUSABLE = ("pending", "active", "awaiting_input", "complete")


@dataclass(frozen=True)
class Prompted:
    """What became of one request; `run_id` is None until Norm named one."""

    kind: Literal["submitted", "already", "waiting", "parked"]
    issue_id: str
    key: str
    run_id: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class SubmitPrompt:
    store: IssueStore
    ledger: Ledger
    agent: Callable[[str], Agent]
    config: Config
    clock: Clock

    def __call__(self, request: PromptRequest) -> Prompted:
        """Plan the request and take its first step. Rejected when it can never be submitted."""
        issue, connection = self._resolve(request)
        key = prompt_key(issue.issue_id, request)
        effect = self.ledger.get(key)
        if effect is None:
            effect = self._plan(key, issue, connection, request)
        elif effect.request != request.model_dump_json():
            raise Rejected(
                f"idempotency_key {request.idempotency_key} was used for another prompt on this "
                "issue: give each request its own"
            )
        return self.resume(effect)

    def resume(self, effect: Effect) -> Prompted:
        """One step of the effect, from wherever the ledger says it stands."""
        if effect.state == "done":
            return self._told(effect, "already")
        if effect.state == "parked":
            return self._told(effect, "parked")
        if effect.due_at > self.clock.now():
            return self._told(effect, "waiting")
        return self._send(effect) if effect.state == "planned" else self._look(effect)

    def _told(self, effect: Effect, kind: Literal["already", "parked", "waiting"]) -> Prompted:
        return Prompted(kind, effect.issue_id, effect.key, effect.result, effect.reason or "")

    def _resolve(self, request: PromptRequest) -> tuple[CanonicalIssue, str]:
        blands = [n for n, c in self.config.connections.items() if c.kind == "bland"]
        names = [request.connection] if request.connection else blands
        if not set(names) <= set(blands):
            raise Rejected(
                f"connection {request.connection}: Norm works only at {', '.join(blands)}"
            )
        found = [self.store.find(name, request.issue) for name in names]
        issue_id = next((issue_id for issue_id in found if issue_id), request.issue)
        issue = self.store.load(issue_id)
        if issue is None:
            raise Rejected(
                f"issue {request.issue} is not known here; has its connection been polled?"
            )
        at = next((name for name in names if name in issue.refs), None)
        if at is None:
            raise Rejected(f"issue {request.issue} has no copy at bland, so Norm cannot see it")
        return issue, at

    def _plan(
        self, key: str, issue: CanonicalIssue, connection: str, request: PromptRequest
    ) -> Effect:
        now = self.clock.now()
        return self.ledger.put(
            Effect(
                key=key,
                kind="prompt",
                issue_id=issue.issue_id,
                connection=connection,
                request=request.model_dump_json(),
                planned_at=now,
                due_at=now,
            )
        )

    def _send(self, effect: Effect) -> Prompted:
        """Choose the session, say that we send, send."""
        agent, remote_id = self.agent(effect.connection), self._remote_id(effect)
        try:
            ready = self._ready(effect, agent, remote_id)
        except (Rejected, Misconfigured) as error:
            return self._settle(effect.parked(str(error)))
        if isinstance(ready, Prompted):
            return ready
        now = self.clock.now()
        lease = now + timedelta(seconds=LEASE_SECONDS)
        effect = self.ledger.put(ready.sending(now).model_copy(update={"due_at": lease}))
        request = PromptRequest.model_validate_json(effect.request)
        assert effect.session_id is not None, "a session is stored before it is prompted"
        try:
            answer = agent.submit(remote_id, effect.session_id, prompt_detail(effect.key, request))
        except (Ambiguous, Transient, Rejected, Misconfigured) as error:
            return self._failed(effect, error)
        return self._accepted(effect, answer)

    def _ready(self, effect: Effect, agent: Agent, remote_id: str) -> Effect | Prompted:
        """The effect with a session of its own; or Norm is busy, and it waits its turn."""
        if not self._has_turn(effect):
            return self._wait(effect, "another prompt of this issue goes first", BUSY_SECONDS)
        latest, is_processing = agent.latest_session(remote_id)
        if is_processing or self._has_just_begun(effect):
            return self._wait(effect, "Norm works on this issue", BUSY_SECONDS)
        if effect.session_id:
            return effect
        try:
            session = self._session(effect, agent, remote_id, latest)
        except RateLimited as error:
            return self._wait(effect, str(error), error.retry_after_seconds)
        except Transient as error:
            return self._wait(effect, str(error), BUSY_SECONDS)
        return self.ledger.put(effect.model_copy(update={"session_id": session.session_id}))

    def _session(
        self, effect: Effect, agent: Agent, remote_id: str, latest: Session | None
    ) -> Session:
        """The issue's latest usable session, else a new one. A session alone starts no run, so one
        whose answer was lost is a spare, never a second run."""
        if latest and latest.status in REUSABLE and effect.sends == 0:
            return latest
        return agent.create_session(remote_id)

    def _has_turn(self, effect: Effect) -> bool:
        """One prompt at a time for an issue. Whose turn it is stands on the issue itself, whose
        version lets only one worker take it."""
        issue = self._issue(effect)
        if issue.prompting == effect.key:
            return True
        holder = self.ledger.get(issue.prompting) if issue.prompting else None
        if holder and holder.is_open:
            return False
        try:
            self.store.commit(issue.model_copy(update={"prompting": effect.key}))
        except LostRace:
            return False
        return True

    def _has_just_begun(self, effect: Effect) -> bool:
        """A run need not show as such at once."""
        begun = self.clock.now() - timedelta(seconds=SHOWS_SECONDS)
        return any(run.submitted_at > begun for run in self._issue(effect).runs)

    def _wait(self, effect: Effect, reason: str, seconds: float) -> Prompted:
        due = self.clock.now() + timedelta(seconds=seconds)
        return self._told(self.ledger.put(effect.planned(due, reason)), "waiting")

    def _failed(self, effect: Effect, error: Exception) -> Prompted:
        """What the failure lets us conclude: nothing was queued, or nobody knows."""
        if isinstance(error, Ambiguous):
            doubted = effect.doubted(self.clock.now(), str(error))
            return self._told(self.ledger.put(doubted), "waiting")
        if isinstance(error, RateLimited):
            return self._wait(effect, str(error), error.retry_after_seconds)
        if isinstance(error, Conflict) and effect.doubts:
            return self._told(self.ledger.put(effect.looked(self.clock.now())), "waiting")
        if isinstance(error, Transient | Conflict):
            return self._wait(effect, str(error), BUSY_SECONDS)
        if isinstance(error, Gone) and effect.sends <= RESENDS_MAX:
            afresh = effect.model_copy(update={"session_id": None})
            return self._wait(afresh, f"session refused, another one is made: {error}", 0)
        return self._settle(effect.parked(str(error)))

    def _look(self, effect: Effect) -> Prompted:
        """Did Norm take it? Its activity tells; if not, a read-only intent is worth one resend."""
        sent_at = effect.sent_at or effect.planned_at
        since = sent_at - timedelta(seconds=CLOCKS_APART_SECONDS)
        agent = self.agent(effect.connection)
        entry = self._own_prompt(effect, agent.activity(self._remote_id(effect), since))
        request = PromptRequest.model_validate_json(effect.request)
        if entry:
            return self._accepted(effect, Submitted(entry.run_id or "", request.intent))
        recovery, looks = self.config.recovery, effect.looks + 1
        due = look_due(sent_at, looks, looks=recovery.looks, over_seconds=recovery.over_seconds)
        if looks < recovery.looks or self.clock.now() < due:
            return self._told(self.ledger.put(effect.looked(due)), "waiting")
        if request.intent == "fix" or effect.doubts > RESENDS_MAX:
            return self._settle(
                effect.parked("nobody knows whether Norm took it: look at the issue and decide")
            )
        return self._told(
            self.ledger.put(effect.planned(self.clock.now(), "sent again")), "waiting"
        )

    def _own_prompt(self, effect: Effect, entries: Sequence[ActivityEntry]) -> ActivityEntry | None:
        return next(
            (e for e in entries if e.type == "prompt" and f"[ref {effect.key}]" in e.text), None
        )

    def _accepted(self, effect: Effect, answer: Submitted) -> Prompted:
        """Store the run on the issue together with the finished effect."""
        request = PromptRequest.model_validate_json(effect.request)
        run = AgentRun(
            session_id=effect.session_id or "",
            run_id=answer.run_id or None,
            intent=answer.intent,
            requested_by=request.requested_by,
            submitted_at=effect.sent_at or effect.planned_at,
            status="running" if answer.intent == request.intent else "intent_changed",
        )
        return self._settle(effect.done(run.run_id), run)

    def _settle(self, effect: Effect, run: AgentRun | None = None) -> Prompted:
        if run is None:
            return self._told(self.ledger.put(effect), "parked")
        for _ in range(RACES_MAX):
            issue = self._issue(effect)
            recorded = issue.model_copy(update={"runs": (*issue.runs, run)})
            try:
                self.store.commit(recorded, done=effect)
            except LostRace:
                if not self._still_ours(effect):
                    raise
                continue
            return Prompted("submitted", effect.issue_id, effect.key, run.run_id, run.intent)
        raise LostRace(f"{effect.issue_id}: gave up after {RACES_MAX} races")

    def _still_ours(self, effect: Effect) -> bool:
        now = self.ledger.get(effect.key)
        return now is not None and now.version == effect.version

    def _remote_id(self, effect: Effect) -> str:
        return self._issue(effect).refs[effect.connection].remote_id

    def _issue(self, effect: Effect) -> CanonicalIssue:
        issue = self.store.load(effect.issue_id)
        assert issue is not None, "a prompt is planned for a stored issue"
        return issue
