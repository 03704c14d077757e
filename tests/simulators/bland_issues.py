"""Bland's issues: created, listed, read, changed and deleted, by the API or by a person."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import bland_links as links
from .bland_pages import Key, Order, check_query, filter_values, page, query_value
from .bland_rules import (
    CREATABLE,
    DATE_RANGES_HOURS,
    PATCHABLE,
    REPEATABLE,
    REQUIRED,
    SEVERITIES,
    STATUSES,
    field_checks,
)
from .bland_state import BlandState, data
from .checks import missing, problems
from .clock import millis, parse
from .wire import Json, Refused, Reply, Request

# Which entry a changed field leaves in the activity; title and description leave none.
ENTRY_TYPES = {
    "status": "status_changed",
    "severity": "severity_changed",
    "category": "category_changed",
    "assignee_id": "assignee_changed",
    "owner_id": "owner_changed",
}
TIMES = ("created_at", "updated_at", "last_activity_at")
BLANK: Json = {
    "title": "Untitled",
    "description": "",
    "status": "todo",
    "severity": "medium",
    "source": "manual",
    "category": "Bug",
    "owner_id": None,
    "assignee_id": None,
    "author_id": None,
    "external_link": None,
    "resource_count": 0,
    "flag_count": 0,
    "relation_count": 0,
    "latest_agent_session": None,
    "is_processing": False,
    "has_unread_activity": True,
}
RANKS = {"severity": SEVERITIES, "status": STATUSES}


def create(sim: BlandState, request: Request) -> Reply:
    fields = {name: value for name, value in request.fields.items() if name in CREATABLE}
    wrong = missing(fields, REQUIRED) | problems(fields, field_checks(sim.switches["text_unit"]))
    if wrong:
        raise sim.invalid(request, wrong)
    attached = fields.pop("resource_links", [])
    known = [link for link in attached if links.title_of(sim, link) is not None]
    if known != attached and sim.switches["bad_resource_link"] == "reject":
        raise Refused(sim.error(404, message="Resource not found"))
    issue = _born(sim, fields, sim.api_user)
    for link in known:
        links.attach_to(sim, issue["id"], link)
    return data(sim.rows[issue["id"]], 201)


def add(sim: BlandState, **fields: Any) -> Json:
    """A person reports an issue; `org_id` may put it into another organization."""
    with sim.lock:
        return _born(sim, fields, sim.person)


def _born(sim: BlandState, fields: Json, author: Json) -> Json:
    sim.last_number += 1
    number, born_at = fields.get("number", sim.last_number), fields.get("created_at")
    issue = {
        "id": sim.new_id(),
        "triage_id": f"T-{number}",
        "org_id": sim.org_id,
        "number": number,
        **BLANK,
        "author_id": author["id"],
        **dict.fromkeys(TIMES, born_at or sim.now_text()),
        **fields,
    }
    sim.rows[issue["id"]] = issue
    sim.note(issue["id"], "created", author, parse(issue["created_at"]), **issue_entry())
    return sim.rows[issue["id"]]


def get(sim: BlandState, request: Request, issue_id: str) -> Reply:
    return data(sim.found(issue_id))


def delete(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.forget(sim.found(issue_id))
    return Reply(204)


def patch(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    accepts = sim.switches["unknown_patch_field"] == "accept"
    allowed = (*PATCHABLE, "external_link") if accepts else PATCHABLE
    fields = {name: value for name, value in request.fields.items() if name in allowed}
    wrong = problems(fields, field_checks(sim.switches["text_unit"]))
    if wrong:
        raise sim.invalid(request, wrong)
    return data(_change(sim, issue_id, fields, sim.api_user))


def edit(sim: BlandState, issue_id: str, **fields: Any) -> Json:
    """A person's edit: any field, any word, `external_link` in any shape."""
    with sim.lock:
        sim.settle()
        return _change(sim, issue_id, fields, sim.person)


