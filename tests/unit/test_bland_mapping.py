"""Bland's words and objects, to ours and back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from issuebridge.adapters.bland.mapping import (
    from_canonical,
    to_canonical,
    to_entry,
)
from issuebridge.adapters.bland.settings import TRAITS
from issuebridge.domain.issue import Draft
from issuebridge.domain.text import utf16_units, without_mention
from issuebridge.domain.words import CANONICAL_WORDS

AT = datetime(2026, 5, 6, tzinfo=UTC)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "triage_id",
    "number",
    "title",
    "description",
    "status",
    "severity",
    "category",
    "external_link",
    "is_processing",
    "latest_agent_session",
    "created_at",
    "updated_at",
    "last_activity_at",
)


def draft(**more) -> Draft:
    fields = {"reference": "ib1", "title": "T", "description": "D", "category": "Bug"}
    return Draft(**fields | {"triggered_at": AT} | more)


def test_every_canonical_word_is_a_word_of_theirs_and_means_itself():
    for name in ("status", "severity"):
        lens = TRAITS.lenses[name]
        for word in CANONICAL_WORDS[name]:
            assert (lens.write(word), lens.words[word]) == (word, (word,))


@given(some.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_whatever_the_fields_hold_the_issue_is_read_and_can_be_stored(fields):
    issue = to_canonical({"id": "a1", **fields})
    assert issue.remote_id == "a1"
    kept = [issue.title, issue.description, issue.category, issue.display_id, dict(issue.raw)]
    json.dumps(kept, ensure_ascii=False).encode()
    for at in (issue.created_at, issue.updated_at, issue.activity_at):
        assert at is None or at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ""}, {"title": "T"}])
def test_a_row_without_an_id_is_no_issue(row):
    with pytest.raises(ValueError, match="id"):
        to_canonical(row)


@pytest.mark.parametrize(
    ("link", "raw"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ({"url": "u", "a": {"c": 1, "b": 2}}, '{"a":{"b":2,"c":1},"url":"u"}'),
        ({"a": {"b": 2, "c": 1}, "url": "u"}, '{"a":{"b":2,"c":1},"url":"u"}'),
        ("https://x.example", '"https://x.example"'),
        (["https://x.example"], '["https://x.example"]'),
        ({"t": "\ud800"}, '{"t":"\\ud800"}'),
    ],
)
def test_a_link_is_kept_whole_and_reads_alike_in_any_order(link, raw):
    assert to_canonical({"id": "a1", "external_link": link}).raw["external_link"] == raw


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-06T21:09:57.081Z", datetime(2026, 5, 6, 21, 9, 57, 81000, tzinfo=UTC)),
        ("2026-05-06T23:09:57+02:00", datetime(2026, 5, 6, 21, 9, 57, tzinfo=UTC)),
        ("2026-05-06T21:09Z", datetime(2026, 5, 6, 21, 9, tzinfo=UTC)),
        ("2026-05-06T21:09:57.123456789Z", datetime(2026, 5, 6, 21, 9, 57, 123456, tzinfo=UTC)),
        ("2026-05-06T21:09:57", datetime(2026, 5, 6, 21, 9, 57, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
        (1778101797, datetime(2026, 5, 6, 21, 9, 57, tzinfo=UTC)),
        (7, None),
        (None, None),
    ],
)
def test_times_are_read_as_utc_or_not_at_all(text, instant):
    assert to_canonical({"id": "a1", "updated_at": text}).updated_at == instant


def test_a_draft_becomes_exactly_the_documented_fields():
    assert from_canonical(draft(status="todo", severity="low")) == {
        "title": "T",
        "description": "D",
        "category": "Bug",
        "severity": "low",
        "source": "client",
        "status": "todo",
    }
    assert "status" not in from_canonical(draft())


@given(some.text(), some.text(), some.text())
def test_a_create_fits_the_limits_and_never_mentions_norm(title, description, category):
    body = from_canonical(draft(title=title, description=description, category=category))
    assert 1 <= utf16_units(body["title"]) <= 200
    assert 1 <= utf16_units(body["category"]) <= 64
    for text in (body["title"], body["description"], body["category"]):
        assert without_mention(text) == text


@given(some.text("@nOrm\u200b ", max_size=12))
def test_no_arrangement_of_letters_gets_a_mention_through(text):
    assert without_mention(without_mention(text)) == without_mention(text)


def test_text_without_a_mention_is_not_touched():
    assert without_mention("mail norm@example.com, or @normal? no: @nor m") is not None
    assert without_mention("norm @ 5") == "norm @ 5"


def test_an_activity_entry_is_read_leniently():
    entry = to_entry({"id": "e1", "metadata": {"run_id": 7}, "agent_session": []}, AT)
    assert (entry.run_id, entry.session_id, entry.created_at) == (None, None, AT)
    assert to_entry({"type": "prompt"}, AT) is None
