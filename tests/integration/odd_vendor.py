"""A vendor of a few lines: it answers what a test tells it to; no network."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from issuebridge.adapters.antimetal.client import AntimetalIssues
from issuebridge.adapters.bland.client import BlandIssues
from issuebridge.adapters.http import Http, Timing
from issuebridge.adapters.network import Reply
from issuebridge.adapters.zylon.client import ZylonIssues
from issuebridge.domain.config import Connection
from issuebridge.domain.issue import Draft
from tests.world import configured

AT = datetime(2026, 5, 6, 21, 9, 57, 81_000, tzinfo=UTC)
REFERENCE = "ibabcdefghijklmnopqrstuv"
WORDS = "People's words\nsecond"
Json = dict[str, object]
Answer = Callable[[str, str, dict[str, str], object], object]
"""(method, path, query, body) -> the JSON of a 200, or (status, JSON)."""


class Vendor:
    def __init__(self, answer: Answer, **headers: str) -> None:
        self.answer, self.headers, self.sent = answer, headers, []

    def __call__(self, method, url, headers, body) -> Reply:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        read = json.loads(body) if body else None
        self.sent.append((method, parts.path, query, read))
        answer = self.answer(method, parts.path, query, read)
        status, told = answer if isinstance(answer, tuple) else (200, answer)
        return Reply(status, self.headers, json.dumps(told).encode())

    def http(self) -> Http:
        timing = Timing(sleep=lambda _: None)
        return Http("v", "https://v.example", lambda: "k", 1e6, transport=self, timing=timing)

    def writes(self) -> list[object]:
        return [body for method, _, _, body in self.sent if method != "GET"]


def connection(kind: str) -> Connection:
    return configured(**{"kind": kind, "base_url": "https://v.example", "secret": "s"})


def draft(**more: object) -> Draft:
    given = {"reference": REFERENCE, "title": "T", "category": "", "environment": "production"}
    words = f"W\n\n[issuebridge ref={REFERENCE}]"
    return Draft(**{**given, "description": words, "triggered_at": AT, **more})


ZYLON_ROW = {
    "id": "z1",
    "issue_number": 7,
    "state": "InReview",
    "type": "Format",
    "is_read": True,
    "description": WORDS,
    "created_at": "2026-05-01T00:00:00Z",
    "updated_at": "2026-05-01T00:00:00Z",
}


def zylon_of(answer: Answer) -> tuple[Vendor, ZylonIssues]:
    vendor = Vendor(answer)
    return vendor, ZylonIssues(connection("zylon"), vendor.http())


def bland_row(**more: object) -> Json:
    row = {"id": "b1", "number": 1, "title": "T", "description": WORDS, "status": "todo"}
    row |= {"severity": "high", "external_link": None, "updated_at": "2026-05-01T00:00:00Z"}
    return {**row, "created_at": "2026-05-06T21:09:57Z", **more}


def page_of(*rows: Json, cursor: str | None = None) -> Json:
    return {"data": {"items": rows, "next_cursor": cursor}, "errors": None}


def antimetal_row(uuid: str, **more: object) -> Json:
    row = {"uuid": uuid, "number": 1, "title": "T", "description": "rewritten", "status": "muted"}
    return {**row, "environment": "production", "triggeredAt": "2026-05-06T21:09:57Z", **more}


def antimetal_of(answer: Answer) -> tuple[Vendor, AntimetalIssues]:
    vendor = Vendor(answer)
    return vendor, AntimetalIssues(connection("antimetal"), vendor.http())


def bland_of(answer: Answer) -> tuple[Vendor, BlandIssues]:
    vendor = Vendor(answer)
    return vendor, BlandIssues(vendor.http())
