"""Antimetal's words, limits and switches (API version 2026-03-17)."""

from collections.abc import Mapping

from .checks import Check, instant, one_of, text, uri, whole_number
from .switches import COUNT, OFF_ON, ON_OFF, SECONDS, SHARED, Switch

VERSION = "2026-03-17"
STATUSES = ("investigating", "ready_to_fix", "resolved", "muted")
SEVERITIES = ("low", "medium", "high")
REQUIRED = ("title", "description", "environment")
CREATABLE = frozenset({*REQUIRED, "severity", "triggeredAt", "context"})
CONTEXT_TEXTS = (
    "alertUrl", "service", "traceId", "spanId", "errorType", "errorMessage", "host", "region",
    "version",
)  # fmt: skip
LIST_QUERY = frozenset(
    {"limit", "startingAfter", "endingBefore", "status", "environment", "search"}
)
SUMMARY = (
    "uuid", "number", "title", "description", "severity", "status", "environment", "triggeredAt",
    "seedCount",
)  # fmt: skip
CREATED = (
    "uuid", "number", "status", "title", "description", "environment", "severity", "createdAt",
    "updatedAt", "triggeredAt", "latestVersion",
)  # fmt: skip

QUERY_CHECKS: Mapping[str, Check] = {
    "limit": whole_number(1, 100),
    "status": one_of(STATUSES),
    "environment": text(1),
    "search": text(1),
    "version": whole_number(1, 2**31 - 1),
}


def create_checks(description_max: int) -> dict[str, Check]:
    return {
        "title": text(1, 500),
        "description": text(1, description_max or None),
        "environment": text(1),
        "severity": one_of(SEVERITIES),
        "triggeredAt": instant,
        "context": _context,
    }


def _context(value: object) -> str | None:
    if not isinstance(value, dict):
        return "must be an object"
    if any(not isinstance(value.get(name, ""), str) for name in CONTEXT_TEXTS):
        return f"takes strings in {', '.join(CONTEXT_TEXTS)}"
    tags = value.get("tags", [])
    if not isinstance(tags, list) or any(not isinstance(tag, str) for tag in tags):
        return "takes a list of strings in tags"
    if not isinstance(value.get("metadata", {}), dict):
        return "takes an object in metadata"
    return None if uri(value.get("alertUrl", "x:")) is None else "takes a URI in alertUrl"


# Which status may follow which, by reading.
TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "all": dict.fromkeys(STATUSES, STATUSES),
    "no_reopen": {
        **dict.fromkeys(STATUSES, STATUSES),
        "resolved": ("resolved",),
        "ready_to_fix": ("ready_to_fix", "resolved", "muted"),
    },
    "service_only": dict.fromkeys(STATUSES, ("resolved", "muted")),
}
KEPT = ("kept", "lost")

SWITCHES: dict[str, Switch] = {
    **SHARED,
    "patch_extra_field": Switch("ignore", ("ignore", "reject"), "PATCH with severity"),
    "version_rewrites_text": Switch(
        False, OFF_ON, "does an analysis rewrite title and description"
    ),
    "transitions": Switch("all", tuple(TRANSITIONS), "which status may follow which"),
    "same_status_bumps_updated": Switch(True, ON_OFF, "PATCH to the status it has"),
    "investigating_restarts": Switch(True, ON_OFF, "does writing `investigating` re-analyse"),
    "list_order": Switch("newest", ("newest", "oldest", "random"), "order of the list"),
    "cursor_of_deleted": Switch("reject", ("reject", "skip"), "a cursor whose issue is gone"),
    "both_cursors": Switch("reject", ("reject", "startingAfter"), "both cursors in one call"),
    "page_cursors": Switch("present", ("present", "absent"), "`after` and `before` in a page"),
    "search_delay_seconds": Switch(0, SECONDS, "when a search sees a new issue"),
    "search_wildcards": Switch("literal", ("literal", "like"), "% and _ in a search"),
    "extra_fields": Switch(False, OFF_ON, "fields in answers that no document names"),
    "validation_status": Switch(400, (400, 422), "status of a validation error"),
    "grouped_creates": Switch(
        False, OFF_ON, "a create folded into the newest open issue of its environment"
    ),
    "seed_link": Switch("kept", KEPT, "context.alertUrl -> seeds[].link"),
    "seed_tags": Switch("kept", KEPT, "context.tags -> seeds[].tags"),
    "seed_payload": Switch("kept", KEPT, "context -> seeds[].rawPayload"),
    "seed_provider": Switch("user", ("user", "antimetal"), "provider of the seed of a create"),
    "description_max": Switch(0, COUNT, "longest description; 0 is no limit"),
    "results_before_completion": Switch("empty", ("empty", 404), "results of a running analysis"),
    "seed_joins": Switch(True, ON_OFF, "does another alert raise seedCount"),
    "starts_investigation": Switch(True, ON_OFF, "does a create start an analysis"),
    "investigation_seconds": Switch(300, SECONDS, "how long an analysis takes"),
    "investigation_outcome": Switch("SUCCESS", ("SUCCESS", "NOOP", "ERROR"), "how it ends"),
    "failed_status": Switch(
        "investigating", ("investigating", "ready_to_fix"), "status after a failed analysis"
    ),
    "unknown_version": Switch(400, (400, "ignore"), "an unknown Antimetal-Version"),
    "key_scope": Switch("read_write", ("read_write", "read_only"), "rights of the key"),
}
