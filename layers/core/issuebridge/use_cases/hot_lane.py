"""The hot lane of a round: from the newest change down to the watermark, over several rounds if one
does not reach it.

The first page is read in every round. A walk that did not reach the watermark goes on next time
where it stopped, and what the first page of its first round showed is the new watermark when it
has: whatever has moved up meanwhile is newer than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from issuebridge.domain.errors import StaleCursor
from issuebridge.domain.round_state import ConnectionState
from issuebridge.ports import Page
from issuebridge.use_cases.held import REMAINING_SECONDS_MIN, Held, OutOfTime


@dataclass
class HotLane:
    """`read` gives the page at a cursor, `take` whether all of it is stored, given how many further
    ones may come; `take_first` the same, for the page that every round begins with."""

    held: Held
    read: Callable[[str | None], Page]
    take_first: Callable[[Page], bool]
    take: Callable[[Page, int], bool]
    pages_max: int
    overlap: timedelta

    @property
    def state(self) -> ConnectionState:
        return self.held.state

    def __call__(self) -> None:
        """Half of the round's time at most: the rest is the sweep's."""
        half = max(self.held.remaining_seconds() - REMAINING_SECONDS_MIN, 0) / 2
        try:
            if not self._first_page():
                self.held.reserved_seconds = half
                self._go_on()
        except OutOfTime:
            pass
        finally:
            self.held.reserved_seconds = 0

    def _first_page(self) -> bool:
        """True where no more is to be read. Before the first sweep has ended, only the signpost is
        fixed."""
        page = self.read(None)
        times = _times(page)
        newest = max(times, default=None)
        if self.state.watermark is None and newest:
            self._signpost(newest)
            self.held.remember(looked_at=self.held.began_at)
            return True
        clean = self.take_first(page)
        if self._reaches(page, times):
            self._looked(newest if clean else None)
            return True
        if self.state.hot_cursor is None:
            begun = {"hot_newest": newest, "hot_began_at": self.held.began_at}
            self.held.remember(hot_cursor=page.cursor, hot_clean=clean, **begun)
        return False

    def _go_on(self) -> None:
        """While there is time. A walk longer than a round has the sweep grant its beginning too,
        should its cursors not live as long."""
        for ahead in reversed(range(self.pages_max - 1)):
            if not self.held.has_time():
                break
            if self._next_page(ahead):
                return
        if self.state.hot_newest and self.state.signpost is None:
            self._signpost(self.state.hot_newest)

    def _next_page(self, ahead: int) -> bool:
        cursor, newest = self.state.hot_cursor, self.state.hot_newest
        try:
            page = self.read(cursor)
        except StaleCursor:
            self._end()
            return True
        clean = self.take(page, ahead) and self.state.hot_clean
        if page.cursor is not None and page.cursor == cursor:
            self._end()
            return True
        if self._reaches(page, _times(page)):
            self._looked(newest if clean else None)
            return True
        self.held.remember(hot_cursor=page.cursor, hot_clean=clean)
        return False

    def _reaches(self, page: Page, times: Sequence[datetime]) -> bool:
        mark = self.state.watermark
        reached = bool(times) and mark is not None and min(times) < mark - self.overlap
        return reached or page.cursor is None

    def _looked(self, watermark: datetime | None) -> None:
        self.held.remember(looked_at=self.state.hot_began_at or self.held.began_at)
        self._end()
        self.held.advance(watermark)

    def _end(self) -> None:
        self.held.remember(hot_cursor=None, hot_newest=None, hot_began_at=None, hot_clean=True)

    def _signpost(self, newest: datetime) -> None:
        if self.state.sweep_cursor is None or self.state.signpost is None:
            self.held.remember(signpost=newest, sweep_cursor=None)


def _times(page: Page) -> list[datetime]:
    return [issue.activity_at for issue in page.issues if issue.activity_at]
