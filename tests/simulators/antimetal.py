"""Antimetal: issues that an investigation moves along by itself."""

from collections.abc import Mapping
from typing import Any, ClassVar

from . import antimetal_investigation as investigation
from . import antimetal_issues as issues
from .antimetal_rules import CREATABLE, LIST_QUERY, SWITCHES, VERSION
from .antimetal_state import AntimetalState
from .routes import Route
from .wire import Json, Refused, Reply, Request

_ROOT = "/api/v2"
_ISSUES = _ROOT + "/issues"
_ISSUE = _ISSUES + "/{uuid}"
_VERSION = frozenset({"version"})


class AntimetalSimulator(AntimetalState):
    vendor = "antimetal"
    api_path = _ROOT
    default_key = "antimetal-simulated-key"
    id_field = "uuid"
    SWITCHES = SWITCHES
    ROUTES = (
        Route("POST", _ISSUES, issues.create, body=CREATABLE),
        Route("GET", _ISSUES, issues.list_issues, LIST_QUERY, lists=True),
        Route("GET", _ISSUES + "/by_number/{number}", issues.get_by_number),
        Route("GET", _ISSUE, issues.get, _VERSION),
        Route(
            "PATCH",
            _ISSUE,
            issues.patch,
            body=frozenset({"status"}),
            extra_fields="patch_extra_field",
        ),
        Route("DELETE", _ISSUE, issues.delete),
        Route("GET", _ISSUE + "/results", investigation.results, _VERSION),
        Route("GET", _ROOT + "/artifacts", investigation.artifacts, frozenset({"id"})),
        Route(
            "POST",
            _ROOT + "/query",
            investigation.query,
            body=frozenset({"question", "conversation_id", "stream"}),
        ),
    )
    ACTS: ClassVar[Mapping[str, Any]] = {
        "join_alert": investigation.join_alert,
        "finish_investigation": investigation.finish_now,
    }

    def auth_state(self, request: Request) -> str:
        given = request.headers.get("authorization")
        if given is None:
            return "missing"
        scheme, _, key = given.partition(" ")
        return "ok" if (scheme.lower(), key) == ("bearer", self.api_key) else "wrong"

    def admit(self, request: Request) -> None:
        super().admit(request)
        version = request.headers.get("antimetal-version", VERSION)
        if version != VERSION:
            self.violations.append(f"{request.method} {request.path}: Antimetal-Version {version}")
            if self.switches["unknown_version"] == 400:
                raise Refused(self.error(400, message=f"Unknown API version {version}"))
        if (
            request.method in ("POST", "PATCH", "DELETE")
            and self.switches["key_scope"] == "read_only"
        ):
            raise Refused(self.error(403))

    def error(self, status: int, code: str | None = None, message: str | None = None) -> Reply:
        by_status = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        body = {
            "type": code or by_status,
            "message": message or _MESSAGES.get(status, "Something went wrong"),
            "request_id": f"req_{self.random.getrandbits(64):016x}",
        }
        return Reply(status, body)

    def invalid(self, request: Request, problems: Mapping[str, str]) -> Refused:
        status = self.switches["validation_status"]
        body = {**super().invalid(request, problems).reply.body, "details": dict(problems)}
        return Refused(Reply(status, body))

    def empty_list(self, reply: Reply) -> Reply:
        return Reply(body={"object": "list", "data": [], "has_more": False})

    def settle(self) -> None:
        investigation.settle(self)

    def add(self, **fields: Any) -> Json:
        return issues.add(self, **fields)

    def edit(self, issue_id: str, **fields: Any) -> Json:
        return issues.edit(self, issue_id, **fields)

    def remove(self, issue_id: str) -> None:
        with self.lock:
            self.forget(issue_id)


_TYPES = {401: "authentication_error", 403: "authentication_error"}
_MESSAGES = {
    400: "Bad request",
    401: "Authentication required",
    403: "Insufficient permissions",
    404: "Issue not found",
    405: "Method not allowed",
    429: "Rate limit exceeded",
    500: "Internal server error",
}
