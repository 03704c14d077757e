"""The simulation's own histories through the real adapters, against the simulated vendors: what its
vendors in memory do is what those do."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from issuebridge.adapters.bland.client import BlandComments
from issuebridge.adapters.http import Timing
from issuebridge.adapters.zylon.settings import Anchor
from issuebridge.domain.errors import Gone
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.ports import Changes, IssueSystem, Lane, Page
from issuebridge.systems import SYSTEMS
from tests.fakes import FakeClock
from tests.integration.served import VENDORS
from tests.simulation.crashes import SCENARIOS, struck
from tests.simulation.histories import History, make_history
from tests.simulation.play import play
from tests.simulation.shrink import report
from tests.simulation.topology import UNKNOWN
from tests.simulation.vendor import BIRTH, SOFT, Habits, Vendor
from tests.simulators import Simulator
from tests.world import configured

SEEDS = 20
SWITCHES = {
    "bland": {"unknown_patch_field": "accept"},
    "antimetal": {"investigation_seconds": 10**7},
    "zylon": {},
}
NATIVE = "body field 'external_link' is not documented"
"""Opted for, after a probe."""
NAMES = {"status": "state"}
"""Zylon's own names."""


@dataclass
class Following:
    """The clock of a history, as a simulator reads it."""

    clock: FakeClock

    def now(self) -> datetime:
        return self.clock.now()


@dataclass
class ServedVendor(Vendor):
    """People act on the simulator, the engine through the adapter; `history` is what the API shows
    after each of them."""

    sim: Simulator = field(init=False)
    system: IssueSystem = field(init=False)
    comments: BlandComments = field(init=False)

    def __post_init__(self) -> None:
        self.sim = VENDORS[self.kind](switches=SWITCHES[self.kind], clock=Following(self.clock))

    def open(self) -> None:
        more = {"base_url": self.sim.api_url, "secret": "s", "requests_per_second": 10_000}
        if self.kind == "zylon":
            more["anchor"] = Anchor(**{n: self.sim.anchor[n] for n in Anchor.model_fields})
        connection = configured(kind=self.kind, **more)
        adapter = SYSTEMS[self.kind]
        http = adapter.http(self.name, connection, lambda: self.sim.api_key)
        http.timing = Timing(now=self.clock.now, sleep=lambda _: None)
        self.system, self.comments = adapter.issues(connection, http), BlandComments(http)

    # what people do

    def file(self, title: str, words: str, raw: dict[str, str | None]) -> RemoteIssue:
        hidden = BIRTH["zylon"] if self._hides(raw.get("status")) else {}
        return super().file(title, words, {**raw, **hidden})

    def edit(self, remote_id: str, name: str, raw: str | None) -> None:
        if not self._hides(raw):
            super().edit(remote_id, name, raw)

    def _hides(self, word: str | None) -> bool:
        """No list of zylon shows an issue in a state that we do not ask for."""
        return self.kind == "zylon" and word == UNKNOWN["zylon"]

    def _file(
        self, title: str, text: str, raw: dict[str, str | None], of: Draft | None
    ) -> RemoteIssue:
        if of:
            made = self.system.create(of)
        else:
            row = self.sim.add(**({"title": title} | self._fields({**raw, "description": text})))
            made = self.system.get(row[self.sim.id_field])
        self.born_of[made.remote_id] = of
        self._seen(made.remote_id)
        return made

    def _fields(self, raw: dict[str, str | None]) -> dict[str, object]:
        given: dict[str, object] = dict(raw)
        if given.get("external_link"):
            given["external_link"] = json.loads(str(given["external_link"]))
        if self.kind == "zylon":
            given = {NAMES.get(name, name): value for name, value in given.items()}
        return given

    def _seen(self, remote_id: str) -> RemoteIssue:
        try:
            shown = self.system.get(remote_id)
        except Gone:
            shown = replace(self.now(remote_id), deleted=True)
        self.history.setdefault(remote_id, []).append((self.clock.now(), shown))
        return shown

    def _store(self, issue: RemoteIssue) -> RemoteIssue:
        old = self.now(issue.remote_id)
        after = {**issue.raw, "description": issue.description}
        before = {**old.raw, "description": old.description}
        changed = {name: value for name, value in after.items() if value != before.get(name)}
        if issue.deleted and not old.deleted:
            self.sim.remove(issue.remote_id)
        elif changed:
            self.sim.edit(issue.remote_id, **self._fields(changed))
        return self._seen(issue.remote_id)

    def restore(self, remote_id: str) -> None:
        """Elsewhere what is deleted is gone for good."""
        if self.kind in SOFT:
            super().restore(remote_id)

    # the port

    def page(self, lane: Lane, cursor: str | None) -> Page:
        self.asked["page"] += 1
        return Page([], None) if self.is_blank else self.system.page(lane, cursor)

    def get(self, remote_id: str) -> RemoteIssue:
        self.asked["get"] += 1
        if self.is_blank:
            raise Gone(remote_id)
        return self.system.get(remote_id)

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        self.asked["find_created"] += 1
        self._demand_access()
        return self.system.find_created(draft, since)

    def _write(self, seen: RemoteIssue, changes: Changes, after: RemoteIssue) -> RemoteIssue:
        shown = self.system.update(seen, changes)
        self._seen(seen.remote_id)
        return shown

    def post(self, remote_id: str, text: str) -> None:
        self._demand(remote_id)
        self.comments.post(remote_id, text)
        super().post(remote_id, text)

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        self._demand(remote_id)
        return self.comments.stands(remote_id, mark, since)


@pytest.fixture
def serve() -> Iterator[Callable[..., Vendor]]:
    """Make vendors that are served, and see in the end that each took all that it was asked."""
    made: list[ServedVendor] = []
    with ExitStack() as stack:

        def make(name: str, kind: str, clock: FakeClock, habits: Habits) -> ServedVendor:
            vendor = ServedVendor(name, kind, clock)
            stack.enter_context(vendor.sim.serving())
            vendor.open()
            made.append(vendor)
            return vendor

        yield make
        assert made
        odd = [text for vendor in made for text in vendor.sim.violations]
        assert [text for text in odd if NATIVE not in text] == []


def plain(history: History) -> History:
    """Without bad habits of the vendors in memory."""
    habits = {name: Habits(page_size=100) for name in history.topology.habits}
    return replace(history, topology=replace(history.topology, habits=habits))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_history_holds_through_the_real_adapters(serve, seed):
    history = plain(make_history(seed))
    played = play(history, serve)
    assert played.failure is None, f"{report(history, played)}\n{played.trace}"


@pytest.mark.parametrize("name", [name for name, s in SCENARIOS.items() if not s.habits])
def test_a_scenario_holds_through_the_real_adapters(serve, name):
    history = next(struck(name))
    played = play(history, serve)
    assert played.failure is None, f"{report(history, played)}\n{played.trace}"
