"""One request and its answer as bytes. What failed is sorted by whether anything was sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions

from issuebridge.adapters.trust import checked_ca_pem, trust
from issuebridge.adapters.wire import NotSent, Pool, TlsPool, Untrusted, within
from issuebridge.domain.errors import Misconfigured

__all__ = [
    "Lost",
    "NotSent",
    "Reply",
    "Transport",
    "Untrusted",
    "checked_ca_pem",
    "over_network",
    "within",
]

TIMEOUT = urllib3.Timeout(connect=5, read=20)
ANSWER_SECONDS_MAX = 60
"""Should nobody have set a shorter bound."""
BODY_BYTES_MAX = 16 * 2**20
READ_BYTES_MAX = 8 * BODY_BYTES_MAX
TAIL_BYTES = 4096


class Lost(Exception):
    """The request may have arrived, and its answer did not come back whole."""


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are in lower case. Of a body that is too large there is only as
    much as shows that it is, and its `tail`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tail: bytes = b""


Transport = Callable[[str, str, Mapping[str, str], bytes | None], Reply]
"""(method, url, headers, body) -> Reply; raises NotSent or Lost. Tests put their own in place."""


def over_network(ca_pem: str | None = None, timeout: urllib3.Timeout = TIMEOUT) -> Transport:
    """Build the real transport; `ca_pem` is trusted besides the public authorities. Proxies are
    those of the environment as it is now.

    A POST takes a new connection: a kept one that died while the Lambda slept would leave us not
    knowing whether it was carried out.
    """
    settings = {"num_pools": 1, "maxsize": 2, "timeout": timeout, "ssl_context": trust(ca_pem)}
    proxies = getproxies()
    pools: dict[str | None, urllib3.PoolManager] = {}
    options = {"redirect": False, "retries": False, "preload_content": False}

    def exchange(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        proxy = _proxy(url, proxies)
        pool = pools[proxy] if proxy in pools else pools.setdefault(proxy, _pool(proxy, settings))
        if method == "POST":
            pool.clear()
        try:
            with within(ANSWER_SECONDS_MAX):
                sent = pool.urlopen(method, url, body=body, headers=dict(headers), **options)
                return _whole(sent)
        except (
            exceptions.ConnectTimeoutError,
            exceptions.ClosedPoolError,
            exceptions.ProxyError,
        ) as error:
            raise NotSent(str(error)) from error
        except (exceptions.HTTPError, HTTPException, OSError) as error:
            raise Lost(str(error)) from error

    return exchange


def _proxy(url: str, proxies: dict[str, str]) -> str | None:
    parts = urlsplit(url)
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2], proxies):
        return None
    return found if "://" in found else f"http://{found}"


def _pool(proxy: str | None, settings: Mapping[str, Any]) -> urllib3.PoolManager:
    try:
        pool = _through(proxy, settings) if proxy else urllib3.PoolManager(**settings)
    except exceptions.HTTPError as error:
        raise Misconfigured(
            "HTTPS_PROXY, HTTP_PROXY: give http://HOST:PORT, or NO_PROXY for hosts without"
        ) from error
    pool.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
    return pool


def _through(proxy: str, settings: Mapping[str, Any]) -> urllib3.ProxyManager:
    parts = urllib3.util.parse_url(proxy)
    login = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
    return urllib3.ProxyManager(proxy, proxy_headers=login, **settings)


def _whole(answer: urllib3.BaseHTTPResponse) -> Reply:
    """Read the body; of one that is too large no more is kept than shows that, and its end."""
    body, tail, count = bytearray(), b"", 0
    try:
        while count <= READ_BYTES_MAX and (part := answer.read1(2**16)):
            count += len(part)
            if len(body) <= BODY_BYTES_MAX:
                body += part
            else:
                tail = (tail + part)[-TAIL_BYTES:]
        if count <= READ_BYTES_MAX:
            answer.release_conn()
    finally:
        answer.close()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, bytes(body), tail)
