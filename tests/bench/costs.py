"""What the table charges for each thing that happens, by the real use cases on a counting table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from random import Random
from uuid import UUID

from issuebridge.adapters.dynamodb import DynamoDBIssueStore, DynamoDBLedger
from issuebridge.adapters.dynamodb_connections import DynamoDBConnectionStore
from issuebridge.domain.issue import RemoteIssue
from issuebridge.ports import Lane, Page
from issuebridge.use_cases.push_changes import Outcome
from tests.bench.counting_table import CountingTable
from tests.fakes import FakeClock, FakeIssueSystem
from tests.world import BORN_AS, World, connection, document

PAGE = 100
PAGES_MAX = 10
MINUTE = 60


@dataclass
class LongBoard(FakeIssueSystem):
    """A board of very many issues: in order of their age, and of their last change."""

    touched: dict[str, None] = field(default_factory=dict)
    chance: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - ids, not secrets

    def add(self, title: str = "broken", **given: object) -> RemoteIssue:
        issue = super().add(title, **given)
        old = issue.remote_id
        del self.issues[old]
        name = str(UUID(int=self.chance.getrandbits(128), version=4))
        self.issues[name] = replace(issue, remote_id=name)
        self.touched[name] = None
        return self.issues[name]

    def edit(self, remote_id: str, *, description: str | None = None, **raw: str | None) -> None:
        super().edit(remote_id, description=description, **raw)
        self.touched[remote_id] = self.touched.pop(remote_id, None)

    @cached_property
    def by_age(self) -> list[str]:
        return []

    def page(self, lane: Lane, cursor: str | None) -> Page:
        self._ask("page", (lane, cursor))
        start = int(cursor or 0)
        if lane == "hot":
            names = list(islice(reversed(self.touched), start, start + self.page_size))
        else:
            self.by_age.extend(islice(self.issues, len(self.by_age), None))
            names = self.by_age[start : start + self.page_size]
        end = start + len(names)
        rows = [self._row(self.issues[name]) for name in names]
        return Page(rows, str(end) if end < len(self.issues) else None)


@dataclass
class CostWorld(World):
    """A pair of connections over one table that counts."""

    table: CountingTable = field(default_factory=CountingTable)

    @cached_property
    def systems(self) -> dict[str, FakeIssueSystem]:
        return {
            name: LongBoard(
                self.clock,
                page_size=PAGE,
                born_as=BORN_AS[c.kind],
                has_activity=c.kind == "bland",
                rows_tell_times=c.kind != "antimetal",
            )
            for name, c in self.config.connections.items()
        }

    @cached_property
    def connections(self) -> DynamoDBConnectionStore:
        return DynamoDBConnectionStore(self.table)

    @cached_property
    def ledger(self) -> DynamoDBLedger:
        return DynamoDBLedger(self.table)

    @cached_property
    def store(self) -> DynamoDBIssueStore:
        return DynamoDBIssueStore(self.table, history_days=90)

    def mirror(self) -> list[Outcome]:
        outcomes = []
        while self.table.woken:
            issue_id = self.table.woken.pop(0)
            outcomes += self.push(issue_id)
            self.start(issue_id)
        return outcomes

    def sweep(self, name: str) -> int:
        """Rounds from here to the end of the running sweep."""
        for count in range(1, 10**6):
            report = self.poll(name)
            self.clock.advance(MINUTE)
            if report.swept:
                return count
        raise AssertionError("a sweep without end")


def bridge(issues: int) -> CostWorld:
    """Two boards of so many issues each, new, and a route from the second to the first."""
    boards = {n: connection(n, poll={"pages_max": PAGES_MAX}) for n in ("bland", "antimetal")}
    routes = [{"from": "antimetal", "to": "bland", "filter": {"severity": ["high"]}}]
    world = CostWorld(document(connections=boards, routes=routes), FakeClock())
    for system in world.systems.values():
        for number in range(issues):
            system.add(f"issue {number}", severity=None, description="It does not work. " * 20)
            world.clock.advance(MINUTE)
    world.clock.advance(24 * 3600)
    return world


def measured(issues: int) -> Iterator[tuple[str, float]]:
    """Each figure by its name."""
    world = bridge(issues)
    table = world.table
    for name in world.systems:
        world.sweep(name)
    yield "backfill: write units per issue", table.written.total() / issues / 2
    world.sweep("bland")
    world.sweep("antimetal")

    table.reset()
    rounds = world.sweep("bland")
    yield "idle round: write units", table.written.total() / rounds
    yield "idle round: read units", table.read.total() / rounds
    seen = sum(units for kind, units in table.read.items() if kind.startswith("SEEN"))
    yield "fingerprints: read units per 1,000 unchanged rows", seen * 1000 / issues

    before = _idle_minutes(world)
    incident = world.systems["antimetal"].add("new", severity="high", description="Fire. " * 90)
    yield "one issue with a counterpart: write units", (_minutes(world) - before).total()
    before = _idle_minutes(world)
    world.systems["antimetal"].edit(incident.remote_id, status="resolved")
    change = _minutes(world) - before
    assert _counterpart(world, incident).raw["status"] == "done", "nothing was mirrored"
    yield "one change mirrored: write units", change.total()
    marks = change["SEEN N"] + change["SEEN PUSHED"]
    yield "one change mirrored: write units of fingerprints", marks


def _counterpart(world: CostWorld, incident: RemoteIssue) -> RemoteIssue:
    ref = world.issue_of("antimetal", incident.remote_id).refs["bland"]
    return world.systems["bland"].issues[ref.remote_id]


def _idle_minutes(world: CostWorld) -> Counter[str]:
    """The same sweeps without the change, to be taken off; first the last one comes to rest."""
    for _ in range(2):
        _minutes(world)
    return _minutes(world)


def _minutes(world: CostWorld) -> Counter[str]:
    """What two whole sweeps of both boards write, with all that they wake."""
    world.table.reset()
    for _ in range(2):
        for name in world.systems:
            while not world.poll(name).swept:
                world.mirror()
                world.clock.advance(MINUTE)
            world.mirror()
        world.finish(remaining_seconds=lambda: 900)
        world.mirror()
    return Counter(world.table.written)
