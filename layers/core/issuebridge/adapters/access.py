"""Whether a refusal concerns the key, or one issue alone."""

import math
from collections.abc import Callable, Sequence

LET_IN_SECONDS = 60
"""How long a key that was let in counts as a good one."""


class Access:
    """What the key was let in to lately.

    To read proves nothing of the right to write: a second issue that may not be written says that
    none may.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._listed_at = self._read_at = -math.inf
        self._unwritable: set[str] = set()

    def granted(self, method: str, ids: Sequence[str]) -> None:
        if method != "GET":
            self._unwritable.clear()
            return
        self._read_at = self._monotonic()
        self._listed_at = self._listed_at if ids else self._read_at

    def is_refused_alone(self, method: str, ids: Sequence[str]) -> bool:
        if not ids:
            self._listed_at = self._read_at = -math.inf
            return False
        if method == "GET":
            return self._monotonic() - self._read_at <= LET_IN_SECONDS
        self._unwritable.add(ids[0])
        is_key_good = self._monotonic() - self._listed_at <= LET_IN_SECONDS
        return is_key_good and len(self._unwritable) == 1
