"""What vendors do to a text or link of ours: it is recognised, and no other is."""

import html
import unicodedata
from itertools import combinations
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from issuebridge.domain.rewriting import same_link, same_text
from tests.hostile import SHAPES, UNITS

hosts = st.sampled_from(["a.example", "b.example", "b\u00fccher.example", "a.example:8443"])
parts = st.text(st.sampled_from("ab1\u00e9\u4e16-_.~"), min_size=1, max_size=5)
links = st.builds(
    lambda scheme, host, path, query, fragment: (
        f"{scheme}://{host}/{'/'.join(path)}"
        + (f"?{'&'.join(f'{name}={value}' for name, value in query)}" if query else "")
        + (f"#{fragment}" if fragment else "")
    ),
    scheme=st.sampled_from(["http", "https"]),
    host=hosts,
    path=st.lists(parts, min_size=1, max_size=3),
    query=st.lists(st.tuples(st.sampled_from("pxy"), parts), max_size=2, unique_by=lambda p: p[0]),
    fragment=st.none() | parts,
)
hostile = st.lists(st.sampled_from(UNITS), max_size=8).map("".join)


def safelink(url: str) -> str:
    where = "https://nam02.safelinks.protection.outlook.com"
    return f"{where}/?url={quote(url, safe='')}&data=05%7C01%7Cann%40a.example&reserved=0"


def defence_2(url: str) -> str:
    coded = quote(url, safe=":/").replace("-", "%2D").replace("_", "%5F")
    coded = coded.replace("%", "-").replace(":", "-3A").replace("/", "_")
    return f"https://urldefense.proofpoint.com/v2/url?u={coded}&d=DwMFaQ&c=x&r=y"


def upper_start(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.upper()}://{host.upper()}{slash}{path}"


