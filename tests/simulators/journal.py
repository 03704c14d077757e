"""Everything a simulator received, in order; never the value of a secret."""

from datetime import datetime
from typing import Any

from .clock import millis
from .wire import SECRET_HEADERS, Json, Request


class Journal:
    def __init__(self) -> None:
        self.entries: list[Json] = []

    def note(self, request: Request, auth: str, at: datetime) -> Json:
        """Write a call down when it arrives; `status`, `committed`, `fault` are filled in later."""
        entry: dict[str, Any] = {
            "at": millis(at),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": {n: v for n, v in request.headers.items() if n not in SECRET_HEADERS},
            "auth": auth,
            "body": request.body,
            "status": None,  # stays None when no reply was sent
            "committed": False,
            "fault": None,
        }
        self.entries.append(entry)
        return entry

    def writes(self) -> list[Json]:
        return [entry for entry in self.entries if entry["method"] != "GET"]
