"""Bland Triage over HTTP: its issues, and Norm.

A page follows one vendor cursor; the caller dedupes, and bounds the pages of a walk.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from issuebridge.adapters.bland.calls import call, page, post, walk
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
from issuebridge.adapters.bland.settings import BlandConnection
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
from issuebridge.adapters.rows import read_one, read_rows
from issuebridge.domain.errors import (
    Ambiguous,
    Rejected,
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
LOOK_BACK = timedelta(minutes=10)
NEWEST_FIRST = (("sort", "created_at"), ("order", "desc"))
LANES: dict[Lane, Query] = {
    "hot": (("sort", "last_activity_at"), ("order", "desc")),
    "sweep": (("sort", "created_at"), ("order", "asc")),
}


def open_http(name: str, connection: BlandConnection, secret: Callable[[], str]) -> Http:
    return Http(
        name=name,
        base_url=connection.base_url.removesuffix("/v1"),
        secret=secret,
        requests_per_second=connection.requests_per_second or REQUESTS_PER_SECOND_DEFAULT,
        scheme="",
        transport=over_network(connection.ca_pem),
        zone=connection.zone,
    )


class BlandIssues:
    """The port `IssueSystem`."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._read = partial(to_canonical, zone=http.zone)

    @property
    def skew(self) -> timedelta:
        return self._http.skew

    def page(self, lane: Lane, cursor: str | None) -> Page:
        rows, following, unread = page(self._http, ISSUES, query=LANES[lane], cursor=cursor)
        found = read_rows(rows, "id", self._read)
        return Page(found.issues, following, unread=(*unread, *found.unread))

    def get(self, remote_id: str) -> RemoteIssue:
        issue = read_one(call(self._http, "GET", ISSUE, remote_id), self._read)
        if issue is None:
            raise Transient(f"{self._http.name}: GET {ISSUE}: the answer is no issue")
        return about(f"{self._http.name}: GET {ISSUE}", remote_id, issue)

    def create(self, draft: Draft) -> RemoteIssue:
        body = from_canonical(draft)
        made = read_one(post(self._http, ISSUES, body=body, shorter=in_bytes(body)), self._read)
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
        oldest = since + min(self._http.ahead, timedelta()) - LOOK_BACK
        seen: list[RemoteIssue] = []
        for rows in walk(self._http, ISSUES, query=NEWEST_FIRST):
            seen += (issues := read_rows(rows, "id", self._read).issues)
            if any(issue.created_at and issue.created_at < oldest for issue in issues):
                break
        born = since + self._http.ahead
        return _ours(seen, draft, born) or _ours(self._search(draft), draft, born)

    def _search(self, draft: Draft) -> list[RemoteIssue]:
        rows: Sequence[object] = ()
        with second_source():
            rows, *_ = page(self._http, ISSUES, query=(("search", draft.reference),))
        return read_rows(rows, "id", self._read).issues

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
            answer = call(self._http, "PATCH", ISSUE, seen.remote_id, body=body)
            shown = read_one(answer, self._read)
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
        place, answer = f"{self._http.name}: GET {ISSUE}", call(self._http, "GET", ISSUE, remote_id)
        try:
            issue = BlandIssue.model_validate(answer)
        except ValueError as error:
            raise Transient(f"{place}: the answer is no issue") from error
        if not same_id(remote_id, issue.id):
            raise moved(place, remote_id, issue.id)
        return _session(issue.latest_agent_session, remote_id), issue.is_processing

    def create_session(self, remote_id: str) -> Session:
        answer = call(self._http, "POST", SESSIONS, remote_id, body={})
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
        answer = post(self._http, PROMPTS, *ids, body=body, shorter=shorter)
        named = {"issue_id": remote_id, "session_id": session_id}
        if any(names_another(answer, name, asked) for name, asked in named.items()):
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
        answer = call(self._http, "POST", COMMENTS, remote_id, body={"detail": text})
        if names_another(answer, "issue_id", remote_id):
            raise Ambiguous(f"{self._http.name}: POST {COMMENTS}: it tells of another issue")

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        entries = _activity(self._http, remote_id, since)
        return any(entry.type == "comment" and mark in entry.text for entry in entries)


def _activity(http: Http, remote_id: str, since: datetime) -> list[ActivityEntry]:
    """Count an entry without a readable time as being as old as the one above it; those of an
    issue that was merged into this one are not this one's."""
    entries: list[ActivityEntry] = []
    at = since
    for rows in walk(http, ACTIVITY, remote_id):
        mine = [row for row in rows if not names_another(row, "issue_id", remote_id)]
        if rows and not mine:
            raise moved(f"{http.name}: GET {ACTIVITY}", remote_id, rows[0]["issue_id"])
        oldest = since + min(http.skew, timedelta())
        for entry in (found for row in mine if (found := to_entry(row, at, http.zone))):
            if entry.created_at < oldest:
                return entries
            entries.append(entry)
            at = entry.created_at
    return entries


def _ours(issues: list[RemoteIssue], draft: Draft, born: datetime) -> list[RemoteIssue]:
    """What carries our line, and was not there before it was sent."""
    found = {i.remote_id: i for i in issues if carries_line(i.description, draft.reference)}
    young = (issue for issue in found.values() if not born_before(issue, born))
    return sorted(young, key=lambda issue: issue.number)


def _is_whole(issue: RemoteIssue) -> bool:
    names = {"status", "severity", "description", "external_link", "updated_at"}
    return names <= issue.payload.keys()


def _session(value: object, remote_id: str) -> Session | None:
    """Bland's own client reads the id as `id`, else as `session_id`."""
    shown = value if isinstance(value, dict) else {}
    try:
        session = BlandSession.model_validate(
            {**shown, "id": shown.get("id") or shown.get("session_id")}
        )
    except ValueError:
        return None
    is_anothers = names_another(shown, "issue_id", remote_id)
    return None if is_anothers else Session(session.id, session.status or "")
