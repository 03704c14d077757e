"""The simulators' class API for one that runs in another process."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from .wire import Json


class RemoteFaults:
    def __init__(self, remote: "Remote") -> None:
        self._remote = remote

    def add(self, fault: Json | None = None, **settings: Any) -> None:
        self._remote.call("POST", "faults", {**(fault or {}), **settings})

    def clear(self) -> None:
        self._remote.call("DELETE", "faults")


class Remote:
    """Drives the simulator at `base_url`; a refusal of its control surface is a ValueError."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.faults = RemoteFaults(self)

    def call(self, method: str, path: str, fields: Json | None = None) -> Any:
        connection = HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        try:
            body = json.dumps(fields) if fields is not None else None
            connection.request(method, f"/_sim/{path}", body, {"content-type": "application/json"})
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(answer["problem"])
        return answer

    def state(self) -> Json:
        state: Json = self.call("GET", "state")
        return state

    @property
    def issues(self) -> dict[str, Json]:
        issues: dict[str, Json] = self.state()["issues"]
        return issues

    @property
    def violations(self) -> list[str]:
        return list(self.state()["violations"])

    @property
    def runs(self) -> list[Json]:
        """Norm's runs; only bland has any."""
        return list(self.state()["runs"])

    @property
    def requests(self) -> list[Json]:
        return list(self.call("GET", "requests"))

    def writes(self) -> list[Json]:
        return [entry for entry in self.requests if entry["method"] != "GET"]

    def clear_requests(self) -> None:
        self.call("DELETE", "requests")

    def clear_violations(self) -> None:
        self.call("DELETE", "violations")

    def add(self, **fields: Any) -> Json:
        issue: Json = self.call("POST", "issues", fields)
        return issue

    def edit(self, issue_id: str, **fields: Any) -> Json:
        issue: Json = self.call("PATCH", f"issues/{quote(issue_id)}", fields)
        return issue

    def remove(self, issue_id: str) -> None:
        self.call("DELETE", f"issues/{quote(issue_id)}")

    def act(self, issue_id: str, name: str, **fields: Any) -> Any:
        return self.call("POST", f"issues/{quote(issue_id)}/{name}", fields)

    def set_switches(self, **values: object) -> None:
        self.call("PATCH", "switches", values)

    def advance(self, seconds: float) -> None:
        self.call("POST", "clock", {"advance_seconds": seconds})
