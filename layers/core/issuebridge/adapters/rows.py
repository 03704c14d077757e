"""Rows of a list: one that cannot be read costs itself, and is told of."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from issuebridge.adapters.answers import printable
from issuebridge.adapters.http import TooLarge
from issuebridge.adapters.payload import id_of
from issuebridge.domain.errors import Transient
from issuebridge.domain.issue import RemoteIssue

SIZES = (100, 20, 4, 1)
"""How many rows a page is asked for, should more of them be too large."""
SKIPPED_MAX = 10
ROWS_MAX = 5000
"""A server may not heed the size that is asked for, and still be read."""
ID_MAX = 100

_ENDING = re.compile(
    rb'"(after|has_more|has_next_page|next_cursor|total_count)"\s*:\s*'
    rb'("[ !#-\[\]-~]{0,1000}"|null|true|false|\d{1,15})'
)

Row = dict[str, Any]
Read = Callable[[Row], RemoteIssue]


@dataclass(frozen=True)
class Rows:
    issues: list[RemoteIssue]
    unread: list[str]


def read_one(row: object, read: Read) -> RemoteIssue | None:
    try:
        return read(row) if isinstance(row, dict) else None
    except (ValueError, RecursionError):
        return None


def read_rows(rows: Sequence[object], id_name: str, read: Read) -> Rows:
    """What has no id is no issue; it is only counted."""
    if len(rows) > ROWS_MAX:
        raise Transient(f"{len(rows)} rows in one page: more than {ROWS_MAX} are not read")
    found, nameless = Rows([], []), 0
    for row in rows:
        name = id_of(row.get(id_name)) if isinstance(row, dict) else None
        if not name or not isinstance(row, dict):
            nameless += 1
            continue
        try:
            found.issues.append(read(row))
        except (ValueError, RecursionError) as error:
            found.unread.append(f"{printable(name[:ID_MAX])}: {_reason(error)}")
    if nameless:
        found.unread.append(f"{nameless} of its rows without an id")
    return found


def _reason(error: Exception) -> str:
    """Without the values, which are people's."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return "it nests too deep" if isinstance(error, RecursionError) else str(error)


@dataclass(frozen=True)
class Skipped:
    """A row that alone is too large: who it is, and what its page says beside it."""

    error: TooLarge
    remote_id: str | None
    ending: Row

    @property
    def unread(self) -> str:
        return f"{self.remote_id or 'an issue'}: too large: {self.error}"


def skipped(error: TooLarge, id_name: str) -> Skipped:
    named = re.search(
        rb'"%s"\s*:\s*("[ !#-\[\]-~]{1,100}"|\d{1,18})' % id_name.encode(), error.head
    )
    remote_id = str(json.loads(named[1])) if named else None
    ending = {found[1].decode(): json.loads(found[2]) for found in _ENDING.finditer(error.tail)}
    return Skipped(error, remote_id, ending)


Ask = Callable[[str | None, int], tuple[Sequence[object], str | None]]
"""(cursor, size) -> the rows of a page, and the cursor of the next, None at the end."""


def within_bounds(
    ask: Ask, cursor: str | None, beyond: Callable[[Skipped], str | None], id_name: str
) -> tuple[Sequence[object], str | None, list[str]]:
    """Read a page: smaller, if it is too large; and the one after a row that alone is too large.
    `beyond` makes the cursor after that row, None at the end; and what was skipped is told."""
    unread: list[str] = []
    for _ in range(SKIPPED_MAX):
        for size in SIZES:
            try:
                return *ask(cursor, size), unread
            except TooLarge as error:
                row = skipped(error, id_name)
        unread.append(row.unread)
        cursor = beyond(row)
        if cursor is None:
            return [], None, unread
    raise Transient(f"{unread[-1]}: and so are too many rows after it")
