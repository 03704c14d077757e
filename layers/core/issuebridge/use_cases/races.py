"""Losing a race is ordinary: somebody committed first, so read again and decide again."""

from collections.abc import Callable
from typing import TypeVar

from issuebridge.domain.errors import LostRace

RACES_MAX = 5

T = TypeVar("T")


def until_won(what: str, step: Callable[[], T]) -> T:
    """The answer of the first `step` that loses no race; LostRace after some that all did."""
    for _ in range(RACES_MAX):
        try:
            return step()
        except LostRace:
            continue
    raise LostRace(f"{what}: gave up after {RACES_MAX} races")
