"""Zylon's list, asked for as this server likes it, in pages that are not too large."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from issuebridge.adapters.http import Http, TooLarge
from issuebridge.adapters.payload import NUMBER_MAX, id_of, rows_of
from issuebridge.adapters.rows import skipped
from issuebridge.adapters.zylon.mapping import DELETED, STATES
from issuebridge.adapters.zylon.walk import INCLUDES, PAGE_SIZES, SMALLER_SIZES, VARIANTS, Walk
from issuebridge.domain.errors import Gone, Misconfigured, Rejected, StaleCursor, Transient

ISSUES = "/app/issue"
PAGES_MAX = 100

Answer = dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """One page: where the next begins (None at the end), and the vendor's total."""

    rows: Sequence[object]
    following: Walk | None
    claimed: int | None
    unread: tuple[str, ...] = ()


class Listing:
    """It remembers how this server wants to be asked."""

    def __init__(self, http: Http, states: Sequence[str]) -> None:
        self._http, self._states = http, states
        self._start = VARIANTS[0]
        self._place = f"{http.name}: GET {ISSUES}"

    def page(
        self, states: Sequence[str], walk: Walk | None, more: Mapping[str, str] | None = None
    ) -> Listed:
        """The same page again was served twice, or is the last one of a list that says otherwise:
        asking once more tells which."""
        more, walk = more or {}, walk and walk.grown()
        try:
            if walk is None:
                answer, walk = self._first(states, more)
            else:
                answer, walk = self._resumed(states, walk, more)
                if walk.has_seen(answer):
                    answer, walk = self._resumed(states, walk, more)
        except TooLarge as error:
            return self._smaller(states, walk or self._start, more, error)
        return self._listed(answer, walk)

    def _listed(self, answer: Answer, walk: Walk) -> Listed:
        unread = [f"state {word}: this server does not know it" for word in walk.unknown]
        return Listed(answer["data"], walk.following(answer), _total(answer), tuple(unread))

    def walk(
        self, more: Mapping[str, str], states: Sequence[str] | None = None
    ) -> Iterator[list[Answer]]:
        """It ends where a page brings nothing new."""
        walk: Walk | None = None
        known: set[str | None] = set()
        for _ in range(PAGES_MAX):
            listed = self.page(states or self._states, walk, more)
            rows, walk = rows_of(listed.rows), listed.following
            yield rows
            ids = {id_of(row.get("id")) for row in rows}
            if walk is None or ids <= known:
                return
            known |= ids
        raise Transient(f"{self._place}: no end after {PAGES_MAX} pages")

    def _ask(self, states: Sequence[str], walk: Walk, more: Mapping[str, str]) -> Answer:
        known = [word for word in states if word not in walk.unknown]
        page = self._http.send("GET", ISSUES, query=walk.query(known or self._states, more))
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise Transient(f"{self._place}: the answer is no list")
        return page

    def _taken(
        self, states: Sequence[str], walk: Walk, more: Mapping[str, str]
    ) -> Answer | Rejected:
        """The answer, or why it is refused to be asked for like this."""
        try:
            return self._ask(states, walk, more)
        except TooLarge:
            raise
        except Rejected as error:
            return error

    def _first(self, states: Sequence[str], more: Mapping[str, str]) -> tuple[Answer, Walk]:
        """Begin a walk, in the way this server accepts.

        What was wrong can't be told from a 400, so the plainest request is tried first: if that
        is refused as well, the trouble is another one.
        """
        answer = self._taken(states, self._start, more)
        if isinstance(answer, Gone):
            place = f"connections.{self._http.name}.base_url"
            raise Misconfigured(f"{answer}: no list of issues at {place}") from answer
        if not isinstance(answer, Rejected):
            return answer, self._start
        plain = self._plainest(states, more, answer)
        for variant in VARIANTS:
            start = variant.model_copy(update={"include": plain.include, "unknown": plain.unknown})
            answer = self._taken(states, start, more)
            if not isinstance(answer, Rejected):
                self._start = start
                return answer, start
        raise Transient(f"{self._place}: refused what it took a moment before")

    def _plainest(self, states: Sequence[str], more: Mapping[str, str], refused: Rejected) -> Walk:
        for include in INCLUDES:
            plain = VARIANTS[-1].model_copy(update={"include": include})
            if not isinstance(self._taken(states, plain, more), Rejected):
                return plain
        words = [word for word in self._states if word != DELETED]
        if set(words) <= set(STATES):
            raise refused
        for include in INCLUDES:
            plain = VARIANTS[-1].model_copy(update={"include": include})
            answers = {word: self._taken([word], plain, more) for word in words}
            unknown = tuple(w for w, answer in answers.items() if isinstance(answer, Rejected))
            if len(unknown) < len(words):
                return plain.model_copy(update={"unknown": unknown})
        raise refused

    def _resumed(
        self, states: Sequence[str], walk: Walk, more: Mapping[str, str]
    ) -> tuple[Answer, Walk]:
        """Go on where the walk stands. The most that `first` may be is not documented, and need not
        be that of `page_size`: what is refused is tried with less."""
        sizes = [size for size in PAGE_SIZES if walk.after and size < walk.size]
        said = ""
        for size in (walk.size, *sizes):
            smaller = walk.model_copy(update={"size": size})
            answer = self._taken(states, smaller, more)
            if not isinstance(answer, Rejected):
                return answer, smaller
            said = said or str(answer)
        raise StaleCursor(said)

    def _smaller(
        self, states: Sequence[str], walk: Walk, more: Mapping[str, str], error: TooLarge
    ) -> Listed:
        """The same place in smaller pages; a row that alone is too large is passed by and told."""
        for size in SMALLER_SIZES:
            walk = walk.shrunk(size) if size < walk.size else walk
            try:
                return self._listed(self._ask(states, walk, more), walk)
            except TooLarge as again:
                error = again
        row = skipped(error, "id")
        if walk.after and not {"next_cursor", "has_next_page"} & row.ending.keys():
            raise error
        following = walk.beyond(row.ending)
        if following is None:
            return Listed([], None, None, (row.unread,))
        rest = self.page(states, following, more)
        return Listed(rest.rows, rest.following, rest.claimed, (row.unread, *rest.unread))


def _total(answer: Answer) -> int | None:
    total = answer.get("total_count")
    if not isinstance(total, int) or isinstance(total, bool):
        return None
    return total if 0 <= total < NUMBER_MAX else None
