"""Switches: one for each point a vendor's documents leave open, with the readings it may have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ON_OFF = (True, False)
OFF_ON = (False, True)


@dataclass(frozen=True)
class Span:
    """A number from `low` to `high`, both allowed."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return type(value) in (int, float) and self.low <= value <= self.high  # type: ignore[operator]

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


SECONDS = Span(0, 10**7)
COUNT = Span(0, 10**6)


@dataclass(frozen=True)
class Switch:
    default: Any
    allowed: tuple[Any, ...] | Span
    open_point: str

    def permits(self, value: object) -> bool:
        if isinstance(self.allowed, Span):
            return value in self.allowed
        # 1 == True, yet a status 1 is no boolean: the type must agree too.
        return any(value == word and type(value) is type(word) for word in self.allowed)


Presets = Mapping[str, Mapping[object, Mapping[str, object]]]

# The points that all three vendors leave open.
SHARED: dict[str, Switch] = {
    "unknown_query": Switch("ignore", ("ignore", "reject"), "an undocumented query parameter"),
    "unknown_body_field": Switch("ignore", ("ignore", "reject"), "an undocumented body field"),
    "wrong_method": Switch(405, (405, 404), "a method the path does not have"),
    "quota": Switch(0, COUNT, "requests allowed per window; 0 is no limit"),
    "quota_window_seconds": Switch(60, SECONDS, "length of the rate limit's window"),
    "quota_retry_after": Switch("none", ("none", "seconds", "date"), "Retry-After on a 429"),
}


class Switches(Mapping[str, Any]):
    """Current values: what was set, else what a preset switch implies, else the default."""

    def __init__(self, table: Mapping[str, Switch], presets: Presets | None = None) -> None:
        self._table = table
        self._presets = presets or {}
        self._given: dict[str, object] = {}

    def set(self, values: Mapping[str, object]) -> None:
        """Set several at once; one unknown name or value refuses them all."""
        for name, value in values.items():
            if name not in self._table:
                raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(self._table))}")
            if not self._table[name].permits(value):
                allowed = self._table[name].allowed
                raise ValueError(f"switch {name!r} can't be {value!r}; it takes {allowed}")
        self._given.update(values)

    def __getitem__(self, name: str) -> Any:
        if name in self._given:
            return self._given[name]
        for master, implied in self._presets.items():
            if name != master and name in (chosen := implied.get(self[master], {})):
                return chosen[name]
        return self._table[name].default

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
