"""The words of each field, and the lenses between one vendor's words and ours.

Vendors' boards are coarser than ours, so several canonical words share one raw word. A lens
therefore never asks "is it equal?" but "does this raw word already mean that?": a remote that
already means the canonical value is left alone, and that is what keeps two boards from flapping.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Field = Literal["status", "severity", "external_link"]
Part = Literal["status", "severity", "external_link", "line"]
"""What a copy can lag in: a field, or our line in its description."""
FIELDS: tuple[Field, ...] = ("status", "severity", "external_link")

STATUSES = ("backlog", "todo", "in_progress", "in_review", "done", "closed")
OPEN_STATUSES = STATUSES[:4]
SEVERITIES = ("critical", "high", "medium", "low")
CANONICAL_WORDS: Mapping[Field, tuple[str, ...]] = {"status": STATUSES, "severity": SEVERITIES}


@dataclass(frozen=True)
class Lens:
    """Raw word -> the canonical words it means; the first of them is what it reads as."""

    words: Mapping[str, tuple[str, ...]]

    def read(self, raw: str) -> str | None:
        """The canonical word, or None for a raw word nobody told us about."""
        meanings = self.words.get(raw)
        return meanings[0] if meanings else None

    def means(self, raw: str | None, canonical: str | None) -> bool:
        return raw is not None and canonical in self.words.get(raw, ())

    def write(self, canonical: str, current_raw: str | None = None) -> str | None:
        """The raw word to hold: the current one if it already means `canonical`.

        None when no raw word means it, which `missing` makes impossible for a loaded map.
        """
        if self.means(current_raw, canonical):
            return current_raw
        return next((raw for raw, meanings in self.words.items() if canonical in meanings), None)

    def missing(self, canonical_words: Iterable[str]) -> tuple[str, ...]:
        return tuple(word for word in canonical_words if self.write(word) is None)
