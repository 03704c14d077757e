"""Zylon's words and objects, to ours and back, for both generations of its API."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

from issuebridge.adapters.payload import (
    Flag,
    Id,
    Instant,
    Number,
    Payload,
    Text,
    Word,
    flag,
)
from issuebridge.adapters.zylon.settings import ZylonConnection
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.domain.managed_line import without_lines
from issuebridge.domain.text import cut

TYPES = ("NoAnswer", "Inaccurate", "NoContextUsed", "Format", "Other")
OPEN_STATES = ("NotReviewed", "InReview")
DELETED = "Deleted"
STATES = (*OPEN_STATES, "Closed", DELETED)
TITLE_UNITS_MAX = 200


class ZylonIssue(Payload):
    """`created_by` is a person: it is not read."""

    id: Id
    issue_number: Number = 0
    description: Text = ""
    type: Word = None
    state: Word = None
    is_read: Flag = False
    created_at: Instant = None
    updated_at: Instant = None


def to_canonical(payload: dict[str, Any], zone: tzinfo = UTC) -> RemoteIssue:
    """Read one issue; ValueError if it has no id."""
    issue = ZylonIssue.read(payload, zone)
    return RemoteIssue(
        remote_id=issue.id,
        display_id=str(issue.issue_number) if issue.issue_number else issue.id,
        number=issue.issue_number,
        title=_title(issue),
        description=issue.description,
        category=issue.type or "",
        raw={"status": issue.state, "severity": None, "external_link": None},
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        deleted=issue.state == DELETED,
        payload=payload,
    )


def _title(issue: ZylonIssue) -> str:
    """Zylon has no titles: the reporter's first line, else what was wrong and the number."""
    lines = (line.strip() for line in without_lines(issue.description).split("\n"))
    first = next((line for line in lines if line), f"{issue.type} #{issue.issue_number}")
    return cut(first, TITLE_UNITS_MAX)


def is_whole(payload: Mapping[str, object]) -> bool:
    """Whether all is told that a PUT sends back; an older server answers some calls with less."""
    told = all(payload.get(name) is not None for name in ("state", "type", "is_read"))
    return told and "description" in payload


def may_be_written(payload: Mapping[str, object]) -> bool:
    """Whether so much was read, in a list at least, that a whole update erases nothing."""
    told = all(payload.get(name) is not None for name in ("state", "is_read"))
    return told and {"type", "description"} <= payload.keys()


def from_canonical(draft: Draft, connection: ZylonConnection) -> dict[str, object]:
    """Make the body of a create. The older generation's page knows neither project nor anchor."""
    body: dict[str, object] = {
        "resource_type": "Thread",
        "type": _type(draft, connection),
        "anonymous": False,
        "description": draft.description,
    }
    anchor = connection.anchor
    if anchor:
        body["config"] = {
            "thread_id": anchor.thread_id,
            "reported_interaction_id": anchor.reported_interaction_id,
        }
    if connection.generation == "older":
        return body
    if anchor is None:
        raise Misconfigured("an issue created at zylon needs `anchor`: add it to the connection")
    return {**body, "project_id": anchor.project_id}


def _type(draft: Draft, connection: ZylonConnection) -> str:
    wanted = (connection.category, draft.category)
    return next((word for word in wanted if word in TYPES), None) or "Other"


def to_put(
    payload: Mapping[str, object], state: str | None, description: str | None
) -> dict[str, object]:
    """Make a whole update from what was just read: a field left out may be reset by the server.

    A PUT without `is_read` marks the issue unread. A null description is better left out.
    """
    body = {
        "state": state or payload.get("state"),
        "type": payload.get("type"),
        "description": payload.get("description") if description is None else description,
    }
    known: dict[str, object] = {name: value for name, value in body.items() if value is not None}
    return {**known, "is_read": flag(payload.get("is_read"))}


def could_be(remote: RemoteIssue, draft: Draft, connection: ZylonConnection) -> bool:
    """Whether it can be the draft's issue though it lost our line: same anchor, type and words."""
    data, anchor = remote.payload.get("data"), connection.anchor
    words = without_lines(draft.description).split()
    if not words or not isinstance(data, dict) or anchor is None:
        return False
    return (
        data.get("thread_id") == anchor.thread_id
        and data.get("reported_interaction_id") == anchor.reported_interaction_id
        and remote.category == _type(draft, connection)
        and remote.description.split() == words
    )
