"""What a write without an answer ends in: one counterpart, and every copy in step."""

import pytest

from issuebridge.domain.errors import Ambiguous, Transient
from tests.unit.test_mirroring import fail_once, the_only
from tests.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_whose_answer_is_lost_ends_in_agreement(world, moment):
    born = world.systems["antimetal"].add()
    world.rounds()
    world.systems["bland"].fail = fail_once(Ambiguous("lost"), "update", moment)
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.rounds(4)
    assert the_only(world.systems["bland"]).raw["status"] == "done"
    issue = world.issue_of("antimetal", born.remote_id)
    assert not [e for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]


def test_a_write_in_doubt_is_looked_at_though_the_value_has_gone_back_meanwhile(world):
    world.rounds()
    born = world.systems["antimetal"].add()
    world.poll("antimetal")
    world.mirror()
    world.systems["bland"].fail = fail_once(Ambiguous("lost"), "update", "after")
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.mirror()
    assert the_only(world.systems["bland"]).raw["status"] == "done"
    world.systems["antimetal"].edit(born.remote_id, status="investigating")
    world.poll("antimetal")
    world.clock.advance(600)
    world.finish(remaining_seconds=lambda: 900)
    assert the_only(world.systems["bland"]).raw["status"] == "in_progress"


@pytest.mark.parametrize(
    ("moment", "error"),
    [("before", Ambiguous("lost")), ("after", Ambiguous("lost")), ("before", Transient("refused"))],
)
def test_a_create_whose_answer_is_lost_ends_in_one_counterpart(world, moment, error):
    world.systems["bland"].fail = fail_once(error, "create", moment)
    world.systems["antimetal"].add()
    world.rounds(10)
    the_only(world.systems["bland"])
    the_only(world.systems["antimetal"])


def test_recovery_passes_over_an_issue_that_is_linked_already(world):
    elder = world.systems["antimetal"].add()
    world.rounds()
    linked = the_only(world.systems["bland"])
    born = world.systems["antimetal"].add()
    world.poll("antimetal")
    world.systems["bland"].fail = fail_once(Ambiguous("lost"), "create", "after")
    world.mirror()
    [made] = [issue for issue in world.systems["bland"].issues.values() if issue != linked]
    world.systems["bland"].edit(linked.remote_id, description=made.description)
    for _ in range(6):
        world.clock.advance(600)
        world.finish(remaining_seconds=lambda: 900)
    issue = world.issue_of("antimetal", born.remote_id)
    assert issue.refs["bland"].remote_id == made.remote_id
    assert not issue.parked
    assert world.issue_of("antimetal", elder.remote_id).refs["bland"].remote_id == linked.remote_id


def test_a_crash_between_the_create_and_its_record_ends_in_one_counterpart(world):
    born = world.systems["antimetal"].add()
    world.poll("antimetal")
    commit = world.store.commit

    def crash(*args, **kwargs):
        raise KeyboardInterrupt

    world.store.commit = crash
    with pytest.raises(KeyboardInterrupt):
        world.mirror()
    world.store.commit = commit
    world.rounds(10)
    the_only(world.systems["bland"])
    assert set(world.issue_of("antimetal", born.remote_id).refs) == {"antimetal", "bland"}


def test_the_counterpart_is_not_taken_for_a_new_issue_while_it_is_being_created(world):
    world.systems["antimetal"].add()
    world.poll("antimetal")
    world.systems["bland"].fail = fail_once(Ambiguous("lost"), "create", "after")
    world.mirror()
    world.rounds(5)
    the_only(world.systems["antimetal"])
    assert len(world.store.issues) == 1
