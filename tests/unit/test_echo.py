"""Our own write coming back is no news, however late it shows and whatever was edited since."""

import pytest

from issuebridge.domain.errors import Ambiguous
from tests.world import World, connection, document


def lost_after(call: str):
    def fail(asked: str, moment: str) -> None:
        if (asked, moment) == (call, "after"):
            raise Ambiguous("the answer is lost")

    return fail


@pytest.mark.parametrize("rule", ["latest", {"prefer": "bland"}, "hold"])
def test_a_write_whose_answer_was_lost_is_not_taken_for_an_edit_of_theirs(rule):
    given = document()
    given["connections"]["bland"] = connection("bland", conflict={"status": rule})
    world = World(given)
    antimetal, bland = world.systems["antimetal"], world.systems["bland"]
    born = antimetal.add(status="investigating")
    world.rounds()
    (counterpart,) = bland.issues

    antimetal.edit(born.remote_id, status="ready_to_fix")
    world.poll("antimetal")
    bland.fail = lost_after("update")
    world.mirror()
    bland.fail = lambda call, moment: None
    assert bland.issues[counterpart].raw["status"] == "in_review", "it was written"
    world.clock.advance(1)
    antimetal.edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.poll("bland")
    world.rounds()

    assert antimetal.issues[born.remote_id].raw["status"] == "resolved"
    assert bland.issues[counterpart].raw["status"] == "done"
    issue = world.issue_of("antimetal", born.remote_id)
    told = {(e.outcome, e.by) for e in world.store.history(issue.issue_id) if e.field == "status"}
    assert told == {("pulled", "antimetal"), ("pushed", "bland")}
