"""Bland's calls as its documents and its own clients know them: an envelope, and pages by cursor.

Its cursors may be no more than a row's id, so rows can move between two pages.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from issuebridge.adapters.answers import RETRY_AFTER_SECONDS_DEFAULT, printable, said_in
from issuebridge.adapters.http import Http, Query, TooLarge
from issuebridge.adapters.payload import id_of, rows_of
from issuebridge.adapters.rows import Skipped, within_bounds
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Conflict,
    Gone,
    Misconfigured,
    RateLimited,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
)

PAGES_MAX = 100

_NO_KEY = {"auth_failure", "unauthorized", "forbidden", "feature_not_enabled"}
_TOO_MANY = {"too_many_requests", "rate_limited", "rate_limit_exceeded"}
_NOT_DONE = {"bad_request", "validation_error", "invalid_request", "call_not_attached"}


def call(
    http: Http, method: str, path: str, *ids: str, query: Query = (), body: object = None
) -> object:
    """What the answer's `data` holds. Errors in a success are a failure, unless they come with what
    a write has made."""
    answer = http.send(method, path, *ids, query=query, body=body)
    if not isinstance(answer, dict):
        return answer
    errors, data = answer.get("errors"), answer.get("data")
    if errors and (method == "GET" or not data):
        raise _failed(http, method, path, errors)
    return data if "data" in answer else answer


def _failed(http: Http, method: str, path: str, errors: object) -> SyncError:
    said = f"{http.name}: {method} {path}: 200 {printable(said_in(errors))}"
    first = errors[0] if isinstance(errors, list) else errors
    code = str(first.get("error") or first.get("code") if isinstance(first, dict) else "").lower()
    if code in _NO_KEY:
        return AccessRefused(f"{said}: check the key in connections.{http.name}.secret")
    if code in _TOO_MANY:
        return RateLimited(said, retry_after_seconds=RETRY_AFTER_SECONDS_DEFAULT)
    if code.endswith("not_found"):
        return Gone(said)
    return Rejected(said) if method == "GET" or code in _NOT_DONE else Ambiguous(said)


def post(http: Http, path: str, *ids: str, body: object, shorter: object) -> object:
    """Whether a limit counts letters or bytes is not documented. What is refused was not done, so
    it may be sent once more, cut to bytes."""
    try:
        return call(http, "POST", path, *ids, body=body)
    except Rejected as error:
        if isinstance(error, Gone | Conflict) or shorter == body:
            raise
        return call(http, "POST", path, *ids, body=shorter)


Pages = tuple[Sequence[object], str | None, list[str]]
"""Rows, the cursor of the next page (None at the end), and what could not be read."""


def page(http: Http, path: str, *ids: str, query: Query = (), cursor: str | None = None) -> Pages:
    """A page that leads to itself was served twice, or is the last one of a list that says
    otherwise: asking once more tells which."""

    def ask(after: str | None, size: int) -> tuple[Sequence[object], str | None]:
        rows, following = _ask(http, path, ids, query, after, size)
        if after and following == after:
            rows, following = _ask(http, path, ids, query, after, size)
        return rows, None if not rows or following == after else following

    return within_bounds(ask, cursor, _beyond, "id")


def _beyond(row: Skipped) -> str | None:
    """As its page says; else its cursors are the rows' ids, as far as anybody has seen."""
    if "next_cursor" in row.ending:
        return id_of(row.ending["next_cursor"]) or None
    if row.remote_id is None:
        raise row.error
    return row.remote_id


def _ask(
    http: Http, path: str, ids: Sequence[str], query: Query, cursor: str | None, size: int
) -> tuple[list[object], str | None]:
    parts = (*query, ("limit", str(size)), *((("cursor", cursor),) if cursor else ()))
    try:
        told = call(http, "GET", path, *ids, query=parts)
    except TooLarge:
        raise
    except Rejected as error:
        if cursor:
            raise StaleCursor(str(error)) from error
        if isinstance(error, Gone) and not ids:
            place = f"connections.{http.name}.base_url"
            raise Misconfigured(f"{error}: no list of issues at {place}") from error
        raise
    if isinstance(told, list):
        return told, None
    inner = told if isinstance(told, dict) else {}
    rows = next((inner[n] for n in ("items", "issues") if isinstance(inner.get(n), list)), None)
    if rows is None:
        raise Transient(f"{http.name}: GET {path}: the answer is no list")
    return rows, id_of(inner.get("next_cursor")) or None


def walk(http: Http, path: str, *ids: str, query: Query = ()) -> Iterator[list[dict[str, Any]]]:
    """Newest first; it ends where a cursor comes back."""
    cursor: str | None = None
    known: set[str] = set()
    for _ in range(PAGES_MAX):
        try:
            rows, cursor, _ = page(http, path, *ids, query=query, cursor=cursor)
        except StaleCursor as error:
            raise Transient(f"{error}: the list moved; the next look begins anew") from error
        yield rows_of(rows)
        if cursor is None or cursor in known:
            return
        known.add(cursor)
    raise Transient(f"{http.name}: GET {path}: no end after {PAGES_MAX} pages")
