"""Seeded issues for the three simulators, with the texts that break careless code among them."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .bland_rules import BUILT_IN_CATEGORIES
from .bland_rules import SEVERITIES as BLAND_SEVERITIES
from .bland_rules import STATUSES as BLAND_STATUSES
from .clock import millis
from .simulator import Simulator
from .wire import Json
from .zylon_rules import TYPES

NASTY: dict[str, str] = {
    "emoji": "Calls drop 📞💥 when 👩‍👩‍👧‍👦 joins",
    "right to left": "השיחה נופלת abc מיד אחרי 123 \u202eoverride\u202c",
    "mention": "please ask @NoRm, @norm or norm@norm.example to look",
    "intent word": "Fix the greeting: it says /fix twice",
    "zero width": "zero\u200bwidth\u200djoin\ufeffmark",
    "markdown": "# Title\n\n- [x] done | `code` **bold** [link](javascript:alert(1))\n\n---",
    "managed line": "words\n[issuebridge ref=ib0forged severity=low link=https://example.test/x]",
    "managed lines": "[issuebridge ref=iba]\n> [issuebridge ref=iba severity=critical]\nmore words",
    "hidden mention": "ask @\u200bnorm, \uff20norm or @\uff2eorm",
    "wildcards": "100% of user_ids match _any_ %LIKE% 'quotes' \"double\" \\back\\slash",
    "html": "<script>alert('x')</script> &amp; <b>bold</b>",
    "json": '{"status": "done", "severity": null}',
    "line ends": "first\r\nsecond\rthird\u2028fourth\n\n\n",
    "spaces": "  \t surrounded by blanks \u00a0 ",
    "combining": "Cafe\u0301 is not Caf\u00e9; İstanbul, STRASSE, straße",
    "url": "see https://example.test/a?b=c&d=%20#frag). http://user:pw@example.test/",
}
LONG = "very long " * 990  # 9,900 characters: fits bland's 10,000, with no room for much more
ENVIRONMENTS = ("production", "staging", "eu-west")
ANTIMETAL_STATUSES = ("investigating", "ready_to_fix", "resolved", "muted")
ZYLON_STATES = ("NotReviewed", "InReview", "Closed", "Deleted")


def nasty_texts() -> list[str]:
    return [*NASTY.values(), LONG]


def fill(simulator: Simulator, count: int, seed: int = 0) -> list[Json]:
    """Add `count` issues made over the last 90 days; the same seed gives the same words."""
    made_by = _MAKERS[simulator.vendor]
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with simulator.lock:
        return [simulator.add(**made_by(dice, _born(simulator, n, count))) for n in range(count)]


def _born(simulator: Simulator, place: int, count: int) -> str:
    age = timedelta(days=90) * (count - place) / count
    return millis(simulator.clock.now() - age)


def _title(dice: random.Random) -> str:
    what = dice.choice(("Greeting", "Transfer", "Checkout", "Search", "Login", "Voicemail"))
    how = dice.choice(("fails", "is slow", "repeats itself", "answers nothing", "loops"))
    return f"{what} {how} ({dice.randrange(10_000)})"


def _words(dice: random.Random) -> str:
    """Mostly plain; one in four is nasty."""
    if dice.random() < 0.75:
        return f"Seen {dice.randrange(2, 99)} times since the last release."
    return dice.choice(nasty_texts())


def _bland(dice: random.Random, born_at: str) -> dict[str, Any]:
    return {
        "title": _title(dice),
        "description": _words(dice),
        "status": dice.choice(BLAND_STATUSES),
        "severity": dice.choice(BLAND_SEVERITIES),
        "category": dice.choice(BUILT_IN_CATEGORIES),
        "created_at": born_at,
    }


def _antimetal(dice: random.Random, born_at: str) -> dict[str, Any]:
    return {
        "title": _title(dice),
        "description": _words(dice),
        "status": dice.choice(ANTIMETAL_STATUSES),
        "severity": dice.choice(("low", "medium", "high")),
        "environment": dice.choice(ENVIRONMENTS),
        "createdAt": born_at,
    }


def _zylon(dice: random.Random, born_at: str) -> dict[str, Any]:
    return {
        "description": f"{_title(dice)}\n{_words(dice)}",
        "type": dice.choice(TYPES),
        "state": dice.choice(ZYLON_STATES),
        "is_read": dice.random() < 0.5,
        "created_at": born_at,
        "anonymous": dice.random() < 0.2,
    }


_MAKERS: dict[str, Callable[[random.Random, str], dict[str, Any]]] = {
    "bland": _bland,
    "antimetal": _antimetal,
    "zylon": _zylon,
}
