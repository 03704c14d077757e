"""What an answer says of itself: the pause it asks for, its words for an error, its time."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from issuebridge.adapters.network import Reply

RETRY_AFTER_SECONDS_DEFAULT = 30
RETRY_AFTER_SECONDS_MAX = 3600
WORDS_MAX = 300
WORDS_DEPTH_MAX = 5

_NONE_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)\s*=\s*0(?:$|[;,\s])")
_RESET = re.compile(r"(?:^|[;,\s])(?:t|reset)\s*=\s*(\d+)")
_PREFIXES = ("", "x-")
_PAUSING = {HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


def date_of(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def pause_seconds(reply: Reply, now: datetime) -> float | None:
    """How long it asks us to wait; None if it does not say. That too much was asked may be told by
    no more than a header that says that nothing is left."""
    asked = _retry_after(reply.headers, now)
    if math.isnan(asked) and reply.status in _PAUSING and _has_none_left(reply.headers):
        asked = _reset(reply.headers, now)
        asked = RETRY_AFTER_SECONDS_DEFAULT if math.isnan(asked) else asked
    return None if math.isnan(asked) else min(max(asked, 0), RETRY_AFTER_SECONDS_MAX)


def _retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """In seconds or as a date; not a number if there is none that makes sense."""
    asked = headers.get("retry-after", "").strip()
    seconds = _number(asked)
    until = date_of(asked) if math.isnan(seconds) else None
    return (until - now).total_seconds() if until else seconds


def _has_none_left(headers: Mapping[str, str]) -> bool:
    told = [headers.get(f"{prefix}ratelimit-remaining", "") for prefix in _PREFIXES]
    return "0" in (each.strip() for each in told) or bool(
        _NONE_LEFT.search(headers.get("ratelimit", ""))
    )


def _reset(headers: Mapping[str, str], now: datetime) -> float:
    """When there is more again, in seconds from now: some vendors name the time itself, since 1970,
    in seconds or in milliseconds."""
    found = _RESET.search(headers.get("ratelimit", ""))
    told = [headers.get(f"{prefix}ratelimit-reset", "") for prefix in _PREFIXES]
    named = (_number(each) for each in [*told, found[1] if found else ""])
    at = next((seconds for seconds in named if not math.isnan(seconds)), math.nan)
    at = at / 1000 if at > now.timestamp() * 100 else at
    return at - now.timestamp() if at > now.timestamp() / 2 else at


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def is_html(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def words_of(body: bytes) -> str:
    text = "an HTML page" if is_html(body) else body.decode("utf-8", "replace")
    try:
        return said_in(json.loads(text))
    except (ValueError, RecursionError):
        return text


def said_in(document: object, depth: int = WORDS_DEPTH_MAX) -> str:
    """Find code, message and details in whichever shape the vendor's error has today."""
    if isinstance(document, list):
        return said_in(document[0], depth - 1) if document and depth else ""
    if not isinstance(document, dict):
        return document if isinstance(document, str) else ""
    for inner in (document.get("errors"), document.get("error")):
        if isinstance(inner, list | dict) and inner and depth:
            return said_in(inner, depth - 1)
    names = ("error", "code", "type", "message", "detail", "request_id")
    parts = [document[name] for name in names if isinstance(document.get(name), str)]
    details = document.get("details")
    return ": ".join([*parts, json.dumps(details)] if details else parts)


def printable(text: str) -> str:
    """Put it on one line, without control or invisible characters, and not long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * WORDS_MAX])
    return " ".join(shown.split())[:WORDS_MAX]
