"""Zylon's words, switches, and the two generations of its Issues API."""

import re

from .checks import Check, whole_number
from .switches import COUNT, OFF_ON, ON_OFF, SECONDS, SHARED, Span, Switch

STATE_WORDS = {
    "four": ("NotReviewed", "InReview", "Closed", "Deleted"),
    "two": ("Active", "Deleted"),
}
STATES = ("NotReviewed", "InReview", "Closed", "Deleted", "Active")
DELETED = "Deleted"
TYPES = ("NoAnswer", "Inaccurate", "NoContextUsed", "Format", "Other")
RESOURCE_TYPES = ("Thread",)
INCLUDES = ("User", "Project")
COMMA_LISTS = ("include", "type", "states", "created_by", "projects")
PAGE_QUERY = ("page", "page_size")
CURSOR_QUERY = ("after", "before", "first", "last")
LIST_QUERY = frozenset({
    *COMMA_LISTS, *PAGE_QUERY, *CURSOR_QUERY, "page_order", "start_date", "end_date",
    "filter_by_text", "total_count",
})  # fmt: skip
CREATABLE = frozenset({"project_id", "resource_type", "type", "config", "anonymous", "description"})
REQUIRED_BY_PROFILE = {
    "strict": ("project_id", "resource_type", "type", "config", "anonymous"),
    "legacy": ("resource_type", "type"),
}
PUTTABLE = ("description", "type", "state", "is_read")
CONFIG = ("thread_id", "reported_interaction_id")


def page_order(value: str) -> str | None:
    pattern = r"(ASC|DESC)([_ ]NULLS[_ ](FIRST|LAST))?"
    return None if re.fullmatch(pattern, value) else "must be ASC or DESC"


def comma_words(words: tuple[str, ...]) -> Check:
    return lambda value: (
        None if set(value.split(",")) <= set(words) else f"must be among {', '.join(words)}"
    )


def _flag(value: str) -> str | None:
    return None if value in ("true", "false") else "must be true or false"


_EPOCH_MILLIS = whole_number(0, 10**14)
QUERY_CHECKS: dict[str, Check] = {
    "include": comma_words(INCLUDES),
    "type": comma_words(TYPES),
    "states": comma_words(STATES),
    "start_date": _EPOCH_MILLIS,
    "end_date": _EPOCH_MILLIS,
    "page": whole_number(1, 10**6),
    "page_size": whole_number(1, 10**6),
    "first": whole_number(1, 10**6),
    "last": whole_number(1, 10**6),
    "page_order": page_order,
    "total_count": _flag,
}

# What the answers of the older docs page show; the current one shows whole issues.
THIN: dict[str, tuple[str, ...]] = {
    "list": (
        "id", "issue_number", "description", "resource_type", "type", "state", "is_read",
        "created_at", "updated_at",
    ),
    "get": ("id", "description", "type", "state"),
    "create": ("id", "description", "resource_type", "type", "state"),
    "put": ("id", "state", "is_read"),
}  # fmt: skip

_ANY: dict[str, tuple[str, ...]] = dict.fromkeys(STATES, STATES)
TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "all": _ANY,
    "no_reopen": {**_ANY, "Closed": ("Closed", DELETED), DELETED: (DELETED,)},
    "no_undelete": {**_ANY, DELETED: (DELETED,)},
}

# What a member of the organization may do with issues, by role.
RIGHTS: dict[str, frozenset[str]] = {
    "AppOwner": frozenset({"GET", "POST", "PUT", "DELETE"}),
    "AppAdmin": frozenset({"GET", "POST", "PUT", "DELETE"}),
    "AppMember": frozenset({"POST"}),
    "AppGuest": frozenset(),
    "read_only": frozenset({"GET"}),
}

ERROR_BODIES = ("nested", "message", "error_string", "text", "html", "empty")

SWITCHES: dict[str, Switch] = {
    **SHARED,
    "generation": Switch("current", ("current", "older"), "which docs page the server fits"),
    "answers": Switch("whole", ("whole", "thin"), "whole issues, or the samples' few fields"),
    "states": Switch("four", tuple(STATE_WORDS), "state words; the oldest spec had only two"),
    "omitted_is_read": Switch("false", ("false", "preserve"), "a PUT without is_read"),
    "omitted_put_fields": Switch("keep", ("keep", "null"), "other fields that a PUT leaves out"),
    "clear_description": Switch(
        "accept", ("accept", "reject", "ignore"), "a PUT with an empty description"
    ),
    "create_body": Switch("strict", ("strict", "legacy"), "what a create must hold"),
    "create_status": Switch(200, (200, 201), "status of a create"),
    "unknown_anchor": Switch(400, (400, 404, "accept"), "a create on an unknown interaction"),
    "delete_answer": Switch("object", ("object", 204), "what a delete answers"),
    "repeat_delete": Switch(200, (200, 404), "a second delete"),
    "get_deleted": Switch(200, (200, 404), "GET of an issue in state Deleted"),
    "missing_org": Switch(400, (400, 401, 403, "default"), "no x-org header"),
    "unknown_org": Switch(403, (400, 403, 404), "an x-org that is not the caller's"),
    "omitted_states": Switch("hide_deleted", ("hide_deleted", "all"), "a list without `states`"),
    "deleted_filter": Switch("accept", ("accept", "reject"), "a list with states=Deleted"),
    "required_list_parameters": Switch(
        "lenient", ("lenient", "strict"), "include, states and type, required by the OpenAPI"
    ),
    "page_size_default": Switch(20, Span(1, 1000), "rows of a page when not said"),
    "page_size_max": Switch(100, Span(1, 1000), "most rows of a page"),
    "oversized_page": Switch("reject", ("reject", "clamp"), "a page_size over the maximum"),
    "sort_key": Switch("created_at", ("created_at", "updated_at"), "what page_order sorts by"),
    "page_order_default": Switch("ASC", ("ASC", "DESC"), "order when not said"),
    "cursors": Switch("present", ("present", "null", "absent"), "next_cursor in a page"),
    "page_and_cursor": Switch("reject", ("reject", "page"), "page and cursor in one call"),
    "text_filter": Switch(
        "substring", ("substring", "whole_word", "off", "nothing"), "rule of filter_by_text"
    ),
    "search_lag_seconds": Switch(0, SECONDS, "when filter_by_text sees a new issue"),
    "is_read_bumps_updated": Switch(True, ON_OFF, "does is_read alone move updated_at"),
    "no_op_put_bumps_updated": Switch(True, ON_OFF, "does a PUT without change move it"),
    "transitions": Switch("all", tuple(TRANSITIONS), "which state may follow which"),
    "error_body": Switch("nested", ERROR_BODIES, "shape of an error"),
    "unauthenticated": Switch(401, (401, 302, "html"), "what a bad token gets"),
    "role": Switch("AppAdmin", tuple(RIGHTS), "role of the token"),
    "time_precision": Switch("s", ("s", "ms"), "precision of times"),
    "issue_number_scope": Switch(
        "organization", ("organization", "project"), "who counts issue_number"
    ),
    "optional_nulls": Switch("absent", ("absent", "null"), "optional fields without a value"),
    "extra_fields": Switch(False, OFF_ON, "fields in answers that no document names"),
    "purge_after_days": Switch(0, COUNT, "days after which a deleted issue goes; 0 never"),
}

# `generation=older` implies these readings, unless they are set themselves.
PRESETS: dict[str, dict[object, dict[str, object]]] = {
    "generation": {
        "older": {
            "answers": "thin",
            "create_body": "legacy",
            "delete_answer": 204,
            "missing_org": "default",
            "cursors": "absent",
        }
    }
}
