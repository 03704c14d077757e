"""A link that points across pairs the two issues, whichever of them is known first."""

from datetime import timedelta

import pytest

from tests.world import World, connection, document

RULE = {"name": "look", "when": {}, "prompt": "{title}"}
DEEP_LINK = '{"url":"https://antimetal.example/i/%s"}'


def world_of(**norm: object) -> World:
    kinds = {name: connection(name) for name in ("bland", "antimetal")}
    both_ways = [
        {"from": "antimetal", "to": "bland"},
        {"from": "bland", "to": "antimetal", "filter": {}, "daily_budget": 100},
    ]
    world = World(document(connections=kinds, routes=both_ways, norm=norm))
    world.rounds()
    return world


@pytest.mark.parametrize("status", ["investigating", "resolved", "escalated"])
def test_the_issue_that_a_link_leads_to_may_be_known_later_than_the_link(status):
    world = world_of()
    incident = world.systems["antimetal"].add(status=status)
    link = DEEP_LINK % incident.remote_id
    issue = world.systems["bland"].add(external_link=link)
    world.poll("bland")
    world.mirror()
    world.clock.advance(3600)
    world.rounds(5)
    pair = world.issue_of("bland", issue.remote_id)
    assert pair == world.issue_of("antimetal", incident.remote_id)
    assert {name: len(system.issues) for name, system in world.systems.items()} == {
        "bland": 1,
        "antimetal": 1,
    }


def test_an_address_that_nobody_knows_is_looked_for_more_and_more_seldom():
    world = world_of()
    issue = world.systems["bland"].add(external_link=DEEP_LINK % "nobody")
    world.rounds(2)
    world.clock.advance(3 * 3600)
    world.rounds(2)
    mark = world.issue_of("bland", issue.remote_id).pending["antimetal"]
    assert "not known there" in (mark.reason or "")
    assert mark.due_at - world.clock.now() > timedelta(hours=2)
    assert world.systems["antimetal"].writes() == []


def test_a_rule_that_asked_about_one_of_them_does_not_ask_again_about_the_pair():
    world = world_of(rules=[RULE])
    incident = world.systems["antimetal"].add()
    issue = world.systems["bland"].add(external_link=DEEP_LINK % incident.remote_id)
    world.poll("bland")
    world.mirror()
    world.clock.advance(600)
    world.rounds(8, seconds=120)
    pair = world.issue_of("bland", issue.remote_id)
    assert set(pair.refs) == {"bland", "antimetal"}
    assert len(world.agent.runs) == 1


def test_a_link_of_an_issue_that_is_gone_keeps_nothing_from_its_counterpart():
    world = world_of()
    world.systems["bland"].add("another", status="closed")
    incident = world.systems["antimetal"].add()
    issue = world.systems["bland"].add(external_link=DEEP_LINK % incident.remote_id)
    for _ in range(2):
        world.poll("bland")
    del world.systems["bland"].issues[issue.remote_id]
    for _ in range(3):
        world.poll("bland")
    assert world.issue_of("bland", issue.remote_id).refs["bland"].deleted
    world.rounds(4)
    assert "bland" in world.issue_of("antimetal", incident.remote_id).refs


def test_a_link_to_where_nothing_is_written_is_not_looked_at_for_ever():
    kinds = {"bland": connection("bland"), "antimetal": connection("antimetal", mode="observe")}
    world = World(document(connections=kinds, routes=[{"from": "antimetal", "to": "bland"}]))
    world.rounds()
    incident = world.systems["antimetal"].add(status="resolved")
    world.systems["bland"].add(external_link=DEEP_LINK % incident.remote_id)
    world.rounds(4)
    before = world.store.writes
    world.rounds(3)
    assert world.store.writes == before
