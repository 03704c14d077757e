"""The world of the unit tests with the real adapters in it, talking to simulated vendors."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from issuebridge.adapters.bland.client import open_agent
from issuebridge.adapters.http import Timing
from issuebridge.domain.config import Config
from issuebridge.ports import IssueSystem
from issuebridge.wiring import SYSTEMS
from tests.simulators import AntimetalSimulator, BlandSimulator, Simulator, ZylonSimulator
from tests.world import World

VENDORS: dict[str, type[Simulator]] = {
    simulator.vendor: simulator
    for simulator in (BlandSimulator, AntimetalSimulator, ZylonSimulator)
}
LINE = {"external_link": "managed_line"}


@dataclass
class ServedClock:
    """Real time; pushing it forward pushes the vendors' clocks too."""

    sims: Mapping[str, Simulator]
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        for sim in self.sims.values():
            sim.advance(seconds)


@dataclass
class ServedWorld(World):
    sims: Mapping[str, Simulator] = field(default_factory=dict)

    @cached_property
    def systems(self) -> dict[str, IssueSystem]:
        return {name: self._open(name, self.config) for name in self.config.connections}

    def _open(self, name: str, config: Config) -> IssueSystem:
        connection = config.connections[name]
        system = SYSTEMS[connection.kind][1](name, connection, lambda: self.sims[name].api_key)
        return self._timed(system)

    def _timed(self, client):
        """Its skew is measured by the clock of this world, and nobody waits."""
        client._http.timing = Timing(now=self.clock.now, sleep=lambda _: None)
        return client

    @cached_property
    def agent(self):
        connection = self.config.connections["bland"]
        return self._timed(open_agent("bland", connection, lambda: self.sims["bland"].api_key))

    def writes(self) -> int:
        return sum(len(sim.writes()) for sim in self.sims.values())

    def violations(self) -> list[str]:
        return [text for sim in self.sims.values() for text in sim.violations]


@contextmanager
def served(
    switches: Mapping[str, Mapping[str, object]] | None = None, **more: object
) -> Iterator[ServedWorld]:
    """All three vendors with these switches, bland and antimetal both ways, zylon to bland."""
    with ExitStack() as stack:
        sims = {kind: VENDORS[kind](switches=(switches or {}).get(kind)) for kind in VENDORS}
        for sim in sims.values():
            stack.enter_context(sim.serving())
        yield ServedWorld(_document(sims, **more), ServedClock(sims), sims)


def _document(sims: Mapping[str, Simulator], **more: object) -> dict[str, object]:
    connections = {
        kind: {
            "kind": kind,
            "base_url": sim.api_url,
            "secret": kind,
            "mode": "mirror",
            "issue_url": f"https://{kind}.example/i/{{id}}",
            "requests_per_second": 10_000,
            "carriers": {} if kind == "antimetal" else LINE,
        }
        for kind, sim in sims.items()
    }
    if sims["zylon"].switches["generation"] == "older":
        connections["zylon"]["generation"] = "older"
    high = {"severity": ["critical", "high"]}
    routes = [
        {"from": "antimetal", "to": "bland"},
        {"from": "bland", "to": "antimetal", "filter": high, "daily_budget": 100},
        {"from": "zylon", "to": "bland"},
    ]
    return {"version": 1, "connections": connections, "routes": routes, **more}
