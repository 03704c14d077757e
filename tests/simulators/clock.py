"""The simulators' clock: real time that a test can push forward, and how vendors write it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Runs with the machine's monotonic clock, from `start`; never goes back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._started = time.monotonic()
        self._advanced_seconds = 0.0

    def now(self) -> datetime:
        elapsed = time.monotonic() - self._started + self._advanced_seconds
        return self._start + timedelta(seconds=elapsed)

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._advanced_seconds += seconds


def millis(instant: datetime) -> str:
    """`2026-05-06T21:09:57.081Z`"""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def seconds(instant: datetime) -> str:
    """`2026-05-06T21:09:57Z`"""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text)
