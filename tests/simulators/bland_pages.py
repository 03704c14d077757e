"""Bland's keyset paging: a cursor names the last row seen, not a position."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .bland_rules import QUERY_CHECKS, REPEATABLE
from .bland_state import BlandState, data
from .checks import problems
from .wire import Json, Refused, Reply, Request

Key = tuple[object, str]
DEFAULT_LIMIT = 50


def query_value(sim: BlandState, request: Request, name: str, default: str) -> str:
    """A single query value, already checked; one that may be ignored falls to the default."""
    value = request.one(name)
    if value is None or (name in QUERY_CHECKS and QUERY_CHECKS[name](value)):
        return default
    return value


def filter_values(sim: BlandState, request: Request, name: str) -> list[str]:
    values = request.query.get(name, [])
    if name in REPEATABLE and sim.switches["multi_value_filters"] == "comma_too":
        return [part for value in values for part in value.split(",")]
    return values


def check_query(sim: BlandState, request: Request) -> None:
    wrong: dict[str, str] = {}
    for name in request.query:
        for value in filter_values(sim, request, name):
            wrong |= problems({name: value}, QUERY_CHECKS)
    if wrong and sim.switches["bad_query_value"] == "reject":
        raise sim.invalid(request, wrong)


@dataclass(frozen=True)
class Order:
    key: Callable[[Json], Key]
    descending: bool = False

    def sorted(self, rows: Iterable[Json]) -> list[Json]:
        return sorted(rows, key=self.key, reverse=self.descending)

    def is_after(self, row: Json, position: Key) -> bool:
        return self.key(row) < position if self.descending else self.key(row) > position


def page(
    sim: BlandState,
    request: Request,
    rows: Iterable[Json],
    order: Order,
    anchors: Mapping[str, Json] | None = None,
) -> Reply:
    """One page of `rows`; `anchors` finds rows that a cursor names and the filter left out."""
    ordered = order.sorted(rows)
    known = anchors if anchors is not None else {row["id"]: row for row in ordered}
    after = _position(sim, request, known, order.key)
    if after is not None:
        ordered = [row for row in ordered if order.is_after(row, after)]
    return answer(sim, request, ordered, lambda row: _cursor(sim, row, order.key))


def answer(
    sim: BlandState, request: Request, remaining: list[Json], cursor_of: Callable[[Json], str]
) -> Reply:
    limit = int(query_value(sim, request, "limit", str(DEFAULT_LIMIT)))
    items = remaining[:limit]
    is_last = len(remaining) <= limit and not sim.switches["trailing_cursor"]
    cursor = None if is_last or not items else cursor_of(items[-1])
    return data({"items": items, "next_cursor": cursor})


def _cursor(sim: BlandState, row: Json, key: Callable[[Json], Key]) -> str:
    if sim.switches["cursor_form"] == "row_id":
        return str(row["id"])
    return base64.urlsafe_b64encode(json.dumps(key(row)).encode()).decode()


def _position(
    sim: BlandState, request: Request, anchors: Mapping[str, Json], key: Callable[[Json], Key]
) -> Key | None:
    cursor = request.one("cursor")
    if cursor is None:
        return None
    if sim.switches["cursor_form"] == "opaque":
        return _decoded(sim, cursor)
    if cursor in anchors:
        return key(anchors[cursor])
    return _position_of_a_deleted_row(sim, cursor, key)


def _decoded(sim: BlandState, cursor: str) -> Key:
    try:
        value, row_id = json.loads(base64.urlsafe_b64decode(cursor))
    except ValueError as unreadable:
        raise Refused(sim.error(400, message="cursor: is not valid")) from unreadable
    return value, row_id


def _position_of_a_deleted_row(sim: BlandState, cursor: str, key: Callable[[Json], Key]) -> Key:
    reading = sim.switches["cursor_anchor_deleted"]
    if cursor in sim.buried and reading == "nearest":
        return key(sim.buried[cursor])
    if cursor in sim.buried and reading == "empty":
        raise Refused(data({"items": [], "next_cursor": None}))
    raise Refused(sim.error(400, message="cursor: is not valid"))
