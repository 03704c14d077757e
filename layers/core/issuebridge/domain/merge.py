"""Three-way merge of one field that two issue systems mirror.

Two current values cannot tell "edited here" from "edited back there". The baseline,
the value both copies last agreed on, can: the copy that left it is the edited one.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Copy = Literal["canonical", "remote"]


@dataclass(frozen=True)
class Merged(Generic[T]):
    """The value both copies shall hold, and which one does not hold it yet."""

    value: T
    write_to: Copy | None = None
    conflict: bool = False


def merge_field(*, baseline: T, canonical: T, remote: T, winner: Copy) -> Merged[T]:
    """Merge one field; `winner` matters only when both copies were edited, apart.

    A copy that already holds the value is never written to: that is what keeps an echo
    from starting. A conflict is reported because the losing edit is about to be
    overwritten, so the caller must be able to record it first.
    """
    if canonical == remote:
        return Merged(canonical)
    if canonical == baseline:
        return Merged(remote, write_to="canonical")
    if remote == baseline:
        return Merged(canonical, write_to="remote")
    if winner == "canonical":
        return Merged(canonical, write_to="remote", conflict=True)
    return Merged(remote, write_to="canonical", conflict=True)
