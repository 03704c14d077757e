"""Every history of a small world, up to so many steps, each played on to its rest and judged."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.reference import Moment, Story
from tests.simulation.small_world import SMALL_WORLDS, States, Step, rules

READS = ("poll", "push")


@dataclass
class Walked:
    """What the histories of one world under one rule came to; `failures` are the
    shortest of each kind."""

    name: str
    rule: str
    histories: int = 0
    states: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[tuple[Step, ...], str]] = field(default_factory=dict)

    def add(self, steps: tuple[Step, ...], complaints: list[str]) -> None:
        self.histories += 1
        for kind, why in {why.split(":")[0]: why for why in complaints}.items():
            self.kinds[kind] += 1
            shortest = self.failures.get(kind)
            if shortest is None or len(steps) < len(shortest[0]):
                self.failures[kind] = steps, why

    @property
    def is_sound(self) -> bool:
        return not self.failures

    def report(self) -> str:
        """One line, and the shortest of the histories that fail."""
        failing = f"{self.kinds.total()} fail {dict(self.kinds)}" if self.kinds else "none fails"
        head = f"{self.name}, {self.rule}: {self.histories:,} histories, {self.states:,} states"
        shown = (f"  {_told(steps)} -> {why}" for steps, why in self.failures.values())
        return "\n".join([f"{head}, {failing}", *shown])


def _told(steps: tuple[Step, ...]) -> str:
    return "; ".join(" ".join(part for part in step if part) for step in steps)


@dataclass
class Walk:
    """`idle`: the steps that changed nothing since something last did. To take one of them again
    is to say the same once more."""

    states: States
    depth: int
    walked: Walked

    def __call__(self) -> Walked:
        self._judge((), [self.states.start], 0)
        self._go((), [self.states.start], 0, frozenset())
        self.walked.states = len(self.states.saved)
        return self.walked

    def _go(
        self, steps: tuple[Step, ...], told: list[Moment], state: int, idle: frozenset[Step]
    ) -> None:
        for step in self._following(len(steps), told[-1]):
            following, moments = self._after(state, step)
            if following != state:
                known: frozenset[Step] = frozenset()
            elif step in idle or step[0] not in READS:
                continue
            else:
                known = idle | {step}
            path, story = (*steps, step), [*told, *moments]
            if step not in self._opening:
                self._judge(path, story, following)
            if len(path) < self.depth:
                self._go(path, story, following, known)

    @property
    def _opening(self) -> tuple[Step, ...]:
        """With these a rest begins, so a history that ends with one is judged without it."""
        return ("poll", self.states.copies[0], ""), ("round", "", "")

    def _following(self, taken: int, now: Moment) -> Iterator[Step]:
        is_last = taken + 1 == self.depth
        for step in self.states.steps(now.shown):
            if not (is_last and (step in self._opening or step[0] == "wait")):
                yield step

    def _after(self, state: int, step: Step) -> tuple[int, list[Moment]]:
        if step[0] == "round":
            return self.states.round(state)
        following, moment = self.states.after(state, step)
        return following, [moment]

    def _judge(self, steps: tuple[Step, ...], told: list[Moment], state: int) -> None:
        rest = self.states.rest(state)
        story = Story([*told, *rest], self.walked.rule)
        complaints = list(story.complaints()) if rest else ["restless: rounds go on writing"]
        self.walked.add(steps, complaints)


def walk(name: str, rule: str, depth: int) -> Walked:
    return Walk(States(name, rule), depth, Walked(name, rule))()


def every_world() -> list[tuple[str, str]]:
    """The largest first, so that they are not waited for in the end."""
    worlds = reversed(SMALL_WORLDS.items())
    return [(name, rule) for name, (_, copies, _) in worlds for rule in rules(copies)]
