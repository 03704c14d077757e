"""Requests and replies as values, and a reply as the bytes that go out in one write."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: Any = None  # parsed JSON, or the text itself when it is none
    is_json: bool = True
    target: str = ""  # path and query as sent

    def one(self, name: str) -> str | None:
        """The last value of a query parameter, or None when it was not sent."""
        return self.query[name][-1] if name in self.query else None

    @property
    def fields(self) -> Json:
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None  # None sends no body
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # sent as it is, in place of `body`
    content_type: str = "application/json; charset=utf-8"


class Refused(Exception):
    """A handler's way out: this reply, and nothing is committed."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def parse_request(method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Request:
    parts = urlsplit(target)
    body, is_json = _parse_body(raw)
    return Request(
        method=method,
        path=unquote(parts.path),
        query=parse_qs(parts.query, keep_blank_values=True),
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        is_json=is_json,
        target=target,
    )


def _parse_body(raw: bytes) -> tuple[Any, bool]:
    if not raw:
        return None, True
    try:
        return json.loads(raw), True
    except ValueError:
        return raw.decode("utf-8", "replace"), False


def json_bytes(body: object) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 can't
        return json.dumps(body).encode()


def payload(reply: Reply) -> bytes:
    if reply.raw is not None:
        return reply.raw
    return b"" if reply.body is None else json_bytes(reply.body)


def encode(reply: Reply, now: datetime, cut: Callable[[bytes], bytes] = lambda body: body) -> bytes:
    """Head and body as one piece. `cut` shortens the body after its length was announced."""
    body = payload(reply)
    head = {"Date": format_datetime(now, usegmt=True), **reply.headers}
    if reply.status != HTTPStatus.NO_CONTENT:
        head["Content-Length"] = str(len(body))
        if body:
            head["Content-Type"] = reply.content_type
    reason = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{n}: {v}" for n, v in head.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + cut(body)
