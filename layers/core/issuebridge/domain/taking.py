"""What a worker is at: noted where the one before has died, so that what killed it is known."""

from datetime import datetime

from pydantic import Field

from issuebridge.domain.issue import Frozen

DEATHS_MAX = 3
SUSPECTS_MAX = 20
DIED = "its worker died three times"
SET_ASIDE = f"set aside: {DIED}"


class Taking(Frozen):
    """`row` is what the worker is at, `deaths` how many died at what. `until`: a worker that has
    begun lives no longer than that; None if it came to its end."""

    row: str | None = None
    deaths: dict[str, int] = Field(default_factory=dict)
    until: datetime | None = None

    def after_death(self) -> "Taking":
        """With the last death counted, at nothing now."""
        if self.row is None:
            return self
        others = {row: count for row, count in self.deaths.items() if row != self.row}
        last = dict([*others.items()][-SUSPECTS_MAX + 1 :])
        deaths = {**last, self.row: self.deaths.get(self.row, 0) + 1}
        return self.model_copy(update={"row": None, "deaths": deaths})
