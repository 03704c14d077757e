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
