"""Antimetal's words and objects, to ours and back (API version 2026-03-17)."""

from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from issuebridge.adapters.antimetal.settings import AntimetalConnection
from issuebridge.adapters.identity import carries_line
from issuebridge.adapters.payload import Id, Instant, Number, Payload, Text, Word, rows_of
from issuebridge.adapters.uri import as_uri
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.domain.text import cut

TITLE_UNITS_MAX = 500
OPEN_STATUSES = ("investigating", "ready_to_fix")


class AntimetalIssue(Payload):
    """A list row, a detail or the answer to a create: each lacks some of these."""

    model_config = ConfigDict(alias_generator=to_camel)

    uuid: Id
    number: Number = 0
    title: Text = ""
    description: Text = ""
    environment: Word = None
    status: Word = None
    severity: Word = None
    triggered_at: Instant = None
    created_at: Instant = None
    updated_at: Instant = None


def to_canonical(payload: dict[str, Any], zone: tzinfo = UTC) -> RemoteIssue:
    """Read one issue; ValueError if it has no uuid."""
    issue = AntimetalIssue.read(payload, zone)
    return RemoteIssue(
        remote_id=issue.uuid,
        display_id=str(issue.number) if issue.number else issue.uuid,
        number=issue.number,
        title=issue.title,
        description=issue.description,
        category="",
        raw={"status": issue.status, "severity": issue.severity, "external_link": None},
        environment=issue.environment,
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        payload=payload,
    )


def from_canonical(draft: Draft, connection: AntimetalConnection) -> dict[str, object]:
    """Make the body of a create; the reference travels in it in three places."""
    context: dict[str, object] = {
        "tags": [draft.reference],
        "metadata": {"issuebridge": draft.reference},
    }
    if link := as_uri(draft.link or ""):
        context["alertUrl"] = link
    body: dict[str, object] = {
        "title": cut(draft.title, TITLE_UNITS_MAX) or "Untitled",
        "description": draft.description,
        "environment": draft.environment or connection.environment,
        "triggeredAt": to_milliseconds(draft.triggered_at),
        "context": context,
    }
    return {**body, "severity": draft.severity} if draft.severity else body


def to_milliseconds(at: datetime) -> str:
    """Write a time as the published pattern wants it; rows with the same text are ours."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_time(
    remote: RemoteIssue, draft: Draft, connection: AntimetalConnection
) -> Literal["exact", "rounded"] | None:
    """How a row shows the draft's own millisecond, if it may: as a proof, or in whole seconds or
    minutes, as the fraction is optional."""
    shown = AntimetalIssue.read(remote.payload, connection.zone).triggered_at
    if shown is None or remote.environment != (draft.environment or connection.environment):
        return None
    if to_milliseconds(shown) == to_milliseconds(draft.triggered_at):
        return "exact"
    second = draft.triggered_at.replace(microsecond=0)
    return "rounded" if shown in (second, second.replace(second=0)) else None


def holds_reference(issue: RemoteIssue, reference: str) -> bool:
    """Whether a detail has the reference just where a create put it: in our line, or in a seed.

    How the context of a create gets into its seed is not documented.
    """
    seeds = rows_of(issue.payload.get("seeds"))
    places = [place for seed in seeds for place in (seed, *_contexts(seed.get("rawPayload")))]
    return carries_line(issue.description, reference) or any(
        reference in _list(place.get("tags"))
        or _object(place.get("metadata")).get("issuebridge") == reference
        for place in places
    )


def _contexts(payload: object) -> list[dict[str, Any]]:
    """The context may be the seed's payload, or a part of it."""
    return [_object(payload), _object(_object(payload).get("context"))]


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
