"""What a field may hold. A check answers what is wrong with a value in words, or None."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Check = Callable[[Any], str | None]

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?Z")
URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"(//([A-Za-z0-9._~!$&'()*+,;=:%-]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:\d*)?)?"
    r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?"
    r"(#[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?"
)

MEASURES: dict[str, Callable[[str], int]] = {
    "utf16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "code_points": len,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}


def text(low: int, high: int | None = None, unit: str = "code_points") -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "must be a string"
        size = MEASURES[unit](value)
        if size < low or (high is not None and size > high):
            return f"must have {low} to {high or 'any number of'} characters, has {size}"
        return None

    return check


def one_of(words: Iterable[str]) -> Check:
    allowed = tuple(words)
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def uuid_or_null(value: Any) -> str | None:
    is_fine = value is None or (isinstance(value, str) and UUID.fullmatch(value))
    return None if is_fine else "must be a UUID or null"


def uri(value: Any) -> str | None:
    """RFC 3986, as the format `uri` of OpenAPI means it: ASCII, and nothing half encoded."""
    is_fine = isinstance(value, str) and URI.fullmatch(value)
    return None if is_fine and not re.search("%(?![0-9A-Fa-f]{2})", value) else "must be a URI"


def instant(value: Any) -> str | None:
    problem = "must be a UTC time ending in Z"
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return problem
    try:
        datetime.fromisoformat(value)
    except ValueError:  # the 30th of February
        return problem
    return None


def whole_number(low: int, high: int) -> Check:
    """For query parameters and path parts, which arrive as text."""

    def check(value: Any) -> str | None:
        is_fine = re.fullmatch(r"\d{1,15}", value) and low <= int(value) <= high
        return None if is_fine else f"must be a whole number from {low} to {high}"

    return check


def problems(fields: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, str]:
    """What is wrong, by field; fields without a check are nobody's business here."""
    found = {name: checks[name](value) for name, value in fields.items() if name in checks}
    return {name: problem for name, problem in found.items() if problem}


def missing(fields: Mapping[str, Any], required: Iterable[str]) -> dict[str, str]:
    return {name: "is required" for name in required if name not in fields}


def texts_in(value: Any) -> Iterable[str]:
    """Every string inside a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
