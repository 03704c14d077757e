"""How much of each thing is kept. The table takes 400 KB an item; what is stated here adds up to
less than half of it for every kind of item, whatever the vendors send (`tests/unit/test_limits`).

All sizes are bytes as stored: JSON in UTF-8, where a control character is six. What comes from
outside is cut at one place each: words when they are taken in (`converge`), raw values when they
are read (`reading`), reasons by their type.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from issuebridge.domain.buckets import FULL
from issuebridge.domain.text import cut

HALF_AN_ITEM = 200 * 1024
_ELLIPSIS = "…"
_LETTER_MAX = 6

ID = 200
NAME = 200
REASON = 400
LINK = 2_000
"""Longer ones are shown and frozen: nothing else holds them, and they are kept several times."""
RAW_LINK = 2_150
"""Of a vendor's own link object; a larger one is kept as its page and its digest."""
PAGE_URL = 1_000
WORD = 120
RUN_NAME = 64
"""Who asked, and the ids that Norm gave."""
TITLE, TITLE_UNITS = 1_500, 500
DESCRIPTION, DESCRIPTION_UNITS = 40_000, 20_000
"""As much as creating a counterpart can use."""
CATEGORY, CATEGORY_UNITS = 300, 100
CURSOR = 4_000
REFS_MAX = 4
TARGETS_MAX = 6
"""So many routes may leave from one connection."""
RULES_MAX = 40
WRITES_MAX = 20
"""Of one part of one copy within an hour: beyond, it counts as a fight."""
RUNS_MAX = 20
PROMPTS_MAX = 100
CONFIG = 200_000


REF = {
    "names": 2 * ID + 300,
    "url": PAGE_URL,
    "times and marks": 560,
    "baselines": 2 * LINK + RAW_LINK + 1_400,
    "sending": 2 * LINK + RAW_LINK + 1_700,
    "notes": 2 * LINK + RAW_LINK + 4 * (REASON + 250) + 750,
    "comments": LINK,
    "writes": 4 * (WRITES_MAX * 30 + 20),
}
RUN = {"names": 4 * RUN_NAME, "rest": 310}
ISSUE = {
    "keys and marks": 600,
    "title": TITLE,
    "description": DESCRIPTION,
    "category and environment": 2 * CATEGORY,
    "external_link": LINK,
    "edits": 800,
    "refs": REFS_MAX * sum(REF.values()),
    "pending": (REFS_MAX + TARGETS_MAX) * (REASON + 160),
    "parked": TARGETS_MAX * (REASON + 60),
    "runs": RUNS_MAX * sum(RUN.values()),
    "prompts": PROMPTS_MAX * 30,
    "asks": RULES_MAX * 70,
    "fired": RULES_MAX * 90,
    "asked": (REFS_MAX + TARGETS_MAX) * 90,
    "rest": 500,
}

ANSWER, ANSWER_UNITS = 6_000, 2_000
ANSWER_LINKS_MAX, ANSWER_LINK = 20, 500
REQUEST = 150_000
"""A prompt's 20,000 characters, a draft's description or the beginning of a refused message, as
JSON inside of JSON."""
EFFECT = {
    "keys and marks": 600,
    "request": REQUEST,
    "response": ANSWER,
    "links": ANSWER_LINKS_MAX * (ANSWER_LINK + 3),
    "ids and times": 2_500,
    "reason": REASON,
}
HISTORY = {"keys": 300, "old and new": 2 * LINK, "detail": REASON, "rest": 600}

NAMED_BYTES = {"failing": 40_000, "twins": 20_000, "marked": 20_000}
NAMED_MAX = 200
MISSING_MAX = 100
SHOWN_SWEEPS_MAX, SHOWN_MAX = 8, 20
GAP_NAMED_MAX, UNREAD_MAX = 50, 20
STATE = {
    **NAMED_BYTES,
    "missing": MISSING_MAX * (ID + 20),
    "shown": SHOWN_SWEEPS_MAX * (SHOWN_MAX * (ID + 3) + 20),
    "completeness": 2 * GAP_NAMED_MAX * (ID + 3) + 500,
    "unread": 2 * UNREAD_MAX * (REASON + 3),
    "cursors": 2 * CURSOR,
    "rest": 3_000,
}
DEAD_LETTER = 250_000
"""Of a refused message: a queue takes 256 KB with its attributes."""
BUCKET = {"keys": 200, "fingerprints": FULL * (3 * ID + 30)}
"""As JSON, in which a letter of three bytes is six."""
GATE = {"counts": 3_000, "reasons": 2 * REASON, "rest": 1_000}
SWEPT_IDS = 150_000
"""Of remote ids as JSON, before they are packed, in one item of what a sweep saw."""


def stored_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def kept(text: str, bytes_max: int) -> str:
    """As much of it as may be stored; an ellipsis shows the cut."""
    if len(text) * _LETTER_MAX <= bytes_max or stored_bytes(text) <= bytes_max:
        return text
    room = bytes_max - len(_ELLIPSIS.encode())
    for place, letter in enumerate(text):
        room -= stored_bytes(letter)
        if room < 0:
            return text[:place] + _ELLIPSIS
    return text


def words(text: str, units_max: int, bytes_max: int) -> str:
    return kept(cut(text, units_max), bytes_max)


def _within(bytes_max: int) -> Callable[[str], str]:
    return partial(kept, bytes_max=bytes_max)


Reason = Annotated[
    str, AfterValidator(_within(REASON)), PlainSerializer(_within(REASON), return_type=str)
]
"""Why something is as it is, in words that may quote what others have sent."""
Name = Annotated[str, AfterValidator(_within(NAME)), PlainSerializer(_within(NAME), str)]
"""What people call a thing."""
RunName = Annotated[str, AfterValidator(_within(RUN_NAME)), PlainSerializer(_within(RUN_NAME), str)]
