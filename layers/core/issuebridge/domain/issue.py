"""The canonical issue, where it lives elsewhere, and what one of its copies looks like now."""

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from issuebridge.domain.limits import Reason, RunName
from issuebridge.domain.words import Field, Part

Change = Literal[
    "pulled",
    "pushed",
    "conflict",
    "held",
    "frozen",
    "rejected",
    "rolled_back",
    "deleted",
    "restored",
    "unlinked",
]
NoteKind = Literal["unsupported", "frozen", "rejected", "held", "rolled_back", "fought"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class RemoteIssue:
    """One issue as its system shows it, with the system's own words.

    `raw["external_link"]` is the vendor's object as canonical JSON. `is_row`: read from a list
    whose rows leave out what the issue itself shows. `payload` is the answer as received, for the
    adapter that must send back what it read; it is never stored.
    """

    remote_id: str
    display_id: str
    number: int
    title: str
    description: str
    category: str
    raw: Mapping[Field, str | None]
    environment: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    activity_at: datetime | None = None
    deleted: bool = False
    is_processing: bool = False
    is_row: bool = False
    payload: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


class Baseline(Frozen):
    """What both copies last agreed on: our value, and the remote's raw value in each place.
    `edit_at` tells which edit had given our value: the same value may be set anew."""

    value: str | None
    raws: tuple[str | None, ...]
    edit_at: datetime | None = None


class FieldNote(Frozen):
    """Why a field is not carried here.

    `value` is ours for what could not be written by this `carrier`, the remote's for what is frozen
    or held, and `raws` is what the remote showed then. What was refused is tried again at `due_at`.
    """

    kind: NoteKind
    detail: Reason
    value: str | None = None
    raws: tuple[str | None, ...] = ()
    carrier: str | None = None
    attempts: int = 0
    due_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now


class ExternalRef(Frozen):
    """One copy of the issue: the connection where it lives, and the base of its next merge.

    `sending` holds what a push is about to write, stored before the request: a value in it that
    shows up at the remote is our own, whatever became of the push. `ended`: a person unlinked it.
    `comments` has the last value we have posted as a comment there, `commented` says how many there
    were, since they are counted. `reference` is our mark in it, empty before there is one and None
    for one of the old form, `foreign` that of another issuebridge: then we don't write to it.
    `writes` tells when each part was written of late.
    """

    connection: str
    remote_id: str
    display_id: str
    url: str | None = None
    linked_at: datetime | None = None
    baselines: dict[Part, Baseline] = {}
    notes: dict[Part, FieldNote] = {}
    sending: dict[Part, Baseline] = {}
    sending_at: datetime | None = None
    remote_updated_at: datetime | None = None
    born_at: datetime | None = None
    deleted: bool = False
    ended: bool = False
    comments: tuple[str, ...] = ()
    commented: int = 0
    reference: str | None = None
    foreign: str | None = None
    writes: dict[Part, tuple[datetime, ...]] = {}

    @property
    def is_live(self) -> bool:
        return not (self.deleted or self.ended)

    @property
    def posted(self) -> int:
        """How many comments of ours stand there."""
        return max(self.commented, len(self.comments))


class Pending(Frozen):
    """A copy lags. `attempts` counts failures, `due_at` is when to look again; `set_aside`: only
    to try again what was refused."""

    due_at: datetime
    attempts: int = 0
    reason: Reason | None = None
    set_aside: bool = False


class Edit(Frozen):
    """Who gave a field its value, when by that side's clock; and who else said the same by then."""

    by: str
    at: datetime
    also: tuple[str, ...] = ()


RunOutcome = Literal["running", "complete", "awaiting_input", "error", "cancelled", "timed_out"]


class AgentRun(Frozen):
    """One submitted prompt and what came of it; `key` is that of its ledger row.

    `run_id` is None when Norm took it but its answer was lost. `intent_asked` is ours, `intent` is
    what Norm made of it. `requested_by` is a claim, `sender` who put it on the queue. `response` is
    Norm's last word, cut short; `links` are those of artifacts: both are kept in the ledger row,
    and here only of runs that ended before that was so.
    """

    key: str
    session_id: RunName
    run_id: RunName | None
    intent_asked: str
    intent: RunName
    requested_by: RunName
    sender: RunName | None = None
    rule: str | None = None
    submitted_at: datetime
    outcome: RunOutcome = "running"
    ended_at: datetime | None = None
    response: str | None = None
    links: tuple[str, ...] = ()


class Fired(Frozen):
    """When a rule last asked Norm about this issue, and how often it has."""

    at: datetime
    times: int


class CanonicalIssue(Frozen):
    """Our neutral record of one real-world issue: one item in the table.

    `prompts` are the ledger keys of the prompts that have not ended, in their order: the first has
    its turn, until its run ends. `asks` says which rule is due to prompt Norm, and when. `joined`
    is the issue that took over the only copy of this one. `asked`: the key under which a
    counterpart was asked for, by connection, where that had another name then.
    """

    issue_id: str
    origin: str
    title: str
    description: str
    category: str
    environment: str | None = None
    created_at: datetime | None = None
    status: str | None = None
    severity: str | None = None
    external_link: str | None = None
    edits: dict[Field, Edit] = {}
    refs: dict[str, ExternalRef] = {}
    pending: dict[str, Pending] = {}
    parked: dict[str, Reason] = {}
    runs: tuple[AgentRun, ...] = ()
    prompts: tuple[str, ...] = ()
    asks: dict[str, datetime] = {}
    fired: dict[str, Fired] = {}
    joined: str | None = None
    asked: dict[str, str] = {}
    version: int = 0

    def value(self, name: Field) -> str | None:
        found: str | None = getattr(self, name)
        return found


def with_ref(issue: CanonicalIssue, ref: ExternalRef) -> CanonicalIssue:
    return issue.model_copy(update={"refs": {**issue.refs, ref.connection: ref}})


class HistoryEntry(Frozen):
    """One change of a mirrored field, or the losing side of a conflict."""

    at: datetime
    field: Part
    outcome: Change
    by: str
    edited_at: datetime | None = None
    old: str | None = None
    new: str | None = None
    detail: Reason | None = None


class Draft(Frozen):
    """A counterpart to be created; stored before it is sent, so a repeat sends the same."""

    reference: str
    title: str
    description: str
    category: str
    environment: str | None = None
    status: str | None = None
    severity: str | None = None
    link: str | None = None
    triggered_at: datetime


def _key(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return b32encode(digest).decode().lower()[:24]


def issue_id_for(connection: str, remote_id: str) -> str:
    """The same id from every poller, so that two of them cannot make two canonical issues."""
    return f"is{_key(connection, remote_id)}"


def comment_key(issue_id: str, connection: str, posted: int) -> str:
    """The key inside the next comment, when so many of ours stand there."""
    return f"ic{_key(issue_id, connection, str(posted))}"


def reference_for(issue_id: str, connection: str) -> str:
    """The key of a link from before installations had keys: letters and digits, for a search."""
    return f"ib{_key(issue_id, connection)}"
