"""The ports in memory. They pass the same contract tests as the real adapters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from issuebridge.adapters.sizes import MESSAGE_BYTES_MAX, check_size, check_sum
from issuebridge.domain.buckets import Bucket
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Ambiguous, Gone, LostRace, Rejected, StaleCursor, Transient
from issuebridge.domain.gate import GateState
from issuebridge.domain.issue import CanonicalIssue, Draft, HistoryEntry, RemoteIssue
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.swept import Swept
from issuebridge.domain.taking import Taking
from issuebridge.ports import ActivityEntry, Changes, Lane, Page, Session, Submitted

DAWN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    at: datetime = DAWN

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeIssueStore:
    """`writes` and `loads` count what a table would have been charged for."""

    ledger: "FakeLedger"
    connections: "FakeConnectionStore"
    issues: dict[str, str] = field(default_factory=dict)
    refs: dict[tuple[str, str], str] = field(default_factory=dict)
    aliases: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)
    rows: dict[str, list[HistoryEntry]] = field(default_factory=dict)
    woken: list[str] = field(default_factory=list)
    writes: int = 0
    loads: int = 0

    def load(self, issue_id: str) -> CanonicalIssue | None:
        self.loads += 1
        stored = self.issues.get(issue_id)
        return CanonicalIssue.model_validate_json(stored) if stored else None

    def find(self, connection: str, remote_id: str) -> str | None:
        return self.refs.get((connection, remote_id))

    def named(self, connection: str, name: str) -> Sequence[str]:
        exact = self.find(connection, name)
        return [exact] if exact else sorted(self.aliases.get((connection, name), ()))

    def pointing(self, url: str) -> Sequence[str]:
        return sorted(self.links.get(url, ()))

    def history(self, issue_id: str) -> list[HistoryEntry]:
        return list(self.rows.get(issue_id, []))

    def commit(
        self,
        issue: CanonicalIssue,
        history: Sequence[HistoryEntry] = (),
        *,
        wake: bool = False,
        done: Effect | Sequence[Effect] = (),
        linked: str | Sequence[str] = (),
        pushing: str | None = None,
        points_at: str | None = None,
    ) -> CanonicalIssue:
        stored = self.load(issue.issue_id)
        refs = [issue.refs[name] for name in ([linked] if isinstance(linked, str) else linked)]
        names = [(ref.connection, ref.remote_id) for ref in refs]
        if (stored.version if stored else 0) != issue.version or any(n in self.refs for n in names):
            raise LostRace(issue.issue_id)
        new = issue.model_copy(update={"version": issue.version + 1})
        document = new.model_dump_json()
        rows = [document, *(entry.model_dump_json() for entry in history)]
        check_sum(issue.issue_id, [check_document(f"ISSUE#{issue.issue_id}", row) for row in rows])
        for effect in [done] if isinstance(done, Effect) else done:
            self.ledger.put(effect)
        self.issues[issue.issue_id] = document
        self.rows.setdefault(issue.issue_id, []).extend(history)
        self.refs |= dict.fromkeys(names, issue.issue_id)
        for ref in refs:
            self.aliases.setdefault((ref.connection, ref.display_id), set()).add(issue.issue_id)
        if points_at:
            self.links.setdefault(points_at, set()).add(issue.issue_id)
        if pushing:
            self.connections.mark_pushed(pushing, new.refs[pushing].remote_id, new.version)
        if wake:
            self.woken.append(issue.issue_id)
        self.writes += 1
        return new

    def join(
        self,
        kept: CanonicalIssue,
        other: CanonicalIssue,
        connection: str,
        history: Sequence[HistoryEntry] = (),
    ) -> CanonicalIssue:
        ref = kept.refs[connection]
        stored = self.load(other.issue_id)
        if not stored or stored.version != other.version:
            raise LostRace(other.issue_id)
        if self.refs.get((connection, ref.remote_id)) != other.issue_id:
            raise LostRace(other.issue_id)
        new = self.commit(kept, history, wake=True)
        self.commit(other)
        self.refs[connection, ref.remote_id] = kept.issue_id
        self.aliases.setdefault((connection, ref.display_id), set()).add(kept.issue_id)
        self.aliases[connection, ref.display_id].discard(other.issue_id)
        return new

    def due(self, now: datetime) -> Sequence[str]:
        issues = [CanonicalIssue.model_validate_json(stored) for stored in self.issues.values()]
        return [i.issue_id for i in issues if min(dues(i), default=now) <= now and dues(i)]


ITEM_AROUND_BYTES = 600
"""The keys and marks of an item, around its document."""


def check_document(what: str, document: str) -> int:
    """As the table does."""
    return check_size(what, len(document.encode()) + ITEM_AROUND_BYTES)


def dues(issue: CanonicalIssue) -> list[datetime]:
    """When its pending marks, and the rules that ask for a prompt, are due."""
    return [*(mark.due_at for mark in issue.pending.values()), *issue.asks.values()]


@dataclass
class FakeLedger:
    effects: dict[str, str] = field(default_factory=dict)
    spent: dict[tuple[str, str], int] = field(default_factory=dict)

    def get(self, key: str) -> Effect | None:
        stored = self.effects.get(key)
        return Effect.model_validate_json(stored) if stored else None

    def find(self, keys: Sequence[str]) -> Sequence[Effect]:
        return [effect for effect in map(self.get, keys) if effect]

    def put(self, effect: Effect) -> Effect:
        stored = self.get(effect.key)
        if (stored.version if stored else 0) != effect.version:
            raise LostRace(effect.key)
        new = effect.model_copy(update={"version": effect.version + 1})
        document = new.model_dump_json()
        check_document(f"EFFECT#{effect.key}", document)
        self.effects[effect.key] = document
        return new

    def open(self, kind: str, connection: str) -> Sequence[Effect]:
        effects = map(Effect.model_validate_json, self.effects.values())
        return [e for e in effects if e.is_open and (e.kind, e.connection) == (kind, connection)]

    def runs(self, connection: str) -> Sequence[Effect]:
        effects = map(Effect.model_validate_json, self.effects.values())
        return [e for e in effects if e.connection == connection and e.shelf == "run"]

    def spend(self, budget: str, day: str, limit: int) -> bool:
        used = self.spent.get((budget, day), 0)
        self.spent[budget, day] = min(used + 1, limit)
        return used < limit


@dataclass
class FakeConnectionStore:
    """`bucket_reads` and `bucket_writes` name the buckets as often as they were asked for."""

    states: dict[str, ConnectionState] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    digests: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    parts: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    marks: dict[str, dict[str, int]] = field(default_factory=dict)
    pauses: dict[str, datetime] = field(default_factory=dict)
    sweeps: dict[tuple[str, int], set[tuple[str, str | int]]] = field(default_factory=dict)
    gates: dict[str, GateState] = field(default_factory=dict)
    takings: dict[str, Taking] = field(default_factory=dict)
    bucket_reads: list[str] = field(default_factory=list)
    bucket_writes: list[str] = field(default_factory=list)

    def acquire(self, connection: str, now: datetime, lease_seconds: float) -> ConnectionState:
        if connection in self.leases and self.leases[connection] > now:
            raise LostRace(connection)
        state = self.states.get(connection) or ConnectionState(connection=connection)
        state = state.model_copy(update={"generation": state.generation + 1})
        self.states[connection] = state
        died = connection in self.leases
        self.leases[connection] = now + timedelta(seconds=lease_seconds)
        return state.model_copy(update={"former_died": died})

    def read(self, connection: str) -> ConnectionState:
        return self.states.get(connection) or ConnectionState(connection=connection)

    def _fence(self, state: ConnectionState) -> None:
        if self.states[state.connection].generation != state.generation:
            raise LostRace(state.connection)

    def save(self, state: ConnectionState) -> None:
        self._fence(state)
        check_document(f"CONNECTION#{state.connection}", state.model_dump_json())
        self.states[state.connection] = state.model_copy(update={"former_died": False})
        self.leases.pop(state.connection, None)

    def buckets(self, connection: str, places: Sequence[str]) -> dict[str, dict[str, str]]:
        self.bucket_reads += places
        kept = self.digests.get(connection, {})
        return {place: dict(kept.get(place, {})) for place in sorted(places)}

    def all_buckets(self, connection: str) -> Iterator[tuple[str, Bucket]]:
        yield from sorted(self.digests.get(connection, {}).items())

    def fingerprints(self, connection: str) -> dict[str, str]:
        """Of every issue, wherever it is kept."""
        return {k: v for _, bucket in self.all_buckets(connection) for k, v in bucket.items()}

    def pushed(self, connection: str) -> Mapping[str, int]:
        return dict(self.marks.get(connection, {}))

    def save_seen(
        self, state: ConnectionState, buckets: Mapping[str, Bucket], pushed: Mapping[str, int]
    ) -> None:
        self._fence(state)
        self.bucket_writes += buckets
        kept = self.digests.setdefault(state.connection, {})
        kept |= {place: dict(bucket) for place, bucket in buckets.items()}
        marks = self.marks.setdefault(state.connection, {})
        for key, version in pushed.items():
            if marks.get(key) == version:
                del marks[key]

    def sixteenths(self, connection: str) -> Iterator[tuple[str, Bucket]]:
        yield from self.parts.get(connection, {}).copy().items()

    def drop_sixteenth(self, state: ConnectionState, part: str) -> None:
        self._fence(state)
        del self.parts[state.connection][part]

    def swept(self, connection: str, sweep_number: int) -> Swept:
        return Swept.of(self.sweeps.get((connection, sweep_number), ()))

    def save_swept(self, state: ConnectionState, swept: Swept, now: datetime) -> None:
        kept = self.sweeps.setdefault((state.connection, state.sweep_number), set())
        kept.update(swept.rows())

    def taking(self, worker: str) -> Taking | None:
        return self.takings.get(worker)

    def save_taking(self, worker: str, taking: Taking) -> None:
        self.takings[worker] = taking

    def mark_pushed(self, connection: str, remote_id: str, version: int) -> None:
        self.marks.setdefault(connection, {})[remote_id] = version

    def pause(self, connection: str, until: datetime) -> None:
        self.pauses[connection] = max(until, self.pauses.get(connection, until))

    def gate(self, connection: str) -> GateState:
        return self.gates.get(connection) or GateState(connection=connection)

    def save_gate(self, state: GateState) -> GateState:
        if self.gate(state.connection).version != state.version:
            raise LostRace(state.connection)
        check_document(f"CONNECTION#{state.connection}", state.model_dump_json())
        self.gates[state.connection] = state.model_copy(update={"version": state.version + 1})
        return self.gates[state.connection]

    def paused_until(self, connection: str) -> datetime | None:
        return self.pauses.get(connection)


@dataclass
class FakeDeadLetters:
    """A queue: the same key is one message, and none is larger than SQS takes."""

    sent: dict[str, tuple[str, str]] = field(default_factory=dict)

    def send(self, body: str, reason: str, *, group: str, key: str) -> None:
        if len(body.encode()) + len(reason.encode()) > MESSAGE_BYTES_MAX:
            raise Transient("SQS: the refused message could not be set aside: it is too long")
        self.sent.setdefault(key, (body, reason))


@dataclass
class FakeIssueSystem:
    """One vendor in memory. `fail` is asked before and after each call and may raise.

    `rows_tell_times`: whether a row of a list says when its issue was made and changed.
    `requests` is the record of everything it was asked for, as a vendor's own log would be.
    """

    clock: FakeClock
    page_size: int = 3
    has_activity: bool = True
    rows_tell_times: bool = True
    born_as: Mapping[str, str] = field(default_factory=dict)
    ignores: set[str] = field(default_factory=set)
    fail: Callable[[str, str], None] = lambda call, moment: None
    issues: dict[str, RemoteIssue] = field(default_factory=dict)
    requests: list[tuple[str, object]] = field(default_factory=list)
    comments: list[tuple[str, str]] = field(default_factory=list)
    born: int = 0
    skew: timedelta = timedelta()

    def writes(self) -> list[tuple[str, object]]:
        return [r for r in self.requests if r[0] in ("create", "update", "post")]

    # what people do

    def add(self, title: str = "broken", **given: object) -> RemoteIssue:
        number = 1001 + self.born
        self.born += 1
        raw = {"status": "todo", "severity": "high", "external_link": None}
        issue = RemoteIssue(
            remote_id=f"uuid-{number}",
            display_id=f"T-{number}",
            number=number,
            title=title,
            description=str(given.pop("description", "It does not work.")),
            category="Bug",
            raw={**raw, **self.born_as, **given},
            **self._times(created=True),
        )
        self.issues[issue.remote_id] = issue
        return issue

    def edit(self, remote_id: str, *, description: str | None = None, **raw: str | None) -> None:
        old = self.issues[remote_id]
        text = old.description if description is None else description
        self.issues[remote_id] = replace(
            old, raw={**old.raw, **raw}, description=text, **self._times()
        )

    def _times(self, *, created: bool = False) -> dict[str, datetime | None]:
        now = self.clock.now() + self.skew
        times = {"updated_at": now, "activity_at": now if self.has_activity else None}
        return {**times, "created_at": now} if created else times

    # the port

    def page(self, lane: Lane, cursor: str | None) -> Page:
        self._ask("page", (lane, cursor))
        if cursor and not cursor.isdigit():
            raise StaleCursor(cursor)
        newest_first = lane == "hot" and self.has_activity
        rows = sorted(
            self.issues.values(),
            key=lambda i: (i.activity_at if newest_first else i.created_at, i.number),
            reverse=newest_first,
        )
        start = int(cursor or 0)
        end = start + self.page_size
        shown = [self._row(issue) for issue in rows[start:end]]
        return Page(shown, str(end) if end < len(rows) else None)

    def _row(self, issue: RemoteIssue) -> RemoteIssue:
        if self.rows_tell_times:
            return issue
        return replace(issue, created_at=None, updated_at=None, is_row=True)

    def get(self, remote_id: str) -> RemoteIssue:
        self._ask("get", remote_id)
        if remote_id not in self.issues:
            raise Gone(remote_id)
        return self.issues[remote_id]

    def create(self, draft: Draft) -> RemoteIssue:
        self._ask("create", draft)
        raw = {"status": draft.status or "todo", "severity": draft.severity or "medium"}
        issue = self.add(draft.title, description=draft.description, **{**raw, **self.born_as})
        self.fail("create", "after")
        return issue

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        self._ask("find_created", draft.reference)
        return [i for i in self.issues.values() if draft.reference in i.description]

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        if not changes:
            return self.get(seen.remote_id)
        self._ask("update", (seen.remote_id, dict(changes)))
        kept = {k: v for k, v in changes.items() if k not in self.ignores}
        if "refused" in kept.values():
            raise Rejected("no such word")
        if "external_link" in kept:
            kept["external_link"] = f'{{"provider":"link","url":"{kept["external_link"]}"}}'
        text = kept.pop("description", None)
        self.edit(seen.remote_id, description=text, **kept)
        self.fail("update", "after")
        return self.issues[seen.remote_id]

    def post(self, remote_id: str, text: str) -> None:
        self._ask("post", (remote_id, text))
        self.comments.append((remote_id, text))
        self.edit(remote_id)
        self.fail("post", "after")

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        self._ask("stands", (remote_id, mark))
        return any(mark in text for at, text in self.comments if at == remote_id)

    def _ask(self, call: str, what: object) -> None:
        self.fail(call, "before")
        self.requests.append((call, what))


@dataclass
class FakeAgent:
    """Norm: each accepted prompt is one run, whatever becomes of the answer.

    A run takes `run_seconds` and ends as `ends`; None is never.
    """

    clock: FakeClock
    runs: list[dict[str, str]] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    entries: list[ActivityEntry] = field(default_factory=list)
    processing: bool = False
    lose_answers: int = 0
    fail: Exception | None = None
    run_seconds: float = 0
    ends: str | None = "complete"
    due: list[tuple[datetime, str]] = field(default_factory=list)
    status: str = "active"

    def latest_session(self, remote_id: str) -> tuple[Session | None, bool]:
        self._settle()
        latest = Session(self.sessions[-1], self.status) if self.runs else None
        return latest, self.processing or bool(self.due)

    def create_session(self, remote_id: str) -> Session:
        self.sessions.append(f"session-{len(self.sessions) + 1}")
        return Session(self.sessions[-1], "active")

    def submit(self, remote_id: str, session_id: str, detail: str) -> Submitted:
        if self.fail:
            raise self.fail
        run_id = f"run-{len(self.runs) + 1}"
        self.runs.append({"run_id": run_id, "detail": detail, "session_id": session_id})
        now = self.clock.now()
        self.note("prompt", detail.split(" ", 1)[1], session_id, now)
        self.status = "active"
        self.due.append((now + timedelta(seconds=self.run_seconds), session_id))
        if self.lose_answers:
            self.lose_answers -= 1
            raise Ambiguous("reply lost")
        return Submitted(run_id, detail[1:].split(" ", 1)[0])

    def activity(self, remote_id: str, since: datetime) -> Sequence[ActivityEntry]:
        self._settle()
        return [entry for entry in self.entries if entry.created_at >= since]

    def note(self, type_: str, text: str, session_id: str, at: datetime, **more: object) -> None:
        number = len(self.entries) + 1
        entry = ActivityEntry(f"e{number}", "agent", type_, text, session_id, None, at, **more)
        self.entries.insert(0, entry)

    def _settle(self) -> None:
        """The runs that are over by now have said their last word."""
        if self.ends is None:
            return
        over = [run for run in self.due if run[0] <= self.clock.now()]
        for run in over:
            self.due.remove(run)
            self.status = self.ends
            last = {"error": "error", "cancelled": "session_stopped"}.get(self.ends, "response")
            self.note(last, "Done.", run[1], run[0])
