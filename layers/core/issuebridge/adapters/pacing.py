"""When a request may start: time and chance, and the pace of one key."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom
from threading import Lock

from issuebridge.adapters.clock import SystemClock


@dataclass(frozen=True)
class Timing:
    """Time and chance, for tests to replace."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = SystemClock().now
    chance: Callable[[], float] = SystemRandom().random


class Pacer:
    """Lets at most so many requests a second start, in the order they ask."""

    def __init__(self, per_second: float, timing: Timing) -> None:
        self._gap, self._timing = 1 / per_second, timing
        self._next, self._lock = -math.inf, Lock()

    def wait(self) -> None:
        with self._lock:
            now = self._timing.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap
        if start > now:
            self._timing.sleep(start - now)
