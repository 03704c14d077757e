"""What zylon remembers, and how an issue is shown."""

import base64
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .clock import Clock, millis, parse, seconds
from .simulator import Simulator
from .wire import Json, Refused
from .zylon_rules import DELETED, THIN

_WHOLE_ORG = "*"


class ZylonState(Simulator):
    def __init__(
        self,
        api_key: str | None = None,
        switches: Mapping[str, object] | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(api_key, switches, clock=clock, seed=seed)
        self.org = {"id": self._opaque("org"), "slug": "default"}
        self.token_user = self._user("api-token", "token@example.test", "AppAdmin")
        self.reporter = self._user("Rosa Reporter", "rosa@example.test", "AppMember")
        self.projects: dict[str, Json] = {}
        self.threads: dict[str, str] = {}  # thread -> project
        self.interactions: dict[str, str] = {}  # interaction -> thread
        self.deleted_at: dict[str, str] = {}
        self.numbered: Counter[str] = Counter()  # issues so far, in all and by project
        self.anchor = self.new_anchor()  # where a client may report an issue

    def _opaque(self, kind: str) -> str:
        return f"{kind}_{self.random.getrandbits(64):016x}"

    def _user(self, name: str, email: str, role: str) -> Json:
        return {
            "id": self._opaque("user"),
            "org_id": self.org["id"],
            "account_id": self._opaque("account"),
            "name": name,
            "email": email,
            "state": "Active",
            "roles": [role],
            "created_at": "2026-01-01T00:00:00Z",
        }

    def new_anchor(self, project_id: str | None = None) -> Json:
        """A chat turn somebody can report: {project_id, thread_id, reported_interaction_id}."""
        project_id = project_id or self._opaque("project")
        thread_id, interaction_id = self._opaque("thread"), self._opaque("interaction")
        self.projects.setdefault(project_id, {"id": project_id, "name": "Support assistant"})
        self.threads[thread_id] = project_id
        self.interactions[interaction_id] = thread_id
        return {
            "project_id": project_id,
            "thread_id": thread_id,
            "reported_interaction_id": interaction_id,
        }

    def now_text(self) -> str:
        return millis(self.clock.now())

    def found(self, issue_id: str) -> Json:
        if issue_id not in self.rows:
            raise Refused(self.error(404))
        return self.rows[issue_id]

    def update(self, issue_id: str, **changes: Any) -> Json:
        self.rows[issue_id] = {**self.rows[issue_id], **changes}
        return self.rows[issue_id]

    def soft_delete(self, issue_id: str) -> Json:
        self.deleted_at[issue_id] = self.now_text()
        return self.update(issue_id, state=DELETED, updated_at=self.now_text())

    def purge(self, issue_id: str) -> None:
        """Gone for good, as a cleanup job may do to a deleted issue."""
        del self.rows[issue_id]
        self.deleted_at.pop(issue_id, None)

    def settle(self) -> None:
        days = self.switches["purge_after_days"]
        if not days:
            return
        oldest = millis(self.clock.now() - timedelta(days=days))
        for issue_id in [i for i, at in self.deleted_at.items() if at < oldest]:
            self.purge(issue_id)

    def new_issue(self, fields: Json, project_id: str | None) -> Json:
        now = fields.get("created_at", self.now_text())
        issue = {
            "id": self._opaque("issue"),
            "issue_number": self._next_number(project_id),
            "description": None,
            "resource_type": "Thread",
            "type": "Other",
            "state": "NotReviewed" if self.switches["states"] == "four" else "Active",
            "is_read": False,
            "data": {},
            "created_at": now,
            "updated_at": now,
            "created_by": None,
            "project": self.projects.get(project_id or ""),
            **fields,
        }
        self.rows[issue["id"]] = issue
        return issue

    def _next_number(self, project_id: str | None) -> int:
        self.numbered.update({_WHOLE_ORG, project_id or ""})
        by_project = self.switches["issue_number_scope"] == "project"
        return self.numbered[project_id or "" if by_project else _WHOLE_ORG]

    def shown(self, issue: Json, view: str, include: frozenset[str] = frozenset()) -> Json:
        """`view` is the call that answers: list, get, create or put."""
        whole = {
            **issue,
            "created_by": issue["created_by"] if "User" in include else None,
            "project": issue["project"] if "Project" in include else None,
        }
        if self.switches["time_precision"] == "s":
            for name in ("created_at", "updated_at"):
                whole[name] = seconds(parse(issue[name]))
        if self.switches["answers"] == "thin":
            whole = {name: whole[name] for name in THIN[view]}
        if self.switches["optional_nulls"] == "absent":
            whole = {name: value for name, value in whole.items() if value is not None}
        return {**whole, "sla": "none"} if self.switches["extra_fields"] else whole


def cursor_of(issue: Json) -> str:
    return base64.urlsafe_b64encode(f"cursor:{issue['id']}".encode()).decode()
