"""What a sweep has shown, and how that compares with what is known.

Kept by bucket: a list that goes by age shows whole buckets, and those are a few bytes each, however
many issues there are.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from issuebridge.domain.buckets import Bucket
from issuebridge.domain.limits import GAP_NAMED_MAX, MISSING_MAX, SHOWN_MAX


@dataclass
class Swept:
    """`whole`: buckets all of whose issues were shown -> how many of them were stored then. `ids`:
    what else was shown, by bucket."""

    whole: dict[str, int] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.whole or self.ids)

    def add(self, place: str, shown: Iterable[str], bucket: Bucket) -> None:
        """These of this bucket were shown, as it is now."""
        ids = self.ids.pop(place, set()).union(shown)
        if bucket and (place in self.whole or bucket.keys() <= ids):
            self.whole[place] = sum(map(bool, bucket.values()))
            ids -= bucket.keys()
        if ids:
            self.ids[place] = ids

    def update(self, other: "Swept") -> None:
        self.whole |= other.whole
        for place, ids in other.ids.items():
            self.ids[place] = self.ids.get(place, set()) | ids

    def shown(self, place: str, bucket: Bucket) -> set[str]:
        """Everything of this bucket that was shown, known or not."""
        ids = self.ids.get(place, set())
        return ids.union(bucket) if place in self.whole else ids

    def rows(self) -> Iterator[tuple[str, str | int]]:
        """Its content in order; a whole bucket has a number instead of an id."""
        yield from sorted(self.whole.items())
        yield from ((place, name) for place in sorted(self.ids) for name in sorted(self.ids[place]))

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str | int]]) -> "Swept":
        made = cls()
        for place, name in rows:
            if isinstance(name, int):
                made.whole[place] = name
            else:
                made.ids.setdefault(place, set()).add(name)
        return made


@dataclass(frozen=True)
class Round:
    """What the comparison asks about: `made` is what we wrote, some of which no list has shown yet,
    `failing` is set aside, `added` is known only since this round began, `controls` were shown by
    the sweeps that found something missing."""

    made: Collection[str]
    failing: Collection[str]
    added: Collection[str]
    controls: set[str]


@dataclass
class Compared:
    """What is known against what was shown, in counts, and by name as far as names are kept.

    `kept` counts fingerprints, `known` those and what we made, `stored` what is stored, `shown` and
    `shown_stored` those of them that the list had. `missing` -> its bucket, if it has one: what a
    whole list should show and did not. `gone`: those of them that are stored. `unstored` were in
    the list and are not stored. `older` are some that were known before this round, and shown;
    `controls` those of earlier sweeps that were shown again.
    """

    kept: int = 0
    known: int = 0
    stored: int = 0
    shown: int = 0
    shown_stored: int = 0
    set_aside: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    missing_count: int = 0
    gone: list[str] = field(default_factory=list)
    gone_count: int = 0
    unstored: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    controls: set[str] = field(default_factory=set)

    def add(self, place: str, bucket: Bucket, shown: set[str], round_: "Round") -> None:
        failing, added = round_.failing, round_.added
        self.controls |= round_.controls & shown
        stored = {name for name, digest in bucket.items() if digest}
        self.kept += len(bucket)
        self.known += len(bucket)
        self.stored += len(stored)
        self.shown += len(shown)
        self.shown_stored += len(stored.intersection(shown))
        self.set_aside += sum(name in failing for name in shown)
        missing = sorted(bucket.keys() - shown)
        self._miss(place, missing)
        gone = [name for name in missing if name in stored]
        self.gone_count += len(gone)
        self.gone += gone[: GAP_NAMED_MAX - len(self.gone)]
        unstored = [name for name in sorted(shown) if name not in stored and name not in failing]
        self.unstored += unstored[: GAP_NAMED_MAX - len(self.unstored)]
        older = sorted(name for name in bucket if name in shown and name not in added)
        self.older += older[: SHOWN_MAX - len(self.older)]

    def _miss(self, place: str, names: list[str]) -> None:
        self.missing_count += len(names)
        self.missing |= dict.fromkeys(names[: MISSING_MAX - len(self.missing)], place)

    def expect(self, names: Collection[str]) -> None:
        """Made by us, and in no list yet."""
        self.known += len(names)
        self._miss("", sorted(names))


def all_shown(swept: Swept, known: int) -> Compared | None:
    """Without a look at what is known, if its number says that all of it was shown, and stored."""
    if swept.ids or sum(swept.whole.values()) != known:
        return None
    return Compared(known=known, stored=known, shown=known, shown_stored=known)


def compare(buckets: Iterable[tuple[str, Bucket]], swept: Swept, round_: Round) -> Compared:
    """One pass over all that is known, a bucket at a time."""
    compared, awaited, left = Compared(), set(round_.made), dict(swept.ids)
    for place, bucket in buckets:
        compared.add(place, bucket, swept.shown(place, bucket), round_)
        awaited -= bucket.keys()
        left.pop(place, None)
    for place, ids in left.items():
        compared.add(place, {}, ids, round_)
    compared.expect(awaited.difference(*swept.ids.values()))
    return compared
