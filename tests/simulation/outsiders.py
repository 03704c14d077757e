"""A whole history from one seed, into which now and then something comes from outside.

What the seed gives without it stays as it is: the outside has a chance of its own.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.histories import WORDS, History, Maker, make_history
from tests.simulation.steps import Calm, Copy, Step, Wait, Work
from tests.simulation.strange import (
    Adopt,
    Elsewhere,
    Forge,
    Insist,
    Leave,
    LoseTable,
    Move,
    Point,
    Renumber,
    Return,
    RollBack,
    Strange,
)
from tests.simulation.topology import Topology, make_topology
from tests.simulation.vendor import Habits

Steps = list[Step | Strange]

BEFORE_ALL = "2026-11-01T00:00:00Z"
NARROW = {"count": 2, "share": 0.01}
PREFIX = "their-"


def make_outside(seed: int) -> History:
    chance = Random(f"outside {seed}")  # noqa: S311 - no secret comes of it
    kind = chance.choices(["nothing", "twist", "neighbour", "lost"], [50, 36, 9, 5])[0]
    if kind == "neighbour":
        return _beside_another(seed, chance)
    if kind == "lost":
        return _with_a_lost_table(seed, chance)
    history = make_history(seed)
    return _twisted(history, chance) if kind == "twist" else history


# twists of a whole history


def _twisted(history: History, chance: Random) -> History:
    twist = _Twist(history.topology, chance)
    makers: list[Callable[[], Steps]] = [
        twist.roll_back,
        twist.move,
        twist.renumber,
        twist.fight,
        twist.forge,
        twist.point,
        twist.leave,
        twist.copy,
    ]
    if chance.random() < 0.2:
        history = replace(history, topology=_narrow(history.topology))
    steps: Steps = list(history.steps)
    for maker in chance.sample(makers, chance.choice([1, 1, 2])):
        place = chance.randrange(len(steps) // 3, len(steps) + 1)
        for step in maker():
            steps.insert(place, step)
            place = min(place + chance.randint(1, 6), len(steps))
    return replace(history, steps=tuple(steps))


def _narrow(topology: Topology) -> Topology:
    """Its gates let few changes pass."""
    document: Any = json.loads(json.dumps(topology.document))
    for settings in document["connections"].values():
        settings["breaker"] = NARROW
    return replace(topology, document=document)


class _Twist:
    """Each of these gives the steps of one event, in their order."""

    def __init__(self, topology: Topology, chance: Random) -> None:
        self.kinds, self.chance = topology.kinds, chance
        self.maker = Maker(chance, topology)

    def _name(self, *kinds: str) -> str:
        return self.chance.choice([n for n, k in self.kinds.items() if not kinds or k in kinds])

    def _nth(self) -> int:
        return int(self.chance.expovariate(1))

    def roll_back(self) -> Steps:
        nth = self.chance.choice([None, self._nth()])
        back = RollBack(self._name(), self.chance.choice([30, 100, 400, 2000]), nth)
        return [Calm(4), self.maker.edit(), Calm(2), back]

    def move(self) -> Steps:
        return [Move(self._name(), self._nth(), self.chance.choice([None, self._nth()]))]

    def renumber(self) -> Steps:
        return [Calm(3), Renumber(self._name("bland", "zylon"), self._nth())]

    def fight(self) -> Steps:
        nth = self._nth()
        words = {name: WORDS[kind][:-1] for name, kind in self.kinds.items()}
        chosen = [Insist(n, nth, self.chance.choice(known)) for n, known in words.items()]
        return [Calm(3), *chosen[: self.chance.choice([1, 2, 2, 3])], Calm(8)]

    def forge(self) -> Steps:
        chance, into = self.chance, self.chance.choice([None, None, self._nth()])
        mark = chance.choice(["older", "ours", "theirs", "guessed"])
        form = chance.choice(["line", "sentence", "quote"])
        return [Forge(self._name(), self._name(), self._nth(), mark, form, into)]

    def point(self) -> Steps:
        here = replace(self.maker.add(), connection=self._name("bland"))
        there = self.maker.add()
        if self.kinds[there.connection] == "bland":
            return []
        words = WORDS["bland"][:-1]
        return [Point(replace(here, raw=(("status", self.chance.choice(words)),)), there)]

    def leave(self) -> Steps:
        name, anew = self._name(), self.chance.random() < 0.3
        return [Leave(name), Return(name, anew=anew)]

    def copy(self) -> Steps:
        name = self._name()
        return [Calm(3), Copy(name, 0)]


# two installations, and a lost table: short histories of people who leave our lines alone


def _kept(topology: Topology) -> Topology:
    """Vendors that keep what they are given, and routes from before all issues."""
    document: Any = json.loads(json.dumps(topology.document))
    document["routes"] = [{**route, "since": BEFORE_ALL} for route in document["routes"]]
    document["norm"] = {"rules": []}
    habits = {n: replace(h, rewrites=False, ignores=None) for n, h in topology.habits.items()}
    return replace(topology, document=document, habits=habits)


def _renamed(topology: Topology) -> Topology:
    """The same systems under other names."""
    text = json.dumps(topology.document)
    for name in topology.kinds:
        for place in ('"{}": {{"kind"', '"from": "{}"', '"to": "{}"', '"prefer": "{}"'):
            text = text.replace(place.format(name), place.format(f"{PREFIX}{name}"))
    habits: dict[str, Habits] = {f"{PREFIX}{n}": h for n, h in topology.habits.items()}
    return replace(topology, document=json.loads(text), habits=habits)


def _beside_another(seed: int, chance: Random) -> History:
    topology = _kept(make_topology(chance))
    theirs = _renamed(topology) if chance.random() < 0.5 else topology
    maker = Maker(chance, topology)
    names = list(theirs.kinds)

    def step() -> Step | Strange:
        makers = [maker.add, maker.edit, maker.work, maker.wait]
        made = chance.choices(makers, [10, 20, 45, 10])[0]()
        if isinstance(made, Work) and chance.random() < 0.5:
            target = chance.choice(names) if made.job == "poll" else made.target
            return Elsewhere(replace(made, target=target, faults=()))
        return _at_most_calm(made)

    steps: Steps = [maker.add() for _ in range(chance.choice([1, 2, 3]))]
    for begins in chance.choice([[], [Calm(2)], [Elsewhere(Calm(2))], [Calm(2), Wait(60)]]):
        steps.append(begins)
    steps += [step() for _ in range(chance.randint(6, 24))]
    return History(seed, replace(topology, neighbour=theirs), tuple(steps))


def _at_most_calm(step: Step) -> Step:
    """Nothing happens inside a worker but what breaks it."""
    if not isinstance(step, Work):
        return step
    faults = tuple(fault for fault in step.faults if fault.step is None)
    return replace(step, faults=faults)


def _with_a_lost_table(seed: int, chance: Random) -> History:
    topology = _kept(make_topology(chance))
    maker = Maker(chance, topology)
    makers = [maker.add, maker.edit, maker.work, maker.wait]

    def some(count: int) -> Steps:
        return [_at_most_calm(chance.choices(makers, [6, 20, 45, 10])[0]()) for _ in range(count)]

    begin: Steps = [maker.add() for _ in range(chance.choice([1, 2, 4]))]
    before = [*begin, Calm(chance.choice([1, 5])), *some(chance.randint(0, 10))]
    after = some(chance.randint(0, 12))
    adopted: Steps = [Calm(3), Adopt(), *some(6)] if chance.random() < 0.7 else []
    return History(seed, topology, (*before, LoseTable(), *after, *adopted))