def with_port(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = {"http": ":80", "https": ":443"}[scheme]
    return f"{scheme}://{host}{'' if ':' in host else port}{slash}{path}"


def with_slash(url: str) -> str:
    end = min((url.index(mark) for mark in "?#" if mark in url), default=len(url))
    return f"{url[:end]}/{url[end:]}"


REWRITES = {
    "not at all": lambda url: url,
    "as an entity": html.escape,
    "as an entity twice": lambda url: html.escape(html.escape(url)),
    "in angles": lambda url: f"<{url}>",
    "as a markdown link": lambda url: f"[{url}]({url})",
    "as a markdown link in angles": lambda url: f"[{url}](<{url}>)",
    "as a markdown link, wrapped": lambda url: f"[{url}]({safelink(url)})",
    "as a safelink": safelink,
    "as a safelink of a safelink": lambda url: safelink(safelink(url).replace("nam02", "eur01")),
    "by a guard of mail": defence_2,
    "by a redirector": lambda url: f"https://go.example/out?u={quote(url, safe='')}",
    "by a search engine": lambda url: f"https://www.google.com/url?q={quote(url, safe='')}&sa=D",
    "decomposed": lambda url: unicodedata.normalize("NFD", url),
    "trimmed or not": lambda url: f"  {url}\r\n",
    "in capitals where they say nothing": upper_start,
    "with the port it has anyway": with_port,
    "with a slash at its end": with_slash,
    "in percents": lambda url: quote(url, safe=":/?#&=%"),
    "decomposed, in percents": lambda url: quote(unicodedata.normalize("NFD", url), ":/?#&=%"),
    "in small percents": lambda url: quote(url, safe=":/?#&=%").replace("%C3%A9", "%c3%a9"),
    "in more percents than needed": lambda url: (
        url.replace("a", "%61").replace("%61", "a", 1) if "a.example" in url else url
    ),
}


@pytest.mark.parametrize("rewritten", REWRITES.values(), ids=REWRITES)
@settings(max_examples=25)
@given(links)
def test_our_link_is_known_when_it_is_shown(rewritten, url):
    assert same_link(url, rewritten(url))
    assert same_link(rewritten(url), url)


@pytest.mark.parametrize("rewritten", REWRITES.values(), ids=REWRITES)
@settings(max_examples=25)
@given(links)
def test_our_text_is_known_when_the_links_in_it_are_shown(rewritten, url):
    assume(not url.endswith("."))  # where a text's address ends is then anybody's guess
    ours = (
        f"Calls drop & nobody <hears>:\n\n[issuebridge ref=ib1 link={url}]\n(see {url}), b\u00fcro"
    )
    shown = ours.replace(url, rewritten(url).strip())
    assert same_text(ours, shown)
    assert same_text(shown, ours)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("a < b & \u00fc\n\nc", id="as it is"),
        pytest.param("a &lt; b &amp; &uuml;\r\n\r\nc", id="with entities and other line ends"),
        pytest.param("a &#60; b &#x26; u\u0308\r\rc", id="with numbers for letters, decomposed"),
        pytest.param("  a < b & \u00fc\n\nc\n", id="with white space around it"),
    ],
)
def test_our_text_is_known_when_it_is_shown(shown):
    assert same_text("a < b & \u00fc\n\nc", shown)


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        pytest.param(
            "https://a.example/?q=a#b",
            "https://urldefense.com/v3/__https://a.example/?q=a*b__;Iw!!K8!x$",
            id="a star for a letter",
        ),
        pytest.param(
            "https://a.example/\u00fc\u00fc",
            "https://urldefense.com/v3/__https://a.example/**A__;w7zDvA!!K8!x$",
            id="a star for a run of letters",
        ),
        pytest.param(
            "https://a.example/x%20y",
            "https://urldefense.com/v3/__https://a.example/x*20y__;JQ!!K8!x$",
            id="a star for a percent",
        ),
        pytest.param("https://a.example/x y]", "https://a.example/x%20y%5d", id="our own escapes"),
        pytest.param("https://a.example/@norm", "https://a.example/%40norm", id="our own sign"),
        pytest.param("https://a.example", "https://a.example/", id="a bare host"),
        pytest.param("https://a.example/100%", "https://a.example/100%25", id="a percent alone"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_one_page_is_told_in_two_ways(ours, shown):
    assert same_link(ours, shown)
    assert same_link(shown, ours)


APART = [
    "https://a.example/1",
    "http://a.example/1",
    "https://a.example:8443/1",
    "https://b.example/1",
    "https://a.example.b.example/1",
    "https://a.example/2",
    "https://a.example/1/2",
    "https://a.example/1%2F2",
    "https://a.example/A",
    "https://a.example/a",
    "https://a.example/1?q=1",
    "https://a.example/1?q=2",
    "https://a.example/1?q=1&p=2",
    "https://a.example/1?q=1%26p=2",
    "https://a.example/1#q",
    "https://a.example/1%23q",
    "https://a.example/\u00e9",
    "https://a.example/e",
    "https://a.example/1?url=https%3A%2F%2Fa.example%2F5",
    "https://a.example/5",
    "https://urldefense.com/v3/__https://a.example/5*__;A!!K8!x$",
    "https://search.example/?q=https%3A%2F%2Fa.example%2F1",
    "https://login.example/?next=https%3A%2F%2Fa.example%2F1",
    safelink("https://a.example/3"),
    "a.example/1",
    "",
]


@pytest.mark.parametrize(("ours", "shown"), [*combinations(APART, 2)])
def test_two_pages_stay_two(ours, shown):
    assert not same_link(ours, shown)
    assert not same_link(shown, ours)
    assert not same_text(f"see {ours} now", f"see {shown} now")


@given(links, links)
def test_links_that_differ_are_not_the_same(ours, shown):
    def bare(url: str) -> str:
        return unicodedata.normalize("NFC", url)

    assume(bare(ours) != bare(shown))
    assert not same_link(ours, shown)
    assert not same_text(ours, shown)


@pytest.mark.parametrize("shown", ["[https://a.example/1](https://b.example)", "<b>", "a b", "ab."])
def test_an_edit_is_an_edit(shown):
    assert not same_text("https://a.example/1", shown)
    assert not same_text("ab", shown)


@settings(max_examples=300)
@given(hostile, hostile)
def test_whatever_is_shown_has_an_answer_and_it_is_the_same_both_ways(ours, shown):
    for same in (same_text, same_link):
        assert same(ours, ours)
        assert same(ours, shown) == same(shown, ours)


@pytest.mark.parametrize("name", SHAPES)
def test_a_hostile_text_is_no_text_of_ours(name):
    assert not same_text("ours", SHAPES[name](2000))
    assert not same_link("https://a.example/ours", SHAPES[name](2000))
