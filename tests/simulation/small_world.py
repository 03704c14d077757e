"""A world so small that all of it can be walked: one linked issue, and the words of its status.

Each state is kept once, whatever led to it: a state is what the engine and the vendors hold, with
its times in their order instead of their dates. So a step is played by the real use cases once for
each state, and every history through it costs a look-up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from hashlib import sha256

from issuebridge.domain.issue import RemoteIssue
from issuebridge.domain.round_state import ConnectionState
from tests.simulation.reference import MEANINGS, Moment, Told
from tests.simulation.world import QuickIssueStore
from tests.world import World, connection

TICK_SECONDS = 1
WAIT_SECONDS = 400
FAR_SECONDS = 300
"""All that lasts while nothing fails (a lease, what we set out to write) is over by then."""
CALM_ROUNDS_MAX = 8
SMALL_WORLDS: Mapping[str, tuple[str, Sequence[str], str]] = {
    "bland and antimetal": ("antimetal", ("bland", "antimetal"), "investigating"),
    "bland and zylon": ("zylon", ("bland", "zylon"), "NotReviewed"),
    "antimetal and zylon": ("antimetal", ("antimetal", "zylon"), "investigating"),
    "all three": ("bland", ("bland", "antimetal", "zylon"), "in_progress"),
}
"""Where the issue was born, its copies in the order they are polled, and its first word."""
ANCHOR = {"project_id": "p", "thread_id": "t", "reported_interaction_id": "r"}
COUNTERS = {"generation": 0, "sweep_number": 0, "polled_at": None, "completeness": None}
NO_STATE = {
    "rows",
    "writes",
    "loads",
    "requests",
    "sweeps",
    "gates",
    "bucket_reads",
    "bucket_writes",
}
"""What is only counted, or told to people: nothing the engine does depends on it."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
VERSION = re.compile(r'"version":\d+')

Step = tuple[str, str, str]
"""What happens, at which copy, with which word."""


def rules(copies: Sequence[str]) -> list[str]:
    return ["latest", *copies, "hold"]


def document(name: str, rule: str) -> dict[str, object]:
    origin, copies, _ = SMALL_WORLDS[name]
    conflict = rule if rule in ("latest", "hold") else {"prefer": rule}
    more = {"zylon": {"anchor": ANCHOR}}
    costly = {"filter": {"severity": ["high"]}, "daily_budget": 100}
    return {
        "version": 1,
        "connections": {
            copy: connection(copy, conflict={"status": conflict}, **more.get(copy, {}))
            for copy in copies
        },
        "routes": [
            {"from": origin, "to": copy, **(costly if copy == "antimetal" else {})}
            for copy in copies
            if copy != origin
        ],
    }


@dataclass
class SmallWorld(World):
    """`ids`: copy -> its issue. `play` is told in the words of the reference."""

    ids: dict[str, str] = field(default_factory=dict)

    @cached_property
    def store(self) -> QuickIssueStore:
        return QuickIssueStore(self.ledger, self.connections)

    def link(self, origin: str, word: str) -> None:
        born = self.systems[origin].add(status=word)
        self.rounds(4)
        refs = self.issue_of(origin, born.remote_id).refs
        self.ids = {copy: refs[copy].remote_id for copy in self.config.connections}
        self.clock.advance(WAIT_SECONDS)

    def shown(self) -> dict[str, str]:
        return {
            copy: str(self.systems[copy].issues[remote_id].raw["status"])
            for copy, remote_id in self.ids.items()
        }

    def play(self, step: Step) -> Moment:
        act, copy, word = step
        self.store.rows.clear()
        before = self.writes()
        self.clock.advance(WAIT_SECONDS if act == "wait" else TICK_SECONDS)
        if act == "set":
            self.systems[copy].edit(self.ids[copy], status=word)
        elif act == "poll":
            self.poll(copy)
        elif act == "push":
            self.mirror()
            self.finish(remaining_seconds=lambda: 900)
        entries = [entry for rows in self.store.rows.values() for entry in rows]
        told = [Told(e.outcome, e.by, e.old, e.new) for e in entries if e.field == "status"]
        writes = 0 if act == "set" else self.writes() - before
        return Moment(act, copy, self.shown(), tuple(told), writes)

    def _parts(self) -> list[object]:
        return [self.clock, self.store, self.ledger, self.connections, *self.systems.values()]

    def save(self) -> list[dict[str, object]]:
        held = (dict, list, set, int, datetime)
        return [
            {
                f.name: _copied(v)
                for f in fields(part)
                if isinstance(v := getattr(part, f.name), held)
            }
            for part in self._parts()
        ]

    def load(self, saved: list[dict[str, object]]) -> None:
        for part, values in zip(self._parts(), saved, strict=True):
            for name, value in values.items():
                setattr(part, name, _copied(value))


