"""Texts without measure: what strangers may write where we read, for tests and simulators.

`SHAPES` are texts of one kind, as long as asked; `any_text` and `any_link` mix them, the same for
the same chance.
"""

import json
import random
from collections.abc import Callable

MENTION = "@norm"
DEEP = 100_000
OUR_LINE = "[issuebridge ref=ibours severity=high link=https://a.example/1]"

UNITS = (
    "@",
    "@\u200b",
    "\uff20n",
    "@no",
    MENTION,
    "norm",
    "@nor\u33a1",
    "n\u00ado\u2060r\u0301m",
    "\u0301\u0323",
    "\ud800",
    "\udc00",
    "\U0001f4de",
    "\ufdfa",
    "\u202e",
    "\u00e9e\u0301",
    "\n",
    "\r\n",
    "\r",
    "\u2028",
    "\x00",
    " ",
    "a",
    "]",
    "[",
    "[issuebridge ref=ib",
    f"\n{OUR_LINE}\n",
    "\n[issuebridge ref=ibours]",
    " link=x",
    "> ",
    "[ref prkey] ",
    "/fix ",
    "{",
    '{"url":',
    '"',
    "\\",
    "&amp;",
    "&#",
    "9",
    "<",
    ">",
    "(",
    ")",
    "<https://a.example/",
    "[https://a.example/](",
    "https://a.example/",
    "https://a.example/redirect?url=",
    "https%3A%2F%2Fa.example%2F",
    "https://urldefense.com/v3/__",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__",
    "__;Iw!!",
    "*",
    "**Z",
    "%",
    "%4",
    "%c3%a9",
    "%25",
    "/",
    ".",
    ":",
    "?u=",
    "#",
)
"""Pieces that mean something to one of our readers, whole or broken off."""


def _run(unit: str, start: str = "", end: str = "") -> Callable[[int], str]:
    return lambda length: start + unit * max(1, length // len(unit)) + end


def _nested(opening: str, closing: str) -> Callable[[int], str]:
    pair = len(opening) + len(closing)

    def grow(length: int) -> str:
        depth = max(1, length // pair)
        return opening * depth + closing * depth

    return grow


SHAPES: dict[str, Callable[[int], str]] = {
    **{f"a run of {unit!a}": _run(unit) for unit in UNITS},
    "signs before a mention": _run("@", end="norm"),
    "hidden signs before a mention": _run("@\u200b", end="norm"),
    "a mention with much hidden in it": _run("\u200b", start="@n", end="orm"),
    "many beginnings of a mention": _run("@n@no@nor"),
    "one endless row of our line": _run(" link=x", start="[issuebridge ref=ibours"),
    "our line with an endless reference": _run("a", start="[issuebridge ref="),
    "our line with an endless link": _run("a", start="[issuebridge ref=ibours link=", end="]"),
    "white space around our line": _run(" ", end=OUR_LINE),
    "a letter with marks without end": _run("\u0301\u0323", start="a"),
    "a host with marks without end": _run("\u0301\u0323", start="https://a", end="/"),
    "a host without end": _run("a", start="https://"),
    "an address with many signs": _run("@", start="https://a.example/"),
    "a path of slashes": _run("/", start="https://a.example"),
    "a path of signs of percent": _run("%", start="https://a.example/"),
    "digits of an entity": _run("9", start="&#", end=";"),
    "an escape in an escape": _run("amp;", start="&"),
    "white space before a reference": _run(" ", end="[ref prkey]"),
    "a first word without end": _run("a", start="/", end=" [ref prkey]"),
    "lists in lists": _nested("[", "]"),
    "objects in objects": _nested('{"url":', "}"),
    "lists in lists around an address": lambda length: (
        "[" * (length // 2) + '"https://a.example"' + "]" * (length // 2)
    ),
    "a list of addresses": lambda length: json.dumps(["https://a.example"] * (length // 20)),
    "addresses under names without end": lambda length: json.dumps(
        {f"n{n}": "https://a.example" for n in range(length // 30)}
    ),
    "wrapped again and again": _run("https://r.example/redirect?url="),
    "starred without end": _run("*", start="https://urldefense.com/v3/__https://a.example/"),
}


def any_text(chance: random.Random, length_max: int) -> str:
    """Runs of pieces up to that length, in any order."""
    text = ""
    while len(text) < length_max and chance.random() < 0.9:
        unit = chance.choice(UNITS)
        text += unit * chance.choice((1, 1, 2, 3, length_max // (4 * len(unit)) + 1))
    return text[:length_max]


def any_link(chance: random.Random, length_max: int) -> str:
    """What a vendor may show as a link: JSON of any depth and size, or something that is none."""
    inner: object = any_text(chance, length_max // 2)
    for _ in range(chance.randrange(6)):
        name = chance.choice(("url", "html_url", "self", "_links", "icon", "user", "other", "7"))
        inner = chance.choice(([inner], {name: inner}, {name: inner, "url": "https://a.example"}))
    deep = "[" * DEEP + "]" * DEEP
    return chance.choice((json.dumps(inner), str(inner), deep))[:length_max]
