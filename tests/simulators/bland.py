"""Bland Triage: issues, their activity, and Norm."""

from collections.abc import Mapping
from typing import Any, ClassVar

from . import bland_activity as activity
from . import bland_issues as issues
from . import bland_links as links
from . import bland_norm as norm
from .bland_rules import CREATABLE, LIST_QUERY, PAGING, PATCHABLE, SWITCHES
from .bland_state import BlandState
from .routes import Route
from .wire import Json, Reply, Request

_ROOT = "/v1/triage"
_ISSUES = _ROOT + "/issues"
_ISSUE = _ISSUES + "/{issue_id}"
_LINK = frozenset({"resource_type", "resource_id"})


class BlandSimulator(BlandState):
    vendor = "bland"
    default_key = "bland-simulated-key"
    SWITCHES = SWITCHES
    ROUTES = (
        Route("POST", _ISSUES, issues.create, body=frozenset(CREATABLE)),
        Route("GET", _ISSUES, issues.list_issues, LIST_QUERY, lists=True),
        Route("GET", _ISSUE, issues.get),
        Route(
            "PATCH",
            _ISSUE,
            issues.patch,
            body=frozenset(PATCHABLE),
            extra_fields="unknown_patch_field",
        ),
        Route("DELETE", _ISSUE, issues.delete),
        Route("POST", _ISSUE + "/resources", links.attach, body=_LINK),
        Route("GET", _ISSUE + "/resources", links.list_resources, PAGING, lists=True),
        Route("DELETE", _ISSUE + "/resources/{link_id}", links.detach),
        Route("GET", _ISSUE + "/activity", activity.list_activity, PAGING, lists=True),
        Route(
            "POST",
            _ISSUE + "/comments",
            activity.comment,
            body=frozenset({"detail", "resource_link_ids"}),
        ),
        Route("PUT", _ISSUE + "/view", activity.view),
        Route("GET", _ROOT + "/categories", links.list_categories, PAGING, lists=True),
        Route("POST", _ROOT + "/categories", links.create_category, body=frozenset({"name"})),
        Route(
            "POST",
            _ISSUE + "/relations",
            links.relate,
            body=frozenset({"related_issue_id", "relation_type"}),
        ),
        Route("GET", _ISSUE + "/relations", links.list_relations, PAGING, lists=True),
        Route("DELETE", _ISSUE + "/relations/{relation_id}", links.unrelate),
        Route("GET", _ROOT + "/agents", norm.list_agents, PAGING, lists=True),
        Route("POST", _ISSUE + "/agent-sessions", norm.create_session),
        Route(
            "POST",
            _ISSUE + "/agent-sessions/{session_id}/prompts",
            norm.prompt,
            body=frozenset({"detail"}),
        ),
    )
    ACTS: ClassVar[Mapping[str, Any]] = {
        "comment": activity.comment_by_person,
        "stop_run": norm.stop,
    }

    def auth_state(self, request: Request) -> str:
        """The raw key; its own clients say that a scheme word before it is tolerated."""
        given = request.headers.get("authorization")
        if given is None:
            return "missing"
        accepted = {self.api_key}
        if self.switches["bearer_prefix"] == "accept":
            accepted.add(f"Bearer {self.api_key}")
        return "ok" if given in accepted else "wrong"

    def error(self, status: int, code: str | None = None, message: str | None = None) -> Reply:
        usual_code, usual_message = _ERRORS.get(status, ("INTERNAL_SERVER_ERROR", "Internal error"))
        error = {"error": code or usual_code, "message": message or usual_message}
        return Reply(status, {"data": None, "errors": [error]})

    def empty_list(self, reply: Reply) -> Reply:
        return Reply(body={"data": {"items": [], "next_cursor": None}, "errors": None})

    @property
    def runs(self) -> list[Json]:
        """The truth on how many runs were started, oldest first."""
        with self.lock:
            self.settle()
            return [run.shown() for run in self.all_runs]

    def settle(self) -> None:
        norm.settle(self)

    def add(self, **fields: Any) -> Json:
        return issues.add(self, **fields)

    def edit(self, issue_id: str, **fields: Any) -> Json:
        return issues.edit(self, issue_id, **fields)

    def remove(self, issue_id: str) -> None:
        with self.lock:
            self.forget(self.rows[issue_id])

    def state(self) -> Json:
        return {**super().state(), "runs": self.runs, "sessions": dict(self.sessions)}


_ERRORS = {
    400: ("bad_request", "Bad request"),
    401: ("AUTH_FAILURE", "Unauthorized"),
    402: ("INSUFFICIENT_CREDITS", "No credit left"),
    403: ("FORBIDDEN", "Forbidden"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    429: ("TOO_MANY_REQUESTS", "Rate limit exceeded"),
}
