"""Play a history to its end, and say what does not hold."""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import ceil

from tests.simulation.foreign import keep_apart, rest_after_loss, rest_together
from tests.simulation.gates import gates, heed
from tests.simulation.histories import History
from tests.simulation.oracle import Oracle
from tests.simulation.steps import weight
from tests.simulation.vendor import Broken, Vendor
from tests.simulation.world import ROUND_SECONDS, SimWorld

ROUNDS_MAX = 60
LOOKS_MAX = 4
"""So often the operator looks after what has stopped."""
SLOW_AFTER = 10
"""From this round on they come slowly: past leases, vendors' pauses, postponements."""


@dataclass
class Played:
    """`failure` begins with the name of the invariant that does not hold."""

    failure: str | None
    figures: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)
    trace: str = ""

    @property
    def kind(self) -> str | None:
        return self.failure.split(":")[0] if self.failure else None


def play(history: History, make: Callable[..., Vendor] = Vendor) -> Played:
    """`make` gives the vendors, for each its name, kind, clock and habits."""
    world = SimWorld(history.topology, make)
    oracle = Oracle(world)
    world.polled = oracle.polled
    failure, trace = None, ""
    try:
        if world.neighbour:
            keep_apart(world)
        else:
            _keep_gates(world)
        for step in history.steps:
            world.play(step)
        _rest_as_fits(world, oracle)
    except (Exception, Broken) as error:  # noqa: BLE001 - any error at all is a failing history
        name = "" if isinstance(error, Broken) else f"{type(error).__name__}: "
        failure, trace = f"{name}{error}", traceback.format_exc()
    world.figures["steps"] += sum(weight(step) for step in history.steps)
    _count(world)
    return Played(failure, world.figures, world.effects.crash_points, trace)


def _keep_gates(world: SimWorld) -> None:
    for name, vendor in world.vendors.items():
        vendor.guard = partial(heed, world, name)


def _rest_as_fits(world: SimWorld, oracle: Oracle) -> None:
    """A world of two installations, or without the history of a lost table, has its own oracle."""
    if world.neighbour:
        rest_together(world)
    elif world.remembered.lost:
        rest_after_loss(world)
    else:
        rest(world, oracle)


def rest(world: SimWorld, oracle: Oracle) -> None:
    """Faults are over: converge, ask the oracle, then see that nothing moves any more."""
    _settle(world)
    world.clock.advance(3700)
    for _ in range(LOOKS_MAX):
        world.look_after()
        _settle(world)
        if not any(map(world.is_stopped, world.config.connections)):
            break
    oracle.at_rest()
    gates(world)
    _stays_quiet(world)


def _settle(world: SimWorld) -> None:
    enough = 2 * _rounds_of_a_sweep(world)
    for n in range(ROUNDS_MAX):
        world.round()
        world.clock.advance(ROUND_SECONDS if n < SLOW_AFTER else 700)
        is_stopped = any(map(world.is_stopped, world.config.connections))
        if n >= enough and (is_stopped or world.is_settled()):
            break


def _stays_quiet(world: SimWorld) -> None:
    """2 and 7: further rounds over every issue write nothing, and ask for no more than pages; but
    a write that its vendor ignores is tried again, hours later."""
    before, rounds = world.writes(), _rounds_of_a_sweep(world)
    if world.store.due(world.clock.now() + timedelta(seconds=61 * rounds)):
        return
    for _ in range(rounds):
        pages = {name: vendor.asked["page"] for name, vendor in world.vendors.items()}
        world.round()
        for name, vendor in world.vendors.items():
            bound = 2 * world.config.connections[name].poll.pages_max
            if vendor.asked["page"] - pages[name] > bound:
                raise Broken(f"bound: an idle round asked {name} for more than {bound} pages")
        world.clock.advance(61)
    moved = {name: n for name, n in world.writes().items() if n != before[name]}
    if moved:
        raise Broken(f"quiet: idle rounds moved {sorted(moved)}: {world.log[-12:]}")


def _rounds_of_a_sweep(world: SimWorld) -> int:
    return 1 + max(
        ceil(len(v.ids) / (v.habits.page_size * world.config.connections[n].poll.pages_max))
        for n, v in world.vendors.items()
        if not world.is_away(n)
    )


def _count(world: SimWorld) -> None:
    figures, entries = world.figures, [e for rows in world.store.rows.values() for e in rows]
    effects = [world.ledger.get(key) for key in world.ledger.effects]
    figures["histories"] += 1
    figures["conflicts"] += sum(entry.outcome == "conflict" for entry in entries)
    figures["held"] += sum(entry.outcome == "held" for entry in entries)
    figures["frozen"] += sum(entry.outcome == "frozen" for entry in entries)
    figures["deletions"] += sum(entry.outcome == "deleted" for entry in entries)
    figures["unlinked"] += sum(entry.outcome == "unlinked" for entry in entries)
    figures["edits by people"] += sum(len(v.edits) for v in world.vendors.values())
    figures["edits lost in the window"] += sum(v.windows for v in world.vendors.values())
    figures["counterparts"] += sum(e is not None and e.kind == "create" for e in effects)
    figures["runs"] += sum(len(norm.runs) for norm in world.norms.values())
    figures["recoveries"] += sum(
        bool(e and e.state == "done" and (e.doubts or e.looks or e.sends > 1)) for e in effects
    )
