"""The gate: how much one connection may change in a while, whoever has read it.

Every change that a copy says about a linked issue is counted before it is stored. Too many of one
sort within the window shut the gate: the connection then changes nothing and is written to by
nobody, until a person allows it to go on.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import Field

from issuebridge.domain.config import Breaker
from issuebridge.domain.issue import CanonicalIssue, Frozen
from issuebridge.domain.limits import Reason

FINISHED = ("done", "closed")
BUCKETS = 6
"""The window moves on in so many steps."""

SORTS = {
    "closed": "closed",
    "reopened": "opened again",
    "status": "given another status",
    "severity": "given another severity",
    "link": "given another link",
    "deleted": "called deleted",
    "rolled back": "older than what was seen of them; was the vendor restored from a backup",
    "paired": "paired by their links with others that they overwrite",
    "rewritten": "written anew because the configuration has changed",
}
"""What is counted, and how it is told."""


class GateState(Frozen):
    """`counts`: sort -> bucket of time -> changes. `known`: linked or not, the issues of the last
    whole sweep. `shut`: why nothing passes. `allowed_until`: a person has looked, all passes.
    `swept_at`: the first whole sweep has ended. `foreign`: why nothing is created here."""

    connection: str
    counts: dict[str, dict[int, int]] = Field(default_factory=dict)
    known: int = 0
    shut: Reason | None = None
    allowed_until: datetime | None = None
    swept_at: datetime | None = None
    foreign: Reason | None = None
    version: int = 0

    def is_allowed(self, now: datetime) -> bool:
        return self.allowed_until is not None and self.allowed_until > now

    def counted(self, sorts: Iterable[str], breaker: Breaker, now: datetime) -> "GateState":
        """With these changes counted; shut, if one sort is over the limit now. What a person has
        allowed counts for nothing."""
        if self.is_allowed(now):
            return self.model_copy(update={"counts": {}})
        step = timedelta(minutes=breaker.window_minutes) / BUCKETS
        bucket = int(now.timestamp() // step.total_seconds())
        counts = {sort: dict(row) for sort, row in self.counts.items()}
        for sort in sorts:
            row = counts.setdefault(sort, {})
            row[bucket] = row.get(bucket, 0) + 1
        fresh = {
            sort: {at: n for at, n in row.items() if at > bucket - BUCKETS}
            for sort, row in counts.items()
        }
        kept = {sort: row for sort, row in fresh.items() if row}
        return self.model_copy(update={"counts": kept})._judged(breaker)

    def _judged(self, breaker: Breaker) -> "GateState":
        limit = breaker.limit(self.known)
        over = [s for s in SORTS if sum(self.counts.get(s, {}).values()) > limit]
        if self.shut or not over:
            return self
        told = ", ".join(f"more than {limit} linked issues {SORTS[sort]}" for sort in over)
        return self.model_copy(
            update={
                "shut": f"{told} within {breaker.window_minutes:g} minutes: stopped; look at the "
                f"vendor, then `issuebridge allow {self.connection}` if that is right"
            }
        )


def changes(before: CanonicalIssue, after: CanonicalIssue) -> tuple[str, ...]:
    """The sorts of what is new about an issue that lives at more than one connection."""
    lived = max(sum(ref.is_live for ref in issue.refs.values()) for issue in (before, after))
    if lived < 2:  # noqa: PLR2004 - one has no other
        return ()
    found = {
        _status_change(before.status, after.status): before.status != after.status,
        "severity": before.severity != after.severity,
        "link": before.external_link != after.external_link,
        "deleted": any(after.refs[n].deleted and not r.deleted for n, r in before.refs.items()),
        "rolled back": _rolled_back(after) > _rolled_back(before),
    }
    return tuple(sort for sort, is_so in found.items() if is_so)


def _status_change(before: str | None, after: str | None) -> str:
    if (before in FINISHED) == (after in FINISHED):
        return "status"
    return "closed" if after in FINISHED else "reopened"


def _rolled_back(issue: CanonicalIssue) -> int:
    notes = [note for ref in issue.refs.values() for note in ref.notes.values()]
    return sum(note.kind == "rolled_back" for note in notes)
