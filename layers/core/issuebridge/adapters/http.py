"""HTTP as the vendor clients need it: paced, bounded, and errors sorted by what to do about them.

What is certain of a request decides its error. One that never left may be sent again, one that
only reads is repeated in here, and one that writes and has no clear answer is Ambiguous.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, tzinfo
from http import HTTPStatus
from itertools import count
from re import sub
from urllib.parse import quote, urlencode

from issuebridge.adapters.access import Access
from issuebridge.adapters.answers import (
    RETRY_AFTER_SECONDS_DEFAULT,
    date_of,
    is_html,
    pause_seconds,
    printable,
    words_of,
)
from issuebridge.adapters.json_text import TooManyParts, read_json
from issuebridge.adapters.network import (
    BODY_BYTES_MAX,
    Lost,
    NotSent,
    Reply,
    Transport,
    Untrusted,
    over_network,
    within,
)
from issuebridge.adapters.pacing import Pacer, Timing
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Conflict,
    Gone,
    Misconfigured,
    RateLimited,
    Refused,
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
SKEW_NOISE = timedelta(seconds=2)
SKEW_MAX = timedelta(days=1)
EDGE_BYTES = 4096

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
_NO_ACCESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, *range(300, 400)}
_NOT_DONE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN}
"""Refused by these with a pause, even a write was surely not carried out."""

Query = Sequence[tuple[str, str]]


class TooLarge(Rejected):
    """What was asked for is more than we read: less of it may do. Of the answer only its first and
    its last bytes are kept."""

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message)
        self.head = reply.body[:EDGE_BYTES]
        self.tail = (reply.body[-EDGE_BYTES:] + reply.tail)[-EDGE_BYTES:]


class _BlindlyLimited(RateLimited):
    """Asked for a pause, without saying how long."""


@dataclass(frozen=True)
class _Call:
    """`name` is what errors call it: connection, method and path, without ids or query."""

    name: str
    method: str
    ids: Sequence[str] = field(repr=False)
    url: str = field(repr=False)
    body: bytes | None = field(repr=False)
    key: str = field(repr=False)
    is_page: bool

    def unclear(self, message: str) -> Transient:
        return Transient(message) if self.method == "GET" else Ambiguous(message)


@dataclass(repr=False)
class Http:
    """One vendor's API under one key, which is asked for at each request and kept nowhere.

    `ahead` is how far the server's clock ran ahead of ours at its last answer. With `login_pages`
    an HTML page in place of data means that the key was not accepted. A whole answer must be there
    within `page_seconds` if it is a page of a list, else within `read_seconds`. A secret that can
    be read anew past its cache has a `reread`. `zone` is that of times which are told without one.
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
    read_seconds: float = 20
    page_seconds: float = 45
    zone: tzinfo = UTC
    ahead: timedelta = field(default=timedelta(), init=False)

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.requests_per_second, self.timing)
        self._access = Access(self.timing.monotonic)

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
        url, data = self._url(name, path, ids, query), _encoded(name, body)
        call = _Call(name, method, ids, url, data, self._key(self.secret), bool(query))
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
        filled = sub("{[^}]*}", lambda _: quote(next(parts), safe="", errors="replace"), path)
        return f"{self.base_url}{filled}?{urlencode(query, errors='replace')}".rstrip("?")

    def _key(self, secret: Callable[[], str]) -> str:
        key = secret()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Misconfigured(
                f"connections.{self.name}.secret: the API key in it is empty, or has white space "
                "or control characters around or inside it: store the bare key"
            )
        return key

    def _renewed(self, key: str) -> str | None:
        """The key that is stored now, if it is another one."""
        try:
            stored = self._key(getattr(self.secret, "reread", self.secret))
        except SyncError:
            return None
        return stored if stored != key else None

    def _once(self, call: _Call) -> object:
        reply = self._exchange(call)
        if reply.status in _NO_ACCESS and (key := self._renewed(call.key)):
            call = replace(call, key=key)  # nothing was carried out with the old one
            reply = self._exchange(call)
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return self._accepted(call, reply)
        raise self._refused(call, reply)

    def _exchange(self, call: _Call) -> Reply:
        headers = {"accept": "application/json", "user-agent": "issuebridge", **self.headers}
        headers["authorization"] = self.scheme + call.key
        if call.body is not None:
            headers["content-type"] = "application/json"
        self._pacer.wait()
        try:
            with within(self.page_seconds if call.is_page else self.read_seconds):
                reply = self.transport(call.method, call.url, headers, call.body)
        except Untrusted as error:
            place = f"connections.{self.name}"
            raise Misconfigured(
                f"{call.name}: its certificate is not accepted: {printable(str(error))}: give your "
                f"own authority's certificate in {place}.ca_pem, or the host's very name in "
                f"{place}.base_url"
            ) from error
        except NotSent as error:
            said = f"{call.name}: no connection: {printable(str(error))}"
            raise Unreachable(said) from error
        except Lost as error:
            said = f"{call.name}: no answer: {printable(str(error))}"
            raise (Unreachable if call.method == "GET" else Ambiguous)(said) from error
        dated = date_of(reply.headers.get("date", ""))
        self.ahead = dated - self.timing.now() if dated else self.ahead
        return reply

    def _accepted(self, call: _Call, reply: Reply) -> object:
        if len(reply.body) > BODY_BYTES_MAX:
            raise _too_large(call, reply, f"larger than {BODY_BYTES_MAX} bytes")
        if not reply.body.strip() and call.method != "GET":
            self._access.granted(call.method, call.ids)
            return None
        try:
            document = read_json(reply.body)
        except TooManyParts as error:
            raise _too_large(call, reply, str(error)) from error
        except ValueError as error:
            if self.login_pages and call.method == "GET" and is_html(reply.body):
                raise self._no_access(call, f"{call.name}: a login page") from error
            raise call.unclear(f"{call.name}: {reply.status}, and no JSON in it") from error
        self._access.granted(call.method, call.ids)
        return document

    def _refused(self, call: _Call, reply: Reply) -> SyncError:
        words = printable(words_of(reply.body).replace(call.key, "***"))
        status, said = reply.status, f"{call.name}: {reply.status} {words}".rstrip()
        pause = pause_seconds(reply, date_of(reply.headers.get("date", "")) or self.timing.now())
        if status == HTTPStatus.TOO_MANY_REQUESTS and pause is None:
            return _BlindlyLimited(said, retry_after_seconds=RETRY_AFTER_SECONDS_DEFAULT)
        may_wait = status in _NOT_DONE or (call.method == "GET" and status in _PASSING)
        if pause is not None and may_wait:
            return RateLimited(said, retry_after_seconds=pause)
        if status in _NO_ACCESS:
            return self._no_access(call, said)
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Gone(said)
        if status == HTTPStatus.CONFLICT:
            return Conflict(said)
        return call.unclear(said) if status in _PASSING else Rejected(said)

    def _no_access(self, call: _Call, said: str) -> SyncError:
        if self._access.is_refused_alone(call.method, call.ids):
            return Refused(f"{said}: only for this issue, as the key is accepted for others")
        return AccessRefused(f"{said}: {self._remedy()}")

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


def _encoded(name: str, body: object) -> bytes | None:
    try:
        return None if body is None else json.dumps(body, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise Rejected(f"{name}: not sent: JSON cannot say it") from error


def _too_large(call: _Call, reply: Reply, how: str) -> SyncError:
    message = f"{call.name}: the answer is {how}"
    return TooLarge(message, reply) if call.method == "GET" else Ambiguous(message)
