"""Submit a Norm prompt once, and record its run.

A prompt starts a paid agent that can write, so it is never repeated on a guess: the ledger row
comes first, one prompt at a time has the turn of an issue, and an answer that was lost is looked
for in the issue's activity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    SyncError,
    Transient,
)
from issuebridge.domain.issue import AgentRun, CanonicalIssue
from issuebridge.domain.prompt import (
    PromptRequest,
    carries_reference,
    may_be_shortened,
    prompt_detail,
    prompt_key,
)
from issuebridge.domain.run import ActivityEntry
from issuebridge.ports import (
    Agent,
    Clock,
    IssueStore,
    Ledger,
    Session,
    Submitted,
)
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.prompt_line import PromptLine
from issuebridge.use_cases.races import until_won

LEASE_SECONDS = 150
BUSY_SECONDS = 20
TRY_AGAIN_SECONDS = 5
TURN_SECONDS = 300
"""The end of a run calls the next prompt; this is for the case that the call gets lost."""
REFUSED_SECONDS = 900
RESENDS_MAX = 1
SESSIONS_MAX = 2
CONFLICTS_MAX = 3
"""A run may be late to show; a session that still refuses then is no good."""
CLOCKS_APART_SECONDS = 600
AROUND = timedelta(seconds=60)
"""How near in time an entry must be that does not show our reference."""
REUSABLE = ("pending", "active", "awaiting_input", "complete")


@dataclass(frozen=True)
class Prompted:
    """What became of one request; `run_id` is None until Norm named one."""

    kind: Literal["submitted", "already", "waiting", "parked", "refused"]
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
    gate: Gate
    clock: Clock

    @property
    def line(self) -> PromptLine:
        return PromptLine(self.store, self.ledger, self.clock)

    def __call__(self, request: PromptRequest, sender: str | None = None) -> Prompted:
        """Plan what somebody asked by the queue, and take its first step. Rejected when it can
        never be submitted, or not today."""
        is_paid = False

        def step() -> Prompted:
            nonlocal is_paid
            issue, connection = self._resolve(request)
            effect = self.ledger.get(prompt_key(issue.issue_id, request))
            if effect and effect.request != request.model_dump_json():
                raise Rejected(
                    f"idempotency_key {request.idempotency_key} was used for another prompt on "
                    "this issue: give each request its own"
                )
            if not (effect or is_paid):
                self._pay(connection)
                is_paid = True
            try:
                return self.resume(effect or self.plan(issue, connection, request, sender=sender))
            except LostRace:
                if effect:  # somebody else is at it, and the ledger remembers it
                    return self._told(effect, "waiting")
                raise

        return until_won(request.issue, step)

    def plan(
        self,
        issue: CanonicalIssue,
        connection: str,
        request: PromptRequest,
        *,
        rule: str | None = None,
        sender: str | None = None,
    ) -> Effect:
        """Store the issue as given, and the prompt at the end of its line, in one commit."""
        now = self.clock.now()
        effect = Effect(
            key=prompt_key(issue.issue_id, request, rule),
            kind="prompt",
            issue_id=issue.issue_id,
            connection=connection,
            request=request.model_dump_json(),
            rule=rule,
            sender=sender,
            planned_at=now,
            due_at=now,
        )
        return self.line.join(issue, effect)

    def _pay(self, connection: str) -> None:
        limit, day = self.config.norm.queue_daily_budget, self.clock.now().date().isoformat()
        if not self.ledger.spend(f"norm by queue at {connection}", day, limit):
            raise Rejected(
                f"today's {limit} prompts by queue at {connection} are used up: send it again "
                "tomorrow, or raise norm.queue_daily_budget"
            )

    def resume(self, effect: Effect) -> Prompted:
        """One step of the effect, from wherever the ledger says it stands."""
        if effect.state == "done":
            return self._told(effect, "already")
        if effect.state == "parked":
            return self._told(effect, "parked")
        if effect.due_at > self.clock.now():
            return self._told(effect, "waiting")
        return self._send(effect) if effect.state == "planned" else self._look(effect)

    def give_up(self, effect: Effect, reason: str) -> Prompted:
        return self._park(effect, reason)

    def _told(self, effect: Effect, kind: Literal["already", "parked", "waiting"]) -> Prompted:
        return Prompted(kind, effect.issue_id, effect.key, effect.result, effect.reason or "")

    def _resolve(self, request: PromptRequest) -> tuple[CanonicalIssue, str]:
        able = self.config.with_agent
        names = [request.connection] if request.connection else able
        if not set(names) <= set(able):
            raise Rejected(f"connection {request.connection}: Norm works only at {', '.join(able)}")
        found = {i: n for n in names for i in self.store.named(n, request.issue)}
        if len(found) > 1:
            told = ", ".join(f"{issue_id} at {name}" for issue_id, name in found.items())
            raise Rejected(f"issue {request.issue} is more than one: name one of {told}")
        issue = self.store.load(next(iter(found), request.issue))
        if issue is None:
            raise Rejected(
                f"issue {request.issue} is not known here; has its connection been polled?"
            )
        at = next((n for n in names if n in issue.refs and issue.refs[n].is_live), None)
        if at is None:
            raise Rejected(
                f"issue {request.issue} has no copy at {' or '.join(names)}, so Norm cannot see it"
            )
        if self.config.connections[at].mode != "mirror":
            raise Rejected(f"connections.{at}.mode: nothing is written there unless it is mirror")
        return issue, at

    def _send(self, effect: Effect) -> Prompted:
        """Choose the session, say that we send, send."""
        agent, request = self.agent(effect.connection), _request(effect)
        if request.deadline and self.clock.now() >= request.deadline:
            return self._park(effect, f"its deadline passed: {effect.reason or 'not sent'}")
        try:
            ready = self._ready(effect, agent)
        except (Transient, Misconfigured, Rejected) as error:
            return self._not_ready(effect, error)
        if isinstance(ready, Prompted):
            return ready
        now = self.clock.now()
        lease = now + timedelta(seconds=LEASE_SECONDS)
        effect = self.ledger.put(ready.sending(now).model_copy(update={"due_at": lease}))
        assert effect.session_id is not None, "a session is stored before it is prompted"
        detail = prompt_detail(effect.key, request)
        try:
            answer = agent.submit(self._remote_id(effect), effect.session_id, detail)
        except (Ambiguous, Transient, Rejected, Misconfigured) as error:
            return self._failed(effect, error)
        return self._accepted(effect, answer)

    def _not_ready(self, effect: Effect, error: SyncError) -> Prompted:
        """Nothing was sent; only a refusal that says so is final."""
        if isinstance(error, Conflict):
            return self._wait(effect, str(error), BUSY_SECONDS)
        if isinstance(error, Rejected):
            return self._park(effect, str(error))
        pause = REFUSED_SECONDS if isinstance(error, Misconfigured) else TRY_AGAIN_SECONDS
        asked = error.retry_after_seconds if isinstance(error, RateLimited) else pause
        return self._wait(effect, str(error), asked)

    def _barred(self, connection: str) -> str | None:
        if self.config.connections[connection].mode != "mirror":
            return "nothing is written there now"
        return self.gate.shut([connection])

    def _ready(self, effect: Effect, agent: Agent) -> Effect | Prompted:
        """The effect with a session of its own; or it waits its turn, or for Norm."""
        if why := self._barred(effect.connection):
            return self._wait(effect, why, REFUSED_SECONDS)
        if not self.line.issue(effect).refs[effect.connection].is_live:
            return self._park(effect, "the issue's copy there is gone, or unlinked")
        if not self.line.has_turn(effect):
            return self._wait(effect, "another prompt of this issue goes first", TURN_SECONDS)
        remote_id = self._remote_id(effect)
        latest, is_processing = agent.latest_session(remote_id)
        if is_processing:
            return self._wait(effect, "Norm works on this issue", BUSY_SECONDS)
        if effect.session_id:
            return effect
        reusable = latest if latest and latest.status in REUSABLE else None
        session = self._session(effect, agent, remote_id, reusable)
        update = {"session_id": session.session_id, "sessions": effect.sessions + 1}
        update |= {"reuses": session == reusable}
        return self.ledger.put(effect.model_copy(update=update))

    def _session(
        self, effect: Effect, agent: Agent, remote_id: str, reusable: Session | None
    ) -> Session:
        """The issue's latest usable session, else a new one. A session alone starts no run, so one
        whose answer was lost is a spare, never a second run."""
        return reusable if reusable and not effect.sessions else agent.create_session(remote_id)

    def _wait(self, effect: Effect, reason: str, seconds: float) -> Prompted:
        """Nothing is under way for it, so it can as well be given up."""
        now, minutes = self.clock.now(), self.config.norm.wait_minutes_max
        if now - effect.planned_at > timedelta(minutes=minutes):
            return self._park(effect, f"given up after {minutes:g} minutes: {reason}")
        due = now + timedelta(seconds=seconds)
        return self._told(self.ledger.put(effect.planned(due, reason)), "waiting")

    def _park(self, effect: Effect, reason: str) -> Prompted:
        return self._told(self.line.park(effect, reason), "parked")

    def _failed(self, effect: Effect, error: SyncError) -> Prompted:
        """What the failure lets us conclude: nothing was queued, or nobody knows."""
        doubtful = isinstance(error, Conflict) and effect.doubts > 0
        if isinstance(error, Ambiguous) or doubtful:
            doubted = effect.doubted(self.clock.now(), str(error))
            return self._told(self.ledger.put(doubted), "waiting")
        is_last = effect.sessions >= SESSIONS_MAX
        if isinstance(error, Conflict) and (is_last or effect.sends < CONFLICTS_MAX):
            return self._wait(effect, str(error), BUSY_SECONDS)
        is_no_good = isinstance(error, Gone | Conflict) or effect.reuses
        if isinstance(error, Rejected) and is_no_good and not is_last:
            afresh = effect.model_copy(update={"session_id": None})
            return self._wait(afresh, f"refused; now in a session of its own: {error}", 0)
        if isinstance(error, Transient):
            return self._not_ready(effect, error)
        return self._park(effect, str(error))

    def _look(self, effect: Effect) -> Prompted:
        """Did Norm take it? Its activity tells; if not, a read-only intent is worth one resend."""
        sent_at = effect.sent_at or effect.planned_at
        since = sent_at - timedelta(seconds=CLOCKS_APART_SECONDS)
        try:
            entries = self.agent(effect.connection).activity(self._remote_id(effect), since)
        except Rejected as error:
            return self._park(effect, f"nobody knows whether Norm took it: {error}")
        except (Transient, Misconfigured) as error:
            due = self.clock.now() + timedelta(seconds=TRY_AGAIN_SECONDS)
            unseen = effect.model_copy(update={"due_at": due, "reason": str(error)})
            return self._told(self.ledger.put(unseen), "waiting")
        prompts = [e for e in entries if e.type == "prompt"]
        own = next((e for e in prompts if carries_reference(e.text, effect.key)), None)
        if own := own or self._shortened(effect, sent_at, prompts):
            return self._accepted(effect, Submitted(own.run_id or "", _request(effect).intent))
        return self._not_found(effect)

    def _shortened(
        self, effect: Effect, sent_at: datetime, prompts: Sequence[ActivityEntry]
    ) -> ActivityEntry | None:
        """Ours by its session and its time, where the feed shows too little of it: the weaker proof
        that Norm took it. It began after the run before it had ended."""
        ends = [run.ended_at for run in self.line.issue(effect).runs if run.ended_at]
        since = max([sent_at - AROUND, *ends])
        near = [
            entry
            for entry in prompts
            if entry.session_id == effect.session_id
            and since <= entry.created_at <= sent_at + AROUND
            and may_be_shortened(entry.text, effect.key)
        ]
        return near[-1] if near else None

    def _not_found(self, effect: Effect) -> Prompted:
        now, recovery, looks = self.clock.now(), self.config.recovery, effect.looks + 1
        sent_at = effect.sent_at or effect.planned_at
        due = look_due(sent_at, looks, looks=recovery.looks, over_seconds=recovery.over_seconds)
        if looks < recovery.looks or now < due:
            return self._told(self.ledger.put(effect.looked(due)), "waiting")
        if _request(effect).intent == "fix" or effect.doubts > RESENDS_MAX:
            return self._park(
                effect, "nobody knows whether Norm took it: look at the issue and decide"
            )
        return self._told(self.ledger.put(effect.planned(now, "sent again")), "waiting")

    def _accepted(self, effect: Effect, answer: Submitted) -> Prompted:
        """Store the run on the issue together with the finished effect."""
        request = _request(effect)
        run = AgentRun(
            key=effect.key,
            session_id=effect.session_id or "",
            run_id=answer.run_id or None,
            intent_asked=request.intent,
            intent=answer.intent,
            requested_by=request.requested_by,
            sender=effect.sender,
            rule=effect.rule,
            submitted_at=effect.sent_at or effect.planned_at,
        )
        self.line.started(effect.done(run.run_id), run)
        return Prompted("submitted", effect.issue_id, effect.key, run.run_id, run.intent)

    def _remote_id(self, effect: Effect) -> str:
        return self.line.issue(effect).refs[effect.connection].remote_id


def _request(effect: Effect) -> PromptRequest:
    return PromptRequest.model_validate_json(effect.request)
