"""One gate: what a connection says in the mass stops it, whoever read it; then nothing spreads."""

import pytest

from issuebridge.domain.config import switched_on
from issuebridge.domain.errors import Tripped
from issuebridge.systems import parse_config
from tests.world import World, document


def careful(count: int = 2, **more: object) -> World:
    """Both of its ends stop after so many changes of one sort within an hour."""
    given = document(**more)
    for name in ("bland", "antimetal"):
        given["connections"][name]["breaker"] = {"count": count, "share": 0.01}
        given["connections"][name]["conflict"] = {"status": {"prefer": "bland"}}
    return World(given)


def linked(world: World, count: int) -> list[tuple[str, str]]:
    """So many pairs, as (antimetal id, bland id)."""
    born = [world.systems["antimetal"].add(f"n{n}", severity="high") for n in range(count)]
    world.rounds(4)
    return [
        (b.remote_id, world.issue_of("antimetal", b.remote_id).refs["bland"].remote_id)
        for b in born
    ]


def statuses(world: World, name: str) -> set[str]:
    return {issue.raw["status"] for issue in world.systems[name].issues.values()}


def pushed(world: World, change) -> None:
    """The same stores and vendors under a changed configuration: each issue is looked at again."""
    world.salt += "*"
    given = parse_config(world.given, "test").model_dump(by_alias=True)
    change(given)
    world.config = switched_on(parse_config(given, "test"), world.config, world.clock.now())
    for name in ("landscape", "pipeline"):
        world.__dict__.pop(name, None)


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        pytest.param("status", None, "done", id="closed"),
        pytest.param("status", None, "in_review", id="another status"),
        pytest.param("status", "done", "todo", id="opened again"),
        pytest.param("severity", None, "low", id="severity"),
        pytest.param("external_link", None, '{"url":"https://git.example/%s"}', id="link"),
    ],
)
def test_every_sort_of_mass_change_is_stopped_before_the_other_side_has_it(field, before, after):
    world = careful(count=3)
    pairs = linked(world, 8)
    if before:
        for _, twin in pairs:
            world.systems["bland"].edit(twin, **{field: before})
            world.clock.advance(1300)
            world.rounds(2)
        world.clock.advance(4000)
        world.rounds(2)
    shown = [world.issue_of("bland", twin).value(field) for _, twin in pairs]
    writes = len(world.systems["antimetal"].writes())
    for n, (_, twin) in enumerate(pairs):
        raw = after % n if "%s" in after else after
        world.systems["bland"].edit(twin, **{field: raw})
    world.rounds(6)
    assert "allow bland" in world.connections.gate("bland").shut
    assert world.poll("bland").remedy_needed
    changed = [
        s != world.issue_of("bland", t).value(field) for s, (_, t) in zip(shown, pairs, strict=True)
    ]
    assert sum(changed) <= 3
    assert len(world.systems["antimetal"].writes()) == writes
    world.allow("bland")
    world.rounds(6)
    assert world.connections.gate("bland").shut is None
    assert all(
        s != world.issue_of("bland", t).value(field) for s, (_, t) in zip(shown, pairs, strict=True)
    )


def test_changes_spread_over_time_never_stop_a_connection():
    world = careful(count=2)
    pairs = linked(world, 8)
    for _, twin in pairs:
        world.systems["bland"].edit(twin, status="done")
        world.clock.advance(2000)
        world.rounds(2)
    assert world.connections.gate("bland").shut is None
    assert statuses(world, "antimetal") == {"resolved"}


def shut(world: World, pairs) -> None:
    """Bland closes everything, and is stopped."""
    for _, twin in pairs:
        world.systems["bland"].edit(twin, status="done")
    world.poll("bland")
    assert world.connections.gate("bland").shut


def test_while_a_connection_is_stopped_no_door_leads_past_its_gate():
    world = careful(count=2)
    pairs = linked(world, 6)
    shut(world, pairs)
    pushed(
        world, lambda g: g["connections"]["antimetal"].update(issue_url="https://new.example/{id}")
    )
    world.rounds(4)
    assert statuses(world, "antimetal") == {"investigating"}, "a changed configuration"
    pushed(world, lambda g: g["connections"]["bland"].update(mode="observe") or g.update(routes=[]))
    world.rounds(2)
    pushed(world, lambda g: None)
    world.rounds(4)
    assert statuses(world, "antimetal") == {"investigating"}, "another mode and back"
    before = len(world.systems["bland"].writes())
    world.systems["antimetal"].edit(pairs[0][0], status="muted")
    world.rounds(4)
    assert len(world.systems["bland"].writes()) == before, "nothing is written there"
    assert statuses(world, "antimetal") == {"investigating", "muted"}
    world.systems["antimetal"].add("new", severity="high")
    world.rounds(3)
    assert len(world.systems["bland"].issues) == 6, "and nothing created"


def test_a_person_may_let_a_held_edit_pass_only_while_the_gate_is_open():
    world = careful(count=2)
    for name in ("bland", "antimetal"):
        world.given["connections"][name]["conflict"] = {"status": "hold"}
    world.__post_init__()
    pairs = linked(world, 6)
    am, twin = pairs[0]
    world.systems["antimetal"].edit(am, status="muted")
    world.systems["bland"].edit(twin, status="done")
    world.rounds(2)
    shut(world, pairs[1:])
    held = next(n for n, r in world.issue_of("bland", twin).refs.items() if "status" in r.notes)
    if held == "bland":
        with pytest.raises(Tripped):
            world.release("bland", twin, "theirs")
    world.allow("bland")
    world.release("bland", twin, "theirs")


def test_deletions_count_too():
    given = document()
    given["connections"]["antimetal"]["breaker"] = {"count": 2, "share": 0.01}
    given["routes"] = [{**route, "on_delete": "close"} for route in given["routes"]]
    world = World(given)
    pairs = linked(world, 8)
    for am, _ in pairs[:2]:
        del world.systems["antimetal"].issues[am]
    world.rounds(4)
    for am, _ in pairs[2:4]:
        del world.systems["antimetal"].issues[am]
    world.rounds(4)
    closed = sum(i.raw["status"] == "closed" for i in world.systems["bland"].issues.values())
    assert closed <= 2
    assert world.connections.gate("antimetal").shut


def test_a_changed_map_that_would_rewrite_everything_stops_first():
    world = careful(count=2)
    linked(world, 6)
    writes = len(world.systems["antimetal"].writes())
    other = {
        "investigating": ["todo", "backlog"],
        "ready_to_fix": ["in_review", "in_progress"],
        "resolved": ["done", "closed"],
        "muted": [],
    }
    pushed(world, lambda g: g["connections"]["antimetal"].update(maps={"status": other}))
    world.rounds(4)
    assert len(world.systems["antimetal"].writes()) - writes <= 2
    assert "configuration" in world.connections.gate("antimetal").shut
    world.allow("antimetal")
    world.rounds(4)
    assert statuses(world, "antimetal") == {"ready_to_fix"}


def test_norms_completed_run_changes_nothing_while_its_connection_is_stopped():
    rule = {
        "name": "look",
        "prompt": "{title}",
        "on_complete": "done",
        "when": {"severity": ["high"]},
    }
    world = careful(count=2, norm={"rules": [rule]})
    world.agent.run_seconds = 100_000
    pairs = linked(world, 6)
    assert world.agent.runs
    shut(world, pairs[1:])
    world.agent.run_seconds = 0
    world.clock.advance(200_000 - 100_000 + 1)
    world.track(remaining_seconds=lambda: 900)
    assert statuses(world, "antimetal") == {"investigating"}
