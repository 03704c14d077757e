"""One simulator behind HTTP/1.1 on loopback.

A reply leaves in one write: head and body apart would wait 40 ms for a delayed ACK.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING

from .wire import parse_request

if TYPE_CHECKING:
    from .simulator import Simulator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.server.open_sockets.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that gave up, or a stopped server
            super().handle()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = parse_request(self.command, self.path, dict(self.headers.items()), raw)
        outgoing = self.server.simulator.receive(request)
        if outgoing.pause_seconds:
            self.server.stopped.wait(outgoing.pause_seconds)
        data, pause = outgoing.data or b"", outgoing.drip_seconds
        for part in map(bytes, zip(data, strict=True)) if pause else [data]:
            self.wfile.write(part)
            self.server.stopped.wait(pause)
        if outgoing.closes:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def log_message(self, *_args: object) -> None:
        """The journal is the log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, simulator: "Simulator", port: int) -> None:
        self.simulator = simulator
        self.stopped = Event()
        self.open_sockets: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def run(self) -> None:
        while not self.stopped.is_set():
            self.handle_request()

    def stop(self) -> None:
        """End `run`, which a last connection wakes from its wait."""
        self.stopped.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_port), timeout=1).close()

    def hang_up(self) -> None:
        """End kept-alive connections too, so that a stopped simulator answers nobody."""
        self.server_close()
        for connection in list(self.open_sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening(simulator: "Simulator", port: int) -> Iterator[str]:
    """Serve from a thread; port 0 takes a free one."""
    running = _Server(simulator, port)
    thread = Thread(target=running.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.stop()
        thread.join()
        running.hang_up()
