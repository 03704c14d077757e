"""One request to a vendor: what is certain of it decides its error, and only reads are repeated."""

import json
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import urllib3

from issuebridge.adapters.http import Http, Pacer, Timing
from issuebridge.adapters.network import BODY_BYTES_MAX, Lost, NotSent, Reply, over_network
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Gone,
    Misconfigured,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
    Unreachable,
)

KEY = "sk-very-secret"
NOW = datetime(2026, 5, 6, 21, 9, 57, tzinfo=UTC)
PATH = "/v1/things/{id}"


class Vendor:
    """A transport: plays back what it was given, then repeats the last of it."""

    def __init__(self, *outcomes: Reply | Exception) -> None:
        self.outcomes, self.sent, self.slept = list(outcomes), [], []

    def __call__(self, method, url, headers, body) -> Reply:
        self.sent.append((method, url, dict(headers), body))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def http(self, secret: Callable[[], str] = lambda: KEY, **more) -> Http:
        timing = Timing(sleep=self.slept.append, monotonic=float, now=lambda: NOW, chance=float)
        defaults = {"requests_per_second": math.inf, "transport": self, "timing": timing}
        return Http(name="things", base_url="https://t.example", secret=secret, **defaults | more)


def answered(status: int = 200, body: object = None, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, data)


def error_of(vendor: Vendor, method: str = "GET", **more) -> SyncError:
    with pytest.raises(SyncError) as caught:
        vendor.http(**more).send(method, PATH, "a1", query=[("q", "hidden")], body=None)
    return caught.value


OK = answered(200, {"ok": True})
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


def test_a_request_carries_the_key_in_its_header_and_nowhere_else():
    vendor = Vendor(OK)
    assert vendor.http().send("PATCH", PATH, "a/1?", query=[("q", "x y")], body={"a": 1})
    method, url, headers, body = vendor.sent[0]
    assert (method, body) == ("PATCH", b'{"a": 1}')
    assert url == "https://t.example/v1/things/a%2F1%3F?q=x+y"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert KEY not in repr(vendor.http())


@pytest.mark.parametrize("key", ["", f"{KEY}\n", f" {KEY}", "two words", "a\x00b", "schlüssel"])
def test_a_key_that_is_not_bare_is_refused_before_it_is_sent_and_not_shown(key):
    vendor = Vendor(OK)
    error = error_of(vendor, secret=lambda: key)
    assert isinstance(error, Misconfigured)
    assert "connections.things.secret" in str(error)
    assert not vendor.sent
    assert not key.strip() or key.strip() not in str(error)


@pytest.mark.parametrize("empty", ["", ".", ".."])
def test_an_empty_id_never_becomes_the_address_of_the_list(empty):
    vendor = Vendor(OK)
    with pytest.raises(Gone):
        vendor.http().send("GET", PATH, empty)
    assert not vendor.sent


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (301, AccessRefused, AccessRefused),
        (302, AccessRefused, AccessRefused),
        (400, Rejected, Rejected),
        (401, AccessRefused, AccessRefused),
        (402, Rejected, Rejected),
        (403, AccessRefused, AccessRefused),
        (404, Gone, Gone),
        (405, Rejected, Rejected),
        (408, Transient, Ambiguous),
        (409, Rejected, Rejected),
        (410, Gone, Gone),
        (418, Rejected, Rejected),
        (422, Rejected, Rejected),
        (429, RateLimited, RateLimited),
        (500, Transient, Ambiguous),
        (502, Transient, Ambiguous),
        (503, Transient, Ambiguous),
        (504, Transient, Ambiguous),
        (599, Transient, Ambiguous),
    ],
)
@pytest.mark.parametrize("body", [b"", HTML, b"\xff\xfe", b'{"message": "no"}'])
def test_errors_are_sorted_by_status_whatever_the_body(status, read, write, body):
    assert type(error_of(Vendor(answered(status, body)))) in (read, *read.__subclasses__())
    assert type(error_of(Vendor(answered(status, body)))) is not Ambiguous
    assert isinstance(error_of(Vendor(answered(status, body)), "POST"), write)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "outcome",
    [NotSent("refused"), Lost("reset"), answered(503), answered(429), answered(200, b"{")],
)
def test_a_write_is_never_repeated_in_here(method, outcome):
    vendor = Vendor(outcome)
    error_of(vendor, method)
    assert len(vendor.sent) == 1
    assert not vendor.slept


@pytest.mark.parametrize(
    "outcome",
    [
        NotSent("refused"),
        Lost("reset"),
        answered(500),
        answered(502, HTML),
        answered(429),
        answered(200, b'{"half": '),
        answered(200, b""),
        answered(200, HTML),
        answered(200, b"[" * 100_000),
    ],
)
def test_a_read_is_repeated_three_times_with_growing_pauses(outcome):
    vendor = Vendor(outcome)
    timing = Timing(sleep=vendor.slept.append, now=lambda: NOW, chance=lambda: 1.0)
    error_of(vendor, timing=timing)
    assert len(vendor.sent) == 4
    assert vendor.slept == [1, 2, 4]
    recovering = Vendor(outcome, outcome, OK)
    assert recovering.http().send("GET", PATH, "a1") == {"ok": True}


