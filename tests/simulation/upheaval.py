"""What befalls a vendor as a whole: restored from a backup, issues moved or renumbered, automations
that set their own word back. `Vendor` asks this; the deeds that bring it about are in `deeds`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from issuebridge.domain.issue import RemoteIssue


@dataclass(frozen=True)
class Written:
    """One field of one copy that we wrote."""

    remote_id: str
    field: str
    at: datetime


@dataclass
class Upheaval:
    """`vanished`: since when an id is gone for good. `merged`: which issue answers for it now.
    `appeared`: since when a new id is there. `replaced`: which id another one took over. `copied`:
    whose words a copy has. `restored`: the older states that came back. `insists`: the word that an
    automation sets after each write of ours. `forged`: marks that strangers wrote. `shared`: two
    installations write here; `writer`: the one that does now; `met_at`: when each began."""

    vanished: dict[str, datetime] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    appeared: dict[str, datetime] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)
    restored: dict[str, list[RemoteIssue]] = field(default_factory=dict)
    insists: dict[str, str] = field(default_factory=dict)
    writes: list[Written] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)
    met_at: dict[str, datetime] = field(default_factory=dict)
    shared: bool = False
    writer: str = ""

    def lists(self, remote_id: str, at: datetime) -> bool:
        """Whether a list of that time may show it."""
        gone = self.vanished.get(remote_id)
        return self.appeared.get(remote_id, at) <= at and not (gone and gone <= at)

    def wrote(self, remote_id: str, changes: Mapping[str, str], at: datetime) -> None:
        self.writes += [Written(remote_id, name, at) for name in changes]

    def is_restored(self, issue: RemoteIssue) -> bool:
        """Whether this is just what came back, whatever was edited since elsewhere in it."""
        return any(state == issue for state in self.restored.get(issue.remote_id, ()))

    def came_back(self, issue: RemoteIssue, name: str) -> bool:
        """Whether this field shows what a restore has put there."""
        states = self.restored.get(issue.remote_id, ())
        return any(_shown(state, name) == _shown(issue, name) for state in states)

    def most_written(self, within: timedelta) -> Iterator[tuple[str, str, int]]:
        """For each field of each copy the most writes within so long."""
        for remote_id, name in {(w.remote_id, w.field): None for w in self.writes}:
            mine = [w.at for w in self.writes if (w.remote_id, w.field) == (remote_id, name)]
            most = max(sum(at <= other < at + within for other in mine) for at in mine)
            yield remote_id, name, most


def _shown(issue: RemoteIssue, name: str) -> str | None:
    return issue.raw.get(name) if name in issue.raw else issue.description
