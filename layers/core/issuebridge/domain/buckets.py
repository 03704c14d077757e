"""Where the fingerprint of an issue is kept: in a bucket of about a kilobyte, with its neighbours.

The number at the end of a short code says which, since sweeps go by age and numbers count up; it is
a hint and no key. What has no number, or finds its bucket full, goes by a hash into a second family
of buckets, so that no bucket outgrows an item below some 50,000,000 issues.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

SPAN = 36
"""So many neighbours: 22 bytes each, as stored, and what an item has besides fill a write unit."""
FULL = 256
_NUMBER = re.compile(r"(?:^|[^0-9])0*([1-9][0-9]{0,11})$", re.ASCII)
FAMILIES = _NUMBERED, _HASHED = "N#", "H#"

Bucket = Mapping[str, str]
"""remote id -> fingerprint."""


class Named(NamedTuple):
    """An issue as a list names it."""

    remote_id: str
    display_id: str


def numbered_place(display_id: str) -> str | None:
    number = _NUMBER.search(display_id)
    return _at(int(number[1]) // SPAN) if number else None


def hashed_place(remote_id: str) -> str:
    digest = hashlib.sha256(remote_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_HASHED}{digest[:3]}"


def are_dense(places: list[str]) -> bool:
    """Whether sorted places of the first family lie so close that the gaps cost little to read."""
    return len(places) > 1 and _index(places[-1]) - _index(places[0]) < 2 * len(places)


def with_next(places: list[str], rows: int, *, down: bool) -> list[str]:
    """And what a walk over so many further neighbours comes to."""
    first, last, more = _index(places[0]), _index(places[-1]), rows // SPAN
    span = range(max(first - more, 0), last + 1) if down else range(first, last + more + 1)
    return [_at(index) for index in span]


def is_numbered(place: str) -> bool:
    return place.startswith(_NUMBERED)


def _at(index: int) -> str:
    return f"{_NUMBERED}{index:012}"


def _index(place: str) -> int:
    return int(place.removeprefix(_NUMBERED))
