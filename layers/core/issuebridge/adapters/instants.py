"""Times as vendors write them, to UTC; those that no issue can have are none."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from issuebridge.adapters.answers import date_of

EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A time further off is a vendor's zero, or its infinity."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = (1, 10**3, 10**6, 10**9)
_DIGITS = re.compile(r"\d{9,19}(?:\.\d{1,9})?", re.ASCII)
_NAMED_ZONE = re.compile(r"\s*(?:UTC|GMT)$")
_SPACED_ZONE = re.compile(r"\s+([+-]\d\d:?\d\d)$")
_LEAP_SECOND = re.compile(r"(\d\d:\d\d):60")


def instant_of(value: object, zone: tzinfo = UTC) -> datetime | None:
    """ISO 8601 in its variants, the dates of mail and HTTP, or a count since 1970, in seconds or
    smaller. A time without a zone is in `zone`."""
    try:
        found = _read(value, zone)
    except (ValueError, OverflowError):
        return None
    return found if found and EARLIEST <= found < LATEST else None


def _read(value: object, zone: tzinfo) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _counted(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _DIGITS.fullmatch(text):
        return _counted(float(text))
    try:
        plain = _LEAP_SECOND.sub(r"\1:59", _NAMED_ZONE.sub("Z", text.upper()))
        found = datetime.fromisoformat(_SPACED_ZONE.sub(r"\1", plain))
    except ValueError:
        dated = date_of(text) if re.search("[A-Za-z]{3}", text) else None
        return dated and dated.astimezone(UTC)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _counted(count: float) -> datetime | None:
    """Only one of the units gives a time of our age."""
    for units in _PER_SECOND:
        seconds = count / units
        if seconds < (LATEST - _EPOCH).total_seconds():
            return _EPOCH + timedelta(seconds=seconds)
    return None
