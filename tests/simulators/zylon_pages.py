"""Zylon's list: filters, and two ways of paging that must not be mixed."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .checks import problems
from .clock import millis, parse
from .wire import Json, Refused, Reply, Request
from .zylon_rules import COMMA_LISTS, CURSOR_QUERY, DELETED, PAGE_QUERY, QUERY_CHECKS
from .zylon_state import ZylonState, cursor_of

Keep = Callable[[Json], bool]


def list_issues(sim: ZylonState, request: Request) -> Reply:
    _check(sim, request)
    keep = _filters(sim, request)
    rows = [row for row in sim.rows.values() if all(wanted(row) for wanted in keep)]
    order, key = (
        request.one("page_order") or sim.switches["page_order_default"],
        sim.switches["sort_key"],
    )
    rows.sort(key=lambda row: (row[key], row["issue_number"]), reverse=order.startswith("DESC"))
    start, end = _window(sim, request, rows)
    return Reply(body=_envelope(sim, request, rows, start, end))


def _check(sim: ZylonState, request: Request) -> None:
    sent = {name: values[-1] for name, values in request.query.items()}
    if wrong := problems(sent, QUERY_CHECKS):
        raise sim.invalid(request, wrong)
    for name in COMMA_LISTS:
        if len(request.query.get(name, [])) > 1:
            sim.violations.append(f"GET {request.path}: {name} is repeated, not comma-separated")
    absent = {"include", "states", "type"} - set(sent)
    if absent and sim.switches["required_list_parameters"] == "strict":
        raise Refused(sim.error(400, message=f"{', '.join(sorted(absent))}: is required"))
    if DELETED in _words(request, "states") and sim.switches["deleted_filter"] == "reject":
        raise Refused(sim.error(400, message=f"states: {DELETED} is not valid"))
    if _uses_cursors(request) and set(sent) & set(PAGE_QUERY):
        sim.violations.append(f"GET {request.path}: page numbers and cursors in one call")
        if sim.switches["page_and_cursor"] == "reject":
            raise Refused(sim.error(400, message="Page numbers and cursors exclude each other"))


def _words(request: Request, name: str) -> list[str]:
    value = request.one(name)
    return value.split(",") if value else []


def _uses_cursors(request: Request) -> bool:
    return bool(set(request.query) & set(CURSOR_QUERY))


def _filters(sim: ZylonState, request: Request) -> list[Keep]:
    keep: list[Keep] = []
    fields: dict[str, Callable[[Json], Any]] = {
        "states": lambda row: row["state"],
        "type": lambda row: row["type"],
        "projects": lambda row: (row["project"] or {}).get("id"),
        "created_by": lambda row: (row["created_by"] or {}).get("id"),
    }
    for name, value_of in fields.items():
        if words := set(_words(request, name)):
            keep.append(_among(value_of, words))
    if "states" not in request.query and sim.switches["omitted_states"] == "hide_deleted":
        keep.append(lambda row: row["state"] != DELETED)
    if text := request.one("filter_by_text"):
        keep.append(_text_filter(sim, text))
    return [*keep, *_dates(request)]


def _among(value_of: Callable[[Json], Any], words: set[str]) -> Keep:
    return lambda row: value_of(row) in words


def _dates(request: Request) -> list[Keep]:
    keep: list[Keep] = []
    if start := request.one("start_date"):
        keep.append(lambda row: _epoch_millis(row) >= int(start))
    if end := request.one("end_date"):
        keep.append(lambda row: _epoch_millis(row) <= int(end))
    return keep


def _epoch_millis(row: Json) -> int:
    return int(parse(row["created_at"]).timestamp() * 1000)


TEXT_RULES: dict[str, Callable[[str, str], bool]] = {
    "substring": lambda needle, text: needle in text,
    "whole_word": lambda needle, text: bool(re.search(rf"(?<!\w){re.escape(needle)}(?!\w)", text)),
    "off": lambda needle, text: True,
    "nothing": lambda needle, text: False,
}


def _text_filter(sim: ZylonState, text: str) -> Keep:
    rule, needle = TEXT_RULES[sim.switches["text_filter"]], text.casefold()
    seen_until = millis(sim.clock.now() - timedelta(seconds=sim.switches["search_lag_seconds"]))
    return lambda row: (
        row["created_at"] <= seen_until and rule(needle, (row["description"] or "").casefold())
    )


def _size(sim: ZylonState, request: Request, name: str) -> int:
    largest = int(sim.switches["page_size_max"])
    size = int(request.one(name) or sim.switches["page_size_default"])
    if size > largest and sim.switches["oversized_page"] == "reject":
        raise Refused(sim.error(400, message=f"{name}: must be at most {largest}"))
    return min(size, largest)


def _window(sim: ZylonState, request: Request, rows: list[Json]) -> tuple[int, int]:
    if _uses_cursors(request) and sim.switches["cursors"] == "present":
        return _cursor_window(sim, request, rows)
    size = _size(sim, request, "page_size")
    start = (int(request.one("page") or 1) - 1) * size
    return start, start + size


def _cursor_window(sim: ZylonState, request: Request, rows: list[Json]) -> tuple[int, int]:
    places = {cursor_of(row): place for place, row in enumerate(rows)}
    if {"before", "last"} & set(request.query):
        before = request.one("before")
        end = _place(sim, places, before) if before else len(rows)
        return max(0, end - _size(sim, request, "last")), end
    after = request.one("after")
    start = _place(sim, places, after) + 1 if after else 0
    return start, start + _size(sim, request, "first")


def _place(sim: ZylonState, places: dict[str, int], cursor: str) -> int:
    if cursor not in places:
        raise Refused(sim.error(400, message="Unknown cursor"))
    return places[cursor]


def _envelope(sim: ZylonState, request: Request, rows: list[Json], start: int, end: int) -> Json:
    shown, include = rows[start:end], frozenset(_words(request, "include"))
    envelope: Json = {
        "data": [sim.shown(row, "list", include) for row in shown],
        "has_next_page": end < len(rows),
        "has_previous_page": start > 0,
    }
    if sim.switches["cursors"] == "null":
        envelope |= {"next_cursor": None, "previous_cursor": None}
    if sim.switches["cursors"] == "present" and shown:
        envelope["next_cursor"] = cursor_of(shown[-1]) if end < len(rows) else None
        envelope["previous_cursor"] = cursor_of(shown[0]) if start > 0 else None
    if request.one("total_count") == "true":
        envelope["total_count"] = len(rows)
    return envelope
