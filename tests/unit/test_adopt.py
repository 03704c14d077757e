"""A lost table is no disaster: what belongs together is linked again, and nothing else happens."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from issuebridge.domain.errors import LostRace, Misconfigured, RateLimited
from issuebridge.domain.issue import issue_id_for, reference_for
from issuebridge.domain.managed_line import find_marks, put_line, read_line
from issuebridge.domain.mark import Installation
from tests.fakes import DAWN
from tests.world import World, connection, document

LINED = {"carriers": {"external_link": "managed_line"}}
LONG_AGO = (DAWN - timedelta(days=30)).isoformat()


def old_routes(**more):
    """Routes that take what was born long ago: the dangerous ones after a loss."""
    given = document(**more)
    return {**given, "routes": [{**route, "since": LONG_AGO} for route in given["routes"]]}


def connections(**more):
    kinds = ("bland", "antimetal", "zylon")
    return {name: connection(name, **more.get(name, {})) for name in kinds}


@pytest.fixture
def world():
    lined = connections(bland=LINED, zylon=LINED)
    world = World(old_routes(connections=lined))
    for name in world.config.connections:
        world.poll(name)  # nothing is created before a whole sweep has ended
    world.systems["antimetal"].add("Disk full", status="ready_to_fix")
    world.systems["zylon"].add("It invents a discount")
    world.systems["bland"].add("Wrong queue", severity="critical")
    world.rounds()
    assert [len(s.issues) for s in world.systems.values()] == [3, 2, 1]
    return world


def lost(world: World, given=None, **systems) -> World:
    """The same vendors and the same installation, and a table with nothing in it."""
    after = World(given or world.given, world.clock, installation=world.installation)
    after.systems = systems or world.systems
    return after


def adopt(world: World, former=None):
    adopting = world.pipeline.adopt(world.clock.advance)
    findings = adopting.look(former or {})
    planned, before = adopting.plan(findings), (dict(world.store.issues), world.writes())
    assert before == (world.store.issues, world.writes())
    done = adopting(findings)
    assert done.whats == planned.whats
    assert world.writes() == before[1]
    return done


def odd(adopted) -> dict[str, list[str]]:
    return {name: [each.odd for each in told] for name, told in adopted.told.items() if told}


def vendors(world: World) -> dict:
    return {name: dict(system.issues) for name, system in world.systems.items()}


def is_at_rest(world: World) -> bool:
    before, writes = vendors(world), world.writes()
    world.rounds()
    return (vendors(world), world.writes()) == (before, writes)


def test_every_pair_is_linked_again_and_nothing_is_created_or_rewritten(world):
    before = {issue_id: world.store.load(issue_id) for issue_id in world.store.issues}
    after = lost(world)
    adopted = adopt(after)
    assert {n: sorted(w) for n, w in adopted.whats.items()} == {
        "bland": ["linked", "linked"],
        "antimetal": ["linked"],
    }
    assert (odd(adopted), adopted.overruled) == ({}, {})
    assert is_at_rest(after)
    for issue_id, issue in before.items():
        again = after.store.load(issue_id)
        assert {n: r.remote_id for n, r in again.refs.items()} == {
            n: r.remote_id for n, r in issue.refs.items()
        }
        assert (again.status, again.severity, again.external_link, again.pending) == (
            issue.status,
            issue.severity,
            issue.external_link,
            {},
        )
    after.systems["antimetal"].edit("uuid-1001", status="resolved")
    twin = next(i for i in after.systems["bland"].issues.values() if i.title == "Disk full")
    after.rounds()
    assert after.systems["bland"].issues[twin.remote_id].raw["status"] == "done"


def test_polls_that_run_before_it_create_nothing_and_remove_no_line(world):
    after = lost(world)
    before = vendors(after)
    after.rounds(4)
    assert vendors(after) == before
    assert after.connections.gate("bland").foreign
    assert after.connections.read("bland").marked.keys() == {"uuid-1001", "uuid-1002", "uuid-1003"}
    adopted = adopt(after)
    assert odd(adopted) == {}
    assert after.connections.gate("bland").foreign is None
    assert after.connections.read("bland").marked == {}
    assert is_at_rest(after)
    assert vendors(after) == before
    assert len(after.issue_of("antimetal", "uuid-1001").refs) == 2
    assert after.connections.read("bland").twins == {}


def test_a_second_run_is_harmless(world):
    after = lost(world)
    adopt(after)
    items = dict(after.store.issues)
    assert {w for ws in adopt(after).whats.values() for w in ws} == {"already"}
    assert after.store.issues == items


def test_what_is_created_after_it_is_counted_from_the_table_not_from_the_marks(world):
    after = lost(world)
    adopt(after)
    after.systems["antimetal"].add("Cache cold")
    after.rounds()
    titles = [issue.title for issue in after.systems["bland"].issues.values()]
    assert sorted(titles).count("Cache cold") == 1
    assert len(titles) == 4


def test_an_edit_that_waits_at_the_other_side_is_overruled_and_told(world):
    twin = next(i for i in world.systems["bland"].issues.values() if i.title == "Disk full")
    world.clock.advance(60)
    world.systems["bland"].edit(twin.remote_id, status="closed")
    after = lost(world)
    adopted = adopt(after)
    told = [(e.field, e.old, e.new, e.outcome) for e in adopted.overruled["bland"]]
    assert told == [("status", "closed", "in_review", "conflict")]
    issue = after.issue_of("antimetal", "uuid-1001")
    assert [e.old for e in after.store.history(issue.issue_id)] == ["closed"]
    after.rounds()
    assert after.systems["bland"].issues[twin.remote_id].raw["status"] == "in_review"


def test_a_link_that_a_person_bound_at_the_counterpart_still_travels(world):
    url = "https://github.com/acme/voice/issues/42"
    twin = next(
        i for i in world.systems["bland"].issues.values() if i.title == "It invents a discount"
    )
    world.systems["bland"].edit(twin.remote_id, external_link=f'{{"html_url":"{url}"}}')
    world.rounds()
    assert url in world.systems["zylon"].issues["uuid-1001"].description
    after = lost(world)
    assert adopt(after).overruled == {}
    assert after.issue_of("zylon", "uuid-1001").external_link == url
    assert is_at_rest(after)


def test_a_bound_link_that_only_the_counterpart_can_hold_is_taken(world):
    url = "https://github.com/acme/infra/issues/7"
    twin = next(i for i in world.systems["bland"].issues.values() if i.title == "Disk full")
    world.systems["bland"].edit(twin.remote_id, external_link=f'{{"html_url":"{url}"}}')
    world.rounds()
    after = lost(world)
    assert adopt(after).overruled == {}
    assert after.issue_of("antimetal", "uuid-1001").external_link == url
    assert is_at_rest(after)


def test_of_two_with_one_mark_the_lower_number_is_ours_and_the_other_is_told(world):
    bland = world.systems["bland"]
    twin = next(i for i in bland.issues.values() if i.title == "Disk full")
    copy = bland.add("A copy", description=twin.description)
    after = lost(world)
    assert odd(adopt(after)) == {"bland": ["double"]}
    issue = after.issue_of("antimetal", "uuid-1001")
    assert issue.refs["bland"].remote_id == twin.remote_id
    told = after.connections.read("bland").twins
    assert {k: t.issue_id for k, t in told.items()} == {copy.remote_id: issue.issue_id}
    assert is_at_rest(after)


def test_a_mark_that_we_did_not_make_is_not_adopted_and_told(world):
    bland = world.systems["bland"]
    free = world.systems["antimetal"].add("Alone", status="muted")
    issue_id = issue_id_for("antimetal", free.remote_id)
    forged = Installation(world.installation.tag, "guessed").reference(issue_id, "bland")
    bland.add("Forged", description=f"Ours, it says.\n\n[issuebridge ref={forged}]")
    foreign = Installation.new().reference(issue_id, "bland")
    bland.add("Foreign", description=f"Hello.\n\n[issuebridge ref={foreign}]")
    (mark,) = find_marks(bland.issues["uuid-1002"].description)
    world.systems["zylon"].add("Quoted", description=f"As I said:\n\n[issuebridge ref={mark}]")
    after = lost(world)
    assert odd(adopt(after)) == {"bland": ["forged", "foreign"], "zylon": ["forged"]}
    assert after.store.find("bland", "uuid-1004") is None
    before = vendors(after)
    after.rounds()
    assert vendors(after) == before
    assert "another issuebridge" in (after.connections.gate("bland").foreign or "")


def test_a_mark_whose_other_side_is_gone_is_told_and_stops_nothing(world):
    del world.systems["antimetal"].issues["uuid-1001"]
    after = lost(world)
    assert odd(adopt(after)) == {"bland": ["orphan"]}
    before = vendors(after)
    after.rounds()
    assert vendors(after) == before
    assert after.connections.gate("bland").foreign is None
    assert [m.name for m in after.connections.read("bland").marked.values()] == ["T-1002"]


def test_our_line_in_an_issue_whose_counterpart_is_gone_stays(world):
    twin = next(
        i for i in world.systems["bland"].issues.values() if i.title == "It invents a discount"
    )
    del world.systems["bland"].issues[twin.remote_id]
    after = lost(world)
    assert odd(adopt(after)) == {"zylon": ["orphan"]}
    assert is_at_rest(after)


def test_a_deleted_counterpart_is_not_made_anew(world):
    bland = world.systems["bland"]
    twin = next(i for i in bland.issues.values() if i.title == "Disk full")
    bland.issues[twin.remote_id] = replace(twin, deleted=True)
    after = lost(world)
    assert odd(adopt(after)) == {}
    assert is_at_rest(after)
    assert after.issue_of("antimetal", "uuid-1001").refs["bland"].deleted


def test_names_that_connections_had_before_are_known(world):
    given = {**world.given, "connections": dict(world.given["connections"])}
    given["connections"]["voice"] = given["connections"].pop("bland")
    given["connections"]["incidents"] = given["connections"].pop("antimetal")
    names = {"bland": "voice", "antimetal": "incidents"}
    given["routes"] = [
        {**r, "from": names.get(r["from"], r["from"]), "to": names.get(r["to"], r["to"])}
        for r in given["routes"]
    ]
    systems = {names.get(name, name): system for name, system in world.systems.items()}
    assert odd(adopt(lost(world, given, **systems))) == {
        "voice": ["forged", "forged", "forged"],
        "zylon": ["orphan"],
        "incidents": ["forged"],
    }
    after = lost(world, given, **systems)
    former = {"voice": ["bland"], "incidents": ["antimetal"]}
    assert odd(adopt(after, former)) == {}
    assert is_at_rest(after)
    after.systems["voice"].edit("uuid-1001", status="done")
    after.rounds()
    made = next(i for i in after.systems["incidents"].issues.values() if i.title == "Wrong queue")
    assert made.raw["status"] == "resolved"


def test_marks_from_before_installations_had_keys_are_known(world):
    bland = world.systems["bland"]
    twin = next(i for i in bland.issues.values() if i.title == "Disk full")
    (mark,) = find_marks(twin.description)
    old = reference_for(issue_id_for("antimetal", "uuid-1001"), "bland")
    bland.issues[twin.remote_id] = replace(twin, description=twin.description.replace(mark, old))
    after = lost(world)
    adopted = adopt(after)
    assert odd(adopted) == {}
    assert after.issue_of("antimetal", "uuid-1001").refs["bland"].reference == old
    assert is_at_rest(after)


def test_a_counterpart_whose_vendor_rewrote_its_words_is_known_by_what_we_sent(world):
    incidents = world.systems["antimetal"]
    made = next(i for i in incidents.issues.values() if i.title == "Wrong queue")
    (mark,) = find_marks(made.description)
    seed = {"tags": [mark], "description": made.description}
    incidents.issues[made.remote_id] = replace(
        made, description="A summary.", payload={"seeds": [seed]}
    )
    after = lost(world)
    after.rounds()
    assert after.store.find("antimetal", made.remote_id), "it is taken for an issue of its own"
    assert odd(adopt(after)) == {}
    assert after.issue_of("bland", "uuid-1001").refs["antimetal"].remote_id == made.remote_id
    assert is_at_rest(after)


def test_a_pair_that_lost_its_race_is_tried_again(world, monkeypatch):
    after = lost(world)
    commit, lose = after.store.commit, [True]

    def once(*given, **more):
        if lose:
            lose.pop()
            raise LostRace("somebody")
        return commit(*given, **more)

    monkeypatch.setattr(after.store, "commit", once)
    assert odd(adopt(after)) == {}
    assert is_at_rest(after)


def test_a_crash_half_way_is_no_harm(world, monkeypatch):
    after = lost(world)
    before = vendors(after)
    for count in range(6):
        calls, commit = [0], type(after.store).commit

        def crash(*given, calls=calls, count=count, commit=commit, **more):
            calls[0] += 1
            if calls[0] > count:
                raise KeyboardInterrupt
            return commit(after.store, *given, **more)

        with monkeypatch.context() as patched:
            patched.setattr(after.store, "commit", crash)
            adopting = after.pipeline.adopt(lambda _: None)
            with suppress(KeyboardInterrupt):
                adopting(adopting.look({}))
        after.rounds(1)
        assert vendors(after) == before
    assert odd(adopt(after)) == {}
    assert is_at_rest(after)


def test_it_waits_for_a_poll_that_holds_the_lease_and_for_a_vendor_that_asks_it_to(world):
    after = lost(world)
    after.connections.acquire("bland", after.clock.now(), 90)
    limits = [RateLimited("slow down", retry_after_seconds=30)]

    def fail(call, moment):
        if call == "page" and limits:
            raise limits.pop()

    after.systems["zylon"].fail = fail
    assert odd(adopt(after)) == {}
    assert limits == []


def test_a_paused_connection_is_refused_with_the_remedy(world):
    paused = connections(bland=LINED, zylon={**LINED, "mode": "paused"})
    after = lost(world, old_routes(connections=paused))
    with pytest.raises(Misconfigured, match=r"connections\.zylon\.mode: paused"):
        adopt(after)


def test_three_copies_of_one_issue_are_one_again():
    kinds = connections(bland=LINED, zylon={**LINED, "anchor": None})
    given = old_routes(connections=kinds, routes=[{"from": "antimetal", "to": "bland"}])
    more = {"base_url": "https://other.example", "secret": "other"}
    given["connections"]["voice"] = connection("bland", **LINED) | more
    given["routes"].append({"from": "antimetal", "to": "voice", "since": LONG_AGO})
    world = World(given)
    for name in world.config.connections:
        world.poll(name)
    world.systems["antimetal"].add("Disk full")
    world.rounds()
    after = lost(world)
    assert adopt(after).whats == {"bland": ["linked"], "voice": ["linked"]}
    assert len(after.issue_of("voice", "uuid-1001").refs) == 3
    assert is_at_rest(after)


def test_reading_a_line_again_after_adoption_finds_it_where_it_was(world):
    zylon = world.systems["zylon"].issues["uuid-1001"].description
    (mark,) = find_marks(zylon)
    after = lost(world)
    adopt(after)
    assert after.issue_of("zylon", "uuid-1001").refs["zylon"].reference == mark
    line = read_line(zylon, mark)
    assert put_line(zylon, line) == zylon


def test_a_comment_that_told_the_link_is_not_posted_again():
    told = {"carriers": {"external_link": "comment"}}
    world = World(old_routes(connections=connections(bland=told)))
    for name in world.config.connections:
        world.poll(name)
    world.systems["antimetal"].add("Disk full")
    world.rounds()
    assert len(world.systems["bland"].comments) == 1
    after = lost(world)
    adopt(after)
    assert is_at_rest(after)
    assert len(after.systems["bland"].comments) == 1


@pytest.mark.parametrize("polled", [0, 1], ids=["nothing is known yet", "the origin is known"])
def test_nor_is_one_at_the_issue_that_a_counterpart_was_made_for(polled):
    told = {"carriers": {"external_link": "comment"}}
    world = World(old_routes(connections=connections(bland=told)))
    world.rounds(1)
    world.systems["bland"].add("Wrong queue", severity="critical")
    world.rounds()
    assert len(world.systems["bland"].comments) == 1
    after = lost(world)
    after.rounds(polled)
    adopt(after)
    after.rounds()
    assert len(after.systems["bland"].comments) == 1
    assert is_at_rest(after)
