"""Every effect of a worker passes here: counted, and struck by the faults of its step."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Gone,
    LostRace,
    RateLimited,
    StaleCursor,
    Transient,
)
from issuebridge.ports import Page
from tests.fakes import FakeClock
from tests.simulation.steps import Fault, Step

WORKER_SECONDS = 120
"""The timeout of every function in template.yaml."""
ZOMBIE_SECONDS = 200
"""Longer than a poll's lease."""
NESTING_MAX = 4


class Crash(BaseException):
    """The worker is gone, as when Lambda kills it: no `except` of ours may notice."""


_SEND = {"create", "update", "post", "create_session", "submit"}
_READ = {"get"}
_ASK = {"page", "find_created", "stands", "latest_session", "activity"}
_STORE = {"commit", "put"}

FAILURES: dict[tuple[str, str], list[Callable[[], Exception]]] = {
    ("send", "before"): [
        lambda: Ambiguous("no answer"),
        lambda: Transient("connection refused"),
        lambda: RateLimited("429", retry_after_seconds=200),
        lambda: AccessRefused("403"),
    ],
    ("send", "after"): [lambda: Ambiguous("reply lost")],
    ("ask", "before"): [
        lambda: Transient("503"),
        lambda: RateLimited("429", retry_after_seconds=90),
        lambda: AccessRefused("401"),
    ],
    ("ask", "after"): [lambda: Transient("half a body")],
    ("read", "before"): [
        lambda: Transient("503"),
        lambda: RateLimited("429", retry_after_seconds=90),
        lambda: AccessRefused("401"),
        lambda: Gone("404 for a moment"),
    ],
    ("read", "after"): [lambda: Transient("half a body")],
    ("store", "before"): [lambda: LostRace("transaction conflict"), lambda: Transient("throttled")],
    ("store", "after"): [lambda: Transient("applied, and the reply lost")],
    ("other", "before"): [lambda: Transient("throttled")],
    ("other", "after"): [lambda: Transient("reply lost")],
}


def _group(call: str) -> str:
    names = {"send": _SEND, "read": _READ, "ask": _ASK, "store": _STORE}
    return next((group for group, calls in names.items() if call in calls), "other")


@dataclass
class Worker:
    """One running function: what shall strike it, and when Lambda ends it."""

    job: str
    deadline: datetime
    faults: dict[tuple[str, int], Fault]
    boundaries: int = 0
    reached: Counter[str] = field(default_factory=Counter)

    def reach(self, call: str) -> Fault | None:
        """The fault of this boundary, if any."""
        place, self.boundaries = self.boundaries, self.boundaries + 1
        if not self.faults:
            return None
        nth, self.reached[call] = self.reached[call], self.reached[call] + 1
        return self.faults.get(("", place)) or self.faults.get((call, nth))


@dataclass
class Effects:
    """`play` runs a step inside another one; set by the world."""

    clock: FakeClock
    play: Callable[[Step], None] = lambda step: None
    workers: list[Worker] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)

    def run(self, job: str, faults: tuple[Fault, ...], work: Callable[[], None]) -> Worker:
        """A worker from its start to its end, whatever end that is."""
        deadline = self.clock.now() + timedelta(seconds=WORKER_SECONDS)
        worker = Worker(job, deadline, {(f.on, f.at): f for f in faults})
        self.workers.append(worker)
        try:
            work()
        except Crash:
            pass
        finally:
            self.workers.pop()
        return worker

    def remaining_seconds(self) -> float:
        return (self.workers[-1].deadline - self.clock.now()).total_seconds()

    def call(self, place: str, do: Callable[..., object], *given: object, **named: object):
        """One effect: the boundary before it, itself, the boundary after it."""
        call = place.rpartition(".")[2]
        self._boundary(place, call, "before")
        if _group(call) in ("send", "read", "ask"):
            self.clock.advance(0.2)
        answer = do(*given, **named)
        garbage = self._boundary(place, call, "after")
        return _spoilt(answer, given, garbage) if garbage and call == "page" else answer

    def _boundary(self, place: str, call: str, moment: str) -> Fault | None:
        if not self.workers:
            return None
        worker = self.workers[-1]
        fault = worker.reach(call)
        if fault:
            self._strike(fault, place, call, moment)
        if self.clock.now() > worker.deadline:
            self.figures["killed at its time limit"] += 1
            raise Crash
        return fault if fault and fault.kind == "garbage" else None

    def _strike(self, fault: Fault, place: str, call: str, moment: str) -> None:
        if fault.kind == "garbage" and call != "page":
            return
        self.figures[_told(fault)] += 1
        if fault.kind == "crash":
            self.crash_points[f"{moment} {place}"] += 1
            raise Crash
        if fault.kind == "zombie" and self.workers[-1].job == "poll":
            self.workers[-1].deadline += timedelta(days=1)
            self.clock.advance(ZOMBIE_SECONDS)
        if fault.kind == "pause":
            self.clock.advance(fault.amount)
        if fault.step and len(self.workers) < NESTING_MAX:
            self.play(fault.step)
        if fault.kind == "fail":
            choices = FAILURES[_group(call), moment]
            raise choices[fault.amount % len(choices)]()


def _told(fault: Fault) -> str:
    inside = type(fault.step).__name__.lower() if fault.step else ""
    return f"{fault.kind} {inside}".strip()


def _spoilt(answer: object, given: tuple[object, ...], fault: Fault) -> Page:
    """A page that is empty in mid-walk, leads to itself, hides its first row, or whose cursor is no
    longer known."""
    assert isinstance(answer, Page)
    cursor = given[1]
    assert cursor is None or isinstance(cursor, str)
    how = fault.amount % 4
    if how == 3:
        return replace(answer, issues=answer.issues[1:]) if given[0] == "hot" else answer
    if how == 0 and cursor is not None:
        raise StaleCursor("400: no such cursor")
    if how == 1 and (cursor is None or answer.cursor):
        return replace(answer, issues=[])
    return replace(answer, cursor=cursor or answer.cursor)


class Watched:
    """A port whose every method is an effect."""

    def __init__(self, inner: object, name: str, effects: Effects) -> None:
        self._inner = inner
        self._name = name
        self._effects = effects

    def __getattr__(self, method: str):
        found = getattr(self._inner, method)
        if not callable(found):
            return found
        place = f"{self._name}.{method}"
        call = lambda *given, **named: self._effects.call(place, found, *given, **named)  # noqa: E731
        self.__dict__[method] = call
        return call
