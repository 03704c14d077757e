"""What was kept of each issue when it was last looked at, read and written by the bucket."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from issuebridge.domain.buckets import (
    FULL,
    Named,
    are_dense,
    hashed_place,
    is_numbered,
    numbered_place,
    with_next,
)
from issuebridge.domain.swept import Compared, Round, Swept, all_shown, compare
from issuebridge.ports import ConnectionStore
from issuebridge.use_cases.held import Held, OutOfTime

AHEAD_MAX = 9
"""Pages: a range is charged by the 4 KB, and one page needs less."""
AT_HAND_MAX = 500
"""Buckets: what is read beyond, of lists in any order, lets the others go."""
COUNT_HOLDS = timedelta(days=1)
PARTED_MAX = 1000


@dataclass
class Fingerprints:
    """`buckets` are those at hand: only who holds the lease writes them. `strays` -> where the end
    of a sweep has found them, `added` are known since this round began."""

    connections: ConnectionStore
    held: Held
    buckets: dict[str, dict[str, str]] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)

    @property
    def connection(self) -> str:
        return self.held.state.connection

    @cached_property
    def pushed(self) -> dict[str, int]:
        return dict(self.connections.pushed(self.connection))

    def load(self, issues: Collection[Named], ahead: int = 0) -> None:
        """Have at hand what these need, and what so many further pages of their list will."""
        numbered = [place for name in issues if (place := numbered_place(name.display_id))]
        wanted = sorted({*numbered})
        if len(self.buckets) > AT_HAND_MAX:
            self.buckets.clear()
        if not self.buckets.keys() >= {*wanted}:
            more = wanted
            if ahead and are_dense(wanted):
                rows = min(ahead, AHEAD_MAX) * len(issues)
                more = with_next(wanted, rows, down=numbered[0] > numbered[-1])
            self._fetch(more)
        elsewhere = [n for n in issues if n.remote_id not in self._numbered(n)]
        self._fetch({hashed_place(name.remote_id) for name in elsewhere})
        self._move(elsewhere)

    def _move(self, names: Iterable[Named]) -> None:
        """To where their neighbours are: what came from before there were buckets, or has a short
        code since."""
        found = {name: self.of(name) for name in names}
        moves = {n: d for n, d in found.items() if d is not None and is_numbered(self._home(n))}
        if moves:
            self.save(moves)

    def _fetch(self, places: Iterable[str]) -> None:
        lacking = sorted({*places} - self.buckets.keys())
        if lacking:
            self.buckets |= self.connections.buckets(self.connection, lacking)

    def _bucket(self, place: str) -> dict[str, str]:
        self._fetch([place])
        return self.buckets[place]

    def _numbered(self, name: Named) -> Mapping[str, str]:
        place = numbered_place(name.display_id)
        return self._bucket(place) if place else {}

    def _places(self, name: Named) -> list[str]:
        """Where it may be, the best first."""
        places = (numbered_place(name.display_id), hashed_place(name.remote_id))
        return list(dict.fromkeys(p for p in (*places, self.strays.get(name.remote_id)) if p))

    def _home(self, name: Named) -> str:
        """Where it belongs."""
        place, bucket = numbered_place(name.display_id), self._numbered(name)
        is_there = place and (name.remote_id in bucket or len(bucket) < FULL)
        return place if place and is_there else hashed_place(name.remote_id)

    def of(self, name: Named) -> str | None:
        for place in self._places(name):
            digest = self._bucket(place).get(name.remote_id)
            if digest is not None:
                return digest
        return None

    def any_of(self, names: Iterable[Named]) -> Iterator[tuple[Named, str | None]]:
        """Of several, in one read."""
        known = list(names)
        self._fetch(place for name in known for place in self._places(name))
        yield from ((name, self.of(name)) for name in known)

    def holds(self, name: Named, digest: str) -> bool:
        """Not where we wrote since, or made it and no list has shown it yet."""
        return name.remote_id not in self.pushed and self.of(name) == digest

    def save(self, changed: Mapping[Named, str | None]) -> None:
        """Add, replace or (None) drop these. What moves is stored anew before it is dropped."""
        puts, drops = [], []
        for name, digest in changed.items():
            self._count(name, digest)
            home = self._home(name) if digest is not None else None
            for place in self._places(name):
                bucket = self._bucket(place)
                if digest is not None and place == home:
                    bucket[name.remote_id] = digest
                    puts.append(place)
                elif bucket.pop(name.remote_id, None) is not None:
                    drops.append(place)
        ordered = dict.fromkeys([*(place for place in puts if place not in drops), *drops])
        written = {place: self.buckets[place] for place in ordered}
        ids = [name.remote_id for name in changed]
        marks = {name: self.pushed.pop(name) for name in ids if name in self.pushed}
        counted_at = self.held.state.counted_at
        self.held.remember(hot_digest=None, counted_at=None)
        self.connections.save_seen(self.held.state, written, marks)
        self.held.remember(counted_at=counted_at)

    def _count(self, name: Named, digest: str | None) -> None:
        is_known = self.of(name) is not None
        more = (digest is not None) - is_known
        if more > 0:
            self.added.add(name.remote_id)
        self.held.remember(known=self.held.state.known + more)

    def show(self, swept: Swept, issues: Iterable[Named]) -> None:
        """A page of the sweep had these."""
        shown: dict[str, set[str]] = {}
        for name in issues:
            shown.setdefault(self._home(name), set()).add(name.remote_id)
        for place, ids in shown.items():
            swept.add(place, ids, self._bucket(place))

    def compare(self, swept: Swept, now: datetime) -> Compared:
        """At the end of a sweep: all that is known with all that was shown. Once a day it is read
        whole, and else only if more was not shown, or stored, than the number of it tells."""
        state = self.held.state
        is_counted = state.counted_at is not None and now - state.counted_at < COUNT_HOLDS
        if is_counted and not (self.pushed or state.failing or state.missing):
            self._complete(swept)
            if compared := all_shown(swept, state.known):
                return compared
        controls = {name for names in state.shown.values() for name in names}
        round_ = Round({*self.pushed}, state.failing.keys(), self.added, controls)
        compared = compare(self.connections.all_buckets(self.connection), swept, round_)
        self.strays = {name: place for name, place in compared.missing.items() if place}
        self.held.remember(known=compared.kept, counted_at=now)
        return compared

    def _complete(self, swept: Swept) -> None:
        """Buckets that no round has shown whole, and several together may have."""
        parted = [*swept.ids][:PARTED_MAX]
        for place, bucket in self.connections.buckets(self.connection, parted).items():
            swept.add(place, (), bucket)

    def take_over(self) -> None:
        """What was kept by sixteenths, before there were buckets. No issue is looked at anew; the
        sweep begins again, since it tells by the bucket what it has shown. Where a version from
        before was put back meanwhile, numbered buckets are older than what it kept."""
        if self.held.state.bucketed:
            return
        for part, digests in self.connections.sixteenths(self.connection):
            if not self.held.has_time():
                raise OutOfTime
            self._drop_numbered()
            buckets: dict[str, dict[str, str]] = {}
            for remote_id, digest in digests.items():
                buckets.setdefault(hashed_place(remote_id), {})[remote_id] = digest
            self.connections.save_seen(self.held.state, buckets, {})
            self.connections.drop_sixteenth(self.held.state, part)
            self.held.remember(known=self.held.state.known + len(digests))
        self.held.remember(bucketed=True, sweep_cursor=None)

    def _drop_numbered(self) -> None:
        places = [place for place, _ in self.connections.all_buckets(self.connection)]
        numbered = {place: dict[str, str]() for place in filter(is_numbered, places)}
        if numbered:
            self.connections.save_seen(self.held.state, numbered, {})
