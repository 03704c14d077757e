"""Zylon's words and objects, to ours and back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from issuebridge.adapters.zylon.mapping import (
    could_be,
    from_canonical,
    is_whole,
    to_canonical,
    to_put,
)
from issuebridge.adapters.zylon.settings import TRAITS, Anchor
from issuebridge.domain.issue import Draft
from issuebridge.domain.words import STATUSES
from tests.world import configured

LINE = "[issuebridge ref=ib1]"
ANCHOR = Anchor(project_id="p", thread_id="t", reported_interaction_id="i")
SETTINGS = {"kind": "zylon", "base_url": "https://x.example", "secret": "s"}
CONNECTION = configured(**SETTINGS, anchor=ANCHOR)
ODD = some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.just({})
FIELDS = ("issue_number", "description", "type", "state", "is_read", "created_at", "updated_at")


def draft(**more) -> Draft:
    fields = {
        "reference": "ib1",
        "title": "T",
        "description": f"D\n\n{LINE}",
        "category": "Format",
        "triggered_at": datetime(2026, 5, 6, tzinfo=UTC),
    }
    return Draft(**fields | more)


@pytest.mark.parametrize(
    ("raw", "meanings"),
    [
        ("NotReviewed", ("todo", "backlog")),
        ("InReview", ("in_progress", "in_review")),
        ("Closed", ("done", "closed")),
    ],
)
def test_each_state_means_what_the_design_says(raw, meanings):
    lens = TRAITS.lenses["status"]
    assert lens.words[raw] == meanings
    assert all(lens.write(word) == raw for word in meanings)


def test_every_status_has_a_state_and_none_is_deleted():
    lens = TRAITS.lenses["status"]
    assert not lens.missing(STATUSES)
    assert lens.read("Deleted") is None


@given(some.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ODD)))
def test_whatever_the_fields_hold_the_issue_is_read_and_can_be_stored(fields):
    issue = to_canonical({"id": "a1", **fields})
    kept = [issue.title, issue.description, issue.category, issue.display_id, dict(issue.raw)]
    json.dumps(kept, ensure_ascii=False).encode()
    assert issue.title


@pytest.mark.parametrize(
    ("description", "title"),
    [
        ("First\nSecond", "First"),
        ("\n   \n  Third  \n", "Third"),
        (f"{LINE}\n\nWords", "Words"),
        (LINE, "Format #7"),
        ("", "Format #7"),
        (None, "Format #7"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_title_is_the_reporters_first_line(description, title):
    row = {"id": "a1", "issue_number": 7, "type": "Format", "description": description}
    assert to_canonical(row).title == title


def test_the_reporter_is_in_no_field_that_is_kept():
    row = {"id": "a1", "created_by": {"name": "Ann Example", "email": "ann@example.com"}}
    assert "Ann" not in repr(to_canonical(row))


@pytest.mark.parametrize(
    ("read", "state", "description", "body"),
    [
        (
            {"state": "InReview", "type": "Other", "is_read": True, "description": "D"},
            "Closed",
            None,
            {"state": "Closed", "type": "Other", "is_read": True, "description": "D"},
        ),
        (
            {"state": "InReview", "type": "Other", "is_read": False, "description": None},
            None,
            "new",
            {"state": "InReview", "type": "Other", "is_read": False, "description": "new"},
        ),
        (
            {"state": "InReview", "type": "Toxic", "is_read": None, "description": None},
            "Closed",
            None,
            {"state": "Closed", "type": "Toxic", "is_read": False},
        ),
    ],
)
def test_an_update_sends_back_what_was_read(read, state, description, body):
    assert to_put(read, state, description) == body


@pytest.mark.parametrize("absent", ["state", "type", "is_read", "description"])
def test_an_issue_without_what_a_write_needs_is_not_whole(absent):
    whole = {"state": "Closed", "type": "Format", "is_read": False, "description": None}
    assert is_whole(whole)
    assert not is_whole({name: value for name, value in whole.items() if name != absent})
    assert absent == "description" or not is_whole({**whole, absent: None})


@pytest.mark.parametrize(
    ("setting", "category", "sent"),
    [
        (None, "Format", "Format"),
        (None, "Latency", "Other"),
        ("Inaccurate", "Format", "Inaccurate"),
        ("Nonsense", "Format", "Format"),
        (None, "", "Other"),
    ],
)
def test_the_type_is_one_the_vendor_knows(setting, category, sent):
    connection = CONNECTION.model_copy(update={"category": setting})
    assert from_canonical(draft(category=category), connection)["type"] == sent


def test_an_older_create_has_a_config_only_with_an_anchor():
    older = CONNECTION.model_copy(update={"generation": "older"})
    assert "project_id" not in from_canonical(draft(), older)
    assert from_canonical(draft(), older)["config"]["thread_id"] == "t"
    bare = older.model_copy(update={"anchor": None})
    assert "config" not in from_canonical(draft(), bare)


ROW = {
    "id": "a1",
    "type": "Format",
    "description": "D",
    "data": {"thread_id": "t", "reported_interaction_id": "i"},
}


@pytest.mark.parametrize(
    ("change", "is_ours"),
    [
        ({}, True),
        ({"description": " D\n"}, True),
        ({"description": "D\n\n[issuebridge ref=ibother]"}, False),
        ({"description": "E"}, False),
        ({"type": "Other"}, False),
        ({"data": {"thread_id": "t", "reported_interaction_id": "other"}}, False),
        ({"data": {"thread_id": "other", "reported_interaction_id": "i"}}, False),
        ({"data": None}, False),
    ],
)
def test_an_issue_that_lost_our_line_is_known_by_anchor_type_and_words(change, is_ours):
    assert could_be(to_canonical(ROW | change), draft(), CONNECTION) is is_ours


def test_two_empty_descriptions_are_no_likeness():
    nothing = to_canonical(ROW | {"description": ""})
    assert not could_be(nothing, draft(description=LINE), CONNECTION)
