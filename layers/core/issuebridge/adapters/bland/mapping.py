"""Bland Triage's words and objects, to ours and back."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from issuebridge.adapters.bland.settings import TRAITS
from issuebridge.adapters.payload import (
    Flag,
    Id,
    Instant,
    Number,
    Payload,
    Text,
    Word,
    canonical_json,
)
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.domain.reading import is_web_address
from issuebridge.domain.run import ActivityEntry
from issuebridge.domain.text import cut, cut_bytes, without_mention
from issuebridge.ports import Changes

TITLE_UNITS_MAX = 200
CATEGORY_UNITS_MAX = 64
LINK_MAX = 2000
LINKS_DEPTH_MAX = 5
SEVERITY_DEFAULT = "medium"
CATEGORY_DEFAULT = "Bug"
"""Bland requires both, and not every origin has them; this category is one of its own."""


class BlandIssue(Payload):
    id: Id
    triage_id: Text = ""
    number: Number = 0
    title: Text = ""
    description: Text = ""
    status: Word = None
    severity: Word = None
    category: Text = ""
    external_link: object = None
    is_processing: Flag = False
    latest_agent_session: object = None
    created_at: Instant = None
    updated_at: Instant = None
    last_activity_at: Instant = None


class BlandSession(Payload):
    id: Id
    status: Word = None


class BlandRun(Payload):
    run_id: Id
    intent: Text = ""


class BlandEntry(Payload):
    id: Id
    entry_kind: Text = ""
    type: Text = ""
    detail: Text = ""
    agent_session: object = None
    metadata: object = None
    artifact: object = None
    created_at: Instant = None


def to_canonical(payload: dict[str, Any], zone: tzinfo = UTC) -> RemoteIssue:
    """Read one issue; ValueError if it has no id."""
    issue = BlandIssue.read(payload, zone)
    link = issue.external_link
    return RemoteIssue(
        remote_id=issue.id,
        display_id=issue.triage_id or issue.id,
        number=issue.number,
        title=issue.title,
        description=issue.description,
        category=issue.category,
        raw={
            "status": issue.status,
            "severity": issue.severity,
            "external_link": None if link in (None, "", {}, []) else canonical_json(link),
        },
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        activity_at=issue.last_activity_at,
        is_processing=issue.is_processing,
        payload=payload,
    )


def to_entry(
    payload: dict[str, Any], at_default: datetime, zone: tzinfo = UTC
) -> ActivityEntry | None:
    """Read one entry of the activity feed; None if it has no id."""
    try:
        entry = BlandEntry.read(payload, zone)
    except ValueError:
        return None
    return ActivityEntry(
        entry_id=entry.id,
        kind=entry.entry_kind,
        type=entry.type,
        text=entry.detail,
        session_id=_inner(entry.agent_session, "id"),
        run_id=_inner(entry.metadata, "run_id"),
        created_at=entry.created_at or at_default,
        links=tuple(_links(_named(entry.artifact, "external_urls"))),
    )


def _links(value: object, depth: int = LINKS_DEPTH_MAX) -> Iterator[str]:
    """Every web address in an artifact's links, whose shape is not described."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value if depth else ():
            yield from _links(inner, depth - 1)
    elif isinstance(value, str) and len(value) <= LINK_MAX and is_web_address(value):
        yield value


def _named(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _inner(value: object, name: str) -> str | None:
    found = _named(value, name)
    return found if isinstance(found, str) and found else None


def from_canonical(draft: Draft) -> dict[str, object]:
    """Make the body of a create. `source` cannot be changed later: it marks the issue as ours."""
    body: dict[str, object] = {
        "title": cut(without_mention(draft.title), TITLE_UNITS_MAX).strip() or "Untitled",
        "description": without_mention(draft.description),
        "category": cut(without_mention(draft.category), CATEGORY_UNITS_MAX) or CATEGORY_DEFAULT,
        "severity": draft.severity or SEVERITY_DEFAULT,
        "source": "client",
    }
    return {**body, "status": draft.status} if draft.status else body


def in_bytes(body: dict[str, object]) -> dict[str, object]:
    """The same create, should the limits count bytes: people's words are cut, our line is not."""
    words, gap, line = str(body["description"]).rpartition("\n\n")
    room = TRAITS.description_units_max - len((gap + line).encode("utf-8", "replace"))
    title = cut_bytes(str(body["title"]), TITLE_UNITS_MAX)
    return {**body, "title": title, "description": cut_bytes(words, room) + gap + line}


def to_patch(changes: Changes) -> dict[str, object]:
    """Make the body of a PATCH. The keys of a link are nobody's promise; `url` is the likeliest."""
    return {n: {"url": v} if n == "external_link" else v for n, v in changes.items()}
