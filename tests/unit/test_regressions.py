"""Bugs the simulation found, each in its smallest form."""

import pytest
from issuebridge.domain.errors import Transient

from tests.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_an_edit_taken_back_is_seen_though_the_first_one_was_stored_without_its_fingerprint(world):
    born = world.systems["bland"].add()
    world.poll("bland")
    world.systems["bland"].edit(born.remote_id, status="done")
    save_seen = world.connections.save_seen

    def lost(state, changed, pushed):
        if world.issue_of("bland", born.remote_id).status == "done":
            raise Transient("throttled")
        save_seen(state, changed, pushed)

    world.connections.save_seen = lost
    world.poll("bland")
    world.connections.save_seen = save_seen
    world.systems["bland"].edit(born.remote_id, status="todo")
    world.clock.advance(200)
    world.poll("bland")
    assert world.issue_of("bland", born.remote_id).status == "todo"
