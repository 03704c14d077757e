"""One request and its answer as bytes. What failed is sorted by whether anything was sent."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPSConnection

from issuebridge.domain.errors import Misconfigured

TIMEOUT = urllib3.Timeout(connect=5, read=20)
ANSWER_SECONDS_MAX = 60
BODY_BYTES_MAX = 16 * 2**20


class NotSent(Exception):
    """There was no connection: no byte of the request left."""


class Lost(Exception):
    """The request may have arrived, and its answer did not come back whole."""


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Transport = Callable[[str, str, Mapping[str, str], bytes | None], Reply]
"""(method, url, headers, body) -> Reply; raises NotSent or Lost. Tests put their own in place."""


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        """Make a failed handshake a failed connection: only later errors leave us in doubt."""
        try:
            super().connect()
        except (exceptions.HTTPError, OSError) as error:
            raise exceptions.NewConnectionError(self, str(error)) from error


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def over_network(ca_pem: str | None = None, timeout: urllib3.Timeout = TIMEOUT) -> Transport:
    """Build the real transport; `ca_pem` is trusted besides the public authorities.

    A POST takes a new connection: a kept one that died while the Lambda slept would leave us not
    knowing whether it was carried out.
    """
    trust = ssl.create_default_context()
    try:
        if ca_pem:
            trust.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise Misconfigured("ca_pem: give one or more certificates as PEM text") from error
    pool = urllib3.PoolManager(num_pools=1, maxsize=2, timeout=timeout, ssl_context=trust)
    pool.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": _TlsPool}
    options = {"redirect": False, "retries": False, "preload_content": False}

    def exchange(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        if method == "POST":
            pool.clear()
        try:
            return _whole(pool.urlopen(method, url, body=body, headers=dict(headers), **options))
        except (exceptions.ConnectTimeoutError, exceptions.ClosedPoolError) as error:
            raise NotSent(str(error)) from error
        except (exceptions.HTTPError, HTTPException, OSError) as error:
            raise Lost(str(error)) from error

    return exchange


def _whole(answer: urllib3.BaseHTTPResponse) -> Reply:
    """Read the body, no further than shows that it is too large."""
    deadline, body = time.monotonic() + ANSWER_SECONDS_MAX, bytearray()
    try:
        while len(body) <= BODY_BYTES_MAX and (part := answer.read1(2**16)):
            body += part
            if time.monotonic() > deadline:
                raise Lost(f"no whole answer within {ANSWER_SECONDS_MAX} s")
        if len(body) <= BODY_BYTES_MAX:
            answer.release_conn()
    finally:
        answer.close()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, bytes(body))
