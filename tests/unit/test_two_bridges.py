"""Whose mark it is: two bridges at the same vendors, lost tables, strangers, moved issues."""

import dataclasses

import pytest

from issuebridge.domain.errors import Transient
from issuebridge.domain.issue import issue_id_for, reference_for
from issuebridge.domain.mark import Installation
from tests.unit.test_hardening import pair
from tests.world import World, document


def second(first: World, given: dict[str, object] | None = None) -> World:
    """Another stack at the same vendors."""
    other = World(given or document(), first.clock)
    other.__dict__["systems"] = dict(
        zip(other.config.connections, first.systems.values(), strict=True)
    )
    return other


def renamed() -> dict[str, object]:
    """The same three connections under other names."""
    made = document()
    names = {name: f"{name}-2" for name in made["connections"]}
    connections = {names[k]: v for k, v in made["connections"].items()}
    routes = [{**r, "from": names[r["from"]], "to": names[r["to"]]} for r in made["routes"]]
    return {**made, "connections": connections, "routes": routes}


def both(one: World, two: World, rounds: int) -> None:
    for _ in range(rounds):
        one.rounds(1, seconds=0)
        two.rounds(1)


@pytest.mark.parametrize("given", [document, renamed], ids=["equal names", "other names"])
def test_two_bridges_make_at_most_one_surplus_counterpart_and_both_say_so(given):
    one = World()
    two = second(one, given())
    both(one, two, 2)
    one.systems["antimetal"].add("a", severity="high")
    one.systems["bland"].add("b", severity="high")
    one.systems["zylon"].add("c")
    both(one, two, 20)
    counts = {name: len(system.issues) for name, system in one.systems.items()}
    assert counts["bland"] <= 1 + 2 * 2
    assert counts["antimetal"] <= 1 + 2
    one.systems["antimetal"].add("later", severity="high")
    both(one, two, 20)
    later = {name: len(system.issues) for name, system in one.systems.items()}
    assert later["bland"] <= counts["bland"] + 2
    assert later["antimetal"] == counts["antimetal"] + 1
    told = [w.connections.gate(n).foreign for w in (one, two) for n in w.config.connections]
    assert any("another issuebridge" in (why or "") for why in told[:3])
    assert any("another issuebridge" in (why or "") for why in told[3:])
    writes = one.writes()
    both(one, two, 3)
    assert one.writes() == writes, "and come to rest"


def test_a_bridge_that_has_seen_the_others_mark_creates_nothing_until_it_is_allowed():
    one = World()
    one.rounds(1)
    one.systems["antimetal"].add("a", severity="high")
    one.rounds(2)
    two = second(
        one,
        {
            **document(),
            "routes": [{"from": "antimetal", "to": "bland", "since": "2026-01-01T00:00Z"}],
        },
    )
    two.rounds(5)
    assert len(one.systems["bland"].issues) == 1
    report = two.poll("bland")
    assert report.remedy_needed
    assert "allow bland" in report.problem
    assert report.marked
    two.allow("bland")
    two.rounds(2)
    assert len(one.systems["bland"].issues) == 2, "a person has looked"


def test_nothing_is_created_before_the_first_whole_sweep_has_ended():
    world = World()
    world.systems["antimetal"].add(severity="high")
    for number in range(9):
        world.systems["bland"].add(f"old {number}", status="closed")
    world.given["connections"]["bland"]["poll"] = {"pages_max": 1}
    world.__post_init__()
    world.rounds(1, seconds=0)
    assert len(world.systems["bland"].issues) == 9
    world.rounds(5)
    assert len(world.systems["bland"].issues) == 10


def test_a_lost_table_makes_no_second_counterpart_and_takes_no_line_away():
    lined = document()
    lined["connections"]["bland"]["carriers"] = {"external_link": "managed_line"}
    lined["routes"] = [{**route, "since": "2026-01-01T00:00Z"} for route in lined["routes"]]
    world = World(lined)
    world.systems["antimetal"].add("a", severity="high")
    world.systems["bland"].add("b", severity="high")
    world.rounds(4)
    before = {n: dict(s.issues) for n, s in world.systems.items()}
    fresh = World(lined, world.clock, installation=world.installation)
    fresh.__dict__["systems"] = world.systems
    fresh.rounds(10)
    assert {n: [*s.issues] for n, s in world.systems.items()} == {
        n: [*s] for n, s in before.items()
    }
    texts = {i.remote_id: i.description for s in world.systems.values() for i in s.issues.values()}
    assert texts == {i.remote_id: i.description for s in before.values() for i in s.values()}
    assert "adopt" in fresh.connections.gate("bland").foreign


