"""One round now: poll every connection, then wait until nothing that can be done is pending."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from issuebridge.domain.issue import CanonicalIssue
from ops.stack import POLLERS, Stack, StackError

POLLS_MAX = 3
"""An issue is deferred while it may be the counterpart of a create without an answer."""
LOOK_SECONDS = 0.5
EMPTY_LOOKS = 3
"""The index follows the table a moment later: one look at it proves nothing."""
STREAM_SECONDS = 3
"""How long the stream may take to wake mirror before we go round it."""
PATIENCE_SECONDS = 150
"""A mark that is due within this is waited for: it covers the lease of a push under way."""
RUN_SECONDS_MAX = 10
"""So long a round stays with Norm's runs; a longer one is told as running."""


@dataclass
class RoundReport:
    """What the round did: issues seen for the first time, edits taken in, fields written,
    counterparts made, runs started, running and ended. `waiting` is due later; `problems` ended a
    poll early."""

    began_at: datetime
    polled: dict[str, dict[str, Any]] = field(default_factory=dict)
    born: list[dict[str, Any]] = field(default_factory=list)
    pulled: list[dict[str, Any]] = field(default_factory=list)
    pushed: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    prompted: list[dict[str, Any]] = field(default_factory=list)
    running: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, indent=2)


@dataclass
class Round:
    """`wait_seconds` bounds the whole wait."""

    stack: Stack
    wait_seconds: float = 300
    progress: Callable[[str], None] = lambda _: None

    def __call__(self) -> RoundReport:
        self.wiring = self.stack.wiring()
        self.report = RoundReport(datetime.now(UTC))
        self.touched = {pk.removeprefix("ISSUE#") for pk, _ in self.wiring.table.pending("issue")}
        for _ in range(POLLS_MAX):
            self._poll()
            self._settle()
            if not any(told.get("deferred") for told in self.report.polled.values()):
                break
        self._tell()
        return self.report

    def _poll(self) -> None:
        kinds = {connection.kind for connection in self.wiring.config.connections.values()}
        self.progress("polling")
        with ThreadPoolExecutor(len(kinds)) as pool:
            for answer in pool.map(self._poll_kind, sorted(kinds)):
                self.report.polled |= answer
        for name, told in self.report.polled.items():
            self.touched |= set(told.get("stored", {}).values())
            if told.get("problem"):
                self.report.problems[name] = str(told["problem"])

    def _poll_kind(self, kind: str) -> dict[str, Any]:
        """A scheduled round of the same connection may be under way: then ours follows it."""
        give_up, whole = time.monotonic() + self.wait_seconds, True
        while True:
            try:
                answer: dict[str, Any] = self.stack.invoke(POLLERS[kind], {"whole_sweep": whole})
            except StackError as error:
                return {kind: {"problem": str(error)}}
            busy = any(told.get("busy") for told in answer.values())
            unswept = any(not (told["swept"] or told.get("problem")) for told in answer.values())
            if time.monotonic() > give_up or not (busy or unswept):
                return answer
            whole = whole and busy
            time.sleep(LOOK_SECONDS if busy else 0)

    def _settle(self) -> None:
        """The stream does the work; what it missed, `reconcile` does."""
        give_up = time.monotonic() + self.wait_seconds
        runs_until = time.monotonic() + min(self.wait_seconds, RUN_SECONDS_MAX)
        idle_since, empty_looks = time.monotonic(), 0
        while time.monotonic() < give_up:
            due, later = self._due(0), self._due(PATIENCE_SECONDS)
            if not later and not self._queued():
                empty_looks += 1
                if empty_looks < EMPTY_LOOKS:
                    time.sleep(LOOK_SECONDS)
                    continue
                running, ended = self._track()
                if not ended and (not running or time.monotonic() > runs_until):
                    return
                self.progress("Norm is at work")
                time.sleep(LOOK_SECONDS)
                continue
            empty_looks = 0
            self.progress(f"{len(later)} to finish" if later else "prompts on their way")
            if due and time.monotonic() - idle_since > STREAM_SECONDS:
                self._reconcile()
                idle_since = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def _due(self, seconds: float) -> list[str]:
        """Issues and prompts that are due within so many seconds."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        kinds = ["issue", *(f"prompt#{name}" for name in self.wiring.config.connections)]
        found = [pk for kind in kinds for pk, _ in self.wiring.table.pending(kind, until)]
        self.touched |= {pk.removeprefix("ISSUE#") for pk in found if pk.startswith("ISSUE#")}
        return found

    def _queued(self) -> bool:
        answer = self.stack.session.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.output("PromptQueueUrl"),
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
        return any(int(count) for count in answer["Attributes"].values())

    def _track(self) -> tuple[bool, bool]:
        """Whether runs go on, and whether some have ended just now."""
        try:
            told: dict[str, Any] = self.stack.invoke("TrackRuns", {})
        except StackError as error:
            self.report.problems["track_runs"] = str(error)
            return False, False
        effects = map(self.wiring.ledger.get, [*told["running"], *told["ended"]])
        self.touched |= {effect.issue_id for effect in effects if effect}
        return bool(told["running"]), bool(told["ended"])

    def _reconcile(self) -> None:
        try:
            left: dict[str, Any] = self.stack.invoke("Reconcile", {})
        except StackError as error:
            self.report.problems["reconcile"] = str(error)
            return
        self.touched |= {outcome["issue_id"] for outcome in left.get("pushed", [])}
        self.touched |= {prompted["issue_id"] for prompted in left.get("prompted", [])}

    def _tell(self) -> None:
        began, store = self.report.began_at, self.wiring.store
        for name in self.wiring.config.connections:
            for shelf in ("run", "ended"):
                begun = self.wiring.ledger.listed(shelf, name, began)
                self.touched |= {effect.issue_id for effect in begun}
        for issue in filter(None, map(store.load, sorted(self.touched))):
            self._tell_history(issue)
            self._tell_issue(issue)

    def _tell_history(self, issue: CanonicalIssue) -> None:
        for entry in self.wiring.store.history(issue.issue_id):
            if entry.at >= self.report.began_at:
                is_push = entry.outcome in ("pushed", "rejected")
                told = entry.model_dump(mode="json", exclude_none=True)
                shelf = self.report.pushed if is_push else self.report.pulled
                shelf.append({"issue_id": issue.issue_id, **told})

    def _tell_issue(self, issue: CanonicalIssue) -> None:
        began, issue_id = self.report.began_at, issue.issue_id
        for name, ref in issue.refs.items():
            if ref.linked_at and ref.linked_at >= began:
                shelf = self.report.born if name == issue.origin else self.report.created
                shelf.append({"issue_id": issue_id, "connection": name, "as": ref.display_id})
        for run in issue.runs:
            told = {"issue_id": issue_id, **run.model_dump(mode="json")}
            if run.submitted_at >= began:
                self.report.prompted.append(told)
            if run.outcome == "running":
                self.report.running.append(told)
            if run.ended_at and run.ended_at >= began:
                effect = self.wiring.ledger.get(run.key)
                said = {"response": effect.response, "links": effect.links} if effect else {}
                self.report.ended.append({**told, **said})
        for name, mark in issue.pending.items():
            told = mark.model_dump(mode="json")
            self.report.waiting.append({"issue_id": issue_id, "connection": name, **told})
