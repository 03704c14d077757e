"""A world so small that every history of a few steps is played; `make simulate` takes more."""

import pytest

from tests.simulation.reference import Moment, Story, Told
from tests.simulation.small_histories import every_world, walk

STEPS = 3
START = Moment("start", "", {"bland": "in_progress", "antimetal": "investigating"})


@pytest.mark.parametrize(("name", "rule"), every_world())
def test_whatever_people_do_in_a_few_steps_ends_as_the_readme_says(name, rule):
    walked = walk(name, rule, STEPS)
    assert walked.is_sound, walked.report()


def story(rule: str, *moments: Moment) -> list[str]:
    return list(Story([START, *moments], rule).complaints())


FIRST = Moment("set", "antimetal", {"bland": "in_progress", "antimetal": "ready_to_fix"})
SECOND = Moment("set", "bland", {"bland": "todo", "antimetal": "ready_to_fix"})
BOTH_READ = (
    Moment("poll", "bland", SECOND.shown, (Told("pulled", "bland", "in_progress", "todo"),)),
    Moment("poll", "antimetal", SECOND.shown),
)
FIRST_WON = Moment("push", "", {"bland": "in_review", "antimetal": "ready_to_fix"})
SECOND_WON = Moment("push", "", {"bland": "todo", "antimetal": "investigating"})


def lost_as_told(value: str, at: Moment) -> Moment:
    told = (Told("conflict", "antimetal", value, None),)
    return Moment(at.act, at.at, at.shown, told)


@pytest.mark.parametrize("rule", ["latest", "bland", "antimetal", "hold"])
def test_a_clash_that_nobody_is_told_of_is_a_fault(rule):
    for end in (FIRST_WON, SECOND_WON):
        assert story(rule, FIRST, SECOND, *BOTH_READ, end)[0].startswith("untold")


@pytest.mark.parametrize(
    ("rule", "winner"), [("latest", SECOND_WON), ("bland", SECOND_WON), ("antimetal", FIRST_WON)]
)
def test_a_clash_goes_to_the_side_that_the_rule_says(rule, winner):
    ends = {"in_review": SECOND_WON, "todo": FIRST_WON}
    for lost, end in ends.items():
        complaints = story(rule, FIRST, SECOND, *BOTH_READ, lost_as_told(lost, end))
        assert [c.split(":")[0] for c in complaints] == ([] if end is winner else ["wrong winner"])


def test_of_edits_that_no_poll_can_tell_apart_the_last_replaced_what_stood_before_the_first():
    """Bland says what antimetal says too; then antimetal moves on, by way of a word unseen."""
    both = {"bland": "in_review", "antimetal": "ready_to_fix"}
    said = [
        Moment("set", "bland", {**FIRST.shown, "bland": "in_review", "antimetal": "investigating"}),
        Moment("set", "antimetal", both),
        Moment("poll", "antimetal", both, (Told("pulled", "antimetal", "x", "in_review"),)),
    ]
    muted = {**both, "antimetal": "muted"}
    resolved = {**both, "antimetal": "resolved"}
    end = Moment("push", "", {"bland": "done", "antimetal": "resolved"})
    unseen = [Moment("set", "antimetal", muted), Moment("set", "antimetal", resolved)]
    assert story("latest", *said, *unseen[1:], end) == []
    assert story("latest", *said, *unseen, end) == []
    seen = [unseen[0], Moment("poll", "antimetal", muted), unseen[1]]
    assert story("latest", *said, *seen, end)[0].startswith("repeated")


def test_a_clash_that_is_held_may_stay_apart_and_must_not_be_decided():
    held = Moment("push", "", SECOND.shown, (Told("held", "antimetal", None, "in_review"),))
    assert story("hold", FIRST, SECOND, *BOTH_READ, held) == []
    decided = lost_as_told("todo", FIRST_WON)
    assert story("hold", FIRST, SECOND, *BOTH_READ, decided)[0].startswith("not held")


def test_copies_that_stay_apart_are_a_fault():
    assert story("latest", FIRST, Moment("push", "", FIRST.shown))[0].startswith("apart")


def test_a_new_edit_is_not_lost_to_one_that_it_knew():
    known = [Moment(*step, SECOND_WON.shown) for step in (("push", ""), ("poll", "antimetal"))]
    edit = Moment("set", "bland", {"bland": "todo", "antimetal": "investigating"})
    read = Moment("poll", "bland", edit.shown)
    newer = Moment("set", "antimetal", {"bland": "todo", "antimetal": "ready_to_fix"})
    undone = lost_as_told("in_review", Moment("push", "", edit.shown))
    assert story("bland", edit, read, *known, newer, undone)[0].startswith("old beats new")


def test_a_conflict_told_of_one_edit_alone_is_needless():
    alone = Moment("poll", "bland", {"bland": "todo", "antimetal": "investigating"})
    edit = Moment("set", "bland", alone.shown)
    assert story("latest", edit, lost_as_told("in_progress", alone))[0].startswith("needless")
