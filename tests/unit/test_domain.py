"""The pure rules: merging a field, lenses, the managed line, mentions, limits, configuration."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuebridge.domain.config import switched_on
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.managed_line import (
    ManagedLine,
    parse_line,
    put_line,
    read_line,
    without_lines,
)
from issuebridge.domain.merge import Copy, Merged, merge_field
from issuebridge.domain.reading import find_url
from issuebridge.domain.text import cut, utf16_units, without_mention
from issuebridge.domain.words import SEVERITIES, STATUSES
from issuebridge.systems import SYSTEMS, parse_config
from tests.fakes import DAWN
from tests.world import connection, document

LENSES = [
    pytest.param(system.settings.traits.lenses[name], words, id=f"{kind}-{name}")
    for kind, system in SYSTEMS.items()
    for name, words in (("status", STATUSES), ("severity", SEVERITIES))
    if name in system.settings.traits.lenses
]


@pytest.mark.parametrize(
    ("baseline", "canonical", "remote", "expected"),
    [
        pytest.param("open", "open", "open", Merged("open"), id="nobody edited"),
        pytest.param("open", "done", "open", Merged("done", "remote"), id="edited here"),
        pytest.param("open", "open", "done", Merged("done", "canonical"), id="edited there"),
        pytest.param("open", "done", "done", Merged("done"), id="same edit on both"),
        pytest.param("open", "done", "hold", Merged("hold", "canonical", True), id="clash"),
        pytest.param("high", "high", None, Merged(None, "canonical"), id="cleared there"),
    ],
)
def test_the_edited_copy_wins_and_a_clash_goes_to_the_winner(baseline, canonical, remote, expected):
    merged = merge_field(baseline=baseline, canonical=canonical, remote=remote, winner="remote")
    assert merged == expected


@pytest.mark.parametrize("winner", ["canonical", "remote"])
def test_at_most_one_write_makes_the_copies_agree(winner: Copy):
    for baseline, canonical, remote in product("abc", repeat=3):
        copies = {"canonical": canonical, "remote": remote}
        merged = merge_field(baseline=baseline, **copies, winner=winner)
        if merged.write_to:
            assert copies[merged.write_to] != merged.value, "an echo: it was there already"
            copies[merged.write_to] = merged.value
        assert copies["canonical"] == copies["remote"] == merged.value
        assert merged.conflict == (baseline != canonical != remote != baseline)
        assert not merged.conflict or merged.write_to != winner


@pytest.mark.parametrize(("lens", "words"), LENSES)
class TestLens:
    def test_every_canonical_word_can_be_written(self, lens, words):
        assert lens.missing(words) == ()

    def test_what_was_written_means_what_was_meant(self, lens, words):
        for word, raw in product(words, [None, *lens.words]):
            assert lens.means(lens.write(word, raw), word)

    def test_what_was_read_needs_no_write(self, lens, words):
        for raw in lens.words:
            assert lens.write(lens.read(raw), raw) == raw

    def test_writing_twice_is_writing_once(self, lens, words):
        for word, raw in product(words, [None, *lens.words]):
            once = lens.write(word, raw)
            assert lens.write(word, once) == once


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
urls = st.sampled_from(
    ["https://x.example/a", "http://h.example/?q=1#f", "https://x.example/a]b c"]
)
lines = st.builds(
    ManagedLine,
    ref=st.from_regex(r"ib[a-z0-9]{4,24}", fullmatch=True),
    severity=st.none() | st.sampled_from(SEVERITIES),
    link=st.none() | urls,
)


class TestManagedLine:
    @given(words, lines)
    def test_what_was_put_is_read_back(self, text, line):
        text = without_lines(text)
        found = read_line(put_line(text, line), line.ref)
        assert str(found) == str(line)

    @given(words, lines, lines)
    def test_putting_it_again_replaces_it_in_place(self, text, line, other):
        other = ManagedLine(line.ref, other.severity, other.link)
        text = f"{put_line(text, line)}\nwritten below"
        again = put_line(text, other)
        assert put_line(again, other) == again
        assert again.split("\n")[-1] == "written below"
        assert [own.ref for own in map(parse_line, again.split("\n")) if own] == [line.ref]

    @given(words, lines)
    def test_the_words_around_it_stay_as_they_were(self, text, line):
        assert put_line(text, line).startswith(text)

    def test_a_line_with_another_reference_is_not_ours(self):
        text = "[issuebridge ref=ibother link=https://evil.example]"
        assert read_line(text, "ibmine") is None
        assert put_line(text, ManagedLine("ibmine")).startswith(text)

    def test_a_counterpart_starts_from_the_words_of_people_alone(self):
        assert without_lines("hello\n\n[issuebridge ref=ibx severity=high]") == "hello"


MENTIONS = [
    "@norm",
    "@NORM",
    "@NoRm",
    "\uff20norm",
    "@\u200bnorm",
    "@n\u200dorm",
    "@n\u2060o\u00adrm",
    "x@normal.example",
    "@@norm",
    "@@\u200b@NORM",
]


@pytest.mark.parametrize("mention", MENTIONS)
def test_no_mention_of_norm_survives_in_any_disguise(mention):
    cleaned = without_mention(f"ask {mention} now")
    assert "@" not in cleaned
    assert "\uff20" not in cleaned


@given(words)
def test_taking_mentions_out_twice_is_taking_them_out_once(text):
    once = without_mention(text)
    assert without_mention(once) == once
    assert "@norm" not in once.lower()


@given(words, st.integers(1, 40))
def test_a_cut_text_is_within_its_limit_and_whole_in_its_characters(text, limit):
    short = cut(text, limit)
    assert utf16_units(short) <= limit
    short.encode()


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ('{"url":"https://a.example/1"}', "https://a.example/1"),
        (
            '{"provider":"github","key":"o/r#7","html_url":"https://a.example/7"}',
            "https://a.example/7",
        ),
        ('{"item":{"name":"x","href":"http://a.example/8"}}', "http://a.example/8"),
        ('{"id":"https://a.example/id","link":"https://a.example/link"}', "https://a.example/link"),
        (
            '{"account":{"avatar":"https://a.example/a.png"},"item":{"url":"https://a.example/5"}}',
            "https://a.example/5",
        ),
        ('"https://a.example/9"', "https://a.example/9"),
        ('{"url":"https://a.example/@norm/x"}', "https://a.example/%40norm/x"),
        ('{"url":"https://a.example/@ann/x"}', "https://a.example/@ann/x"),
        ('{"url":"javascript:alert(1)"}', None),
        ("{}", None),
    ],
)
def test_an_address_is_found_in_whatever_shape_the_link_object_has(raw, url):
    assert find_url(raw) == url


class TestConfiguration:
    def refuse(self, given: object) -> str:
        with pytest.raises(Misconfigured) as caught:
            parse_config(given, "sync.yaml")
        return str(caught.value)

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("kind", "linear", "sync.yaml: connections.bland.kind: "),
            ("base_url", "api.bland.ai", "give the whole address"),
            ("base_url", "https://key@api.bland.ai", "the key belongs in `secret`"),
            (
                "colour",
                "red",
                "connections.bland.colour: no such setting of bland: it has kind, base_url",
            ),
            ("anchor", {}, "connections.bland.anchor: no such setting of bland"),
            ("mode", "on", "connections.bland.mode"),
            ("issue_url", "https://x/{slug}", "only {id}, {number} and {display_id} exist"),
            ("maps", {"status": {"open": ["todo"]}}, "no raw word stands for backlog, in_progress"),
            ("maps", {"status": {"open": ["todoo"]}}, "todoo is none of backlog, todo"),
            ("conflict", {"status": {"prefer": "jira"}}, "no connection is called jira"),
        ],
    )
    def test_a_wrong_setting_is_named_with_its_path_and_the_remedy(self, path, value, message):
        given = document()
        given["connections"]["bland"][path] = value
        assert message in self.refuse(given)

    @pytest.mark.parametrize(
        ("route", "message"),
        [
            ({"from": "bland", "to": "jira"}, "no connection is called jira"),
            ({"from": "bland", "to": "antimetal"}, "set filter and daily_budget"),
            ({"from": "bland", "to": "zylon"}, "set connections.zylon.anchor"),
            ({"from": "bland", "to": "bland"}, "the same connection"),
        ],
    )
    def test_a_route_that_cannot_work_is_refused(self, route, message):
        assert message in self.refuse(document(routes=[route]))

    def test_a_new_connection_observes_until_it_is_told_to_mirror(self):
        given = {"version": 1, "connections": {"bland": connection("bland")}}
        del given["connections"]["bland"]["mode"]
        assert parse_config(given, "x").connections["bland"].mode == "observe"

    def test_since_now_is_the_moment_of_the_first_push_and_stays_it(self):
        config = parse_config(document(), "x")
        first = switched_on(config, None, DAWN)
        again = switched_on(config, first, DAWN.replace(year=2030))
        assert {route.since for route in again.routes} == {DAWN}
