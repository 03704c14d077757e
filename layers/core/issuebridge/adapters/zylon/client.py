"""Zylon Workspace over HTTP, in both generations of its API.

Our cursor is a `Walk` as JSON: where the next page begins, and how this server wants to be asked.
The caller dedupes, and bounds the pages of a walk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from issuebridge.adapters.http import Http, second_source
from issuebridge.adapters.identity import about, born_before, carries_line, same_id
from issuebridge.adapters.network import over_network
from issuebridge.adapters.payload import rows_of
from issuebridge.adapters.zylon.mapping import (
    OPEN_STATES,
    STATES,
    could_be,
    from_canonical,
    is_whole,
    may_be_written,
    to_canonical,
    to_put,
)
from issuebridge.adapters.zylon.walk import INCLUDES, PAGE_SIZES, VARIANTS, Walk
from issuebridge.domain.config import Connection
from issuebridge.domain.errors import (
    Ambiguous,
    Gone,
    Misconfigured,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
)
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.ports import Changes, Lane, Page

ROOT = "/api/v1"
ISSUES = "/app/issue"
ISSUE = ISSUES + "/{id}"

REQUESTS_PER_SECOND_DEFAULT = 2
PAGES_MAX = 100
LOOK_BACK = timedelta(minutes=10)

Listing = dict[str, Any]


def open_http(name: str, connection: Connection, secret: Callable[[], str]) -> Http:
    return Http(
        name=name,
        base_url=connection.base_url.removesuffix(ROOT) + ROOT,
        secret=secret,
        requests_per_second=connection.requests_per_second or REQUESTS_PER_SECOND_DEFAULT,
        headers={} if connection.generation == "older" else {"x-org": connection.org},
        login_pages=True,
        transport=over_network(connection.ca_pem),
    )


class ZylonIssues:
    """The port `IssueSystem`. It remembers how this server wants to be asked for a list. A list
    shows only the states that are asked for: those of the configured map besides the known ones."""

    def __init__(self, connection: Connection, http: Http) -> None:
        self._connection, self._http = connection, http
        self._start = VARIANTS[0]
        self._states = tuple(dict.fromkeys((*STATES, *connection.maps.get("status", {}))))

    @property
    def skew(self) -> timedelta:
        return self._http.skew

    def page(self, lane: Lane, cursor: str | None) -> Page:
        try:
            walk = Walk.model_validate_json(cursor) if cursor else None
        except ValueError as error:
            raise StaleCursor(f"{self._http.name}: no cursor of ours") from error
        rows, following, claimed = self._page(OPEN_STATES if lane == "hot" else self._states, walk)
        after = following.model_dump_json() if following else None
        return Page(_readable(rows), after, claimed)

    def _page(
        self, states: Sequence[str], walk: Walk | None, more: Mapping[str, str] | None = None
    ) -> tuple[list[dict[str, Any]], Walk | None, int | None]:
        """Read one page, where the next begins (None at the end), and the vendor's total.

        The same page again was served twice, or is the last one of a list that says otherwise:
        asking once more tells which.
        """
        more = more or {}
        if walk is None:
            listing, walk = self._first(states, more)
        else:
            listing, walk = self._resumed(states, walk, more)
            if walk.has_seen(listing):
                listing, walk = self._resumed(states, walk, more)
        total = listing.get("total_count")
        claimed = total if isinstance(total, int) else None
        return rows_of(listing["data"]), walk.following(listing), claimed

    def _first(self, states: Sequence[str], more: Mapping[str, str]) -> tuple[Listing, Walk]:
        """Begin a walk, in the way this server accepts.

        What was wrong can't be told from a 400, so the plainest request is tried first: if that
        is refused as well, the trouble is another one.
        """
        try:
            return self._ask(states, self._start, more), self._start
        except Gone as error:
            place = f"connections.{self._http.name}.base_url"
            raise Misconfigured(f"{error}: no list of issues at {place}") from error
        except Rejected as error:
            include = self._include(states, more, error)
        for variant in (walk.model_copy(update={"include": include}) for walk in VARIANTS):
            try:
                listing = self._ask(states, variant, more)
            except Rejected:
                continue
            self._start = variant
            return listing, variant
        raise Transient(f"{self._http.name}: GET {ISSUES}: refused what it took a moment before")

    def _include(self, states: Sequence[str], more: Mapping[str, str], refused: Rejected) -> str:
        for include in INCLUDES:
            with suppress(Rejected):
                self._ask(states, VARIANTS[-1].model_copy(update={"include": include}), more)
                return include
        raise refused

    def _resumed(
        self, states: Sequence[str], walk: Walk, more: Mapping[str, str]
    ) -> tuple[Listing, Walk]:
        """Go on where the walk stands. The most that `first` may be is not documented, and need not
        be that of `page_size`: what is refused is tried with less."""
        sizes = [size for size in PAGE_SIZES if walk.after and size < walk.size]
        said = ""
        for size in (walk.size, *sizes):
            smaller = walk.model_copy(update={"size": size})
            try:
                return self._ask(states, smaller, more), smaller
            except Rejected as error:
                said = said or str(error)
        raise StaleCursor(said)

    def _ask(self, states: Sequence[str], walk: Walk, more: Mapping[str, str]) -> Listing:
        page = self._http.send("GET", ISSUES, query=walk.query(states, more))
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise Transient(f"{self._http.name}: GET {ISSUES}: the answer is no list")
        return page

    def _walk(
        self, states: Sequence[str], more: Mapping[str, str]
    ) -> Iterator[list[dict[str, Any]]]:
        """It ends where a page brings nothing new."""
        walk: Walk | None = None
        known: set[str] = set()
        for _ in range(PAGES_MAX):
            rows, walk, _ = self._page(states, walk, more)
            yield rows
            ids = {str(row.get("id")) for row in rows}
            if walk is None or ids <= known:
                return
            known |= ids
        raise Transient(f"{self._http.name}: GET {ISSUES}: no end after {PAGES_MAX} pages")

    def get(self, remote_id: str) -> RemoteIssue:
        answer = self._http.send("GET", ISSUE, remote_id)
        issue = _read(answer)
        if issue is None:
            raise Transient(f"{self._http.name}: GET {ISSUE}: the answer is no issue")
        issue = about(f"{self._http.name}: GET {ISSUE}", remote_id, issue)
        return issue if is_whole(issue.payload) else self._completed(issue)

    def _completed(self, issue: RemoteIssue) -> RemoteIssue:
        """Take from the list what a server leaves out of a GET; newest first. What neither shows
        is none."""
        for rows in self._walk(self._states, {"page_order": "DESC"}):
            for row in rows:
                if same_id(row.get("id"), issue.remote_id):
                    told = {k: v for k, v in issue.payload.items() if v is not None}
                    whole = {"description": None, "type": None, **row, **told}
                    return to_canonical({**whole, "id": issue.remote_id})
        return issue

    def create(self, draft: Draft) -> RemoteIssue:
        body = from_canonical(draft, self._connection)
        made = _read(self._http.send("POST", ISSUES, body=body))
        if made is None:
            raise Ambiguous(f"{self._http.name}: POST {ISSUES}: the answer names no issue")
        if is_whole(made.payload):
            return made
        try:
            return self.get(made.remote_id)
        except SyncError:
            return made  # that it was made is what must not be forgotten

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        """Ask for the reference; then look through the window, for it or for our very words.

        The rule of the text filter is not documented, and neither is when it sees a new issue.
        """
        oldest = since + min(self.skew, timedelta()) - LOOK_BACK
        window = {"start_date": str(int(oldest.timestamp() * 1000))}
        found: list[RemoteIssue] = []
        with second_source():
            found = self._all({**window, "filter_by_text": draft.reference}, since)
        if ours := [i for i in found if carries_line(i.description, draft.reference)]:
            return ours
        found = self._all(window, since)
        ours = [i for i in found if carries_line(i.description, draft.reference)]
        return ours or [issue for issue in found if could_be(issue, draft, self._connection)]

    def _all(self, more: Mapping[str, str], since: datetime) -> list[RemoteIssue]:
        """Lowest number first, without those that are known to be older."""
        pages = self._walk(self._states, more)
        found = {issue.remote_id: issue for rows in pages for issue in _readable(rows)}
        born = since + self._http.ahead
        young = (issue for issue in found.values() if not born_before(issue, born))
        return sorted(young, key=lambda issue: issue.number)

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        """PUT everything that was just read, with these changes."""
        place = f"{self._http.name}: PUT {ISSUE}"
        if fixed := set(changes) - {"status", "description"}:
            raise Rejected(f"{place}: Zylon has no field for {', '.join(sorted(fixed))}")
        if not may_be_written(seen.payload):
            raise Rejected(f"{place}: not sent: so little was read that it could erase the rest")
        if changes:
            body = to_put(seen.payload, changes.get("status"), changes.get("description"))
            shown = _read(self._http.send("PUT", ISSUE, seen.remote_id, body=body))
            if shown and same_id(shown.remote_id, seen.remote_id) and is_whole(shown.payload):
                return about(place, seen.remote_id, shown)
        try:
            return self.get(seen.remote_id)
        except Transient as error:
            raise Ambiguous(f"{error}; it was to show what our PUT did") from error


def _read(row: object) -> RemoteIssue | None:
    try:
        return to_canonical(row) if isinstance(row, dict) else None
    except ValueError:
        return None


def _readable(rows: list[dict[str, Any]]) -> list[RemoteIssue]:
    return [issue for row in rows if (issue := _read(row))]
