"""Bland Triage over HTTP: its issues, and Norm.

A page follows one vendor cursor. Bland's cursors may be no more than a row's id, so rows can move
between two pages: the caller dedupes, and bounds the pages of a walk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from issuebridge.adapters.bland.mapping import (
    BlandIssue,
    BlandRun,
    BlandSession,
    from_canonical,
    in_bytes,
    to_canonical,
    to_entry,
    to_patch,
)
from issuebridge.adapters.http import Http, Query, second_source
from issuebridge.adapters.identity import (
    about,
    born_before,
    carries_line,
    moved,
    names_another,
    same_id,
)
from issuebridge.adapters.network import over_network
from issuebridge.adapters.payload import rows_of
from issuebridge.domain.config import Connection
from issuebridge.domain.errors import (
    Ambiguous,
    Conflict,
    Gone,
    Misconfigured,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
)
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.domain.prompt import DETAIL_UNITS_MAX
from issuebridge.domain.run import ActivityEntry
from issuebridge.domain.text import cut_bytes, without_mention
from issuebridge.ports import (
    Changes,
    Lane,
    Page,
    Session,
    Submitted,
)

ISSUES = "/v1/triage/issues"
ISSUE = ISSUES + "/{id}"
ACTIVITY = ISSUE + "/activity"
COMMENTS = ISSUE + "/comments"
SESSIONS = ISSUE + "/agent-sessions"
PROMPTS = SESSIONS + "/{session_id}/prompts"

REQUESTS_PER_SECOND_DEFAULT = 2
PAGES_MAX = 100
LOOK_BACK = timedelta(minutes=10)
LIMIT = ("limit", "100")
NEWEST_FIRST = (("sort", "created_at"), ("order", "desc"))
LANES: dict[Lane, Query] = {
    "hot": (("sort", "last_activity_at"), ("order", "desc")),
    "sweep": (("sort", "created_at"), ("order", "asc")),
}


def open_http(name: str, connection: Connection, secret: Callable[[], str]) -> Http:
    return Http(
        name=name,
        base_url=connection.base_url.removesuffix("/v1"),
        secret=secret,
        requests_per_second=connection.requests_per_second or REQUESTS_PER_SECOND_DEFAULT,
        scheme="",
        transport=over_network(connection.ca_pem),
    )


class BlandIssues:
    """The port `IssueSystem`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def skew(self) -> timedelta:
        return self._http.skew

    def page(self, lane: Lane, cursor: str | None) -> Page:
        rows, following = _page(self._http, ISSUES, query=LANES[lane], cursor=cursor)
        return Page(_readable(rows), following)

    def get(self, remote_id: str) -> RemoteIssue:
        issue = _read(_data(self._http.send("GET", ISSUE, remote_id)))
        if issue is None:
            raise Transient(f"{self._http.name}: GET {ISSUE}: the answer is no issue")
        return about(f"{self._http.name}: GET {ISSUE}", remote_id, issue)

    def create(self, draft: Draft) -> RemoteIssue:
        body = from_canonical(draft)
        made = _read(_post(self._http, ISSUES, body=body, shorter=in_bytes(body)))
        if made is None:
            raise Ambiguous(f"{self._http.name}: POST {ISSUES}: the answer names no issue")
        if _is_whole(made):
            return made
        try:
            return self.get(made.remote_id)
        except SyncError:
            return made  # that it was made is what must not be forgotten

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        """Walk back by creation time, which is certain; search, whose freshness is not, second."""
        oldest = since + min(self.skew, timedelta()) - LOOK_BACK
        seen: list[RemoteIssue] = []
        for rows in _walk(self._http, ISSUES, query=NEWEST_FIRST):
            seen += (issues := _readable(rows))
            if any(issue.created_at and issue.created_at < oldest for issue in issues):
                break
        born = since + self._http.ahead
        return _ours(seen, draft, born) or _ours(self._search(draft), draft, born)

    def _search(self, draft: Draft) -> list[RemoteIssue]:
        rows: list[dict[str, Any]] = []
        with second_source():
            rows, _ = _page(self._http, ISSUES, query=(("search", draft.reference),))
        return _readable(rows)

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        """People's words may not be altered, so a description with a mention is refused. A link
        counts as written only if a read shows it, since a field nobody documents may be dropped."""
        place = f"{self._http.name}: PATCH {ISSUE}"
        if mentions := [n for n, value in changes.items() if without_mention(value) != value]:
            raise Rejected(f"{place}: not sent: Norm is mentioned in {', '.join(mentions)}")
        if "description" in changes and not self._shows_words(seen):
            raise Transient(f"{place}: not sent: no description was read, so it could erase one")
        if changes:
            body = to_patch(changes)
            shown = _read(_data(self._http.send("PATCH", ISSUE, seen.remote_id, body=body)))
            is_told = shown and same_id(shown.remote_id, seen.remote_id) and _is_whole(shown)
            if shown and is_told and "external_link" not in changes:
                return about(place, seen.remote_id, shown)
        try:
            return self.get(seen.remote_id)
        except Transient as error:
            raise Ambiguous(f"{error}; it was to show what our PATCH did") from error

    def _shows_words(self, seen: RemoteIssue) -> bool:
        """A description that is null twice is none; one that is not told may be anything."""
        if seen.payload.get("description", "") is not None:
            return "description" in seen.payload
        return self.get(seen.remote_id).payload.get("description", "?") is None


