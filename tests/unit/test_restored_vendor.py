"""A vendor's own time that goes back is a restored backup and no edit."""

import dataclasses
from datetime import timedelta

from tests.unit.test_hardening import pair
from tests.world import World, document


def restored(world: World, name: str, remote_id: str, **raw: str) -> None:
    system = world.systems[name]
    now = system.issues[remote_id]
    older = {"updated_at": now.updated_at - timedelta(hours=2)}
    if now.activity_at:
        older["activity_at"] = older["updated_at"]
    system.issues[remote_id] = dataclasses.replace(now, raw={**now.raw, **raw}, **older)


def resolved_pair() -> tuple[World, str, str]:
    world = World()
    born, twin = pair(world)
    world.clock.advance(7200)
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    assert world.systems["bland"].issues[twin].raw["status"] == "done"
    return world, born, twin


def test_an_older_state_is_held_told_and_not_mirrored():
    world, born, twin = resolved_pair()
    restored(world, "bland", twin, status="in_progress")
    world.rounds(4)
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"
    assert world.systems["bland"].issues[twin].raw["status"] == "in_progress"
    issue = world.issue_of("bland", twin)
    assert issue.refs["bland"].notes["status"].kind == "rolled_back"
    assert [e.outcome for e in world.store.history(issue.issue_id)].count("rolled_back") == 1


def test_it_stays_held_though_something_else_is_edited_there_since():
    world, born, twin = resolved_pair()
    restored(world, "bland", twin, status="in_progress")
    world.rounds(2)
    world.systems["bland"].edit(twin, severity="low")
    world.rounds(3)
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"
    assert world.issue_of("bland", twin).severity == "low"
    world.systems["bland"].edit(twin, status="in_review")
    world.rounds(3)
    assert world.systems["antimetal"].issues[born].raw["status"] == "ready_to_fix", "an edit is one"


def test_an_older_state_is_held_under_another_id_too():
    """A vendor that moved house by way of a backup."""
    world, born, twin = resolved_pair()
    restored(world, "bland", twin, status="in_progress")
    board = world.systems["bland"]
    board.issues["moved"] = dataclasses.replace(board.issues.pop(twin), remote_id="moved")
    world.rounds(6)
    issue = world.issue_of("bland", "moved")
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"
    assert board.issues["moved"].raw["status"] == "in_progress"
    assert issue.refs["bland"].remote_id == "moved"
    assert issue.refs["bland"].notes["status"].kind == "rolled_back"


def test_what_a_person_puts_back_after_a_backup_took_it_away_is_an_edit():
    world, born, twin = resolved_pair()
    restored(world, "bland", twin, status="in_progress")
    world.systems["antimetal"].edit(born, status="ready_to_fix")
    world.rounds(2)
    world.systems["bland"].edit(twin, status="done")
    world.rounds(3)
    assert world.systems["bland"].issues[twin].raw["status"] == "done", "it is the later edit"
    assert world.systems["antimetal"].issues[born].raw["status"] == "resolved"
    told = world.store.history(world.issue_of("bland", twin).issue_id)[-2]
    assert (told.outcome, told.old, told.new) == ("conflict", "in_review", "done")


def test_a_backup_that_is_taken_back_is_nobodys_edit():
    world, born, twin = resolved_pair()
    before = world.systems["bland"].issues[twin]
    restored(world, "bland", twin, status="in_progress")
    world.systems["antimetal"].edit(born, status="ready_to_fix")
    world.rounds(2)
    world.systems["bland"].issues[twin] = before
    world.rounds(3)
    assert world.systems["bland"].issues[twin].raw["status"] == "in_review"
    assert world.systems["antimetal"].issues[born].raw["status"] == "ready_to_fix"


def test_both_ways_on_are_open():
    for take, shown in (
        ("ours", ("done", "resolved")),
        ("theirs", ("in_progress", "investigating")),
    ):
        world, born, twin = resolved_pair()
        restored(world, "bland", twin, status="in_progress")
        world.rounds(2)
        world.release("bland", twin, take)
        world.rounds(3)
        assert world.systems["bland"].issues[twin].raw["status"] == shown[0]
        assert world.systems["antimetal"].issues[born].raw["status"] == shown[1]


def test_many_of_them_stop_the_connection():
    given = document()
    given["connections"]["bland"]["breaker"] = {"count": 2, "share": 0.01}
    world = World(given)
    born = [world.systems["antimetal"].add(severity="high").remote_id for _ in range(6)]
    world.rounds(3)
    for one in born:
        world.clock.advance(1800)
        world.systems["antimetal"].edit(one, status="resolved")
        world.rounds(2)
    for twin in [*world.systems["bland"].issues]:
        restored(world, "bland", twin, status="in_progress")
    world.rounds(4)
    assert {i.raw["status"] for i in world.systems["antimetal"].issues.values()} == {"resolved"}
    assert "backup" in world.connections.gate("bland").shut


def test_a_time_that_is_told_in_whole_seconds_here_and_there_not_is_no_backup():
    world, born, twin = resolved_pair()
    world.systems["bland"].edit(twin, status="in_review")
    now = world.systems["bland"].issues[twin]
    rounded = now.updated_at - timedelta(seconds=0.9)
    world.systems["bland"].issues[twin] = dataclasses.replace(now, updated_at=rounded)
    world.rounds(3)
    assert world.systems["antimetal"].issues[born].raw["status"] == "ready_to_fix"


def test_two_automations_that_undo_each_other_are_braked_and_told():
    world = World()
    born, twin = pair(world)
    for _ in range(80):
        if world.systems["antimetal"].issues[born].raw["status"] != "muted":
            world.systems["antimetal"].edit(born, status="muted")
        world.rounds(1, seconds=5)
        if world.systems["bland"].issues[twin].raw["status"] != "in_review":
            world.systems["bland"].edit(twin, status="in_review")
        world.rounds(1, seconds=5)
    assert len(world.systems["antimetal"].writes()) <= 7
    issue = world.issue_of("bland", twin)
    notes = [
        note for ref in issue.refs.values() for note in ref.notes.values() if note.kind == "fought"
    ]
    assert notes
    assert "release" in notes[0].detail
    assert "held" in [entry.outcome for entry in world.store.history(issue.issue_id)]


def test_where_a_person_shall_decide_what_was_put_back_stays_held_whatever_else_is_edited():
    given = document()
    for settings in given["connections"].values():
        settings["conflict"] = {"status": "hold"}
    world = World(given)
    born, twin = pair(world)
    world.clock.advance(7200)
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    restored(world, "bland", twin, status="in_progress")
    world.systems["antimetal"].edit(born, status="ready_to_fix")
    world.rounds(2)
    world.systems["bland"].edit(twin, status="done")
    world.rounds(2)
    world.systems["bland"].edit(twin, severity="low")
    world.rounds(3)
    assert world.systems["bland"].issues[twin].raw["status"] == "done"
    assert world.systems["antimetal"].issues[born].raw["status"] == "ready_to_fix"
    assert world.issue_of("bland", twin).refs["bland"].notes["status"].kind == "held"