@pytest.mark.parametrize("tag", ["own", "other", "old form"])
def test_a_line_that_somebody_forged_links_nothing_and_its_issue_is_left_alone(tag):
    world = World()
    pair(world)
    forger = Installation(world.installation.tag if tag == "own" else "other", "guessed")
    mark = forger.reference(issue_id_for("antimetal", "uuid-1001"), "bland")
    if tag == "old form":
        mark = reference_for(issue_id_for("antimetal", "uuid-1001"), "bland")
    forged = world.systems["bland"].add("forged", description=f"words\n\n[issuebridge ref={mark}]")
    world.systems["antimetal"].add("the next", severity="high")
    world.rounds(3)
    world.systems["bland"].edit(forged.remote_id, status="closed")
    world.rounds(3)
    assert world.store.find("bland", forged.remote_id) is None
    assert "resolved" not in {i.raw["status"] for i in world.systems["antimetal"].issues.values()}
    assert forged.display_id in world.poll("bland").marked
    assert world.systems["bland"].issues[forged.remote_id].description == forged.description


def test_a_strangers_sentence_that_quotes_our_mark_is_an_issue_like_any_other():
    world = World()
    _, twin = pair(world)
    mark = world.issue_of("bland", twin).refs["bland"].reference
    quoted = world.systems["bland"].add(description=f"see > [issuebridge ref={mark}] there")
    world.rounds(2)
    assert world.store.find("bland", quoted.remote_id)
    assert world.connections.gate("bland").foreign is None


def test_nothing_is_created_after_a_first_sweep_in_which_an_issue_could_not_be_read(monkeypatch):
    one = World()
    pair(one)
    two = second(one)
    one.systems["antimetal"].add("later", severity="high")
    with monkeypatch.context() as patch:
        patch.setattr(two.ledger, "find", throttled)
        two.poll("bland")
    two.poll("antimetal")
    two.mirror()
    assert len(one.systems["bland"].issues) == 1
    two.rounds(3)
    assert len(one.systems["bland"].issues) == 1
    assert two.connections.gate("bland").foreign


def throttled(keys):
    raise Transient("throttled")


@pytest.mark.parametrize("status", ["todo", "closed"])
def test_a_copy_of_our_line_that_stood_beside_its_source_never_takes_its_place(status):
    world = World()
    born, twin = pair(world)
    bland, words = world.systems["bland"], world.systems["bland"].issues[twin].description
    copied = bland.add("a stranger's", description=words, status=status)
    world.rounds(3)
    del bland.issues[twin]
    world.rounds(6)
    assert world.issue_of("bland", twin).refs["bland"].deleted
    bland.edit(copied.remote_id, status="done")
    bland.edit(copied.remote_id, status="todo")
    world.rounds(3)
    assert world.store.find("bland", copied.remote_id) is None
    assert world.systems["antimetal"].issues[born].raw["status"] == "investigating"
    assert copied.display_id in world.poll("bland").twins


def test_a_copy_that_is_kept_back_for_anothers_mark_is_told_of_until_the_mark_is_gone():
    world = World()
    born, twin = pair(world)
    bland, words = world.systems["bland"], world.systems["bland"].issues[twin].description
    theirs = Installation.new().reference(issue_id_for("elsewhere", "1"), "bland")
    bland.edit(twin, description=f"{words}\n\n[issuebridge ref={theirs}]")
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    name = bland.issues[twin].display_id
    assert "nothing of ours is written to it" in world.poll("bland").marked[name]
    assert bland.issues[twin].raw["status"] == "in_progress"
    bland.edit(twin, description=words)
    world.rounds(3)
    assert name not in world.poll("bland").marked
    assert bland.issues[twin].raw["status"] == "done"


