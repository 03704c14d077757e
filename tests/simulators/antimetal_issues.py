"""Antimetal's issues: created, listed, read, moved and deleted, by the API or by a person."""

import fnmatch
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .antimetal_rules import (
    CREATED,
    QUERY_CHECKS,
    REQUIRED,
    STATUSES,
    SUMMARY,
    TRANSITIONS,
    create_checks,
)
from .antimetal_state import AntimetalState
from .checks import UUID, missing, one_of, problems, whole_number
from .clock import millis
from .wire import Json, Refused, Reply, Request

DEFAULT_LIMIT = 10
INT32_MAX = 2**31 - 1


def create(sim: AntimetalState, request: Request) -> Reply:
    checks = create_checks(sim.switches["description_max"])
    fields = {name: value for name, value in request.fields.items() if name in checks}
    if wrong := missing(fields, REQUIRED) | problems(fields, checks):
        raise sim.invalid(request, wrong)
    fields.setdefault("triggeredAt", sim.now_text())
    issue = _folded(sim, fields) or _created(sim, fields)
    return Reply(201, shown(sim, issue, CREATED))


def _folded(sim: AntimetalState, fields: Json) -> Json | None:
    """With grouped creates, the report joins the newest open issue of its environment."""
    if not sim.switches["grouped_creates"]:
        return None
    is_open = {"investigating", "ready_to_fix"}
    for issue in reversed(sim.rows.values()):
        if issue["environment"] == fields["environment"] and issue["status"] in is_open:
            seed = sim.new_seed(fields, "alert", sim.switches["seed_provider"])
            sim.join(issue["uuid"], seed, sim.now_text())
            return sim.rows[issue["uuid"]]
    return None


def _created(sim: AntimetalState, fields: Json) -> Json:
    seed = sim.new_seed(fields, "alert", sim.switches["seed_provider"])
    issue = _born(sim, {name: v for name, v in fields.items() if name != "context"}, seed)
    if sim.switches["starts_investigation"]:
        sim.start_investigation(issue["uuid"])
    return sim.rows[issue["uuid"]]


def add(sim: AntimetalState, **fields: Any) -> Json:
    """An alert makes an issue. Without a `status` its analysis starts and will end by itself.

    `provider`, `seed_type` and `context` shape its seed; `hidden=True` puts it into another
    organization.
    """
    with sim.lock:
        made_by = fields.pop("provider", "datadog"), fields.pop("seed_type", "alert")
        context, hidden = fields.pop("context", {}), fields.pop("hidden", False)
        report = {
            "title": "Untitled",
            "description": "An alert fired.",
            "environment": "production",
            "triggeredAt": fields.get("createdAt", sim.now_text()),
            **fields,
        }
        seed = sim.new_seed({**report, "context": context}, made_by[1], made_by[0])
        issue = _born(sim, report, seed)
        if hidden:
            sim.hidden.add(issue["uuid"])
        if "status" not in fields:
            sim.start_investigation(issue["uuid"])
        return sim.rows[issue["uuid"]]


def _born(sim: AntimetalState, fields: Json, seed: Json) -> Json:
    sim.last_number += 1
    now = fields.get("createdAt", sim.now_text())
    is_done = fields.get("status", "investigating") != "investigating"
    issue = {
        "uuid": sim.new_id(),
        "number": sim.last_number,
        "severity": "medium",
        "status": "investigating",
        "createdAt": now,
        "updatedAt": now,
        "seedCount": 1,
        "seeds": [seed],
        "latestVersion": 1,
        "versions": [sim.new_version(1, "SUCCESS" if is_done else "PENDING")],
        **fields,
    }
    sim.rows[issue["uuid"]] = issue
    sim.keep_text(issue["uuid"])
    return issue


def shown(sim: AntimetalState, issue: Json, names: tuple[str, ...] = ()) -> Json:
    part = {name: issue[name] for name in names or issue}
    return {**part, "ownerTeam": {"name": "infra"}} if sim.switches["extra_fields"] else part


def check_uuid(sim: AntimetalState, request: Request, uuid: str) -> None:
    if not UUID.fullmatch(uuid):
        raise sim.invalid(request, {"id": "must be a lower-case UUID"})


def check_query(sim: AntimetalState, request: Request) -> None:
    sent = {name: values[-1] for name, values in request.query.items()}
    if wrong := problems(sent, QUERY_CHECKS):
        raise sim.invalid(request, wrong)


def get(sim: AntimetalState, request: Request, uuid: str) -> Reply:
    check_uuid(sim, request, uuid)
    check_query(sim, request)
    issue = sim.found(uuid)
    version = int(request.one("version") or issue["latestVersion"])
    if version > issue["latestVersion"]:
        raise Refused(sim.error(404, message="Version not found"))
    text = {} if version == issue["latestVersion"] else sim.texts[uuid][version]
    return Reply(body=shown(sim, {**issue, **text}))


def get_by_number(sim: AntimetalState, request: Request, number: str) -> Reply:
    if wrong := problems({"number": number}, {"number": whole_number(1, INT32_MAX)}):
        raise sim.invalid(request, wrong)
    for issue in sim.rows.values():
        if issue["number"] == int(number) and issue["uuid"] not in sim.hidden:
            return Reply(body=shown(sim, issue))
    raise Refused(sim.error(404))