def test_what_surely_never_left_finds_nobody_and_what_may_have_is_ambiguous():
    assert type(error_of(Vendor(NotSent("refused")), "POST")) is Unreachable
    assert type(error_of(Vendor(Lost("timed out")), "POST")) is Ambiguous
    assert type(error_of(Vendor(Lost("timed out")))) is Unreachable
    assert type(error_of(Vendor(answered(201, b'{"id": "a')), "POST")) is Ambiguous


def test_a_write_answered_without_a_body_is_a_success():
    assert Vendor(answered(204, b"")).http().send("DELETE", PATH, "a1") is None
    assert Vendor(answered(200, b" ")).http().send("PUT", PATH, "a1") is None


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("120", None, 120),
        ("7.5", None, 7.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), None, 90),
        (
            format_datetime(NOW + timedelta(seconds=90), usegmt=True),
            format_datetime(NOW + timedelta(seconds=60), usegmt=True),
            30,
        ),
        ("999999999", None, 3600),
        ("soon", None, 30),
        ("nan", None, 30),
        ("inf", None, 3600),
        ("", None, 30),
    ],
)
def test_the_pause_a_vendor_asks_for_is_handed_to_the_caller(retry_after, date, seconds):
    dated = {"date": date} if date else {}
    vendor = Vendor(answered(429, b"", retry_after=retry_after, **dated))
    error = error_of(vendor, "POST")
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == seconds


def test_a_long_pause_is_not_slept_and_a_short_one_is():
    long = Vendor(answered(429, b"", retry_after="6"))
    assert error_of(long).retry_after_seconds == 6
    assert (len(long.sent), long.slept) == (1, [])
    short = Vendor(answered(503, b"", retry_after="3"), OK)
    assert short.http().send("GET", PATH, "a1") == {"ok": True}
    assert short.slept == [3]
    past = format_datetime(NOW - timedelta(hours=1), usegmt=True)
    over = Vendor(answered(429, b"", retry_after=past), OK)
    assert over.http().send("GET", PATH, "a1") == {"ok": True}
    assert over.slept == [0]


def test_a_busy_server_that_names_its_pause_is_left_alone_for_that_long():
    error = error_of(Vendor(answered(503, b"", retry_after="60")))
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 60


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"data": None, "errors": [{"error": "bad_request", "message": "no"}]}, "bad_request: no"),
        ({"status": "error", "message": "Rate limit exceeded"}, "Rate limit exceeded"),
        ({"error": "conflict", "message": "taken"}, "conflict: taken"),
        ({"type": "error", "error": {"type": "x_error", "message": "bad"}}, "x_error: bad"),
        (
            {"type": "api_error", "message": "m", "request_id": "r1", "details": {"title": "long"}},
            'api_error: m: r1: {"title": "long"}',
        ),
        ({"error": "just text"}, "just text"),
        ({"errors": []}, ""),
        ({"error": None, "message": 7}, ""),
        (["first", "second"], "first"),
        ([], ""),
        (None, ""),
        (b"plain text", "plain text"),
        (b"line\r\nbreak \x1b[31m\xe2\x80\xae red", "line break [31m red"),
        (HTML, "an HTML page"),
        (b"", ""),
        (b"x" * 5000, "x" * 300),
    ],
)
def test_the_vendors_own_words_are_found_in_every_shape(body, shown):
    error = error_of(Vendor(answered(409, body)))
    assert str(error) == f"things: GET {PATH}: 409 {shown}".rstrip()


@pytest.mark.parametrize("outcome", [NotSent("x"), Lost("x"), answered(200, b"{"), answered(400)])
def test_an_error_names_the_call_and_neither_ids_nor_query_nor_key(outcome):
    text = str(error_of(Vendor(outcome)))
    assert text.startswith(f"things: GET {PATH}: ")
    assert "hidden" not in text
    assert "a1" not in text


def test_a_key_that_the_vendor_echoes_is_not_shown():
    error = error_of(Vendor(answered(401, {"message": f"Invalid key {KEY}!"})))
    assert "Invalid key ***!" in str(error)
    assert KEY not in str(error)


def test_a_traceback_that_shows_values_shows_no_key():
    with pytest.raises(Transient) as caught:
        Vendor(Lost("reset")).http().send("GET", PATH, "a1")
    shown = [repr(value) for frame in caught.traceback for value in frame.frame.f_locals.values()]
    calls = [text for text in shown if text.startswith(("_Call(", "Call(", "<issuebridge"))]
    assert calls
    assert KEY not in str(calls)


