"""Connections that read one answer for one request, and no longer than its time allows.

`http.client` takes an interim answer (102, 103) for the answer, so that every later one is taken
for that of the request before; and it waits anew for each byte.
"""

import io
import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

INTERIM_MAX = 20

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The requests in here must be answered whole by then; an outer bound holds as well."""
    before = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(before)


class NotSent(Exception):
    """There was no connection: no byte of the request left."""


class Untrusted(NotSent):
    """The server's certificate is not trusted, or is one for another name."""


class _Timed(io.RawIOBase):
    """A socket's bytes, each awaited no longer than is left of the whole time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self.sock = raw, sock
        self._idle, self._deadline = sock.gettimeout(), _deadline.get()
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - typed so in its base
        if self.is_over:
            return 0
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        if left < math.inf:
            self.sock.settimeout(min(left, self._idle or left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Stream(io.BufferedReader):
    """At the end of an answer nothing may be left, or it would be taken for the next one."""

    raw: _Timed

    def close(self) -> None:
        if not self.closed:
            self.raw.is_over = True
            sock = self.raw.sock
            if self.peek(1) or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **more)
        self.fp = _Stream(_Timed(self.fp.detach(), sock))

    def begin(self) -> None:
        """Read on to the answer itself: an interim one only says that it will come."""
        super().begin()
        for _ in range(INTERIM_MAX):
            if self.status >= HTTPStatus.OK:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        raise HTTPException(f"no answer but {self.status}")


class _Connection(HTTPConnection):
    response_class = _Answer


class _TlsConnection(HTTPSConnection):
    response_class = _Answer

    def connect(self) -> None:
        """Make a failed handshake a failed connection: only later errors leave us in doubt."""
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(error.verify_message) from error
        except (exceptions.HTTPError, OSError) as error:
            raise exceptions.NewConnectionError(self, str(error)) from error


class Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