def delete(sim: AntimetalState, request: Request, uuid: str) -> Reply:
    check_uuid(sim, request, uuid)
    sim.found(uuid)
    sim.forget(uuid)
    return Reply(204)


def patch(sim: AntimetalState, request: Request, uuid: str) -> Reply:
    check_uuid(sim, request, uuid)
    before = sim.found(uuid)
    fields = request.fields
    if wrong := missing(fields, ["status"]) | problems(fields, {"status": one_of(STATUSES)}):
        raise sim.invalid(request, wrong)
    status = fields["status"]
    if status not in TRANSITIONS[sim.switches["transitions"]].get(before["status"], STATUSES):
        message = f"status: {before['status']} can't become {status}"
        raise Refused(sim.error(sim.switches["validation_status"], message=message))
    if status != before["status"] or sim.switches["same_status_bumps_updated"]:
        sim.update(uuid, status=status, updatedAt=sim.now_text())
    if status == "investigating" and sim.switches["investigating_restarts"]:
        sim.start_investigation(uuid)
    return Reply(body=shown(sim, sim.rows[uuid]))


def edit(sim: AntimetalState, uuid: str, **fields: Any) -> Json:
    """A person (or the service) changes anything at all; `updatedAt` moves."""
    with sim.lock:
        sim.settle()
        sim.update(uuid, **{"updatedAt": sim.now_text(), **fields})
        sim.keep_text(uuid)
        return sim.rows[uuid]


def list_issues(sim: AntimetalState, request: Request) -> Reply:
    check_query(sim, request)
    keep = _filters(sim, request)
    ordered = [r for r in _ordered(sim) if all(wanted(r) for wanted in keep)]
    start, end = _window(sim, request, ordered)
    page: Json = {
        "object": "list",
        "data": [shown(sim, issue, SUMMARY) for issue in ordered[start:end]],
        "has_more": start > 0 if _is_backward(request) else end < len(ordered),
    }
    if page["data"] and sim.switches["page_cursors"] == "present":
        page |= {"after": page["data"][-1]["uuid"]} if end < len(ordered) else {}
        page |= {"before": page["data"][0]["uuid"]} if start > 0 else {}
    return Reply(body=page)


def _ordered(sim: AntimetalState) -> list[Json]:
    order = sim.switches["list_order"]
    rows = [issue for issue in sim.rows.values() if issue["uuid"] not in sim.hidden]
    if order == "random":
        sim.random.shuffle(rows)  # another order on each call
        return rows
    return sorted(rows, key=_age, reverse=order == "newest")


def _age(issue: Json) -> tuple[str, int]:
    return issue["createdAt"], issue["number"]


def _is_backward(request: Request) -> bool:
    return "endingBefore" in request.query and "startingAfter" not in request.query


def _window(sim: AntimetalState, request: Request, ordered: list[Json]) -> tuple[int, int]:
    limit = int(request.one("limit") or DEFAULT_LIMIT)
    after, before = request.one("startingAfter"), request.one("endingBefore")
    if after is not None and before is not None:
        sim.violations.append(f"GET {request.path}: both cursors in one call")
        if sim.switches["both_cursors"] == "reject":
            raise Refused(sim.error(400, message="Only one cursor may be sent"))
    if after is not None:
        start = _place(sim, after, ordered, past_it=True)
        return start, start + limit
    if before is not None:
        end = _place(sim, before, ordered, past_it=False)
        return max(0, end - limit), end
    return 0, limit


def _place(sim: AntimetalState, cursor: str, ordered: list[Json], *, past_it: bool) -> int:
    """How many rows come before the cursor's end of the page."""
    row = sim.rows.get(cursor)
    if row is None and sim.switches["cursor_of_deleted"] == "skip":
        row = sim.buried.get(cursor)
    if row is None or cursor in sim.hidden:
        raise Refused(sim.error(400, message="Unknown cursor"))
    for place, issue in enumerate(ordered):
        if issue["uuid"] == cursor:
            return place + past_it
    newest_first = sim.switches["list_order"] == "newest"
    return sum((_age(issue) > _age(row)) == newest_first for issue in ordered)


def _filters(sim: AntimetalState, request: Request) -> list[Callable[[Json], bool]]:
    keep: list[Callable[[Json], bool]] = []
    for name in ("status", "environment"):
        if (word := request.one(name)) is not None:
            keep.append(_is(name, word))
    if (needle := request.one("search")) is not None:
        keep.append(_search(sim, needle.casefold()))
    return keep


def _is(name: str, word: str) -> Callable[[Json], bool]:
    return lambda issue: issue[name] == word


def _search(sim: AntimetalState, needle: str) -> Callable[[Json], bool]:
    seen_until = sim.clock.now() - timedelta(seconds=sim.switches["search_delay_seconds"])
    has = _like(needle) if sim.switches["search_wildcards"] == "like" else None
    find = has or (lambda text: needle in text.casefold())

    def finds(issue: Json) -> bool:
        if issue["createdAt"] > millis(seen_until):
            return False
        return find(issue["title"]) or find(issue["description"])

    return finds


def _like(needle: str) -> Callable[[str], bool]:
    """SQL's LIKE: % is any text, _ any one character."""
    escaped = needle.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
    pattern = "*" + escaped.replace("%", "*").replace("_", "?") + "*"
    return lambda text: fnmatch.fnmatchcase(text.casefold(), pattern)