def test_a_refused_key_says_where_to_look_and_a_redirect_is_not_followed_or_shown():
    vendor = Vendor(answered(302, b"", location="https://login.example/?token=t"))
    error = error_of(vendor)
    assert "connections.things.secret" in str(error)
    assert "login.example" not in str(error)
    assert len(vendor.sent) == 1


def test_a_login_page_in_place_of_data_is_a_refused_key_only_where_the_vendor_does_that():
    assert isinstance(error_of(Vendor(answered(200, HTML)), login_pages=True), AccessRefused)
    assert type(error_of(Vendor(answered(200, HTML)))) is Transient
    # After a write nobody knows: the next read will say.
    assert type(error_of(Vendor(answered(200, HTML)), "PUT", login_pages=True)) is Ambiguous


def test_an_answer_without_bounds_is_refused():
    huge = answered(200, b" " * (BODY_BYTES_MAX + 1))
    assert isinstance(error_of(Vendor(huge)), Rejected)
    assert type(error_of(Vendor(huge), "POST")) is Ambiguous


def test_the_skew_is_how_far_the_servers_clock_runs_ahead():
    ahead = format_datetime(NOW + timedelta(minutes=3), usegmt=True)
    vendor = Vendor(answered(200, {}, date=ahead), answered(200, {}, date="yesterday"))
    http = vendor.http()
    assert http.skew == timedelta()
    http.send("GET", PATH, "a1")
    assert http.skew == timedelta(minutes=3)
    http.send("GET", PATH, "a1")
    assert http.skew == timedelta(minutes=3), "an unreadable date says nothing new"


def test_requests_start_no_faster_than_the_limit():
    now, slept = [0.0], []
    timing = Timing(sleep=slept.append, monotonic=lambda: now[0])
    pacer = Pacer(2, timing)
    for _ in range(3):
        pacer.wait()
    assert slept == [0.5, 1.0]
    now[0] = 10.0
    pacer.wait()
    assert slept == [0.5, 1.0], "a pause that is over is not made up for"


# The real transport, over loopback.


@contextmanager
def serving(handle: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list]]:
    """A server whose every request calls `handle`; gives its address and the ports it saw."""
    seen: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            seen.append((self.command, self.client_address[1]))
            self.rfile.read(int(self.headers.get("content-length") or 0))
            handle(self)

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply_with(body: bytes, announced: int | None = None, status: int = 200, **headers: str):
    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(body) if announced is None else announced))
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = announced is not None

    return handle


def over(url: str, **more) -> Http:
    timing = Timing(sleep=lambda _: None)
    return Http("t", url, lambda: KEY, math.inf, timing=timing, **more)


def test_reads_share_a_connection_and_each_post_takes_a_new_one():
    with serving(reply_with(b"{}")) as (url, seen):
        http = over(url)
        for method in ("GET", "PATCH", "GET", "POST", "POST"):
            http.send(method, "/x")
    ports = [port for _, port in seen]
    assert ports[0] == ports[1] == ports[2]
    assert len({ports[2], ports[3], ports[4]}) == 3


def test_half_a_body_is_no_answer():
    with serving(reply_with(b'{"id": "a1"}', announced=999)) as (url, seen):
        with pytest.raises(Ambiguous):
            over(url).send("POST", "/x")
        with pytest.raises(Transient):
            over(url).send("GET", "/x")
    assert [method for method, _ in seen] == ["POST"] + ["GET"] * 4


def test_a_redirect_is_not_followed():
    there = serving(reply_with(b"", status=302, location="/login"))
    with there as (url, seen), pytest.raises(AccessRefused):
        over(url).send("GET", "/x")
    assert len(seen) == 1


def test_a_body_over_the_bound_is_not_read_to_its_end():
    with serving(reply_with(b" " * (BODY_BYTES_MAX + 2**20))) as (url, _), pytest.raises(Rejected):
        over(url).send("GET", "/x")


def test_a_refused_connection_and_an_unknown_host_were_never_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nowhere.invalid"):
        with pytest.raises(Unreachable):
            over(url).send("POST", "/x")


def test_a_failed_handshake_was_never_sent():
    with serving(reply_with(b"{}")) as (url, seen), pytest.raises(Unreachable):
        over(url.replace("http:", "https:")).send("POST", "/x")
    assert not seen


def test_no_answer_in_time_leaves_a_write_ambiguous():
    hurried = over_network(timeout=urllib3.Timeout(connect=1, read=0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = over(f"http://127.0.0.1:{silent.getsockname()[1]}", transport=hurried)
        with pytest.raises(Ambiguous):
            http.send("POST", "/x")


def test_a_closed_connection_leaves_a_write_ambiguous():
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    with serving(hang_up) as (url, seen), pytest.raises(Ambiguous):
        over(url).send("POST", "/x", body={})
    assert len(seen) == 1


def test_a_certificate_that_is_none_is_a_wrong_setting():
    with pytest.raises(Misconfigured, match="ca_pem"):
        over_network("-----BEGIN NOTHING-----")
