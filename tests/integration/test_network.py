"""The real transport over loopback: answers that come late, twice, in pieces or by another way."""

import json
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issuebridge.adapters.bland.client import BlandIssues
from issuebridge.adapters.http import Http, Timing
from issuebridge.adapters.network import checked_ca_pem, over_network, within
from issuebridge.domain.errors import (
    Ambiguous,
    Misconfigured,
    Rejected,
    Transient,
    Unreachable,
)

Talk = Callable[[socket.socket, str], object]
"""Answer one request, whose first line is given; False ends the connection."""


@contextmanager
def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            Thread(target=hold, args=(peer,), daemon=True).start()

    def hold(peer: socket.socket) -> None:
        try:
            with tls.wrap_socket(peer, server_side=True) if tls else peer as sock:
                while (line := head(sock)) and talk(sock, line) is not False:
                    pass
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"http{'s' * bool(tls)}://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def head(sock: socket.socket) -> str:
    """Read one request with its body; nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(2**16)
        if not more:
            return ""
        data += more
    top, _, body = data.partition(b"\r\n\r\n")
    lengths = [part for part in top.lower().split(b"\r\n") if part.startswith(b"content-length")]
    missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while missing > 0:
        missing -= len(sock.recv(missing))
    return top.split(b"\r\n")[0].decode()


def whole(document: object, status: str = "200 OK") -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def named(line: str) -> str:
    return line.split()[1].rsplit("/", 1)[-1].partition("?")[0]


def over(url: str, **more) -> Http:
    timing = Timing(sleep=lambda _: None)
    return Http("t", url, lambda: "k", math.inf, timing=timing, **more)


# Interim answers, and what comes after an answer.

EARLY = [
    b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n" * 3,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 199 Odd\r\ncontent-length: 0\r\n\r\n",
]


@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize("gap", [0, 0.05])
def test_an_interim_answer_is_not_the_answer(early, gap):
    def talk(sock, line):
        sock.sendall(early)
        time.sleep(gap)
        sock.sendall(whole({"told": named(line)}))

    with listening(talk) as url:
        http = over(url)
        for method, name in [("GET", "a"), ("PATCH", "b"), ("POST", "c"), ("GET", "d")]:
            assert http.send(method, f"/{name}", body=None) == {"told": name}


@pytest.mark.parametrize(
    "endless", [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, b"HTTP/1.1 101 S\r\n\r\n"]
)
def test_interim_answers_without_end_or_for_another_protocol_leave_a_write_in_doubt(endless):
    with listening(lambda sock, _: sock.sendall(endless)) as url:
        with pytest.raises(Ambiguous):
            over(url).send("POST", "/a", body={})
        with pytest.raises(Transient):
            over(url).send("GET", "/a")


@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize("more", [whole({"told": "stale"}), b"x", b"HTTP/1.1 200 OK\r\n"])
def test_what_comes_after_an_answer_is_not_the_next_one(more, is_tls, authority):
    tls = authority.server_context("127.0.0.1") if is_tls else None
    transport = over_network(authority.pem) if is_tls else over_network()
    with listening(
        lambda sock, line: sock.sendall(whole({"told": named(line)}) + more), tls
    ) as url:
        http = over(url, transport=transport)
        for name in "abcd":
            assert http.send("GET", f"/{name}") == {"told": name}


def test_an_issue_is_never_read_from_the_answer_to_another_request():
    def talk(sock, line):
        issue = {"id": named(line), "status": "done"}
        sock.sendall(EARLY[0] + whole({"data": issue, "errors": None}))

    with listening(talk) as url:
        issues = BlandIssues(over(url))
        assert [issues.get(name).remote_id for name in "abc"] == ["a", "b", "c"]


# Time.


def drip(data: bytes) -> Talk:
    def talk(sock, _):
        for at in range(len(data)):
            sock.sendall(data[at : at + 1])
            time.sleep(0.03)

    return talk


SLOW = {
    "status line": drip(b"HTTP/1.1 200 O" + b"K" * 200),
    "headers": drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100),
    "body": drip(whole({"a": "x" * 300})),
    "chunks": drip(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 60),
    "interim": drip(b"HTTP/1.1 103 E\r\n\r\n" * 30),
    "silence": lambda sock, _: time.sleep(2),
}


@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW)
def test_a_request_ends_with_its_time_however_its_answer_comes(talk, is_tls, authority):
    tls = authority.server_context("127.0.0.1") if is_tls else None
    transport = over_network(authority.pem) if is_tls else over_network()
    with listening(talk, tls) as url:
        began = time.monotonic()
        http = over(url, transport=transport, read_seconds=0.5, page_seconds=0.6)
        http.timing = Timing(sleep=lambda _: None, monotonic=lambda: time.monotonic() * 100)
        with pytest.raises(Ambiguous):
            http.send("PATCH", "/a", body={})
        with pytest.raises(Unreachable):
            http.send("GET", "/a")
        with pytest.raises(Unreachable):
            http.send("GET", "/a", query=[("limit", "100")])
    assert time.monotonic() - began < 3


def test_a_page_has_more_time_than_a_single_read():
    def talk(sock, line):
        time.sleep(0.3)
        sock.sendall(whole({}))

    with listening(talk) as url:
        http = over(url, read_seconds=0.1, page_seconds=5)
        assert http.send("GET", "/a", query=[("limit", "1")]) == {}
        with pytest.raises(Transient):
            http.send("GET", "/a")
    assert over("http://x.example").read_seconds < over("http://x.example").page_seconds <= 60


def test_a_connection_that_was_slow_once_is_as_patient_as_before():
    with listening(lambda sock, line: sock.sendall(whole({"told": named(line)}))) as url:
        http = over(url)
        with within(0.2):
            http.send("GET", "/a")
        time.sleep(0.3)
        assert http.send("GET", "/b") == {"told": "b"}


# Trust.


class Authority:
    """A private certificate authority, as plain as those that openssl makes by its defaults."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Café's own")])
        self._certificate = self._signed(self._name, self._key, is_authority=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _signed(self, name, key, is_authority=False, host=None):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, name, key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        if is_authority:  # neither critical, nor with its key's usage or identifiers
            builder = builder.add_extension(x509.BasicConstraints(True, None), critical=False)
        if host:
            names = [x509.IPAddress(IPv4Address(host)) if host[0].isdigit() else x509.DNSName(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def files(self, folder, host):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        kept = self._signed(name, key, host=host).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
        kept += key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
        (folder / f"{host}.pem").write_bytes(kept)
        return folder / f"{host}.pem"


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    made, folder = Authority(), tmp_path_factory.mktemp("tls")

    def server_context(host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.files(folder, host))
        return context

    made.server_context = server_context
    return made


def hello(sock, line):
    sock.sendall(whole({"told": named(line)}))


def test_a_private_authority_is_trusted_when_it_is_given(authority):
    with listening(hello, authority.server_context("127.0.0.1")) as url:
        decorated = f"# Café, our CA\r\nsubject=CN = Café\n{authority.pem}\n# end"
        assert over(url, transport=over_network(decorated)).send("GET", "/a") == {"told": "a"}


@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example"])
def test_a_certificate_that_will_not_do_names_the_setting(authority, host):
    given = None if host == "127.0.0.1" else authority.pem
    with listening(hello, authority.server_context(host)) as url:
        for method in ("GET", "POST"):
            with pytest.raises(Misconfigured) as caught:
                over(url, transport=over_network(given)).send(method, "/a")
            assert "connections.t.ca_pem" in str(caught.value)
            assert "connections.t.base_url" in str(caught.value)


def test_only_certificates_are_kept_of_a_ca_pem(authority):
    text = f"Bag Attributes\n    friendlyName: Müller\n{authority.pem}Zertifikat ⇧\n{authority.pem}"
    assert checked_ca_pem(text) == authority.pem * 2
    assert checked_ca_pem(text.replace("\n", "\r\n")).isascii()


def test_a_ca_pem_with_a_private_key_in_it_is_refused_and_not_shown(authority, tmp_path):
    text = authority.files(tmp_path, "x.example").read_text()
    for given in (
        text,
        text.replace("PRIVATE", "EC PRIVATE"),
        text.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    ):
        with pytest.raises(Misconfigured, match=r"ca_pem: .*private key") as caught:
            checked_ca_pem(given)
        assert not any(line in str(caught.value) for line in text.split("\n") if len(line) > 30)


BAD_PEMS = [
    "",
    "x",
    "-----BEGIN NOTHING-----",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nÄÖÜ\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nAAAA",
    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
]


@pytest.mark.parametrize("text", BAD_PEMS)
def test_a_ca_pem_that_holds_no_certificate_says_so(text):
    with pytest.raises(Misconfigured, match="ca_pem"):
        checked_ca_pem(text)


# Proxies.


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@contextmanager
def tunnelling(seen: list[str], target: str) -> Iterator[str]:
    """A proxy that answers plain requests itself, and takes each CONNECT to the target."""

    def talk(sock, line):
        seen.append(line)
        if not line.startswith("CONNECT"):
            sock.sendall(whole({"by": "proxy"}))
            return True
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            there = Thread(target=pipe, args=(sock, far), daemon=True)
            there.start()
            pipe(far, sock)
        return False

    with listening(talk) as url:
        yield url


def pipe(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(2**16):
            other.sendall(data)
    except OSError:
        pass


def test_vendors_are_reached_by_the_proxies_of_the_environment(no_proxy, authority):
    seen: list[str] = []
    tls = authority.server_context("vendor.example")
    with listening(hello, tls) as real, tunnelling(seen, real.removeprefix("https://")) as proxy:
        no_proxy.setenv("HTTP_PROXY", proxy.removeprefix("http://"))
        no_proxy.setenv("https_proxy", proxy.replace("//", "//user:secret@"))
        no_proxy.setenv("NO_PROXY", "other.example,127.0.0.1")
        transport = over_network(authority.pem)
        no_proxy.delenv("HTTP_PROXY")
        plain = over("http://vendor.example", transport=transport)
        assert plain.send("GET", "/a") == {"by": "proxy"}
        through = over("https://vendor.example", transport=transport)
        assert [through.send(method, "/b") for method in ("GET", "POST")] == [{"told": "b"}] * 2
        assert seen[0].startswith("GET http://vendor.example/a")
        assert seen[1:] == ["CONNECT vendor.example:443 HTTP/1.1"] * 2 or seen[1].startswith(
            "CONNECT"
        )
        count = len(seen)
        with listening(hello) as near:
            assert over(near, transport=transport).send("GET", "/c") == {"told": "c"}
        assert len(seen) == count, "NO_PROXY names it"


def test_a_proxy_that_cannot_be_reached_means_that_nothing_was_sent(no_proxy):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        no_proxy.setenv("https_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(Unreachable):
            over("https://vendor.example").send("POST", "/a")


def test_a_proxy_that_refuses_the_way_means_that_nothing_was_sent(no_proxy):
    with listening(lambda sock, _: sock.sendall(whole({}, "407 Login"))) as proxy:
        no_proxy.setenv("https_proxy", proxy)
        with pytest.raises(Unreachable):
            over("https://vendor.example").send("POST", "/a")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://x", "http://[bad"])
def test_a_proxy_of_another_kind_is_a_wrong_setting(no_proxy, proxy):
    no_proxy.setenv("https_proxy", proxy)
    with pytest.raises(Misconfigured, match="HTTPS_PROXY"):
        over("https://vendor.example").send("GET", "/a")


# Size.


def test_of_an_answer_that_is_too_large_the_end_is_kept_and_the_connection_is_in_step():
    rows = [{"id": f"b{n}", "description": "x" * (2**24 if n == 1 else 9)} for n in range(3)]

    def talk(sock, line):
        query = dict(part.split("=") for part in line.split()[1].partition("?")[2].split("&"))
        start, size = int(query.get("cursor", 0)), int(query["limit"])
        end = start + size
        page = {"items": rows[start:end], "next_cursor": str(end) if end < len(rows) else None}
        sock.sendall(whole({"data": page, "errors": None}))

    with listening(talk) as url:
        issues, names, unread, cursor = BlandIssues(over(url)), [], [], None
        for _ in range(9):
            page = issues.page("sweep", cursor)
            names += [issue.remote_id for issue in page.issues]
            unread += page.unread
            cursor = page.cursor
            if cursor is None:
                break
    assert names == ["b0", "b2"]
    assert [told.partition(":")[0] for told in unread] == ["b1"]


def test_a_body_without_end_is_given_up():
    def talk(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            sock.sendall(b" " * 2**20)

    with listening(talk) as url, pytest.raises(Rejected):
        over(url).send("GET", "/a")
