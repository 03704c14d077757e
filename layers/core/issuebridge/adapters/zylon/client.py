"""Zylon Workspace over HTTP, in both generations of its API.

Our cursor is a `Walk` as JSON: where the next page begins, and how this server wants to be asked.
The caller dedupes, and bounds the pages of a walk.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from issuebridge.adapters.http import Http, second_source
from issuebridge.adapters.identity import (
    about,
    born_before,
    carries_line,
    same_id,
)
from issuebridge.adapters.network import over_network
from issuebridge.adapters.rows import read_one, read_rows
from issuebridge.adapters.zylon.listing import ISSUES, Listing
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
from issuebridge.adapters.zylon.settings import ZylonConnection
from issuebridge.adapters.zylon.walk import Walk
from issuebridge.domain.errors import (
    Ambiguous,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
)
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.ports import Changes, Lane, Page

ROOT = "/api/v1"
ISSUE = ISSUES + "/{id}"

REQUESTS_PER_SECOND_DEFAULT = 2
LOOK_BACK = timedelta(minutes=10)


def open_http(name: str, connection: ZylonConnection, secret: Callable[[], str]) -> Http:
    return Http(
        name=name,
        base_url=connection.base_url.removesuffix(ROOT) + ROOT,
        secret=secret,
        requests_per_second=connection.requests_per_second or REQUESTS_PER_SECOND_DEFAULT,
        headers={} if connection.generation == "older" else {"x-org": connection.org},
        login_pages=True,
        transport=over_network(connection.ca_pem),
        zone=connection.zone,
    )


class ZylonIssues:
    """The port `IssueSystem`. A list shows only the states that are asked for: those of the
    configured map besides the known ones."""

    def __init__(self, connection: ZylonConnection, http: Http) -> None:
        self._connection, self._http = connection, http
        self._read = partial(to_canonical, zone=http.zone)
        self._states = tuple(dict.fromkeys((*STATES, *connection.maps.get("status", {}))))
        self._listing = Listing(http, self._states)

    @property
    def skew(self) -> timedelta:
        return self._http.skew

    def page(self, lane: Lane, cursor: str | None) -> Page:
        try:
            walk = Walk.model_validate_json(cursor) if cursor else None
        except ValueError as error:
            raise StaleCursor(f"{self._http.name}: no cursor of ours") from error
        listed = self._listing.page(OPEN_STATES if lane == "hot" else self._states, walk)
        found = read_rows(listed.rows, "id", self._read)
        after = listed.following.model_dump_json() if listed.following else None
        return Page(found.issues, after, listed.claimed, (*listed.unread, *found.unread))

    def get(self, remote_id: str) -> RemoteIssue:
        issue = read_one(self._http.send("GET", ISSUE, remote_id), self._read)
        if issue is None:
            raise Transient(f"{self._http.name}: GET {ISSUE}: the answer is no issue")
        issue = about(f"{self._http.name}: GET {ISSUE}", remote_id, issue)
        return issue if is_whole(issue.payload) else self._completed(issue)

    def _completed(self, issue: RemoteIssue) -> RemoteIssue:
        """Take from the list what a server leaves out of a GET; newest first. What neither shows
        is none."""
        for rows in self._listing.walk({"page_order": "DESC"}):
            for row in rows:
                if same_id(row.get("id"), issue.remote_id):
                    told = {k: v for k, v in issue.payload.items() if v is not None}
                    whole = {"description": None, "type": None, **row, **told}
                    return self._read({**whole, "id": issue.remote_id})
        return issue

    def create(self, draft: Draft) -> RemoteIssue:
        body = from_canonical(draft, self._connection)
        made = read_one(self._http.send("POST", ISSUES, body=body), self._read)
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
        oldest = since + min(self._http.ahead, timedelta()) - LOOK_BACK
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
        pages = self._listing.walk(more)
        seen = (i for rows in pages for i in read_rows(rows, "id", self._read).issues)
        found = {issue.remote_id: issue for issue in seen}
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
            answer = self._http.send("PUT", ISSUE, seen.remote_id, body=body)
            shown = read_one(answer, self._read)
            if shown and same_id(shown.remote_id, seen.remote_id) and is_whole(shown.payload):
                return about(place, seen.remote_id, shown)
        try:
            return self.get(seen.remote_id)
        except Transient as error:
            raise Ambiguous(f"{error}; it was to show what our PUT did") from error
