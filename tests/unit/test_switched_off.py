"""Connections that are taken out of the configuration, or paused, while something is pending."""

from dataclasses import replace

import pytest

from issuebridge.domain.config import switched_on
from issuebridge.systems import parse_config
from tests.world import World, connection, document


def reconfigured(world: World, **connections: dict[str, object] | None) -> World:
    """The same stores, vendors and time under another configuration; None takes one out."""
    given = document()
    for name, settings in connections.items():
        if settings is None:
            del given["connections"][name]
        else:
            given["connections"][name] = settings
    kept = {n for n, c in given["connections"].items() if c["mode"] != "observe"}
    given["routes"] = [r for r in given["routes"] if {r["from"], r["to"]} <= kept]
    other = World(given, world.clock)
    other.config = switched_on(parse_config(given, "test"), world.config, world.clock.now())
    for name in ("store", "ledger", "connections", "systems", "agent"):
        setattr(other, name, getattr(world, name))
    other.pull = replace(other.pull, salt=other.config.model_dump_json())
    return other


def lagging_world() -> tuple[World, str, str]:
    """An issue linked across, edited at bland, whose copy at antimetal is still to be written."""
    world = World()
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    (counterpart,) = world.systems["bland"].issues.values()
    world.systems["bland"].edit(counterpart.remote_id, status="done")
    world.poll("bland")
    world.store.woken.clear()
    assert world.issue_of("antimetal", born.remote_id).pending.keys() == {"antimetal"}
    return world, born.remote_id, counterpart.remote_id


def test_a_connection_taken_out_while_a_copy_lags_holds_up_nothing_else():
    world, _, counterpart = lagging_world()
    other = reconfigured(world, antimetal=None)
    other.finish(remaining_seconds=lambda: 900)
    assert list(other.store.due(other.clock.now())) == []
    assert other.issue_of("bland", counterpart).status == "done"


@pytest.mark.parametrize(
    "off", [None, connection("antimetal", mode="paused"), connection("antimetal", mode="observe")]
)
def test_a_connection_that_was_switched_off_is_left_alone_and_caught_up_with_later(off):
    world, born, _ = lagging_world()
    writes = world.writes()
    reconfigured(world, antimetal=off).rounds(2)
    assert world.writes() == writes
    world.clock.advance(3600)
    reconfigured(world).rounds(2)
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"


@pytest.mark.parametrize("was_polled", [True, False])
def test_no_counterpart_is_made_at_a_paused_connection_until_it_mirrors_again(was_polled):
    world = World()
    world.systems["antimetal"].add(status="investigating")
    if was_polled:
        world.poll("antimetal")
    reconfigured(world, bland=connection("bland", mode="paused")).rounds(2)
    assert world.systems["bland"].issues == {}
    reconfigured(world).rounds(3)
    assert len(world.systems["bland"].issues) == 1


@pytest.mark.parametrize("off", [None, connection("antimetal", mode="observe")])
def test_a_configuration_that_is_rolled_back_before_any_poll_catches_up(off):
    world, born, _ = lagging_world()
    reconfigured(world, antimetal=off).finish(remaining_seconds=lambda: 900)
    assert world.issue_of("antimetal", born).pending == {}
    world.rounds(2)
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"
