"""A whole history from one seed."""

from dataclasses import dataclass
from random import Random

from tests.hostile import any_text
from tests.simulation.people import REWRITES
from tests.simulation.steps import (
    Add,
    Ask,
    Bell,
    Blank,
    Calm,
    Delete,
    Describe,
    Edit,
    Fault,
    Learn,
    Mode,
    Release,
    Restore,
    Step,
    Unlink,
    Wait,
    Work,
)
from tests.simulation.strange import Strange
from tests.simulation.topology import STATUS_MAPS, UNKNOWN, Topology, beside, make_topology

WORDS = {kind: [*words, UNKNOWN[kind]] for kind, words in STATUS_MAPS.items()}
SEVERITIES = {
    "bland": ["critical", "high", "medium", "low", "urgent"],
    "antimetal": ["high", "medium", "low"],
    "zylon": [],
}
LINKS = [
    '{"url":"https://git.example/1"}',
    '{"html_url":"https://git.example/2","label":"two"}',
    '"javascript:alert(1)"',
    None,
]
TEXTS = [
    "It does not work.",
    "Zeile mit Umlaut äöü 🙂",
    "ping @norm please",
    "ping @N\u200borm\nplease",
    "[issuebridge ref=ibnotours severity=low]",
    "",
]
IN_LINE = {"severity in our line": ["low", "critical", "nonsense"]}
DEPTH_MAX = 2
STRUCK = ["commit", "put", "create", "update", "submit", "get", "page", "find_created", "save_seen"]
"""Where it hurts: half of all faults are aimed."""


@dataclass(frozen=True)
class History:
    seed: int
    topology: Topology
    steps: tuple[Step | Strange, ...]


def make_history(seed: int) -> History:
    chance = Random(seed)  # noqa: S311 - no secret comes of it
    topology = make_topology(chance)
    maker = Maker(chance, topology)
    opening = [maker.add() for _ in range(chance.choice([1, 1, 1, 2, 2, 4]))]
    calm = [Calm(chance.choice([1, 4, 8]))] if chance.random() < 0.5 else []
    steps = [step for _ in range(chance.randint(8, 40)) for step in maker.steps()]
    return History(seed, topology, (*opening, *calm, *steps))


