"""What a poll of one connection remembers from round to round."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field

from issuebridge.domain.issue import Frozen
from issuebridge.domain.limits import NAMED_BYTES, NAMED_MAX, Name, Reason, stored_bytes

Listed = Literal["failing", "twins", "marked"]


class Failing(Frozen):
    """An issue that could not be taken in: set aside, so that it holds up no other."""

    name: Name
    reason: Reason
    digest: str
    attempts: int
    due_at: datetime


class Twin(Frozen):
    """A second copy of an issue that has one at this connection: a person shall close it. `since`:
    the other one was not found then, so this may be the same under a new id. `over`: it is closed.
    `same`: it was born with the other one, and may be what that is called now."""

    name: Name
    issue_id: str
    since: datetime | None = None
    over: bool = False
    same: bool = False

    @property
    def is_told(self) -> bool:
        return not (self.since or self.over)


class Marked(Frozen):
    """An issue that is not ours to route: `why` says whose mark stands in it."""

    name: Name
    why: Reason


Entry = Failing | Twin | Marked


class Completeness(Frozen):
    """The equation at the end of a sweep: claimed = seen = stored + tombstoned + set aside.

    `claimed` is the vendor's own count, where it gives one. `missing` are known here and were not
    in the list; `unstored` were in the list and are not known here. Both are empty when it closes.
    `unread` tells in words which rows of the list could not be read.
    """

    at: datetime
    rounds: int
    seen: int
    stored: int
    set_aside: int
    claimed: int | None = None
    missing: tuple[str, ...] = ()
    missing_count: int = 0
    unstored: tuple[str, ...] = ()
    unread: tuple[Reason, ...] = ()

    @property
    def closes(self) -> bool:
        counted = self.claimed is None or self.claimed == self.seen
        return counted and not self.missing_count and not self.unstored


class ConnectionState(Frozen):
    """`generation` fences: a late writer of an earlier lease is refused.

    `begun_at` is the first round's time, `looked_at` when the last walk from the newest change down
    to the watermark began that came to its end. `watermark` is the remote's own activity time up to
    which everything is stored; None until the first sweep has ended. `hot_cursor`: where a walk
    from the newest change down to it goes on, `hot_newest` what it grants at its end, if it was
    `hot_clean`. `sweep_owed`: the last round had no time for the sweep. `signpost` is the watermark
    that the running sweep will grant. `missing`: remote id -> the sweep that first found it gone.
    `shown`: the number of such a sweep -> issues that were known before it and that it did show.
    `marked`: issues with the mark of another issuebridge, or of a table of ours that was lost.
    `more`: how many of the last round found no room in one of these lists. `former_died`: the round
    before has not come to its end. `hot_digest`: of the newest page, while all that it shows is
    stored. `known`: how many issues have a fingerprint; all of them were last counted at
    `counted_at`, None if a round has broken off since. `bucketed`: they lie in buckets.
    `sweep_began_at`: of the sweep that runs, or was the last.
    """

    model_config = ConfigDict(extra="ignore")  # what an earlier version kept is no error

    connection: str
    generation: int = 0
    former_died: bool = Field(default=False, exclude=True)
    begun_at: datetime | None = None
    looked_at: datetime | None = None
    watermark: datetime | None = None
    hot_cursor: str | None = None
    hot_began_at: datetime | None = None
    hot_newest: datetime | None = None
    hot_clean: bool = True
    hot_digest: str | None = None
    signpost: datetime | None = None
    sweep_owed: bool = False
    sweep_cursor: str | None = None
    sweep_clean: bool = True
    sweep_began_at: datetime | None = None
    sweep_number: int = 0
    sweep_rounds: int = 0
    sweep_rows: int = 0
    sweep_claimed: int | None = None
    known: int = 0
    counted_at: datetime | None = None
    bucketed: bool = False
    sweep_unread: tuple[Reason, ...] = ()
    completeness: Completeness | None = None
    missing: dict[str, int] = Field(default_factory=dict)
    shown: dict[int, tuple[str, ...]] = Field(default_factory=dict)
    failing: dict[str, Failing] = Field(default_factory=dict)
    twins: dict[str, Twin] = Field(default_factory=dict)
    marked: dict[str, Marked] = Field(default_factory=dict)
    more: dict[str, int] = Field(default_factory=dict)
    tripped: Reason | None = None
    problem: Reason | None = None
    polled_at: datetime | None = None

    def listing(self, name: Listed, remote_id: str, entry: Entry) -> Self | None:
        """With this entry in one of its lists; None where that is full."""
        listed: Mapping[str, Entry] = getattr(self, name)
        others = {key: other for key, other in listed.items() if key != remote_id}
        if len(others) >= NAMED_MAX or _bytes({**others, remote_id: entry}) > NAMED_BYTES[name]:
            return None
        return self.model_copy(update={name: {**listed, remote_id: entry}})

    def without(self, name: Listed, remote_id: str) -> Self:
        listed: Mapping[str, Entry] = getattr(self, name)
        rest = {key: other for key, other in listed.items() if key != remote_id}
        return self.model_copy(update={name: rest})


def _bytes(listed: Mapping[str, Entry]) -> int:
    return sum(
        stored_bytes(key) + len(entry.model_dump_json().encode()) + 4
        for key, entry in listed.items()
    )
