"""A small world for unit tests: three connections in memory, and the real use cases over them."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from issuebridge.domain.config import Connection, switched_on
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.mark import Installation
from issuebridge.domain.policy import resolve
from issuebridge.domain.routing import Landscape
from issuebridge.ports import Comments
from issuebridge.systems import SYSTEMS, parse_config
from issuebridge.use_cases.gate import allow
from issuebridge.use_cases.pipeline import Pipeline
from issuebridge.use_cases.pull_report import PullReport
from issuebridge.use_cases.push_changes import Outcome
from tests.fakes import (
    FakeAgent,
    FakeClock,
    FakeConnectionStore,
    FakeIssueStore,
    FakeIssueSystem,
    FakeLedger,
)

BORN_AS = {
    "bland": {},
    "antimetal": {"status": "investigating"},
    "zylon": {"status": "NotReviewed", "severity": None},
}


def configured(**given: Any) -> Connection:
    """One connection as its system's own settings have it."""
    return SYSTEMS[given["kind"]].settings(**given)


def connection(kind: str, **more: object) -> dict[str, object]:
    base = {"kind": kind, "base_url": f"https://{kind}.example", "secret": kind, "mode": "mirror"}
    return {**base, "issue_url": f"https://{kind}.example/i/{{id}}", **more}


def document(**more: object) -> dict[str, object]:
    """The topology of the mission: bland <-> antimetal, zylon -> bland."""
    return {
        "version": 1,
        "connections": {name: connection(name) for name in ("bland", "antimetal", "zylon")},
        "routes": [
            {"from": "antimetal", "to": "bland"},
            {
                "from": "bland",
                "to": "antimetal",
                "filter": {"severity": ["critical", "high"]},
                "daily_budget": 100,
            },
            {"from": "zylon", "to": "bland"},
        ],
        **more,
    }


@dataclass
class World:
    """`rounds` does what the schedules and the stream do, one step after the other."""

    given: dict[str, object] = field(default_factory=document)
    clock: FakeClock = field(default_factory=FakeClock)
    installation: Installation = field(default_factory=Installation.new, kw_only=True)
    salt: str = field(default="salt", kw_only=True)

    def __post_init__(self) -> None:
        """The routes are switched on as the world begins."""
        self.config = switched_on(parse_config(self.given, "test"), None, self.clock.now())

    @cached_property
    def landscape(self) -> Landscape:
        policies = {name: resolve(name, c) for name, c in self.config.connections.items()}
        return Landscape(
            policies,
            self.config.routes,
            self.config.rules,
            self.installation.tag,
            self.config.siblings,
        )

    @cached_property
    def systems(self) -> dict[str, FakeIssueSystem]:
        return {
            name: FakeIssueSystem(
                self.clock,
                born_as=BORN_AS[c.kind],
                has_activity=c.kind == "bland",
                rows_tell_times=c.kind != "antimetal",
            )
            for name, c in self.config.connections.items()
        }

    @cached_property
    def agent(self) -> FakeAgent:
        return FakeAgent(self.clock)

    @cached_property
    def ledger(self) -> FakeLedger:
        return FakeLedger()

    @cached_property
    def connections(self) -> FakeConnectionStore:
        return FakeConnectionStore()

    @cached_property
    def store(self) -> FakeIssueStore:
        return FakeIssueStore(self.ledger, self.connections)

    def system(self, name: str) -> FakeIssueSystem:
        return self.systems[name]

    def comments(self, name: str) -> Comments:
        return self.systems[name]

    def agent_of(self, name: str) -> FakeAgent:
        return self.agent

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(
            self.store,
            self.ledger,
            self.connections,
            self.system,
            self.comments,
            self.agent_of,
            self.config,
            self.landscape,
            self.salt,
            lambda: self.installation,
            self.clock,
        )

    def __getattr__(self, name: str) -> Any:
        """The use cases, by their names in the pipeline."""
        if name in ("pull", "push", "submit", "start", "track", "finish", "gate", "pair"):
            return getattr(self.pipeline, name)
        raise AttributeError(name)

    def poll(self, name: str, **more: object) -> PullReport:
        return self.pull(name, remaining_seconds=lambda: 900, **more)

    def mirror(self) -> list[Outcome]:
        """What the stream would have woken, and what it wakes in turn."""
        outcomes = []
        while self.store.woken:
            issue_id = self.store.woken.pop(0)
            outcomes += self.push(issue_id)
            self.start(issue_id)
        return outcomes

    def rounds(self, count: int = 3, seconds: float = 60) -> None:
        for _ in range(count):
            for name in self.config.connections:
                self.poll(name)
                self.mirror()
            self.track(remaining_seconds=lambda: 900)
            self.finish(remaining_seconds=lambda: 900)
            self.mirror()
            self.clock.advance(seconds)

    def allow(self, name: str) -> None:
        """What a person does who has looked: let a tripped connection go on for an hour."""
        allow(self.connections, self.config, self.clock, name)

    def release(self, name: str, remote_id: str, take: str) -> None:
        self.pipeline.release(self.issue_of(name, remote_id).issue_id, take)

    def writes(self) -> int:
        return sum(len(system.writes()) for system in self.systems.values())

    def issue_of(self, name: str, remote_id: str) -> CanonicalIssue:
        issue_id = self.store.find(name, remote_id)
        assert issue_id, f"{remote_id} was never taken in"
        issue = self.store.load(issue_id)
        assert issue
        return issue
