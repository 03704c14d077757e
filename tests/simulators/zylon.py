"""Zylon Workspace: users' reports about bad answers of the chat assistant."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from . import faults
from . import zylon_issues as issues
from .routes import Route
from .wire import Json, Refused, Reply, Request
from .zylon_pages import list_issues
from .zylon_rules import CREATABLE, LIST_QUERY, PRESETS, PUTTABLE, RIGHTS, SWITCHES
from .zylon_state import ZylonState

_APP = "/api/v1/app"
_ISSUES = _APP + "/issue"
_ISSUE = _ISSUES + "/{issue_id}"
_HEALTH = "/api/health"


def _health(sim: ZylonState, request: Request) -> Reply:
    return Reply(body={"status": "ok", "uptime": 1, "commit": "simulated"})


def _me(sim: ZylonState, request: Request) -> Reply:
    return Reply(body=sim.token_user)


def _threads(sim: ZylonState, request: Request, project_id: str) -> Reply:
    return _page([thread for thread, project in sim.threads.items() if project == project_id])


def _interactions(sim: ZylonState, request: Request, thread_id: str) -> Reply:
    return _page([turn for turn, thread in sim.interactions.items() if thread == thread_id])


def _page(ids: list[str]) -> Reply:
    rows = [{"id": id_} for id_ in ids]
    return Reply(body={"data": rows, "has_next_page": False, "has_previous_page": False})


class ZylonSimulator(ZylonState):
    vendor = "zylon"
    api_path = "/api/v1"
    default_key = "zylon-simulated-key"
    SWITCHES = SWITCHES
    PRESETS = PRESETS
    ROUTES = (
        Route("GET", _ISSUES, list_issues, LIST_QUERY, lists=True),
        Route("POST", _ISSUES, issues.create, body=CREATABLE),
        Route("GET", _ISSUE, issues.get),
        Route("PUT", _ISSUE, issues.put, body=frozenset(PUTTABLE)),
        Route("DELETE", _ISSUE, issues.delete),
        Route("GET", _APP + "/me", _me),
        Route("GET", _APP + "/project/{project_id}/thread", _threads),
        Route("GET", _APP + "/thread/{thread_id}/interaction", _interactions),
        Route("GET", _HEALTH, _health),
    )
    ACTS: ClassVar[Mapping[str, Any]] = {"purge": lambda sim, issue_id: sim.purge(issue_id)}

    def auth_state(self, request: Request) -> str:
        given = request.headers.get("authorization")
        if given is None:
            return "missing"
        scheme, _, token = given.partition(" ")
        return "ok" if (scheme.lower(), token) == ("bearer", self.api_key) else "wrong"

    def admit(self, request: Request) -> None:
        if request.path == _HEALTH:
            return
        if self.auth_state(request) != "ok":
            raise Refused(self._unauthenticated())
        self._check_org(request)
        rights = RIGHTS[self.switches["role"]]
        if request.path.startswith(_ISSUES) and request.method in SPOKEN - rights:
            raise Refused(self.error(403))

    def _unauthenticated(self) -> Reply:
        reading = self.switches["unauthenticated"]
        if reading == 302:
            return Reply(302, headers={"Location": "/login"})
        if reading == "html":
            return Reply(raw=b"<html><body>Please sign in</body></html>", content_type="text/html")
        return self.error(401)

    def _check_org(self, request: Request) -> None:
        org = request.headers.get("x-org")
        if org is None and self.switches["missing_org"] != "default":
            self.violations.append(f"{request.method} {request.path}: no x-org header")
            raise Refused(self.error(self.switches["missing_org"], message="x-org is required"))
        if org is not None and org not in self.org.values():
            raise Refused(self.error(self.switches["unknown_org"], message="Unknown organization"))

    def error(self, status: int, code: str | None = None, message: str | None = None) -> Reply:
        kind = code or _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        shaped = _ERROR_SHAPES[self.switches["error_body"]](
            kind, message or _MESSAGES.get(status, "Error")
        )
        return Reply(status, shaped.body, shaped.headers, shaped.raw, shaped.content_type)

    def empty_list(self, reply: Reply) -> Reply:
        counted = {"total_count": 0} if "total_count" in reply.body else {}
        page = {"data": [], "has_next_page": False, "has_previous_page": False}
        return Reply(body={**page, **counted})

    def add(self, **fields: Any) -> Json:
        return issues.add(self, **fields)

    def edit(self, issue_id: str, **fields: Any) -> Json:
        return issues.edit(self, issue_id, **fields)

    def remove(self, issue_id: str) -> None:
        """A person's delete, soft as well; `act(id, "purge")` is the hard one."""
        with self.lock:
            self.soft_delete(issue_id)

    def state(self) -> Json:
        return {**super().state(), "anchor": self.anchor, "org": self.org}


SPOKEN = frozenset({"GET", "POST", "PUT", "DELETE"})
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_MESSAGES = {
    400: "Bad request",
    401: "Authentication required",
    403: "Not allowed",
    404: "Issue not found",
    405: "Method not allowed",
    429: "Too many requests",
}
_ERROR_SHAPES: dict[str, Callable[[str, str], Reply]] = {
    "nested": lambda kind, text: Reply(
        body={"type": "error", "error": {"type": kind, "message": text}}
    ),
    "message": lambda kind, text: Reply(body={"message": text}),
    "error_string": lambda kind, text: Reply(body={"error": text}),
    "text": lambda kind, text: Reply(raw=text.encode(), content_type="text/plain"),
    "html": lambda kind, text: Reply(raw=faults.HTML, content_type="text/html"),
    "empty": lambda kind, text: Reply(),
}