def _copied(value: object) -> object:
    """Containers are copied, what stands in them is never changed in place."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | set):
        return type(value)(value)
    return value


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={_text(inner)}" for key, inner in value.items())
    if isinstance(value, ConnectionState):
        return value.model_copy(update=COUNTERS).model_dump_json()
    if isinstance(value, RemoteIssue):
        return _text(vars(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def essence(saved: list[dict[str, object]]) -> bytes:
    """What makes a state: all that is held, the times in it in their order, far ones told apart."""
    kept = [f"{k}:{_text(v)}" for part in saved for k, v in part.items() if k not in NO_STATE]
    text = VERSION.sub("", "\n".join(kept))
    found = {stamp: datetime.fromisoformat(stamp) for stamp in {*TIME.findall(text)}}
    ranks: dict[datetime, str] = {}
    rank, before = 0, min(found.values())
    for at in sorted({*found.values()}):
        rank += 1 + (1000 if (at - before).total_seconds() >= FAR_SECONDS else 0)
        ranks[at], before = f"#{rank}", at
    ordered = TIME.sub(lambda stamp: ranks[found[stamp[0]]], text)
    return sha256(ordered.encode()).digest()


@dataclass
class States:
    """Every state met so far, and where each step leads from it."""

    name: str
    rule: str
    saved: list[list[dict[str, object]]] = field(default_factory=list)
    known: dict[bytes, int] = field(default_factory=dict)
    led: dict[tuple[int, Step], tuple[int, Moment]] = field(default_factory=dict)
    calm: dict[int, list[Moment]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        origin, _, word = SMALL_WORLDS[self.name]
        self.world = SmallWorld(document(self.name, self.rule))
        self.world.link(origin, word)
        self.start = Moment("start", "", self.world.shown())
        self._met()

    @property
    def copies(self) -> Sequence[str]:
        return SMALL_WORLDS[self.name][1]

    def _met(self) -> int:
        saved = self.world.save()
        state = self.known.setdefault(essence(saved), len(self.saved))
        if state == len(self.saved):
            self.saved.append(saved)
        return state

    def after(self, state: int, step: Step) -> tuple[int, Moment]:
        if (state, step) not in self.led:
            self.world.load(self.saved[state])
            moment = self.world.play(step)
            self.led[state, step] = self._met(), moment
        return self.led[state, step]

    def round(self, state: int) -> tuple[int, list[Moment]]:
        """What the schedules and the stream do once."""
        moments = []
        for copy in self.copies:
            for step in (("poll", copy, ""), ("push", "", "")):
                state, moment = self.after(state, step)
                moments.append(moment)
        return state, moments

    def rest(self, state: int) -> list[Moment]:
        """Rounds until one changes nothing; empty if there is none."""
        if state not in self.calm:
            self.calm[state] = self._rest(state)
        return self.calm[state]

    def _rest(self, state: int) -> list[Moment]:
        told: list[Moment] = []
        for _ in range(CALM_ROUNDS_MAX):
            following, moments = self.round(state)
            told += moments
            if following == state and not any(moment.writes for moment in moments):
                return told
            state = following
        return []

    def steps(self, shown: Mapping[str, str]) -> list[Step]:
        sets = [("set", c, w) for c in self.copies for w in MEANINGS[c] if w != shown[c]]
        polls = [("poll", copy, "") for copy in self.copies]
        return [*sets, *polls, ("push", "", ""), ("wait", "", ""), ("round", "", "")]
