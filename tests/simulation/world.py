"""The real use cases over the simulated world, and how each step of a history is played."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, cast

from pydantic import ValidationError

from issuebridge.domain.config import switched_on
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Rejected, SyncError, Tripped
from issuebridge.domain.gate import GateState
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue
from issuebridge.domain.mark import Installation
from issuebridge.domain.policy import resolve
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.routing import Landscape
from issuebridge.domain.words import Field
from issuebridge.ports import Changes, Lane, Page
from issuebridge.use_cases.by_hand import unlink
from issuebridge.use_cases.pipeline import Pipeline
from tests.fakes import FakeClock, FakeConnectionStore, FakeIssueStore, FakeLedger, dues
from tests.simulation.deeds import DEEDS, Remembered
from tests.simulation.effects import Effects, Watched
from tests.simulation.norm import Norm
from tests.simulation.people import LOSES_OUR_LINE, REWRITES, Fate, is_marked
from tests.simulation.steps import (
    Add,
    Ask,
    Bell,
    Blank,
    Calm,
    Copy,
    Delete,
    Describe,
    Edit,
    Learn,
    Mode,
    Release,
    Restore,
    Step,
    Unlink,
    Wait,
    Work,
)
from tests.simulation.strange import Allow, Elsewhere, Return, Strange
from tests.simulation.topology import Topology
from tests.simulation.vendor import Vendor

ROUND_SECONDS = 45
OURS = Installation("simul", "a key that only this world has")
THEIRS = Installation("neigh", "a key that only the neighbour has")
LONG_CALM = 4
"""After so many rounds every copy of what is settled has been looked at."""


@dataclass
class CountedLedger(FakeLedger):
    """Its index is only eventually consistent: a new row is not listed for `lag` seconds."""

    clock: FakeClock = field(default_factory=FakeClock)
    lag: int = 0
    born: dict[str, datetime] = field(default_factory=dict)
    writes: int = 0

    def put(self, effect: Effect) -> Effect:
        stored = super().put(effect)
        self.born.setdefault(effect.key, self.clock.now())
        self.writes += 1
        return stored

    def open(self, kind: str, connection: str) -> Sequence[Effect]:
        listed = self.clock.now() - timedelta(seconds=self.lag)
        return [e for e in super().open(kind, connection) if self.born[e.key] <= listed]


@lru_cache(maxsize=256)
def _parsed(stored: str) -> CanonicalIssue:
    return CanonicalIssue.model_validate_json(stored)


@dataclass
class QuickIssueStore(FakeIssueStore):
    """Parses each stored state once: issues are frozen."""

    def load(self, issue_id: str) -> CanonicalIssue | None:
        stored = self.issues.get(issue_id)
        return _parsed(stored) if stored else None

    def due(self, now: datetime) -> Sequence[str]:
        issues = [issue for issue in map(self.load, self.issues) if issue]
        return [i.issue_id for i in issues if any(due_at <= now for due_at in dues(i))]


@dataclass
class CountedConnectionStore(FakeConnectionStore):
    clock: FakeClock = field(default_factory=FakeClock)
    writes: int = 0
    shut_since: dict[str, datetime] = field(default_factory=dict)

    def save_seen(self, *given: Any) -> None:
        super().save_seen(*given)
        self.writes += 1

    def save_gate(self, gate: GateState) -> GateState:
        saved = super().save_gate(gate)
        if saved.shut:
            self.shut_since.setdefault(gate.connection, self.clock.now())
        else:
            self.shut_since.pop(gate.connection, None)
        return saved


class SimWorld:
    def __init__(
        self,
        topology: Topology,
        make: Callable[..., Vendor] = Vendor,
        *,
        clock: FakeClock | None = None,
        installation: Installation = OURS,
    ) -> None:
        self.topology = topology
        self.clock = clock or FakeClock()
        self.figures: Counter[str] = Counter()
        self.effects = Effects(self.clock, self.play, figures=self.figures)
        self.empty_table()
        self.vendors = {
            name: make(name, kind, self.clock, topology.habits[name])
            for name, kind in topology.kinds.items()
        }
        self.norms = {
            n: Norm(self.clock, topology.norm) for n, k in topology.kinds.items() if k == "bland"
        }
        self._meet_vendors()
        self.lenses: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.messages: list[PromptRequest] = []
        self.answered: set[int] = set()
        self.polled: Callable[[str], None] = lambda connection: None
        self.log: list[str] = []
        self.boundaries: list[int] = []
        self.installation = installation
        self.remembered = Remembered()
        self.configs: list[tuple[datetime, Any]] = []
        self.left: Any = None
        self.calms: list[datetime] = []
        self._configure(topology.config())
        self.neighbour = self._move_in()

    def empty_table(self) -> None:
        self.ledger = CountedLedger(clock=self.clock, lag=self.topology.index_lag)
        self.connections = CountedConnectionStore(clock=self.clock)
        self.store = QuickIssueStore(self.ledger, self.connections)

    def _meet_vendors(self) -> None:
        for name, vendor in self.vendors.items():
            vendor.excuse = partial(self._excuse, name)
            vendor.is_linked = partial(self._is_linked, name)
        for name, norm in self.norms.items():
            norm.is_gone = partial(self._is_gone, name)

    def _move_in(self) -> "Neighbour | None":
        theirs = self.topology.neighbour
        return Neighbour(self, theirs) if theirs else None

    def _signed(self, vendor: Vendor) -> Any:
        """How this installation reaches a vendor."""
        return Signed(vendor, self.installation.tag) if self.topology.neighbour else vendor

    def push_config(self, document: dict[str, Any]) -> None:
        loaded = filter(None, map(self.store.load, self.store.issues))
        settled = [issue.issue_id for issue in loaded if not issue.pending]
        self.remembered.configured.append((self.clock.now(), settled))
        self._configure(type(self.config).model_validate(document))

    def _configure(self, config: Any) -> None:
        running = getattr(self, "config", None)
        self.config = switched_on(config, running, self.clock.now())
        self.landscape = Landscape(
            {n: resolve(n, c) for n, c in self.config.connections.items()},
            tuple(self.config.routes),
            tuple(self.config.rules),
            self.installation.tag,
            self.config.siblings,
        )
        for name, policy in self.landscape.policies.items():
            for place, how in policy.fields.items():
                if how.lens and how.lens.words not in self.lenses[name, place]:
                    self.lenses[name, place].append(how.lens.words)
        self.configs.append((self.clock.now(), self.config))
        salt = self.config.model_dump_json()
        store, ledger, connections = (
            Watched(self.store, "store", self.effects),
            Watched(self.ledger, "ledger", self.effects),
            Watched(self.connections, "connections", self.effects),
        )
        systems = {
            n: Watched(self._signed(v), v.kind, self.effects) for n, v in self.vendors.items()
        }
        agents = {n: Watched(norm, "norm", self.effects) for n, norm in self.norms.items()}
        self.pipeline = Pipeline(
            store,
            ledger,
            connections,
            systems.__getitem__,
            systems.__getitem__,
            agents.__getitem__,
            self.config,
            self.landscape,
            salt,
            lambda: self.installation,
            self.clock,
        )
        self.pull, self.push = self.pipeline.pull, self.pipeline.push
        self.submit, self.start = self.pipeline.submit, self.pipeline.start
        self.track, self.finish = self.pipeline.track, self.pipeline.finish

    # steps

    def play(self, step: Step | Strange) -> None:
        _PLAYERS[type(step)](self, step)

    def is_away(self, connection: str) -> bool:
        return connection not in self.config.connections

    def _add(self, step: Add) -> None:
        self.vendors[step.connection].file(step.title, step.words, dict(step.raw))

    def _copy(self, step: Copy) -> None:
        vendor = self.vendors[step.connection]
        if not vendor.ids:
            return
        source = vendor.ids[step.nth % len(vendor.ids)]
        words = vendor.now(source).description
        made = vendor.file("a copy made by hand", words, {})
        if is_marked(words):
            vendor.copies.add(made.remote_id)
            vendor.upheaval.copied[made.remote_id] = source

    def _edit(self, step: Edit) -> None:
        vendor = self.vendors[step.connection]
        if vendor.ids:
            vendor.edit(vendor.ids[step.nth % len(vendor.ids)], step.field, step.raw)

    def _describe(self, step: Describe) -> None:
        vendor = self.vendors[step.connection]
        if vendor.ids:
            remote_id = vendor.ids[step.nth % len(vendor.ids)]
            tells = step.how not in LOSES_OUR_LINE and not vendor.habits.rewrites
            if not tells and not self._is_met(step.connection, remote_id):
                return
            if remote_id in vendor.copies:
                return
            text = REWRITES[step.how](vendor.now(remote_id).description, step.text)
            vendor.describe(remote_id, text)

    def _delete(self, step: Delete) -> None:
        vendor = self.vendors[step.connection]
        if vendor.ids:
            vendor.delete(vendor.ids[step.nth % len(vendor.ids)])

    def _restore(self, step: Restore) -> None:
        vendor = self.vendors[step.connection]
        if vendor.ids:
            vendor.restore(vendor.ids[step.nth % len(vendor.ids)])

    def _unlink(self, step: Unlink) -> None:
        vendor, at = self.vendors[step.connection], step.connection
        remote_id = vendor.ids[step.nth % len(vendor.ids)] if vendor.ids else ""
        issue = self.store.load(self.store.find(at, remote_id) or "")
        if issue and at in issue.refs and not self.is_away(at):
            issue_id = issue.issue_id
            unlink(self.store, self.landscape, issue_id, at, self.clock.now())
            remote_id = issue.refs[at].remote_id
            vendor.let_go(vendor.now(remote_id), "its copy is unlinked")

    def _release(self, step: Release) -> None:
        vendor = self.vendors[step.connection]
        remote_id = vendor.ids[step.nth % len(vendor.ids)] if vendor.ids else ""
        issue_id = self.store.find(step.connection, remote_id)
        if issue_id and not self.is_away(step.connection):
            self.remembered.touched[issue_id] = self.clock.now()
            with suppress(Tripped):
                self.pipeline.release(issue_id, step.take)

    def _mode(self, step: Mode) -> None:
        if self.is_away(step.connection):
            return
        document = self.config.model_dump(by_alias=True)
        document["connections"][step.connection]["mode"] = step.mode
        with suppress(ValidationError):  # a route or a rule needs to write there
            self._configure(type(self.config).model_validate(document))

    def _blank(self, step: Blank) -> None:
        until = self.clock.now() + timedelta(seconds=step.seconds)
        self.vendors[step.connection].blank_until = until

    def _ask(self, step: Ask) -> None:
        vendor = self.vendors[step.connection]
        if vendor.ids and not self.is_away(step.connection):
            body = {
                "version": 1,
                "issue": vendor.ids[step.nth % len(vendor.ids)],
                "intent": step.intent,
                "text": step.text,
                "requested_by": "ada",
                "idempotency_key": f"k{len(self.messages)}",
                "connection": step.connection,
            }
            self.messages.append(PromptRequest.model_validate(body))

    def _learn(self, step: Learn) -> None:
        if self.is_away(step.connection):
            return
        document = self.config.model_dump(by_alias=True)
        maps = document["connections"][step.connection]["maps"]
        maps[step.field] = {raw: list(row) for raw, row in step.words}
        self.push_config(document)

    def _wait(self, step: Wait) -> None:
        self.clock.advance(step.seconds)

    def _bell(self, step: Bell) -> None:
        if self.store.woken:
            record = self.store.woken.pop(step.nth % len(self.store.woken))
            if step.what == "again":
                self.store.woken += [record, record]

    def _calm(self, step: Calm) -> None:
        for _ in range(step.rounds):
            self.round()
            self.clock.advance(ROUND_SECONDS)
        if step.rounds >= LONG_CALM and self.is_settled():
            self.calms.append(self.clock.now())

    def _work(self, step: Work) -> None:
        worker = self.effects.run(step.job, step.faults, lambda: self._run(step))
        self.boundaries.append(worker.boundaries)
        if step.job == "poll":
            self.polled(str(step.target))

    def _excuse(self, connection: str, remote_id: str, place: str, raw: str | None) -> Fate:
        """Why this is no news: the copy is unlinked, it is the baseline, if our side still holds
        that, or a push has set out to write it."""
        replaced = self.vendors[connection].upheaval.replaced
        ids = (remote_id, *(old for old, new in replaced.items() if new == remote_id))
        found = (self.store.find(connection, known) for known in ids)
        issue = self.store.load(next(filter(None, found), ""))
        where, _, name = place.rpartition(".")
        if issue is None or connection not in issue.refs:
            return None
        ref, field = issue.refs[connection], cast("Field", name)
        if ref.ended:
            return "its copy is unlinked"
        known = [ref.sending.get(field), ref.baselines.get(field)]
        if known[1] and field in ref.notes and known[1].value != issue.value(field):
            known.pop()
        agreed = {base.raws[-1 if where else 0] for base in known if base and base.raws}
        return "back to what both had agreed on" if raw is not None and raw in agreed else None

    def _is_linked(self, connection: str, remote_id: str) -> bool:
        return self.store.find(connection, remote_id) is not None

    def _is_gone(self, connection: str, remote_id: str) -> bool:
        return self.vendors[connection].now(remote_id).deleted

    def _is_met(self, connection: str, remote_id: str) -> bool:
        """Whether people see an issue that is not ours, or that is linked by now: nobody rewrites
        a counterpart in the seconds until it is."""
        ours = self.vendors[connection].born_of[remote_id] is not None
        return not ours or self._is_linked(connection, remote_id)

    # workers

    def _run(self, step: Work) -> None:
        try:
            _JOBS[step.job](self, step.target)
        except SyncError as error:
            self.log.append(f"{step.job} {step.target}: {error!r}")

    def _poll(self, name: str) -> None:
        if self.is_away(name):
            return
        report = self.pull(name, remaining_seconds=self.effects.remaining_seconds)
        self.log.append(f"poll {name}: {report.summary()}")

    def _mirror(self, nth: int) -> None:
        """A record of the stream; when there is none, one that comes a second time."""
        records = [] if self.topology.streamless else self.store.woken or list(self.store.issues)
        if records:
            issue_id = records[nth % len(records)]
            if records is self.store.woken:
                records.remove(issue_id)
            self.log.append(f"mirror: {self.push(issue_id)} {self.start(issue_id)}")

    def _finish(self, _: object) -> None:
        tracked = self.track(remaining_seconds=self.effects.remaining_seconds)
        self.log.append(f"track: {tracked.summary()}")
        left = self.finish(remaining_seconds=self.effects.remaining_seconds)
        self.log.append(f"finish: {left.summary()}")

    def _prompt(self, nth: int) -> None:
        if not self.messages:
            return
        nth %= len(self.messages)
        try:
            outcome = self.submit(self.messages[nth])
            self.log.append(f"prompt {nth}: {outcome}")
        except Rejected as error:
            self.log.append(f"prompt {nth}: {error!r}")
        self.answered.add(nth)

    # the operator, and a second installation

    def _elsewhere(self, step: Elsewhere) -> None:
        if self.neighbour:
            self.neighbour.play(step.step)

    # calm

    def round(self) -> None:
        """What the schedules and the stream do when nothing fails."""
        for name in self.config.connections:
            self.play(Work("poll", name))
            while self.store.woken and not self.topology.streamless:
                self.play(Work("mirror"))
        for nth in range(len(self.messages)):
            if nth not in self.answered:
                self.play(Work("prompt", nth))
        self.play(Work("finish"))
        if self.topology.streamless:
            self.store.woken.clear()

    def look_after(self) -> None:
        """What the operator does in the end: bring back what was left out, allow what an alarm says
        is missing or stopped, and put every connection back to the mode it began with."""
        for name in list(self.remembered.away):
            self.play(Return(name, anew=False))
        for name, settings in self.topology.config().connections.items():
            if self.config.connections[name].mode != settings.mode:
                self._mode(Mode(name, settings.mode))
            if self.connections.read(name).missing or self.is_stopped(name):
                self.play(Allow(name))

    def is_stopped(self, connection: str) -> bool:
        """Whether a person is asked to look before this one goes on."""
        gate = self.connections.gate(connection)
        return bool(gate.shut or gate.foreign)

    def is_settled(self) -> bool:
        """Nobody waits for anything: a mark, rule, run, open effect, message, lease, pause, a look
        at what was pushed, or a second sweep without an issue."""
        issues = [self.store.load(issue_id) for issue_id in self.store.issues]
        effects = [self.ledger.get(key) for key in self.ledger.effects]
        until = [*self.connections.leases.values(), *self.connections.pauses.values()]
        return not (
            any(issue and dues(issue) for issue in issues)
            or any(run.outcome == "running" for issue in issues if issue for run in issue.runs)
            or any(effect and effect.is_open for effect in effects)
            or any(time > self.clock.now() for time in until)
            or any(self.connections.marks.values())
            or any(self.connections.read(name).missing for name in self.vendors)
            or len(self.answered) < len(self.messages)
        )

    def writes(self) -> dict[str, int]:
        """Everything that an idle round must not add to."""
        sent = {
            f"{name}.{call}": vendor.asked[call]
            for name, vendor in self.vendors.items()
            for call in ("create", "update", "get", "find_created")
        }
        kept = {
            "store": self.store.writes,
            "ledger": self.ledger.writes,
            "fingerprints": self.connections.writes,
        }
        return {**sent, **kept, "runs": sum(len(norm.runs) for norm in self.norms.values())}


@dataclass(frozen=True)
class Signed:
    """A vendor as one installation reaches it: each call tells whose it is."""

    vendor: Vendor
    tag: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vendor, name)

    def page(self, lane: Lane, cursor: str | None) -> Page:
        vendor = self.vendor
        vendor.upheaval.met_at.setdefault(self.tag, vendor.clock.now())
        return vendor.page(lane, cursor)

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        self.vendor.upheaval.writer = self.tag
        return self.vendor.update(seen, changes)


class Neighbour(SimWorld):
    """A second installation on the same vendors, with a table of its own."""

    def __init__(self, other: SimWorld, topology: Topology) -> None:
        self.other = other
        vendors = dict(zip(topology.kinds, other.vendors.values(), strict=True))
        for vendor in vendors.values():
            vendor.upheaval.shared = True
        super().__init__(
            topology,
            lambda name, *_: vendors[name],
            clock=other.clock,
            installation=THEIRS,
        )

    def _meet_vendors(self) -> None:
        """The people whose edits are remembered are those of the first one."""

    def _signed(self, vendor: Vendor) -> Any:
        return Signed(vendor, self.installation.tag)


_PLAYERS: dict[type, Callable[[SimWorld, Any], None]] = {
    **DEEDS,
    Elsewhere: SimWorld._elsewhere,
    Add: SimWorld._add,
    Copy: SimWorld._copy,
    Edit: SimWorld._edit,
    Describe: SimWorld._describe,
    Delete: SimWorld._delete,
    Restore: SimWorld._restore,
    Unlink: SimWorld._unlink,
    Release: SimWorld._release,
    Mode: SimWorld._mode,
    Blank: SimWorld._blank,
    Ask: SimWorld._ask,
    Learn: SimWorld._learn,
    Wait: SimWorld._wait,
    Bell: SimWorld._bell,
    Calm: SimWorld._calm,
    Work: SimWorld._work,
}
_JOBS: dict[str, Callable[[SimWorld, Any], None]] = {
    "poll": SimWorld._poll,
    "mirror": SimWorld._mirror,
    "finish": SimWorld._finish,
    "prompt": SimWorld._prompt,
}