class BlandAgent:
    """The port `Agent`: Norm."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def latest_session(self, remote_id: str) -> tuple[Session | None, bool]:
        answer, place = (
            _data(self._http.send("GET", ISSUE, remote_id)),
            f"{self._http.name}: GET {ISSUE}",
        )
        try:
            issue = BlandIssue.model_validate(answer)
        except ValueError as error:
            raise Transient(f"{place}: the answer is no issue") from error
        if not same_id(remote_id, issue.id):
            raise moved(place, remote_id, issue.id)
        return _session(issue.latest_agent_session, remote_id), issue.is_processing

    def create_session(self, remote_id: str) -> Session:
        answer = _data(self._http.send("POST", SESSIONS, remote_id, body={}))
        session = _session(answer, remote_id)
        if session is None:
            place = f"{self._http.name}: POST {SESSIONS}"
            raise Ambiguous(f"{place}: the answer names no session of this issue")
        return session

    def submit(self, remote_id: str, session_id: str, detail: str) -> Submitted:
        """A success that names no run was taken all the same."""
        body = {"detail": without_mention(detail)}
        shorter = {"detail": cut_bytes(body["detail"], DETAIL_UNITS_MAX)}
        ids = remote_id, session_id
        answer = _post(self._http, PROMPTS, *ids, body=body, shorter=shorter)
        if names_another(answer, "issue_id", remote_id) or names_another(
            answer, "session_id", session_id
        ):
            raise Ambiguous(f"{self._http.name}: POST {PROMPTS}: it tells of another session")
        try:
            run = BlandRun.model_validate(answer)
        except ValueError:
            return Submitted(run_id="", intent="")
        return Submitted(run_id=run.run_id, intent=run.intent)

    def activity(self, remote_id: str, since: datetime) -> Sequence[ActivityEntry]:
        """Their times are told by our clock."""
        entries = _activity(self._http, remote_id, since)
        return [replace(e, created_at=e.created_at - self._http.skew) for e in entries]


class BlandComments:
    """The port `Comments`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def post(self, remote_id: str, text: str) -> None:
        if without_mention(text) != text:
            raise Rejected(f"{self._http.name}: the comment mentions Norm: not posted")
        answer = self._http.send("POST", COMMENTS, remote_id, body={"detail": text})
        if isinstance(answer, dict) and answer.get("errors") and not answer.get("data"):
            raise Ambiguous(f"{self._http.name}: POST {COMMENTS}: a success that tells of errors")
        if names_another(_data(answer), "issue_id", remote_id):
            raise Ambiguous(f"{self._http.name}: POST {COMMENTS}: it tells of another issue")

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        entries = _activity(self._http, remote_id, since)
        return any(entry.type == "comment" and mark in entry.text for entry in entries)


