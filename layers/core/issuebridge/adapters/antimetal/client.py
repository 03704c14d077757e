"""Antimetal over HTTP.

Its list promises no order and shows no times. Our cursor is `<status>/<vendor cursor>`, either
of which may be empty; the caller dedupes, and bounds the pages of a walk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Literal

from issuebridge.adapters.antimetal.mapping import (
    OPEN_STATUSES,
    from_canonical,
    holds_reference,
    shown_time,
    to_canonical,
)
from issuebridge.adapters.antimetal.settings import AntimetalConnection
from issuebridge.adapters.http import Http, TooLarge, second_source
from issuebridge.adapters.identity import about, born_before, carries_line, same_id
from issuebridge.adapters.network import over_network
from issuebridge.adapters.payload import id_of, rows_of
from issuebridge.adapters.rows import Rows, Skipped, read_one, read_rows, within_bounds
from issuebridge.domain.errors import (
    Ambiguous,
    Gone,
    Misconfigured,
    Rejected,
    StaleCursor,
    Transient,
)
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.ports import Changes, Lane, Page

ROOT = "/api/v2"
ISSUES = "/issues"
ISSUE = ISSUES + "/{id}"

REQUESTS_PER_SECOND_DEFAULT = 1
PAGES_MAX = 100
HITS_MAX = 5
"""Who finds more by one reference did not search for it."""
STARTS: dict[Lane, str] = {"hot": f"{OPEN_STATUSES[0]}/", "sweep": "/"}
NEXT_STATUS = dict(pairwise(OPEN_STATUSES))


def open_http(name: str, connection: AntimetalConnection, secret: Callable[[], str]) -> Http:
    return Http(
        name=name,
        base_url=connection.base_url.removesuffix(ROOT) + ROOT,
        secret=secret,
        requests_per_second=connection.requests_per_second or REQUESTS_PER_SECOND_DEFAULT,
        headers={"Antimetal-Version": connection.api_version},
        transport=over_network(connection.ca_pem),
        zone=connection.zone,
    )


class AntimetalIssues:
    """The port `IssueSystem`. Only `status` can be written after a create."""

    def __init__(self, connection: AntimetalConnection, http: Http) -> None:
        self._connection, self._http = connection, http
        self._read = partial(to_canonical, zone=http.zone)

    @property
    def skew(self) -> timedelta:
        return self._http.skew

    def page(self, lane: Lane, cursor: str | None) -> Page:
        """Hot: one open status after the other. Sweep: all of them in one walk."""
        status, _, after = (cursor or STARTS[lane]).partition("/")
        found, following = self._page({"status": status}, after)
        if following:
            return Page(found.issues, f"{status}/{following}", unread=found.unread)
        upcoming = NEXT_STATUS.get(status)
        return Page(found.issues, f"{upcoming}/" if upcoming else None, unread=found.unread)

    def _page(self, query: Mapping[str, str], after: str | None) -> tuple[Rows, str | None]:
        """Read one page, and the cursor of the next, which is None at the end.

        A page that leads to itself was served twice, or is the last one of a list that says
        otherwise: asking once more tells which.
        """

        def ask(after: str | None, size: int) -> tuple[Sequence[object], str | None]:
            rows, following = self._ask(query, after, size)
            if after and following == after:
                rows, following = self._ask(query, after, size)
            return rows, None if following == after else following

        rows, following, unread = within_bounds(ask, after, _beyond, "uuid")
        found = read_rows(rows, "uuid", self._read)
        issues = [replace(issue, is_row=True) for issue in found.issues]
        return Rows(issues, [*unread, *found.unread]), following

    def _ask(
        self, query: Mapping[str, str], after: str | None, size: int
    ) -> tuple[Sequence[object], str | None]:
        named = {"limit": str(size), **query, "startingAfter": after or ""}
        try:
            page = self._http.send("GET", ISSUES, query=[(k, v) for k, v in named.items() if v])
        except TooLarge:
            raise
        except Rejected as error:
            if after:
                raise StaleCursor(str(error)) from error
            if isinstance(error, Gone):
                place = f"connections.{self._http.name}.base_url"
                raise Misconfigured(f"{error}: no list of issues at {place}") from error
            raise
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise Transient(f"{self._http.name}: GET {ISSUES}: the answer is no list")
        return page["data"], _following(page, size)

    def get(self, remote_id: str) -> RemoteIssue:
        issue = read_one(self._http.send("GET", ISSUE, remote_id), self._read)
        if issue is None:
            raise Transient(f"{self._http.name}: GET {ISSUE}: the answer is no issue")
        return about(f"{self._http.name}: GET {ISSUE}", remote_id, issue)

    def create(self, draft: Draft) -> RemoteIssue:
        """May start a paid investigation there."""
        body = from_canonical(draft, self._connection)
        made = read_one(self._http.send("POST", ISSUES, body=body), self._read)
        if made is None:
            raise Ambiguous(f"{self._http.name}: POST {ISSUES}: the answer names no issue")
        return made

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        """Search for the reference; then look through the rows for the draft's millisecond. What
        they hint at is proved by its detail, as rows show no time of creation."""
        hits: list[RemoteIssue] = []
        with second_source():
            found, _ = self._page({"search": draft.reference}, None)
            hits = found.issues
        marked = [hit for hit in hits if carries_line(hit.description, draft.reference)]
        unmarked = hits if len(hits) <= HITS_MAX else []
        proofs = (self._proof(hit, draft, since) for hit in marked or unmarked)
        ours = [issue for issue in proofs if issue] or self._in_rows(draft, since)
        return sorted(ours, key=lambda issue: issue.number)

    def _in_rows(self, draft: Draft, since: datetime) -> list[RemoteIssue]:
        """Where one row shows twice another may not have shown at all: look once more."""
        for _ in range(2):
            after, known, moved = "", set[str](), False
            for _ in range(PAGES_MAX):
                rows, following = self._page({}, after)
                hints = (issue for issue in rows.issues if self._hint(issue, draft))
                proofs = (self._proof(hint, draft, since) for hint in hints)
                if found := [issue for issue in proofs if issue]:
                    return found
                ids = {issue.remote_id for issue in rows.issues}
                moved |= bool(ids & known)
                if following is None or ids <= known:
                    break
                known |= ids
                after = following
            else:
                raise Transient(f"{self._http.name}: GET {ISSUES}: no end in {PAGES_MAX} pages")
            if not moved:
                break
        return []

    def _hint(self, row: RemoteIssue, draft: Draft) -> Literal["exact", "rounded"] | None:
        """A time that is shown in whole seconds proves nothing by itself."""
        is_marked = carries_line(row.description, draft.reference)
        return "exact" if is_marked else shown_time(row, draft, self._connection)

    def _proof(self, row: RemoteIssue, draft: Draft, since: datetime) -> RemoteIssue | None:
        """The whole issue, if it is the draft's and was not there before it was sent; the row, if
        that is all that can be read and proves it."""
        try:
            issue = self.get(row.remote_id)
        except Gone:
            return None
        except Rejected:
            return row if self._hint(row, draft) == "exact" else None
        if born_before(issue, since + self._http.ahead):
            return None
        is_ours = self._hint(row, draft) == "exact" or holds_reference(issue, draft.reference)
        return issue if is_ours else None

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        if set(changes) - {"status"}:
            fixed = ", ".join(sorted(set(changes) - {"status"}))
            raise Rejected(f"{self._http.name}: Antimetal can change only the status, not {fixed}")
        if changes:
            body = {"status": changes["status"]}
            answer = self._http.send("PATCH", ISSUE, seen.remote_id, body=body)
            shown = read_one(answer, self._read)
            is_told = shown and same_id(shown.remote_id, seen.remote_id)
            if shown and is_told and "updatedAt" in shown.payload:
                return about(f"{self._http.name}: PATCH {ISSUE}", seen.remote_id, shown)
        try:
            return self.get(seen.remote_id)
        except Transient as error:
            raise Ambiguous(f"{error}; it was to show what our PATCH did") from error


def _following(page: dict[str, Any], size: int) -> str | None:
    """`after` if the page has it, else its last row, as long as there is more."""
    rows = rows_of(page["data"])
    has_more = page.get("has_more", bool(page.get("after")) or len(rows) >= size)
    if not rows or not has_more:
        return None
    names = (id_of(row.get("uuid")) for row in reversed(rows))
    return id_of(page.get("after")) or next(filter(None, names), None)


def _beyond(row: Skipped) -> str | None:
    if row.ending.get("has_more") is False:
        return None
    if (after := row.ending.get("after") or row.remote_id) is None:
        raise row.error
    return id_of(after)
