"""Bland Triage's words, limits and switches."""

from collections.abc import Mapping
from typing import Any

from .checks import Check, one_of, text, uuid_or_null, whole_number
from .switches import OFF_ON, ON_OFF, SECONDS, SHARED, Switch

STATUSES = ("backlog", "todo", "in_progress", "in_review", "done", "closed")
SEVERITIES = ("critical", "high", "medium", "low")
SOURCES = ("manual", "automated", "client")
RESOURCE_TYPES = ("call", "sms_conversation", "file")
RELATION_TYPES = ("related_to", "blocks", "duplicate_of")
BUILT_IN_CATEGORIES = (
    "Transcription", "Speech", "Dialogue", "Routing", "Tools", "Latency", "Telephony", "Bug",
)  # fmt: skip

PATCHABLE = ("title", "description", "status", "severity", "category", "owner_id", "assignee_id")
CREATABLE = (*PATCHABLE, "source", "resource_links")
REQUIRED = ("title", "severity", "category")
PAGING = frozenset({"limit", "cursor"})
REPEATABLE = ("status", "severity", "category")
LIST_QUERY = PAGING | {
    "sort", "order", "search", "resource_type", "owner_id", "assignee_id", "date_field",
    "date_range", *REPEATABLE,
}  # fmt: skip
SORTS = ("last_activity_at", "created_at", "severity", "status")
DATE_FIELDS = ("last_activity_at", "created_at")
DATE_RANGES_HOURS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}

QUERY_CHECKS: Mapping[str, Check] = {
    "limit": whole_number(1, 100),
    "sort": one_of(SORTS),
    "order": one_of(("asc", "desc")),
    "status": one_of(STATUSES),
    "severity": one_of(SEVERITIES),
    "resource_type": one_of(RESOURCE_TYPES),
    "date_field": one_of(DATE_FIELDS),
    "date_range": one_of(DATE_RANGES_HOURS),
}


def field_checks(unit: str) -> dict[str, Check]:
    """`unit` is what a character is when a limit counts them."""
    return {
        "title": text(1, 200, unit),
        "description": text(0, 10_000, unit),
        "status": one_of(STATUSES),
        "severity": one_of(SEVERITIES),
        "source": one_of(SOURCES),
        "category": text(1, 64, unit),
        "owner_id": uuid_or_null,
        "assignee_id": uuid_or_null,
        "resource_links": _resource_links,
    }


def _resource_links(value: Any) -> str | None:
    is_fine = isinstance(value, list) and all(
        isinstance(link, dict)
        and link.get("resource_type") in RESOURCE_TYPES
        and isinstance(link.get("resource_id"), str)
        for link in value
    )
    return None if is_fine else "must be a list of {resource_type, resource_id}"


OUTCOMES = ("complete", "error", "awaiting_input", "never_ends")
REPEATED = (201, 200, 409)

SWITCHES: dict[str, Switch] = {
    **SHARED,
    "unknown_patch_field": Switch(
        "ignore", ("ignore", "reject", "accept"), "PATCH with external_link"
    ),
    "external_link_moves_activity": Switch(False, OFF_ON, "does a new link move last_activity_at"),
    "external_link_adds_entry": Switch(False, OFF_ON, "does a new link add an activity entry"),
    "text_edit_moves_activity": Switch(True, ON_OFF, "title or description: no entry type exists"),
    "same_value_patch": Switch("moves", ("moves", "no_effect"), "PATCH to the value it has"),
    "bad_query_value": Switch("reject", ("reject", "ignore"), "a query value out of its range"),
    "cursor_form": Switch("row_id", ("row_id", "opaque"), "what next_cursor holds"),
    "cursor_anchor_deleted": Switch(
        "nearest", ("nearest", "reject", "empty"), "a cursor whose row is gone"
    ),
    "trailing_cursor": Switch(True, ON_OFF, "a cursor after the last row, then an empty page"),
    "enum_sort": Switch("rank", ("rank", "alphabet"), "order of sort=status and sort=severity"),
    "search_lag_seconds": Switch(0, SECONDS, "when a search sees a new issue"),
    "search_ticket_number": Switch(False, OFF_ON, "search by T-1023 (never merged into the docs)"),
    "multi_value_filters": Switch("repeated", ("repeated", "comma_too"), "status=todo,done"),
    "non_uuid_id": Switch(404, (404, 400), "T-1042 in place of the id"),
    "text_unit": Switch("utf16", ("utf16", "code_points", "bytes"), "what a limit counts"),
    "bearer_prefix": Switch("accept", ("accept", "reject"), "Authorization with a scheme word"),
    "bad_resource_link": Switch("reject", ("reject", "skip"), "create with one unknown resource"),
    "duplicate_category": Switch(201, REPEATED, "a category name that exists"),
    "duplicate_relation": Switch(201, REPEATED, "the same relation again"),
    "self_relation": Switch("reject", ("reject", "accept"), "an issue related to itself"),
    "session_create_twice": Switch("new", ("new", "same"), "a second session on an issue"),
    "prompt_while_running": Switch(
        "queue", ("queue", "reject", "parallel"), "a prompt during a run"
    ),
    "prompt_finished_session": Switch("accept", ("accept", "reject"), "a prompt to an ended one"),
    "prompt_entry_text": Switch(
        "full", ("full", "shortened", "without_intent"), "text of the prompt entry"
    ),
    "prompt_entry_run_id": Switch("absent", ("absent", "present"), "metadata.run_id"),
    "prompt_entry_delay_seconds": Switch(0, SECONDS, "from a 202 to the prompt entry"),
    "processing_delay_seconds": Switch(0.5, SECONDS, "from a 202 to is_processing"),
    "run_seconds": Switch(2.0, SECONDS, "how long a run takes"),
    "run_outcome": Switch("complete", OUTCOMES, "how a run ends"),
    "mention": Switch("anywhere", ("anywhere", "word"), "@norm inside a word or an address"),
    "credit": Switch(True, ON_OFF, "is there money for Norm"),
    "no_credit_status": Switch(402, (402, 403), "a prompt without credit"),
}
