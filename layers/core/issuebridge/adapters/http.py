"""HTTP as the vendor clients need it: paced, bounded, and errors sorted by what to do about them.

What is certain of a request decides its error. One that never left may be sent again, one that
only reads is repeated in here, and one that writes and has no clear answer is Ambiguous.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from random import SystemRandom
from re import sub
from threading import Lock
from urllib.parse import quote, urlencode

from issuebridge.adapters.clock import SystemClock
from issuebridge.adapters.network import (
    BODY_BYTES_MAX,
    Lost,
    NotSent,
    Reply,
    Transport,
    over_network,
)
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Conflict,
    Gone,
    Misconfigured,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
    Unreachable,
)

REPEATS_MAX = 3
REPEAT_WITHIN_SECONDS = 10
"""A slow answer is not asked for again: the time belongs to the rest of the round."""
PAUSE_SECONDS_MAX = 5
"""A longer wait is not slept in a paid Lambda: the caller gets it as RateLimited."""
RETRY_AFTER_SECONDS_DEFAULT = 30
RETRY_AFTER_SECONDS_MAX = 3600
WORDS_MAX = 300
SKEW_NOISE = timedelta(seconds=2)
SKEW_MAX = timedelta(days=1)

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
_NO_ACCESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, *range(300, 400)}

Query = Sequence[tuple[str, str]]


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


class _BlindlyLimited(RateLimited):
    """Asked for a pause, without saying how long."""


@dataclass(frozen=True)
class _Call:
    """`name` is what errors call it: connection, method and path, without ids or query."""

    name: str
    method: str
    url: str = field(repr=False)
    body: bytes | None = field(repr=False)
    key: str = field(repr=False)

    def unclear(self, message: str) -> Transient:
        return Transient(message) if self.method == "GET" else Ambiguous(message)


@dataclass(repr=False)
class Http:
    """One vendor's API under one key, which is asked for at each request and kept nowhere.

    `ahead` is how far the server's clock ran ahead of ours at its last answer. With `login_pages`
    an HTML page in place of data means that the key was not accepted.
    """

    name: str
    base_url: str
    secret: Callable[[], str]
    requests_per_second: float
    scheme: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict)
    login_pages: bool = False
    transport: Transport = field(default_factory=over_network)
    timing: Timing = field(default_factory=Timing)
    ahead: timedelta = field(default=timedelta(), init=False)

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.requests_per_second, self.timing)

    @property
    def skew(self) -> timedelta:
        """A date in whole seconds, on a reply that travelled, cannot tell a small skew from none;
        and a server that is very far off has no clock to go by."""
        return self.ahead if SKEW_NOISE < abs(self.ahead) < SKEW_MAX else timedelta()

    def send(
        self, method: str, path: str, *ids: str, query: Query = (), body: object = None
    ) -> object:
        """Give the parsed JSON of a success; None for a write that was answered without a body.

        `path` has a `{placeholder}` for each of `ids`. Only a GET is ever repeated in here.
        """
        name = f"{self.name}: {method} {path}"
        data = None if body is None else json.dumps(body).encode()
        call = _Call(name, method, self._url(name, path, ids, query), data, self._key())
        began = self.timing.monotonic()
        for attempt in count():
            try:
                return self._once(call)
            except Transient as error:
                pause = self.timing.chance() * 2**attempt
                if isinstance(error, RateLimited) and not isinstance(error, _BlindlyLimited):
                    pause = error.retry_after_seconds
                is_late = self.timing.monotonic() - began > REPEAT_WITHIN_SECONDS
                is_last = is_late or attempt == REPEATS_MAX or pause > PAUSE_SECONDS_MAX
                if method != "GET" or is_last:
                    raise
            self.timing.sleep(pause)
        raise AssertionError("counts without end")

    def _url(self, name: str, path: str, ids: Sequence[str], query: Query) -> str:
        if not all(part.strip(".") for part in ids):
            raise Gone(f"{name}: an empty id names no issue")
        parts = iter(ids)
        filled = sub("{[^}]*}", lambda _: quote(next(parts), safe=""), path)
        return f"{self.base_url}{filled}?{urlencode(query)}".rstrip("?")

    def _key(self) -> str:
        key = self.secret()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Misconfigured(
                f"connections.{self.name}.secret: the API key in it is empty, or has white space "
                "or control characters around or inside it: store the bare key"
            )
        return key

    def _once(self, call: _Call) -> object:
        headers = {"accept": "application/json", "user-agent": "issuebridge", **self.headers}
        headers["authorization"] = self.scheme + call.key
        if call.body is not None:
            headers["content-type"] = "application/json"
        self._pacer.wait()
        try:
            reply = self.transport(call.method, call.url, headers, call.body)
        except NotSent as error:
            said = f"{call.name}: no connection: {printable(str(error))}"
            raise Unreachable(said) from error
        except Lost as error:
            said = f"{call.name}: no answer: {printable(str(error))}"
            raise (Unreachable if call.method == "GET" else Ambiguous)(said) from error
        now = self.timing.now()
        dated = _date(reply.headers.get("date", ""))
        self.ahead = dated - now if dated else self.ahead
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return self._accepted(call, reply)
        raise self._refused(call, reply, _pause_seconds(reply, dated or now))

    def _accepted(self, call: _Call, reply: Reply) -> object:
        if len(reply.body) > BODY_BYTES_MAX:
            message = f"{call.name}: the answer is larger than {BODY_BYTES_MAX} bytes"
            raise Rejected(message) if call.method == "GET" else Ambiguous(message)
        if not reply.body.strip() and call.method != "GET":
            return None
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            if self.login_pages and call.method == "GET" and _is_html(reply.body):
                raise AccessRefused(f"{call.name}: a login page: {self._remedy()}") from error
            raise call.unclear(f"{call.name}: {reply.status}, and no JSON in it") from error

    def _refused(self, call: _Call, reply: Reply, pause: float | None) -> SyncError:
        words = printable(_words(reply.body).replace(call.key, "***"))
        status, said = reply.status, f"{call.name}: {reply.status} {words}".rstrip()
        if status == HTTPStatus.TOO_MANY_REQUESTS and pause is None:
            return _BlindlyLimited(said, retry_after_seconds=RETRY_AFTER_SECONDS_DEFAULT)
        may_wait = status == HTTPStatus.TOO_MANY_REQUESTS or call.method == "GET"
        if pause is not None and may_wait and status in _PASSING:
            return RateLimited(said, retry_after_seconds=pause)
        if status in _NO_ACCESS:
            return AccessRefused(f"{said}: {self._remedy()}")
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Gone(said)
        if status == HTTPStatus.CONFLICT:
            return Conflict(said)
        return call.unclear(said) if status in _PASSING else Rejected(said)

    def _remedy(self) -> str:
        place = f"connections.{self.name}"
        return f"check the key in {place}.secret, its rights, and {place}.base_url"


@contextmanager
def second_source() -> Iterator[None]:
    """What is asked in here is told elsewhere too: only a pause or a refused key gets out."""
    try:
        yield
    except (RateLimited, AccessRefused):
        raise
    except SyncError:
        return


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _pause_seconds(reply: Reply, now: datetime) -> float | None:
    """Read Retry-After, in seconds or as a date; None if there is none that makes sense."""
    asked = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(asked)
    except ValueError:
        until = _date(asked)
        seconds = (until - now).total_seconds() if until else math.nan
    return None if math.isnan(seconds) else min(max(seconds, 0), RETRY_AFTER_SECONDS_MAX)


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _words(body: bytes) -> str:
    text = "an HTML page" if _is_html(body) else body.decode("utf-8", "replace")
    try:
        return _said(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _said(document: object) -> str:
    """Find code, message and details in whichever shape the vendor's error has today."""
    if isinstance(document, list):
        return _said(document[0]) if document else ""
    if not isinstance(document, dict):
        return document if isinstance(document, str) else ""
    for inner in (document.get("errors"), document.get("error")):
        if isinstance(inner, list | dict) and inner:
            return _said(inner)
    names = ("error", "code", "type", "message", "detail", "request_id")
    parts = [document[name] for name in names if isinstance(document.get(name), str)]
    details = document.get("details")
    return ": ".join([*parts, json.dumps(details)] if details else parts)


def printable(text: str) -> str:
    """Put it on one line, without control or invisible characters, and not long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * WORDS_MAX])
    return " ".join(shown.split())[:WORDS_MAX]
