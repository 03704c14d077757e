"""Text from outside: no mention gets through, and no limit is passed, whatever the letters are."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from issuebridge.domain.text import AT, _seen, cut, cut_bytes, utf16_units, without_mention

LETTERS = "@\uff20\ufe6bnNorm0a \n\u200b\u0301\u043e\u2116\u33a1\u339c\ufdfa\ud800"
hostile = st.text(st.sampled_from(LETTERS), max_size=14) | st.lists(
    st.sampled_from(["@", "norm", "@n", "\u200b", "nor\u33a1", "\u2116rm", "n@orm", "@norm", " "]),
    max_size=7,
).map("".join)


def mentions(text: str) -> set[int]:
    """Every sign that a mention follows, each looked at by itself."""
    return {at for at, sign in enumerate(text) if sign in AT and _is_mention(text[at + 1 :])}


def _is_mention(after: str) -> bool:
    left = "norm"
    for letter in after:
        seen = _seen(letter)
        if seen.startswith(left):
            return True
        if not left.startswith(seen):
            return False
        left = left.removeprefix(seen)
    return False


def taken_out_again_and_again(text: str) -> str:
    while places := mentions(text):
        text = "".join(letter for at, letter in enumerate(text) if at not in places)
    return text


@settings(max_examples=2000)
@given(hostile)
@example("@@\u200b@norm @n@norm")
def test_one_pass_takes_out_what_many_would(text):
    once = without_mention(text)
    assert once == taken_out_again_and_again(text)
    assert not mentions(once)
    assert without_mention(once) == once


@pytest.mark.parametrize(
    "mention",
    [
        pytest.param("@nor\u33a1", id="its last letter is the first of a sign for square metres"),
        pytest.param("@nor\u339c", id="its last letter is the first of a sign for millimetres"),
        pytest.param("@\u2116rm", id="its first letters are a numero sign"),
        pytest.param(
            "@\u200b\uff20\u0301\ufe6bnorm", id="signs in a row, with much that is unseen"
        ),
    ],
)
def test_a_mention_in_letters_that_stand_for_several_is_taken_out(mention):
    assert not set(AT) & set(without_mention(f"ask {mention} now"))


@pytest.mark.parametrize(
    "text", ["ada@example.com", "@nor", "@n@orm", "@ norm", "@\nnorm", "@no\nrm"]
)
def test_what_mentions_nobody_stays_as_it_is(text):
    assert without_mention(text) == text


@given(st.text(st.sampled_from("a\u00e9\u4e16\U0001f4de\ud800\udc00\u0301"), max_size=12))
@pytest.mark.parametrize("limit", range(-2, 8))
def test_no_limit_is_passed_not_even_a_tiny_one(limit, text):
    assert utf16_units(cut(text, limit)) <= max(limit, 0)
    assert len(cut_bytes(text, limit).encode("utf-8", "replace")) <= max(limit, 0)


@given(st.text(st.sampled_from("a\u00e9\u4e16\U0001f4de\ud800"), max_size=12), st.integers(1, 12))
def test_a_text_is_cut_only_if_it_is_too_long(text, limit):
    assert (cut(text, limit) == text) == (utf16_units(text) <= limit)
