"""What bland remembers, and the ways in which all its parts change an issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .checks import UUID
from .clock import Clock, millis
from .simulator import Simulator
from .wire import Json, Refused, Reply

AGENT_PROFILE_ID = "3f0d7f0e-6f5a-4b7e-9f43-0d1b6a5c2e10"


@dataclass
class Run:
    run_id: str
    issue_id: str
    session_id: str
    intent: str
    detail: str  # as Norm reads it: without the intent word and the mention
    text: str  # as it was sent
    origin: str  # "prompt" or "comment"
    actor: Json  # who asked
    accepted: datetime
    status: str = "queued"
    started: datetime | None = None
    ended: datetime | None = None
    is_noted: bool = False  # its `prompt` entry is in the activity

    @property
    def is_open(self) -> bool:
        return self.ended is None

    def shown(self) -> Json:
        return {
            "run_id": self.run_id,
            "issue_id": self.issue_id,
            "session_id": self.session_id,
            "intent": self.intent,
            "detail": self.detail,
            "text": self.text,
            "origin": self.origin,
            "status": self.status,
            "accepted_at": millis(self.accepted),
            "started_at": self.started and millis(self.started),
            "ended_at": self.ended and millis(self.ended),
        }


class BlandState(Simulator):
    def __init__(
        self,
        api_key: str | None = None,
        switches: Mapping[str, object] | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(api_key, switches, clock=clock, seed=seed)
        self.org_id = self.new_id()
        self.api_user_id = self.new_id()
        self.person_id = self.new_id()
        self.last_number = 1000
        self.buried: dict[str, Json] = {}  # deleted rows, for cursors that still name them
        self.feeds: dict[str, list[Json]] = {}  # activity by issue, oldest first
        self.links: dict[str, Json] = {}
        self.relations: dict[str, Json] = {}
        self.categories: dict[str, Json] = {}  # custom ones, by name
        self.sessions: dict[str, Json] = {}
        self.prompted_sessions: set[str] = set()
        self.all_runs: list[Run] = []
        self.open_runs: list[Run] = []
        # What an issue may have attached: (type, id) -> title.
        self.resources = {("call", self.new_id()): f"Simulated call {n}" for n in (1, 2, 3)}

    def now_text(self) -> str:
        return millis(self.clock.now())

    def found(self, issue_id: str) -> Json:
        """The caller's issue; another organization's is as unknown as none at all."""
        if not UUID.fullmatch(issue_id):
            status = self.switches["non_uuid_id"]
            raise Refused(self.error(status, message="Issue not found"))
        issue = self.rows.get(issue_id)
        if issue is None or issue["org_id"] != self.org_id:
            raise Refused(self.error(404, message="Issue not found"))
        return issue

    def update(self, issue_id: str, **changes: Any) -> Json:
        self.rows[issue_id] = {**self.rows[issue_id], **changes}
        return self.rows[issue_id]

    def forget(self, issue: Json) -> None:
        """Delete for good, with everything that belongs to the issue."""
        issue_id = issue["id"]
        self.buried[issue_id] = self.rows.pop(issue_id)
        self.feeds.pop(issue_id, None)
        for run in [run for run in self.open_runs if run.issue_id == issue_id]:
            run.status, run.ended = "cancelled", self.clock.now()
            self.open_runs.remove(run)
        for children in (self.links, self.sessions):
            for child in [c for c in children.values() if c["issue_id"] == issue_id]:
                del children[child["id"]]
        for relation in [r for r in self.relations.values() if issue_id in ends(r)]:
            self.drop_relation(relation)

    def drop_relation(self, relation: Json) -> None:
        del self.relations[relation["id"]]
        for issue_id in set(ends(relation)) & set(self.rows):
            self.update(issue_id, relation_count=self.rows[issue_id]["relation_count"] - 1)

    def note(
        self, issue_id: str, type_: str, actor: Json, at: datetime | None = None, **fields: Any
    ) -> Json:
        """Add an activity entry, which is what moves `last_activity_at`."""
        when = millis(at or self.clock.now())
        entry = {
            "entry_kind": "issue",
            "id": self.new_id(),
            "issue_id": issue_id,
            "type": type_,
            "actor": actor,
            "detail": type_.replace("_", " "),
            "metadata": None,
            "created_at": when,
            **fields,
        }
        self.feeds.setdefault(issue_id, []).append(entry)
        moved = max(when, self.rows[issue_id]["last_activity_at"])
        self.update(issue_id, last_activity_at=moved, has_unread_activity=True)
        return entry

    @property
    def api_user(self) -> Json:
        return _actor("user", self.api_user_id, "API user")

    @property
    def person(self) -> Json:
        return _actor("user", self.person_id, "A person")

    @property
    def norm(self) -> Json:
        return _actor("agent", AGENT_PROFILE_ID, "Norm")


def _actor(kind: str, id_: str, label: str) -> Json:
    return {"kind": kind, "id": id_, "label": label, "avatar_url": None}


def ends(relation: Json) -> tuple[str, str]:
    return relation["issue_id"], relation["related_issue_id"]


def data(body: Any, status: int = 200) -> Reply:
    return Reply(status, {"data": body, "errors": None})
