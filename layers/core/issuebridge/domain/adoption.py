"""Whose copy is whose, read off the marks alone: how the pairs of a lost table are found again.

A mark names its issue by the id that comes from where the issue was born, and its seal tells at
which connection it stands. So every issue that is there now gives an id, and a mark is believed
only where it is just the one that we would make.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from issuebridge.domain.issue import RemoteIssue, issue_id_for, reference_for
from issuebridge.domain.managed_line import find_marks
from issuebridge.domain.mark import Installation, is_mark, issue_of, tag_of

Remotes = Mapping[str, Mapping[str, RemoteIssue]]
"""Connection -> remote id -> the issue as its list shows it."""

Odd = Literal["orphan", "forged", "foreign", "double", "elsewhere"]
ODD: Mapping[Odd, str] = {
    "orphan": "our mark, and the other side of the pair is not there: was it born at a connection "
    "that is gone (`--formerly`), or deleted?",
    "forged": "a mark that we did not make here: copied, forged, or from when the connection had "
    "another name (`--formerly`)",
    "foreign": "another issuebridge writes here",
    "double": "a second issue with this mark: close it, or take our line out of it",
    "elsewhere": "linked to another issue by now: `issuebridge unlink` it there first",
}


@dataclass(frozen=True)
class Told:
    """An issue that is left as it is, and why; `issue_id`: the one that it is a double of."""

    odd: Odd
    remote: RemoteIssue
    mark: str
    issue_id: str = ""


@dataclass
class Pairing:
    """An issue, our mark in its own copy if there is one, and its counterparts with theirs."""

    connection: str
    remote: RemoteIssue
    mark: str | None = None
    copies: dict[str, tuple[RemoteIssue, str]] = field(default_factory=dict)


@dataclass
class Findings:
    pairings: list[Pairing] = field(default_factory=list)
    told: dict[str, list[Told]] = field(default_factory=dict)

    def paired(self, connection: str) -> set[str]:
        """The remote ids there that belong to a pair."""
        copies = [p.copies[connection][0] for p in self.pairings if connection in p.copies]
        origins = [p.remote for p in self.pairings if p.connection == connection]
        return {remote.remote_id for remote in (*copies, *origins)}


@dataclass(frozen=True)
class Claim:
    """What a mark of ours says: it stands on a copy of the issue born at `origin`."""

    origin: tuple[str, str]
    mark: str


@dataclass(frozen=True)
class Marks:
    """`names`: connection -> what it is and was called. `more`: (connection, remote id) -> marks
    that stand elsewhere than in the description."""

    installation: Installation
    names: Mapping[str, Sequence[str]]
    remotes: Remotes
    more: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    def findings(self) -> Findings:
        found, claims = Findings(), dict[tuple[str, str], dict[str, list[Told]]]()
        for connection, rows in self.remotes.items():
            for remote in sorted(rows.values(), key=lambda row: row.number):
                self._sort_in(connection, remote, claims, found)
        for (connection, remote_id), copies in claims.items():
            self._pair(connection, self.remotes[connection][remote_id], copies, found)
        return found

    def _sort_in(
        self,
        connection: str,
        remote: RemoteIssue,
        claims: dict[tuple[str, str], dict[str, list[Told]]],
        found: Findings,
    ) -> None:
        marks = self.marks_of(connection, remote)
        if not marks:
            return
        read = [self._read(connection, remote, mark) for mark in marks]
        claim = next((each for each in read if isinstance(each, Claim)), None)
        if claim is None:
            odd = next(each for each in read if not isinstance(each, Claim))
            found.told.setdefault(connection, []).append(Told(odd, remote, marks[0]))
            return
        copies = claims.setdefault(claim.origin, {})
        copies.setdefault(connection, []).append(Told("double", remote, claim.mark))

    def marks_of(self, connection: str, remote: RemoteIssue) -> Sequence[str]:
        marks = find_marks(remote.description)
        return marks or self.more.get((connection, remote.remote_id), ())

    def _pair(
        self,
        connection: str,
        origin: RemoteIssue,
        copies: dict[str, list[Told]],
        found: Findings,
    ) -> None:
        """Of two with one mark the one with the lower number is ours, as in a recovery."""
        own = copies.pop(connection, [])
        if not copies:
            told = [Told("orphan", each.remote, each.mark) for each in own]
            found.told.setdefault(connection, []).extend(told)
            return
        pairing = Pairing(connection, origin, own[0].mark if own else None)
        issue_id = issue_id_for(connection, origin.remote_id)
        for name, (first, *others) in copies.items():
            pairing.copies[name] = (first.remote, first.mark)
            doubles = [Told("double", each.remote, each.mark, issue_id) for each in others]
            found.told.setdefault(name, []).extend(doubles)
        found.pairings.append(pairing)

    def _read(self, connection: str, remote: RemoteIssue, mark: str) -> Claim | Odd:
        issue_id = issue_of(mark)
        if issue_id is None:
            return self._read_old(connection, remote, mark)
        if tag_of(mark) != self.installation.tag:
            return "foreign"
        ours = (self.installation.reference(issue_id, name) for name in self.names[connection])
        if mark not in ours:
            return "forged"
        return self._claim(connection, remote, mark, issue_id)

    def _read_old(self, connection: str, remote: RemoteIssue, mark: str) -> Claim | Odd:
        """The old form tells nothing by itself: it is looked up among all that we would make."""
        made = self._old_marks.get(mark)
        if made is None:
            return "foreign"
        issue_id, at = made
        return self._claim(connection, remote, mark, issue_id) if at == connection else "forged"

    def _claim(self, connection: str, remote: RemoteIssue, mark: str, issue_id: str) -> Claim | Odd:
        origin = self._origins.get(issue_id)
        if origin is None:
            return "orphan"
        if origin[0] == connection and origin[1] != remote.remote_id:
            return "forged"
        return Claim(origin, mark)

    @cached_property
    def _origins(self) -> dict[str, tuple[str, str]]:
        """Issue id -> where that issue would be born."""
        return {
            issue_id_for(name, remote_id): (connection, remote_id)
            for connection, rows in self.remotes.items()
            for remote_id, remote in rows.items()
            if not remote.deleted
            for name in self.names[connection]
        }

    @cached_property
    def _old_marks(self) -> dict[str, tuple[str, str]]:
        """Old reference -> the issue, and the connection where it belongs."""
        return {
            reference_for(issue_id, name): (issue_id, connection)
            for issue_id in self._origins
            for connection, names in self.names.items()
            for name in names
        }


def marks_anywhere(payload: object) -> tuple[str, ...]:
    """The marks in a vendor's whole answer: as a line of their own in any of its texts, or as the
    whole of one, such as a tag. For a vendor that rewrites descriptions."""
    found = dict.fromkeys(mark for text in _texts(payload) for mark in _marks(text))
    return tuple(found)


def _marks(text: str) -> tuple[str, ...]:
    return (text,) if is_mark(text) else find_marks(text)


def _texts(payload: object) -> Iterator[str]:
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, Mapping):
        for value in payload.values():
            yield from _texts(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _texts(value)
