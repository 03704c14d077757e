"""Faults: what goes wrong between a client and a vendor, on demand and counted."""

import itertools
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from .wire import Json, Reply, Request, payload

KINDS = {
    "drop_before": "the connection closes after `seconds`, nothing was committed",
    "drop_after": "committed, then the connection closes without a reply",
    "status": "an error status in place of the work",
    "unauthorized": "401 in the vendor's own words",
    "half_body": "committed; the body is shorter than announced",
    "slow": "committed at once, answered after `seconds`",
    "drip": "committed at once; a byte of the answer every `seconds`, its headers included",
    "late_success": "committed and answered after `seconds`",
    "wrong_json": "committed; the body is cut short or is no JSON at all",
    "empty_list": "a list answers that it has no rows",
    "duplicate_page": "a list answers its previous page again",
}
BODIES = ("envelope", "flat", "error_message", "html", "empty", "garbage")
BROKEN = ("truncated", "text")
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass
class Fault:
    """Acts on calls whose path starts with `path` or matches it as a regular expression."""

    kind: str
    method: str = ""  # empty: any
    path: str = ""  # empty: any
    times: int = 1  # how often it strikes; 0 is without end
    after: int = 0  # matching calls let through first
    every: int = 1  # then each n-th one
    status: int = 500
    body: str = "envelope"
    code: str | None = None
    message: str | None = None
    retry_after: float | None = None  # seconds
    retry_after_as: str = "seconds"  # or "date"
    seconds: float = 0.0
    matched: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.body not in (*BODIES, *BROKEN):
            raise ValueError(f"no fault body {self.body!r}; there are {BODIES + BROKEN}")
        if self.retry_after_as not in ("seconds", "date"):
            raise ValueError("retry_after_as is 'seconds' or 'date'")
        re.compile(self.path)

    def concerns(self, request: Request) -> bool:
        if self.method and self.method.upper() != request.method:
            return False
        return request.path.startswith(self.path) or bool(re.match(self.path, request.path))

    def strikes(self) -> bool:
        """Count one more matching call, and say whether this is one that fails."""
        self.matched += 1
        turn = self.matched - self.after - 1
        if turn < 0 or turn % self.every or (self.times and self.struck >= self.times):
            return False
        self.struck += 1
        return True


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Json | None = None, **settings: Any) -> None:
        """`add(kind="drop_after", method="POST", path="/v1")`, or the same as one dict."""
        given = {**(fault or {}), **settings}
        names = {known.name for known in fields(Fault)} - {"matched", "struck"}
        if unknown := set(given) - names:
            raise ValueError(f"a fault has no {sorted(unknown)}; it has {sorted(names)}")
        self._faults.append(Fault(**given))

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, request: Request) -> Fault | None:
        """The first fault due on this call; all that concern it count it."""
        due = [fault for fault in self._faults if fault.concerns(request) and fault.strikes()]
        for spare in due[1:]:  # one call fails in one way only
            spare.struck -= 1
        return due[0] if due else None

    def listed(self) -> list[Json]:
        return [asdict(fault) for fault in self._faults]


def retry_after(seconds: float, form: str, now: datetime) -> dict[str, str]:
    if form == "date":
        whole = now.replace(microsecond=0) + timedelta(seconds=seconds + 1)
        return {"Retry-After": format_datetime(whole, usegmt=True)}
    return {"Retry-After": f"{seconds:g}"}


_GARBAGE = bytes(itertools.chain(b'{"data": ', (0xFF, 0xFE), b"\x01]"))
_OTHER_BODIES: dict[str, Callable[[str, str], Reply]] = {
    "flat": lambda code, message: Reply(body={"error": code, "message": message}),
    "error_message": lambda code, message: Reply(body={"status": "error", "message": message}),
    "html": lambda code, message: Reply(raw=HTML, content_type="text/html"),
    "empty": lambda code, message: Reply(),
    "garbage": lambda code, message: Reply(raw=_GARBAGE),
}


def error_reply(fault: Fault, vendors_own: Callable[..., Reply], now: datetime) -> Reply:
    """The reply of a `status` fault; `vendors_own(status, code, message)` is its envelope."""
    if fault.body == "envelope":
        reply = vendors_own(fault.status, fault.code, fault.message)
    else:
        shape = _OTHER_BODIES[fault.body]
        reply = shape(fault.code or "injected", fault.message or "Injected fault")
    headers = dict(reply.headers)
    if fault.retry_after is not None:
        headers |= retry_after(fault.retry_after, fault.retry_after_as, now)
    return Reply(fault.status, reply.body, headers, reply.raw, reply.content_type)


def broken_json(reply: Reply, form: str) -> Reply:
    whole = payload(reply)
    broken = b"OK" if form == "text" else whole[: max(1, len(whole) * 2 // 3)]
    return Reply(reply.status, headers=reply.headers, raw=broken)
