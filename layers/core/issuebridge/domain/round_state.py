"""What a poll of one connection remembers from round to round."""

from datetime import datetime

from pydantic import ConfigDict, Field

from issuebridge.domain.issue import Frozen

FAILING_MAX = 200


class Failing(Frozen):
    """An issue that could not be taken in: set aside, so that it holds up no other."""

    name: str
    reason: str
    digest: str
    attempts: int
    due_at: datetime


class Twin(Frozen):
    """A second copy of an issue that has one at this connection: a person shall close it. `since`:
    the other one was not found then, so this may be the same under a new id."""

    name: str
    issue_id: str
    since: datetime | None = None


class Marked(Frozen):
    """An issue that is not ours to route: `why` says whose mark stands in it."""

    name: str
    why: str


class Completeness(Frozen):
    """The equation at the end of a sweep: claimed = seen = stored + tombstoned + set aside.

    `claimed` is the vendor's own count, where it gives one. `missing` are known here and were not
    in the list; `unstored` were in the list and are not known here. Both are empty when it closes.
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

    @property
    def closes(self) -> bool:
        counted = self.claimed is None or self.claimed == self.seen
        return counted and not self.missing_count and not self.unstored


class ConnectionState(Frozen):
    """`generation` fences: a late writer of an earlier lease is refused.

    `watermark` is the remote's own activity time up to which everything is stored; None until
    the first sweep has ended. `signpost` is the watermark that the running sweep will grant.
    `missing`: remote id -> the sweep that first found it gone. `shown`: the number of such a sweep
    -> issues that were known before it and that it did show. `marked`: issues with the mark of
    another issuebridge, or of a table of ours that was lost.
    """

    model_config = ConfigDict(extra="ignore")  # what an earlier version kept is no error

    connection: str
    generation: int = 0
    watermark: datetime | None = None
    signpost: datetime | None = None
    sweep_cursor: str | None = None
    sweep_clean: bool = True
    sweep_number: int = 0
    sweep_rounds: int = 0
    sweep_rows: int = 0
    sweep_claimed: int | None = None
    completeness: Completeness | None = None
    missing: dict[str, int] = Field(default_factory=dict)
    shown: dict[int, tuple[str, ...]] = Field(default_factory=dict)
    failing: dict[str, Failing] = Field(default_factory=dict)
    twins: dict[str, Twin] = Field(default_factory=dict)
    marked: dict[str, Marked] = Field(default_factory=dict)
    tripped: str | None = None
    problem: str | None = None
    polled_at: datetime | None = None
