"""What the core asks of the world, on one screen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from issuebridge.domain.buckets import Bucket
from issuebridge.domain.effect import Effect
from issuebridge.domain.gate import GateState
from issuebridge.domain.issue import CanonicalIssue, Draft, HistoryEntry, RemoteIssue
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.run import ActivityEntry
from issuebridge.domain.swept import Swept
from issuebridge.domain.taking import Taking

Lane = Literal["hot", "sweep"]
"""`hot`: where changes are likely, cheap. `sweep`: every issue there is."""

Changes = Mapping[Literal["status", "severity", "external_link", "description"], str]
"""The smallest write: raw words, or the whole new description."""


@dataclass(frozen=True)
class Page:
    """One page of a walk; `cursor` is None at its end, and only good for the same lane.

    `claimed` is how many issues the vendor says the whole walk has. `unread` tells, in words for a
    person, what of it could not be read, each beginning with the issue's id if there is one.
    """

    issues: Sequence[RemoteIssue]
    cursor: str | None
    claimed: int | None = None
    unread: Sequence[str] = ()


class IssueSystem(Protocol):
    """One connection's issue system. All calls raise `domain.errors`; times are aware UTC."""

    @property
    def skew(self) -> timedelta:
        """How far the remote's clock runs ahead of ours, as last measured; zero if it never was."""

    def page(self, lane: Lane, cursor: str | None) -> Page:
        """One page. StaleCursor when the vendor no longer knows the cursor."""

    def get(self, remote_id: str) -> RemoteIssue:
        """The issue as it is now. Gone when the vendor says it is not there."""

    def create(self, draft: Draft) -> RemoteIssue:
        """One request, never repeated in here. Ambiguous when no answer tells what it did."""

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        """Issues that carry the draft's reference or other fingerprints; lowest number first."""

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        """Write only these changes; `seen` is what was just read. The issue as it is afterwards."""


class Comments(Protocol):
    """Comments on the issues of a system that has them."""

    def post(self, remote_id: str, text: str) -> None:
        """One request, never repeated in here. Rejected if the text would wake Norm."""

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        """Whether a comment written at or after `since` contains this mark."""


@dataclass(frozen=True)
class Session:
    """A Norm session of one issue."""

    session_id: str
    status: str


@dataclass(frozen=True)
class Submitted:
    """Norm's answer to a prompt."""

    run_id: str
    intent: str


class Agent(Protocol):
    """Norm, reached through the issue system it belongs to."""

    def latest_session(self, remote_id: str) -> tuple[Session | None, bool]:
        """The issue's newest session if it shows one, and whether Norm works on the issue now."""

    def create_session(self, remote_id: str) -> Session:
        """One request, never repeated in here."""

    def submit(self, remote_id: str, session_id: str, detail: str) -> Submitted:
        """One request, never repeated in here. Each accepted call is one paid run."""

    def activity(self, remote_id: str, since: datetime) -> Sequence[ActivityEntry]:
        """Entries at or after `since`, newest first."""


class IssueStore(Protocol):
    """Canonical issues, the refs that find them, their history."""

    def load(self, issue_id: str) -> CanonicalIssue | None: ...

    def find(self, connection: str, remote_id: str) -> str | None:
        """The issue id behind a remote id."""

    def named(self, connection: str, name: str) -> Sequence[str]:
        """The issue ids behind a remote id or a short code (T-1042), which need not be unique."""

    def pointing(self, url: str) -> Sequence[str]:
        """Ids of issues whose link was this address when they were stored."""

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
        """Store issue, history, new refs and effects that go with them, all or nothing.

        `linked` names the connection whose ref is new, or several. `points_at`: the address
        elsewhere that the issue's link is, for `pointing`. `pushing` names the connection we are
        about to write to: its fingerprint of this issue holds no longer, or a person who puts the
        old value back would go unseen.

        `issue.version` is the version it was read at (0: new); the answer has the new one.
        `wake` rings mirror. LostRace when somebody committed first or a ref is taken.
        """

    def join(
        self,
        kept: CanonicalIssue,
        other: CanonicalIssue,
        connection: str,
        history: Sequence[HistoryEntry] = (),
    ) -> CanonicalIssue:
        """Store both, and the ref at this connection, which was the other's, as the kept one's; it
        wakes mirror. LostRace as for `commit`."""

    def due(self, now: datetime) -> Sequence[str]:
        """Ids of issues with a pending mark, or a prompt for Norm, that is due."""


class Ledger(Protocol):
    """Effects that must happen once: a row before the request, its outcome after it."""

    def get(self, key: str) -> Effect | None: ...

    def find(self, keys: Sequence[str]) -> Sequence[Effect]:
        """Those of a few that exist, in one read."""

    def put(self, effect: Effect) -> Effect:
        """Store it if it is still at `effect.version` (0: new); LostRace otherwise."""

    def open(self, kind: str, connection: str) -> Sequence[Effect]:
        """Effects that are neither done nor parked."""

    def runs(self, connection: str) -> Sequence[Effect]:
        """Prompts that became a run which has not ended."""

    def spend(self, budget: str, day: str, limit: int) -> bool:
        """Take one from the day's budget; False when it is used up."""


class ConnectionStore(Protocol):
    """What a poll keeps between rounds, under its lease."""

    def acquire(self, connection: str, now: datetime, lease_seconds: float) -> ConnectionState:
        """The state with a lease of the next generation, and whether the one before was never given
        back; LostRace while another holds it."""

    def save(self, state: ConnectionState) -> None:
        """Store it and give the lease back; LostRace if another holds it meanwhile."""

    def buckets(self, connection: str, places: Sequence[str]) -> dict[str, dict[str, str]]:
        """These buckets of fingerprints, in sorted order of their places; {} where there is none
        yet."""

    def all_buckets(self, connection: str) -> Iterator[tuple[str, Bucket]]: ...

    def pushed(self, connection: str) -> Mapping[str, int]:
        """Whose fingerprints hold no longer: we wrote there since, or made them and no list has
        shown them yet. -> the version of that push."""

    def save_seen(
        self, state: ConnectionState, buckets: Mapping[str, Bucket], pushed: Mapping[str, int]
    ) -> None:
        """Store these buckets in this order, and forget these marks unless a newer push left one;
        LostRace as for `save`."""

    def sixteenths(self, connection: str) -> Iterator[tuple[str, Bucket]]:
        """Fingerprints as they were kept before there were buckets, by part."""

    def drop_sixteenth(self, state: ConnectionState, part: str) -> None:
        """LostRace as for `save`."""

    def swept(self, connection: str, sweep_number: int) -> Swept:
        """What earlier rounds of this sweep saw."""

    def save_swept(self, state: ConnectionState, swept: Swept, now: datetime) -> None:
        """Remember what this round of a longer sweep saw."""

    def taking(self, worker: str) -> Taking | None:
        """What this worker has noted last."""

    def save_taking(self, worker: str, taking: Taking) -> None: ...

    def pause(self, connection: str, until: datetime) -> None:
        """Nobody may call this connection before `until`: its vendor asked for the pause."""

    def paused_until(self, connection: str) -> datetime | None: ...

    def gate(self, connection: str) -> GateState: ...

    def save_gate(self, state: GateState) -> GateState:
        """Store it if it is still at `state.version` (0: new); LostRace otherwise."""


class DeadLetters(Protocol):
    """Where messages go that can never be done."""

    def send(self, body: str, reason: str, *, group: str, key: str) -> None:
        """The same key within some minutes is one message."""


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime: ...
