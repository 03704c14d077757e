"""Antimetal's words and objects, to ours and back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from issuebridge.adapters.antimetal.mapping import (
    from_canonical,
    shown_time,
    to_canonical,
    to_milliseconds,
)
from issuebridge.adapters.antimetal.settings import TRAITS
from issuebridge.domain.issue import Draft
from issuebridge.domain.text import utf16_units
from issuebridge.domain.words import CANONICAL_WORDS
from tests.world import configured

AT = datetime(2026, 5, 6, 21, 9, 57, 81_999, tzinfo=UTC)
CONNECTION = configured(**{"kind": "antimetal", "base_url": "https://x.example", "secret": "s"})
ODD = some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.just([1])
FIELDS = (
    "number",
    "title",
    "description",
    "environment",
    "status",
    "severity",
    "triggeredAt",
    "createdAt",
    "updatedAt",
)


def draft(**more) -> Draft:
    fields = {"reference": "ib1", "title": "T", "description": "D", "category": ""}
    return Draft(**fields | {"triggered_at": AT} | more)


@pytest.mark.parametrize(
    ("name", "raw", "meanings"),
    [
        ("status", "investigating", ("in_progress", "todo")),
        ("status", "ready_to_fix", ("in_review",)),
        ("status", "resolved", ("done", "closed")),
        ("status", "muted", ("backlog",)),
        ("severity", "high", ("high", "critical")),
        ("severity", "medium", ("medium",)),
        ("severity", "low", ("low",)),
    ],
)
def test_each_word_means_what_the_design_says(name, raw, meanings):
    lens = TRAITS.lenses[name]
    assert lens.words[raw] == meanings
    assert all(lens.write(word) == raw for word in meanings)


def test_every_canonical_word_has_a_raw_word():
    for name in ("status", "severity"):
        assert not TRAITS.lenses[name].missing(CANONICAL_WORDS[name])


@given(some.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ODD)))
def test_whatever_the_fields_hold_the_issue_is_read_and_can_be_stored(fields):
    issue = to_canonical({"uuid": "a1", **fields})
    kept = [issue.title, issue.description, issue.display_id, issue.environment, dict(issue.raw)]
    json.dumps(kept, ensure_ascii=False).encode()
    assert isinstance(issue.number, int)


def test_a_row_without_a_uuid_is_no_issue():
    with pytest.raises(ValueError, match="uuid"):
        to_canonical({"id": "a1", "title": "T"})


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (AT, "2026-05-06T21:09:57.081Z"),
        (AT.replace(microsecond=0), "2026-05-06T21:09:57.000Z"),
        (AT.astimezone(timezone(timedelta(hours=2))), "2026-05-06T21:09:57.081Z"),
    ],
)
def test_times_are_sent_with_milliseconds_and_a_z(at, text):
    assert to_milliseconds(at) == text


@pytest.mark.parametrize(
    ("triggered_at", "environment", "shown"),
    [
        ("2026-05-06T21:09:57.081Z", "production", "exact"),
        ("2026-05-06T21:09:57.0810Z", "production", "exact"),
        ("2026-05-06T21:09:57.081999Z", "production", "exact"),
        ("2026-05-06T21:09:57.082Z", "production", None),
        ("2026-05-06T21:09:57Z", "production", "rounded"),
        ("2026-05-06T21:09Z", "production", "rounded"),
        ("2026-05-06T21:09:58Z", "production", None),
        ("2026-05-06T21:09:57.081Z", "staging", None),
        (None, "production", None),
    ],
)
def test_the_fingerprint_is_the_millisecond_and_the_environment(triggered_at, environment, shown):
    row = to_canonical({"uuid": "a1", "triggeredAt": triggered_at, "environment": environment})
    assert shown_time(row, draft(), CONNECTION) == shown


def test_the_drafts_own_environment_comes_first():
    assert from_canonical(draft(environment="dev"), CONNECTION)["environment"] == "dev"
    assert from_canonical(draft(), CONNECTION)["environment"] == "production"


@given(some.text(max_size=600))
def test_a_title_always_fits(title):
    assert 1 <= utf16_units(from_canonical(draft(title=title), CONNECTION)["title"]) <= 500
