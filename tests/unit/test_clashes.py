"""The simulation's oracle of people who edit two copies at once, and cannot know of each other."""

from datetime import timedelta

import pytest

from issuebridge.domain.issue import HistoryEntry
from tests.simulation.clashes import Clashes
from tests.simulation.histories import History, make_history
from tests.simulation.norm import NormHabits
from tests.simulation.oracle import Oracle
from tests.simulation.play import play, rest
from tests.simulation.shrink import report
from tests.simulation.steps import Add, Calm, Edit, Wait
from tests.simulation.topology import Topology
from tests.simulation.vendor import Broken, Habits
from tests.simulation.world import SimWorld
from tests.world import connection

FOUND_SEEDS = (26, 109, 228, 343, 455)
RULES = ["latest", "hold", {"prefer": "bland"}, {"prefer": "antimetal"}]
OPENING = (
    Add("antimetal", "broken", "It does not work.", (("status", "investigating"),)),
    Calm(4),
)
TWO_EDITS = (
    Edit("antimetal", 0, "status", "ready_to_fix"),
    Wait(30),
    Edit("bland", 0, "status", "todo"),
)


def topology(rule: object) -> Topology:
    names = ("bland", "antimetal")
    document = {
        "version": 1,
        "connections": {name: connection(name, conflict={"status": rule}) for name in names},
        "routes": [{"from": "antimetal", "to": "bland"}],
    }
    return Topology(document, {name: Habits() for name in names}, NormHabits(), streamless=False)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("edits", [TWO_EDITS, TWO_EDITS[::-1]], ids=["bland later", "bland first"])
def test_a_word_that_another_copy_means_already_hides_no_edit_that_waits_there(rule, edits):
    history = History(0, topology(rule), (*OPENING, *edits))
    played = play(history)
    assert played.failure is None, report(history, played)


@pytest.mark.parametrize("seed", FOUND_SEEDS)
def test_no_clash_of_a_random_history_goes_untold(seed):
    played = play(make_history(seed))
    assert played.failure is None


class Told:
    """Two edits that were made for real, and a history that is made up."""

    def __init__(self, *steps) -> None:
        self.world = SimWorld(topology("latest"))
        for step in (*OPENING, *steps):
            self.world.play(step)
        self.edits = {name: vendor.edits[-1] for name, vendor in self.world.vendors.items()}
        self.issue_id = next(iter(self.world.store.issues))
        self.world.store.rows[self.issue_id] = []

    def entry(self, by: str, outcome: str, old: str, new: str, **more: object) -> "Told":
        """Told at the next poll, ten seconds after all that was told before."""
        self.world.clock.advance(10)
        given = {"field": "status", "by": by, "outcome": outcome, "old": old, "new": new}
        entry = HistoryEntry(at=self.world.clock.now(), **{**given, **more})
        self.world.store.rows[self.issue_id].append(entry)
        return self

    def judged(self) -> None:
        issue = self.world.store.load(self.issue_id)
        Clashes(self.world, issue, "status").check()


@pytest.mark.parametrize("edits", [TWO_EDITS, TWO_EDITS[::-1]], ids=["bland later", "bland first"])
def test_edits_of_two_who_cannot_know_of_each_other_must_be_told_as_a_conflict(edits):
    told = Told(*edits).entry("bland", "pulled", "in_progress", "todo")
    with pytest.raises(Broken, match="clash"):
        told.entry("antimetal", "pulled", "todo", "in_review").judged()


def test_an_edit_made_after_the_other_was_taken_in_is_no_clash():
    told = Told(*TWO_EDITS).entry("antimetal", "pulled", "in_progress", "in_review")
    first = told.world.store.rows[told.issue_id][0]
    between = told.edits["bland"].at - timedelta(seconds=1)
    told.world.store.rows[told.issue_id] = [first.model_copy(update={"at": between})]
    told.entry("bland", "pulled", "in_review", "todo").judged()


def test_the_really_later_edit_stands_where_latest_counts():
    told = Told(*TWO_EDITS[::-1]).entry("antimetal", "pulled", "in_progress", "in_review")
    won = {"detail": "lost: in_review of antimetal"}
    told.entry("bland", "conflict", "in_review", "todo", **won)
    with pytest.raises(Broken, match="late"):
        told.judged()


def test_what_all_had_agreed_on_clashes_with_no_later_edit():
    told = Told(TWO_EDITS[0], Calm(4), TWO_EDITS[2])
    told.entry("antimetal", "pulled", "in_progress", "in_review")
    first = told.world.store.rows[told.issue_id][0]
    early = told.edits["antimetal"].at + timedelta(seconds=1)
    told.world.store.rows[told.issue_id] = [first.model_copy(update={"at": early})]
    with pytest.raises(Broken, match="agreed"):
        told.entry("bland", "conflict", "todo", "in_review", detail="this edit lost").judged()


def test_a_quiet_world_passes():
    world = SimWorld(topology("latest"))
    for step in OPENING:
        world.play(step)
    rest(world, Oracle(world))