def test_a_copy_of_our_words_by_hand_is_a_twin_and_stops_nobody():
    lined = document()
    lined["connections"]["bland"]["carriers"] = {"external_link": "managed_line"}
    world = World(lined)
    origin = world.systems["bland"].add(severity="high")
    world.rounds(3)
    words = world.systems["bland"].issues[origin.remote_id].description
    assert "[issuebridge ref=" in words
    copy = world.systems["bland"].add("copied", severity="high", description=words)
    world.rounds(3)
    assert len(world.systems["antimetal"].issues) == 1
    assert copy.display_id in world.poll("bland").twins
    assert world.connections.gate("bland").foreign is None


def test_a_known_issue_with_another_bridges_line_is_read_and_never_written_to():
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    mark = Installation.new().reference(issue_id_for("x", "y"), "bland")
    bland.edit(twin, description=f"{bland.issues[twin].description}\n[issuebridge ref={mark}]")
    world.rounds(2)
    writes = len(bland.writes())
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(4)
    assert len(bland.writes()) == writes
    assert world.issue_of("bland", twin).refs["bland"].foreign == mark
    bland.edit(twin, description="people's own words again")
    world.rounds(3)
    assert bland.issues[twin].raw["status"] == "done"


def test_a_counterpart_under_a_new_id_is_linked_again():
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    old = bland.issues.pop(twin)
    new = dataclasses.replace(old, remote_id="uuid-9009", display_id="T-9009", number=9009)
    bland.issues[new.remote_id] = new
    world.rounds(3)
    assert world.issue_of("antimetal", born).refs["bland"].remote_id == "uuid-9009"
    assert world.poll("bland").twins == {}
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(3)
    assert bland.issues["uuid-9009"].raw["status"] == "done"
    assert len(bland.issues) == 1
    bland.issues[twin] = old
    world.rounds(3)
    assert old.display_id in world.poll("bland").twins, "should the old one come back"


@pytest.mark.parametrize(("unread", "seconds"), [("new", 20), ("old", 400)])
def test_a_counterpart_under_a_new_id_that_cannot_be_read_yet_is_not_called_deleted(
    unread, seconds
):
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    bland.add("one that goes on answering")
    world.rounds(2)
    old, get = bland.issues.pop(twin), bland.get
    new = dataclasses.replace(old, remote_id="uuid-9009", display_id="T-9009", number=9009)
    bland.issues[new.remote_id] = new
    failures, name = [Transient("503")], {"new": new, "old": old}[unread].remote_id

    def fails_once(remote_id):
        if remote_id == name and failures:
            raise failures.pop()
        return get(remote_id)

    bland.get = fails_once
    world.rounds(12, seconds=seconds)
    issue = world.issue_of("antimetal", born)
    assert not failures
    assert (issue.refs["bland"].remote_id, issue.refs["bland"].deleted) == ("uuid-9009", False)
    assert "deleted" not in [e.outcome for e in world.store.history(issue.issue_id)]


def test_a_line_of_the_old_form_in_what_we_never_wrote_to_is_not_ours():
    """Anybody can compute it; what is linked since before there were tags is another matter."""
    world = World(document(routes=[]))
    bland = world.systems["bland"]
    row = bland.add(severity="high")
    world.rounds(2)
    forged = f"[issuebridge ref={reference_for(issue_id_for('bland', row.remote_id), 'bland')}]"
    bland.edit(row.remote_id, description=f"{row.description}\n{forged}")
    world.rounds(3)
    assert forged in bland.issues[row.remote_id].description
    assert not bland.writes()


def test_two_connections_to_one_organisation_export_no_issue_twice():
    given = document()
    given["connections"]["bland-2"] = {**given["connections"]["bland"], "secret": "another"}
    given["routes"] = [
        {"from": name, "to": "antimetal", "filter": {}, "daily_budget": 9}
        for name in ("bland", "bland-2")
    ]
    world = World(given)
    world.systems["bland-2"] = world.systems["bland"]
    uuid = "0b7c6a5e-1111-4222-8333-444455556666"
    row = world.systems["bland"].add(severity="high")
    world.systems["bland"].issues = {uuid: dataclasses.replace(row, remote_id=uuid)}
    world.rounds(5)
    assert len(world.systems["antimetal"].issues) == 1
    assert row.display_id in world.poll("bland-2").marked