def _activity(http: Http, remote_id: str, since: datetime) -> list[ActivityEntry]:
    """Count an entry without a readable time as being as old as the one above it; those of an
    issue that was merged into this one are not this one's."""
    entries: list[ActivityEntry] = []
    at = since
    for rows in _walk(http, ACTIVITY, remote_id):
        mine = [row for row in rows if not names_another(row, "issue_id", remote_id)]
        if rows and not mine:
            raise moved(f"{http.name}: GET {ACTIVITY}", remote_id, rows[0]["issue_id"])
        oldest = since + min(http.skew, timedelta())
        for entry in (found for row in mine if (found := to_entry(row, at))):
            if entry.created_at < oldest:
                return entries
            entries.append(entry)
            at = entry.created_at
    return entries


def _post(http: Http, path: str, *ids: str, body: object, shorter: object) -> object:
    """Whether a limit counts letters or bytes is not documented. What is refused was not done, so
    it may be sent once more, cut to bytes."""
    try:
        return _data(http.send("POST", path, *ids, body=body))
    except Rejected as error:
        if isinstance(error, Gone | Conflict) or shorter == body:
            raise
        return _data(http.send("POST", path, *ids, body=shorter))


def _data(answer: object) -> object:
    return answer["data"] if isinstance(answer, dict) and "data" in answer else answer


def _read(row: object) -> RemoteIssue | None:
    try:
        return to_canonical(row) if isinstance(row, dict) else None
    except ValueError:
        return None


def _readable(rows: list[dict[str, Any]]) -> list[RemoteIssue]:
    return [issue for row in rows if (issue := _read(row))]


def _ours(issues: list[RemoteIssue], draft: Draft, born: datetime) -> list[RemoteIssue]:
    """What carries our line, and was not there before it was sent."""
    found = {i.remote_id: i for i in issues if carries_line(i.description, draft.reference)}
    young = (issue for issue in found.values() if not born_before(issue, born))
    return sorted(young, key=lambda issue: issue.number)


def _is_whole(issue: RemoteIssue) -> bool:
    names = {"status", "severity", "description", "external_link", "updated_at"}
    return names <= issue.payload.keys()


def _session(value: object, remote_id: str) -> Session | None:
    try:
        session = BlandSession.model_validate(value)
    except ValueError:
        return None
    is_anothers = names_another(value, "issue_id", remote_id)
    return None if is_anothers else Session(session.id, session.status or "")


def _page(
    http: Http, path: str, *ids: str, query: Query = (), cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Read one page, and the cursor of the next, which is None at the end.

    A page that leads to itself was served twice, or is the last one of a list that says
    otherwise: asking once more tells which.
    """
    rows, following = _ask(http, path, ids, query, cursor)
    if cursor and following == cursor:
        rows, following = _ask(http, path, ids, query, cursor)
    return rows, None if not rows or following == cursor else following


def _ask(
    http: Http, path: str, ids: Sequence[str], query: Query, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    parts = (*query, LIMIT, *((("cursor", cursor),) if cursor else ()))
    try:
        page = _data(http.send("GET", path, *ids, query=parts))
    except Rejected as error:
        if cursor:
            raise StaleCursor(str(error)) from error
        if isinstance(error, Gone) and not ids:
            place = f"connections.{http.name}.base_url"
            raise Misconfigured(f"{error}: no list of issues at {place}") from error
        raise
    if isinstance(page, list):
        return rows_of(page), None
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        raise Transient(f"{http.name}: GET {path}: the answer is no list")
    following = page.get("next_cursor")
    return rows_of(page["items"]), str(following) if following else None


def _walk(http: Http, path: str, *ids: str, query: Query = ()) -> Iterator[list[dict[str, Any]]]:
    """Newest first; it ends where a cursor comes back."""
    cursor: str | None = None
    known: set[str] = set()
    for _ in range(PAGES_MAX):
        try:
            rows, cursor = _page(http, path, *ids, query=query, cursor=cursor)
        except StaleCursor as error:
            raise Transient(f"{error}: the list moved; the next look begins anew") from error
        yield rows
        if cursor is None or cursor in known:
            return
        known.add(cursor)
    raise Transient(f"{http.name}: GET {path}: no end after {PAGES_MAX} pages")