@dataclass
class Maker:
    chance: Random
    topology: Topology

    @property
    def kinds(self) -> dict[str, str]:
        return self.topology.kinds

    def _name(self) -> str:
        return self.chance.choice(list(self.kinds))

    def steps(self) -> list[Step]:
        if self.chance.random() < 0.12:
            nth = self._nth()
            return [self.edit(name, nth) for name in self.kinds]
        if self.chance.random() < 0.3:
            return self.chance.choices([self.flow, self.prompting, self.lesson], [12, 3, 1])[0]()
        makers = [self.person, self.work, self.wait, self.bell, self.calm, self.seldom]
        return [self.chance.choices(makers, [24, 54, 11, 4, 5, 5])[0]()]

    def flow(self) -> list[Step]:
        """The way of a change: a person, the poll of that side, mirror; struck where it hurts."""
        person = self.add() if self.chance.random() < 0.4 else self.edit()
        mirror = Work("mirror", 0, self._faults(["create", "update", "put", "commit", "get"]))
        return [person, Work("poll", person.connection, self._faults(["commit", "page"])), mirror]

    def prompting(self) -> list[Step]:
        faults = self._faults(["submit", "submit", "create_session", "put", "commit"])
        return [self.ask(), Work("prompt", -1, faults)]

    def lesson(self) -> list[Step]:
        """A word that nobody knows is met, and learned later."""
        learn = self.learn()
        edit = Edit(learn.connection, self._nth(), "status", UNKNOWN[self.kinds[learn.connection]])
        return [edit, Work("poll", learn.connection), *self.steps(), learn]

    def _faults(self, calls: list[str]) -> tuple[Fault, ...]:
        count = self.chance.choice([0, 1, 1, 2])
        return tuple(self.fault(0, self.chance.choice(calls)) for _ in range(count))

    def _nth(self) -> int:
        return int(self.chance.expovariate(1))

    def person(self) -> Step:
        makers = [self.edit, self.describe, self.add, self.ask, self.end]
        return self.chance.choices(makers, [54, 15, 12, 13, 6])[0]()

    def end(self) -> Step:
        kind = self.chance.choices([Delete, Restore, Unlink], [3, 3, 1])[0]
        return kind(self._name(), self._nth())

    def add(self) -> Add:
        name = self._name()
        words = WORDS[self.kinds[name]]
        raw = {"status": self.chance.choice([*words, words[0], words[1], words[1]])}
        if severities := SEVERITIES[self.kinds[name]]:
            raw["severity"] = self.chance.choice(severities)
        title = self.chance.choice(["broken", "Status page shows @norm", "t" * 200])
        words = self._or_hostile(self.chance.choice([*TEXTS, "x" * 9_990])) or "nothing said"
        return Add(name, title, words, tuple(raw.items()))

    def edit(self, name: str | None = None, nth: int | None = None) -> Edit:
        name = name or self._name()
        kind = self.kinds[name]
        fields = {"status": WORDS[kind], "severity": SEVERITIES[kind]}
        if kind == "bland":
            fields["external_link"] = LINKS
        field = self.chance.choice(["status", *(f for f, raws in fields.items() if raws)])
        place = self._nth() if nth is None else nth
        return Edit(name, place, field, self._raw(fields[field]))

    def _raw(self, raws: list[str | None]) -> str | None:
        """The last one is the odd one: rarer than the others."""
        return self.chance.choice(raws if self.chance.random() < 0.3 else raws[:-1])

    def describe(self) -> Describe:
        how = self.chance.choice(list(REWRITES))
        texts = IN_LINE.get(how, TEXTS)
        if how == "link in our line":
            texts = ["https://git.example/line", "ftp://no.example"]
        text = self.chance.choice(texts)
        if texts is TEXTS:
            text = self._or_hostile(text)
        return Describe(self._name(), self._nth(), how, text)

    def _or_hostile(self, text: str) -> str:
        """Now and then what strangers may write instead, as a client reads it, and with no line
        that the oracle would take for ours."""
        other = beside(self.chance)
        if other.random() < 0.8:
            return text
        hostile = any_text(other, other.choice([30, 400])).replace("ref=ib", "ref=ibnot")
        return hostile.encode("utf-8", "replace").decode()

    def ask(self) -> Ask:
        names = [name for name, kind in self.kinds.items() if kind == "bland"]
        intent = self.chance.choice(["fix", "verify", "status"])
        text = self.chance.choice(TEXTS) or "look"
        return Ask(self.chance.choice(names), self._nth(), intent, text)

    def wait(self) -> Wait:
        return Wait(self.chance.choice([1, 5, 20, 60, 151, 400, 3700]))

    def calm(self) -> Calm:
        return Calm(self.chance.randint(1, 3))

    def bell(self) -> Bell:
        return Bell(self.chance.randrange(4), self.chance.choice(["lost", "again"]))

    def seldom(self) -> Step:
        makers = [self.learn, self.release, self.mode, self.blank]
        return self.chance.choices(makers, [4, 4, 2, 2])[0]()

    def release(self) -> Release:
        return Release(self._name(), self._nth(), self.chance.choice(["ours", "theirs"]))

    def mode(self) -> Mode:
        return Mode(self._name(), self.chance.choice(["observe", "mirror", "mirror"]))

    def blank(self) -> Blank:
        return Blank(self._name(), self.chance.choice([60, 400]))

    def learn(self) -> Learn:
        name = self._name()
        kind = self.kinds[name]
        words = {**STATUS_MAPS[kind], UNKNOWN[kind]: ["in_progress"]}
        return Learn(name, "status", tuple((raw, tuple(row)) for raw, row in words.items()))

    def work(self, depth: int = 0) -> Work:
        job = self.chance.choices(["poll", "mirror", "finish", "prompt"], [45, 30, 13, 12])[0]
        target = self._name() if job == "poll" else self.chance.randrange(4)
        count = self.chance.choice([0, 0, 1, 1, 2, 3])
        return Work(job, target, tuple(self.fault(depth) for _ in range(count)))

    def fault(self, depth: int, on: str | None = None) -> Fault:
        if on is None:
            on = self.chance.choice(["", self.chance.choice(STRUCK)])
        at = (
            self.chance.choice([0, 0, 1, 1, 1, 2, 3])
            if on
            else int(self.chance.expovariate(1 / 14))
        )
        kind = self.chance.choices(
            ["crash", "fail", "pause", "garbage", "meanwhile", "zombie"], [22, 28, 6, 8, 34, 2]
        )[0]
        if kind not in ("meanwhile", "zombie"):
            return Fault(at, kind, self.chance.choice([0, 1, 2, 3, 50, 100]), on=on)
        within = (
            [self.person] if depth >= DEPTH_MAX else [self.person, lambda: self.work(depth + 1)]
        )
        return Fault(at, kind, step=self.chance.choice(within)(), on=on)
