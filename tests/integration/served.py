"""The world of the unit tests with the real adapters in it, talking to simulated vendors."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from issuebridge.adapters.bland.client import BlandAgent, BlandComments
from issuebridge.adapters.http import Http, Timing
from issuebridge.domain.config import Config
from issuebridge.ports import IssueSystem
from issuebridge.systems import SYSTEMS
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
        return SYSTEMS[connection.kind].issues(connection, self._http(name, config))

    def _http(self, name: str, config: Config) -> Http:
        """Its skew is measured by the clock of this world, and nobody waits."""
        connection = config.connections[name]
        adapter = SYSTEMS[connection.kind]
        http = adapter.http(name, connection, lambda: self.sims[name].api_key)
        http.timing = Timing(now=self.clock.now, sleep=lambda _: None)
        return http

    @cached_property
    def agent(self):
        return BlandAgent(self._http("bland", self.config))

    def comments(self, name: str) -> BlandComments:
        return BlandComments(self._http(name, self.config))

    def writes(self) -> int:
        return sum(len(sim.writes()) for sim in self.sims.values())

    def violations(self) -> list[str]:
        return [text for sim in self.sims.values() for text in sim.violations]


@contextmanager
def served(
    switches: Mapping[str, Mapping[str, object]] | None = None,
    *,
    bland: Mapping[str, str] = LINE,
    **more: object,
) -> Iterator[ServedWorld]:
    """All three vendors with these switches, bland and antimetal both ways, zylon to bland.
    `bland`: its carriers."""
    with ExitStack() as stack:
        sims = {kind: VENDORS[kind](switches=(switches or {}).get(kind)) for kind in VENDORS}
        for sim in sims.values():
            stack.enter_context(sim.serving())
        yield ServedWorld(_document(sims, bland, **more), ServedClock(sims), sims)


def _document(
    sims: Mapping[str, Simulator], bland: Mapping[str, str], **more: object
) -> dict[str, object]:
    connections = {
        kind: {
            "kind": kind,
            "base_url": sim.api_url,
            "secret": kind,
            "mode": "mirror",
            "issue_url": f"https://{kind}.example/i/{{id}}",
            "requests_per_second": 10_000,
            "carriers": {"bland": bland, "zylon": LINE}.get(kind, {}),
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