def _change(sim: BlandState, issue_id: str, fields: Json, actor: Json) -> Json:
    before = sim.rows[issue_id]
    if sim.switches["same_value_patch"] == "no_effect":
        fields = {name: value for name, value in fields.items() if before.get(name) != value}
    if not fields:
        return before
    at = sim.clock.now()
    sim.update(issue_id, **{"updated_at": millis(at), **fields})
    if "last_activity_at" not in fields and any(_moves_activity(sim, name) for name in fields):
        sim.update(issue_id, last_activity_at=millis(at), has_unread_activity=True)
    for name in fields:
        if entry_type := _entry_type(sim, name):
            sim.note(issue_id, entry_type, actor, at, **issue_entry(name, before, fields))
    return sim.rows[issue_id]


def _moves_activity(sim: BlandState, name: str) -> bool:
    if name == "external_link":
        return bool(sim.switches["external_link_moves_activity"])
    return bool(sim.switches["text_edit_moves_activity"])


def _entry_type(sim: BlandState, name: str) -> str | None:
    if name == "external_link" and sim.switches["external_link_adds_entry"]:
        return "external_link_changed"  # no documented type fits
    return ENTRY_TYPES.get(name)


def issue_entry(name: str = "", before: Json | None = None, after: Json | None = None) -> Json:
    """What entries of kind `issue` hold besides the common part; only status has two values."""
    is_status = name == "status"
    return {
        "from_status": before[name] if before and is_status else None,
        "to_status": after[name] if after and is_status else None,
        "resources": [],
        "referenced_issues": [],
    }


def list_issues(sim: BlandState, request: Request) -> Reply:
    check_query(sim, request)
    keep = _filters(sim, request)
    rows = [r for r in sim.rows.values() if r["org_id"] == sim.org_id and all(k(r) for k in keep)]
    sort = query_value(sim, request, "sort", "last_activity_at")
    descending = query_value(sim, request, "order", "desc") == "desc"
    return page(sim, request, rows, Order(_sort_key(sim, sort), descending), sim.rows)


def _sort_key(sim: BlandState, sort: str) -> Callable[[Json], Key]:
    ranks = RANKS.get(sort)
    if ranks is None or sim.switches["enum_sort"] == "alphabet":
        return lambda row: (row[sort], row["id"])
    order = {word: f"{place}" for place, word in enumerate(ranks)}
    return lambda row: (order.get(row[sort], row[sort]), row["id"])


def _filters(sim: BlandState, request: Request) -> list[Callable[[Json], bool]]:
    keep: list[Callable[[Json], bool]] = []
    for name in REPEATABLE:
        if values := set(filter_values(sim, request, name)):
            keep.append(_holds(name, values))
    for name in ("owner_id", "assignee_id"):
        if (user := request.one(name)) is not None:
            keep.append(_holds(name, {user}))
    if (kind := request.one("resource_type")) is not None:
        having = {v["issue_id"] for v in sim.links.values() if v["resource_type"] == kind}
        keep.append(lambda row: row["id"] in having)
    if text := request.one("search"):
        keep.append(_search(sim, text))
    if (window := request.one("date_range")) in DATE_RANGES_HOURS:
        keep.append(_since(sim, request, DATE_RANGES_HOURS[window]))
    return keep


def _holds(name: str, values: set[str]) -> Callable[[Json], bool]:
    return lambda row: row[name] in values


def _search(sim: BlandState, text: str) -> Callable[[Json], bool]:
    lag = timedelta(seconds=sim.switches["search_lag_seconds"])
    seen_until, needle = millis(sim.clock.now() - lag), text.casefold()
    number = re.fullmatch(r"(?:t-?)?(\d+)", needle)
    by_number = number and sim.switches["search_ticket_number"]

    def finds(row: Json) -> bool:
        if row["created_at"] > seen_until:
            return False
        if number and by_number and row["number"] == int(number[1]):
            return True
        return needle in row["title"].casefold() or needle in row["description"].casefold()

    return finds


def _since(sim: BlandState, request: Request, hours: int) -> Callable[[Json], bool]:
    field = query_value(sim, request, "date_field", "last_activity_at")
    start = millis(sim.clock.now() - timedelta(hours=hours))
    return lambda row: row[field] >= start
