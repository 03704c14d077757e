"""Where a walk through Zylon's list stands, and how its next page is asked for."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict

from issuebridge.adapters.http import Query
from issuebridge.adapters.payload import id_of, rows_of
from issuebridge.adapters.zylon.mapping import DELETED, TYPES

PAGE_SIZES = (100, 50, 20, 10)
SMALLER_SIZES = (10, 1)
"""Each divides all larger ones, so that page numbers can be told in it."""
INCLUDES = ("User,Project", "User", "")


class Walk(BaseModel):
    """`after` is the vendor's cursor where it gives one; `page` counts in any case.

    `seen` is the digest of the page before; `whole` is the size to go back to, where a page was too
    large. `types` and `deleted`: whether the list wants every type named, and takes `Deleted` as a
    state; `include`: some servers demand it, and others do not know all of it; `unknown`: states
    that this one does not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: str | None = None
    page: int = 1
    seen: str = ""
    size: int = PAGE_SIZES[0]
    types: bool = False
    deleted: bool = True
    include: str = "User,Project"
    whole: int = 0
    unknown: tuple[str, ...] = ()

    def query(self, states: Sequence[str], more: Mapping[str, str]) -> Query:
        """Make the parameters. Cursors and page numbers are never sent together."""
        known = (state for state in states if state not in self.unknown)
        words = [state for state in known if state != DELETED or self.deleted]
        parts = {"states": ",".join(words), "total_count": "true", "page_order": "ASC", **more}
        if self.include:
            parts["include"] = self.include
        if self.types:
            parts["type"] = ",".join(TYPES)
        if self.after:
            return [*parts.items(), ("after", self.after), ("first", str(self.size))]
        if self.page > 1:
            parts["page"] = str(self.page)
        return [*parts.items(), ("page_size", str(self.size))]

    def has_seen(self, listing: Mapping[str, Any]) -> bool:
        return bool(self.seen) and _digest(listing) == self.seen

    def following(self, listing: Mapping[str, Any]) -> "Walk | None":
        """Where the next page begins; None at the end, or when this page brought nothing new."""
        after, count = listing.get("next_cursor") or None, len(listing["data"])
        has_more = listing.get("has_next_page")
        if has_more is None:
            has_more = after is not None or count >= self.size
        if not count or not has_more or self.has_seen(listing):
            return None
        return self._next(after, _digest(listing))

    def beyond(self, ending: Mapping[str, Any]) -> "Walk | None":
        """Where it goes on after the one row of this page, of which only the end could be read."""
        after = ending.get("next_cursor") or None
        if ending.get("has_next_page") is False:
            return None
        return self._next(after, "") if after or not self.after else None

    def _next(self, after: object, seen: str) -> "Walk":
        named = id_of(after)
        return self.model_copy(update={"after": named, "page": self.page + 1, "seen": seen})

    def shrunk(self, size: int) -> "Walk":
        """The same place in pages of a size that divides this one."""
        page = (self.page - 1) * self.size // size + 1
        return self.model_copy(
            update={"page": page, "size": size, "whole": self.whole or self.size}
        )

    def grown(self) -> "Walk":
        """The same place in whole pages again, if one begins there."""
        passed = (self.page - 1) * self.size
        if not self.whole or (self.after is None and passed % self.whole):
            return self
        update = {"page": passed // self.whole + 1, "size": self.whole, "whole": 0}
        return self.model_copy(update=update)


def _digest(listing: Mapping[str, Any]) -> str:
    ids = "\0".join(id_of(row.get("id")) or "" for row in rows_of(listing["data"]))
    return hashlib.sha256(ids.encode("utf-8", "replace")).hexdigest()[:12]


VARIANTS = sorted(
    (
        Walk(size=size, types=types, deleted=deleted)
        for size, types, deleted in product(PAGE_SIZES, (False, True), (True, False))
    ),
    key=lambda walk: (walk.size != PAGE_SIZES[0]) + walk.types + (not walk.deleted),
)
"""From what we prefer to the plainest request, which the pickiest server takes."""
