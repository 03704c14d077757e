"""One bad byte, value or row among good ones: it costs itself, and the page goes on."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from issuebridge.adapters.answers import words_of
from issuebridge.adapters.antimetal.client import AntimetalIssues
from issuebridge.adapters.bland.client import BlandAgent, BlandComments, BlandIssues
from issuebridge.adapters.http import Http, Timing
from issuebridge.adapters.json_text import read_json
from issuebridge.adapters.network import Reply
from issuebridge.adapters.payload import Id, Instant, Payload, canonical_json
from issuebridge.adapters.uri import as_uri
from issuebridge.adapters.zylon.client import ZylonIssues
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Gone,
    Misconfigured,
    RateLimited,
    Rejected,
    Transient,
)
from tests.integration.odd_vendor import (
    AT,
    Vendor,
    antimetal_row,
    bland_of,
    bland_row,
    connection,
    draft,
    zylon_of,
)
from tests.simulators.checks import uri
from tests.world import configured

DEEP = 100_000
ROWS = {
    "bland": lambda name, words: bland_row(id=name, description=words),
    "antimetal": lambda name, words: antimetal_row(name, description=words),
    "zylon": lambda name, words: {"id": name, "state": "InReview", "description": words},
}
PAGES = {
    "bland": (b'{"data": {"items": [', b'], "next_cursor": null}, "errors": null}'),
    "antimetal": (b'{"object": "list", "data": [', b'], "has_more": false}'),
    "zylon": (b'{"data": [', b'], "has_next_page": false}'),
}
OPEN = {
    "bland": BlandIssues,
    "antimetal": lambda http: AntimetalIssues(connection("antimetal"), http),
    "zylon": lambda http: ZylonIssues(connection("zylon"), http),
}


@pytest.fixture(params=ROWS)
def kind(request) -> str:
    return request.param


def opened(kind: str, answer):
    """An adapter over `answer(method, url)`, which gives a body or a Reply."""

    def transport(method, url, headers, body) -> Reply:
        told = answer(method, url)
        return told if isinstance(told, Reply) else Reply(200, {}, told)

    timing = Timing(sleep=lambda _: None)
    return OPEN[kind](
        Http("v", "https://v.example", lambda: "k", 1e6, transport=transport, timing=timing)
    )


def paged(kind: str, *rows: bytes) -> bytes:
    head, tail = PAGES[kind]
    return head + b", ".join(rows) + tail


def row(kind: str, name: str, words: bytes = b'"W"') -> bytes:
    return json.dumps(ROWS[kind](name, "?!")).encode().replace(b'"?!"', words)


VALUES = {
    "a control character": b'"a\x01b\x1f"',
    "a line break": b'"a\nb\tc"',
    "NUL": b'"a\x00b"',
    "NUL escaped": rb'"a\u0000b"',
    "Latin-1": b'"caf\xe9"',
    "half a character": b'"\xe2\x82"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "half a pair": rb'"a\ud800b"',
    "an escape that is none": rb'"C:\work\users\x41"',
    "a huge number": b"9" * 5000,
    "a huge negative number": b"-" + b"9" * 5000,
    "a huge fraction": b"1" * 5000 + b".5e" + b"9" * 20,
    "no number": b"NaN",
    "infinity": b"-Infinity",
    "an object": b'{"a": 1}',
    "nested": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "nested with brackets in words": b'["[[{{ \\" ",' * 2000 + b"1" + b"]" * 2000,
    "nested as deep as Python reads": b"[" * 900 + b"]" * 900,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_bad_value_in_one_row_leaves_the_others_and_the_row_is_read_or_told_of(kind, value):
    body = paged(kind, row(kind, "g1"), row(kind, "b1", value), row(kind, "g2"))
    for whole in (body, b"\xef\xbb\xbf" + body):
        page = opened(kind, lambda *_, told=whole: told).page("sweep", None)
        names = [issue.remote_id for issue in page.issues]
        assert [name for name in names if name != "b1"] == ["g1", "g2"]
        assert ("b1" in names) != any(told.startswith("b1: ") for told in page.unread)
        for issue in page.issues:
            issue.description.encode("utf-8")


FIELDS = {
    "bland": ["status", "severity", "external_link", "number", "created_at", "is_processing"],
    "antimetal": ["status", "severity", "number", "triggeredAt", "createdAt", "environment"],
    "zylon": ["state", "type", "issue_number", "is_read", "updated_at"],
}
ODD = [
    float("nan"),
    float("inf"),
    10**300,
    -1,
    "2026-02-30T00:00:00Z",
    "0000-00-00",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+12:00",
    10**30,
    -(10**30),
    {},
    [[]],
    "\ud800",
    "\x00",
]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_field_of_any_kind_costs_at_most_its_row(kind, value):
    fine = ROWS[kind]("g1", "W")
    rows = [
        {**fine, "id": f"b{n}", "uuid": f"b{n}", name: value} for n, name in enumerate(FIELDS[kind])
    ]
    body = paged(kind, *(json.dumps(each).encode() for each in [fine, *rows]))
    page = opened(kind, lambda *_: body).page("sweep", None)
    assert page.issues[0].remote_id == "g1"
    assert len(page.issues) + len(page.unread) == len(rows) + 1
    for issue in page.issues:
        assert issue.number < 2**63
        for at in (issue.created_at, issue.updated_at, issue.activity_at):
            assert at is None or 1980 <= at.year < 2200


@pytest.mark.parametrize("odd", [b"7", b'"x"', b"null", b"[]", b"{}", b'{"id": "", "uuid": null}'])
def test_what_is_no_issue_is_counted(kind, odd):
    page = opened(kind, lambda *_: paged(kind, odd, row(kind, "g1"), odd)).page("sweep", None)
    assert [issue.remote_id for issue in page.issues] == ["g1"]
    assert list(page.unread) == ["2 of its rows without an id"]


@pytest.mark.parametrize("name", ["[" * 3, "9" * 5000, "1.5", "true", '{"a": 1}'])
def test_an_id_that_names_nothing_costs_its_row(kind, name):
    bad = row(kind, "b1").replace(b'"b1"', name.encode() if name[0] != "[" else b"[[[]]]")
    page = opened(kind, lambda *_: paged(kind, bad, row(kind, "g1"))).page("sweep", None)
    assert [issue.remote_id for issue in page.issues] == ["g1"]


def test_a_single_issue_with_a_bad_value_is_read_or_no_issue(kind):
    for value in VALUES.values():
        told = row(kind, "b1", value)
        issues = opened(kind, lambda *_, told=told: told)
        with suppress(Transient):
            assert issues.get("b1").remote_id == "b1"


@pytest.mark.parametrize(
    "body", [b"[" * DEEP, b'{"a":' * DEEP, b'{"error": ' * DEEP + b"1" + b"}" * DEEP]
)
def test_an_error_that_nests_without_end_is_told_all_the_same(body):
    assert isinstance(words_of(body), str)
    with pytest.raises(ValueError, match=r".*"):
        read_json(body[: DEEP // 2])


def test_values_that_mean_something_are_never_read_as_nothing():
    """A link that is null was removed; one that cannot be read was not."""
    told = read_json(b'{"deep": ' + b"[" * DEEP + b"]" * DEEP + b', "big": ' + b"9" * 5000 + b"}")
    assert told["big"] == float("inf")
    assert "\ufffd" in str(told["deep"]) or len(str(told["deep"])) == 2 * DEEP


def test_a_value_that_nests_too_deep_has_no_text():
    deep: object = 1
    for _ in range(60):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        canonical_json(deep)


# Pages that are too large.

BYTES, PARTS = 50_000, 2_000
HUGE = b'"' + b"x" * BYTES + b'"'
MANY = b"[" + b"{}," * PARTS + b"{}]"


@pytest.fixture
def small_bounds(monkeypatch):
    monkeypatch.setattr("issuebridge.adapters.http.BODY_BYTES_MAX", BYTES)
    monkeypatch.setattr("issuebridge.adapters.json_text.PARTS_MAX", PARTS)


class Large:
    """Forty rows of which some are huge; it pages as the vendor does."""

    def __init__(self, kind: str, *huge: int, value: bytes = HUGE, **switches) -> None:
        self.kind, self.value, self.huge, self.switches = kind, value, huge, switches
        self.sizes: list[int] = []

    def __call__(self, method, url) -> Reply:
        query = {name: v[0] for name, v in parse_qs(urlsplit(url).query).items()}
        names = ("limit", "page_size", "first")
        size = int(next(query[name] for name in names if name in query))
        self.sizes.append(size)
        start = self._start(query, size)
        rows = [self._row(n) for n in range(start, min(start + size, 40))]
        body = paged(self.kind, *rows)
        _, tail = PAGES[self.kind]
        body = body.removesuffix(tail) + self._tail(start + size)
        return Reply(200, {}, body[: BYTES + 1], body[-4096:] if len(body) > BYTES else b"")

    def _start(self, query, size) -> int:
        after = query.get("cursor") or query.get("startingAfter") or query.get("after")
        if after:
            return int(after.removeprefix("i")) + 1
        return (int(query.get("page", 1)) - 1) * size

    def _row(self, n: int) -> bytes:
        return row(self.kind, f"i{n}", self.value if n in self.huge else b'"W"')

    def _tail(self, end: int) -> bytes:
        more, last = end < 40, f"i{end - 1}"
        if self.kind == "bland":
            cursor = last if more else None
            return b'], "next_cursor": %s}, "errors": null}' % json.dumps(cursor).encode()
        if self.kind == "antimetal":
            return b'], "has_more": %s}' % json.dumps(more).encode()
        ending = {"has_next_page": more, "total_count": 40}
        if self.switches.get("cursors", True):
            ending["next_cursor"] = last if more else None
        return b"], " + json.dumps(ending).encode()[1:]


def walked(issues) -> tuple[list[str], list[str]]:
    names, unread, cursor = [], [], None
    for _ in range(80):
        page = issues.page("sweep", cursor)
        names += [issue.remote_id for issue in page.issues]
        unread += page.unread
        cursor = page.cursor
        if cursor is None:
            return names, unread
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("cursors", [True, False])
@pytest.mark.parametrize("huge", [[], [0], [17], [39], [3, 4, 25]], ids=str)
@pytest.mark.parametrize("value", [HUGE, MANY], ids=["bytes", "parts"])
def test_a_row_that_alone_is_too_large_is_passed_by_and_told(
    small_bounds, kind, cursors, huge, value
):
    vendor = Large(kind, *huge, value=value, cursors=cursors)
    names, unread = walked(opened(kind, vendor))
    assert names == [f"i{n}" for n in range(40) if n not in huge]
    assert [told.split(":")[0] for told in unread] == [f"i{n}" for n in huge]
    assert all("too large" in told for told in unread)
    assert max(vendor.sizes) == 100
    if huge:
        assert min(vendor.sizes) == 1


def test_a_single_issue_that_is_too_large_is_refused(small_bounds, kind):
    with pytest.raises(Rejected, match="larger"):
        opened(kind, lambda *_: row(kind, "i1", HUGE)).get("i1")


def test_millions_of_empty_rows_cost_little(kind):
    body = paged(kind, b"{}", *[b"{}"] * 4_000_000)
    began = time.monotonic()
    page = opened(kind, lambda *_: body).page("sweep", None)
    assert (page.issues, page.cursor, len(page.unread)) == ([], None, 1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("count", "is_read"), [(500, True), (6_000, False)])
def test_a_server_that_does_not_heed_the_size_is_read_within_reason(kind, count, is_read):
    body = paged(kind, *(row(kind, f"i{n}") for n in range(count)))
    issues = opened(kind, lambda *_: body)
    if is_read:
        assert len(issues.page("sweep", None).issues) == count
    else:
        with pytest.raises(Transient, match="6000 rows"):
            issues.page("sweep", None)


# Times.


class Timed(Payload):
    id: Id
    at: Instant = None


SECOND = AT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2026-05-06T21:09:57Z", SECOND),
        ("2026-05-06T21:09:57", SECOND),
        ("2026-05-06 21:09:57", SECOND),
        ("2026-05-06t21:09:57z", SECOND),
        ("2026-05-06T23:09:57+02:00", SECOND),
        ("2026-05-06T23:09:57 +0200", SECOND),
        ("2026-05-06 21:09:57 UTC", SECOND),
        ("2026-05-06T21:09:57.081Z", AT),
        ("2026-05-06T21:09:57,081Z", AT),
        ("2026-05-06T21:09:57.081000999Z", AT),
        (" 2026-05-06T21:09:57Z ", SECOND),
        ("2026-05-06", datetime(2026, 5, 6, tzinfo=UTC)),
        ("20260506T210957Z", SECOND),
        ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Wed, 06 May 2026 21:09:57 GMT", SECOND),
        ("Wed, 06 May 2026 23:09:57 +0200", SECOND),
        ("06 May 2026 21:09:57 -0000", SECOND),
        ("Wed May  6 21:09:57 2026", SECOND),
        (int(SECOND.timestamp()), SECOND),
        (float(SECOND.timestamp()), SECOND),
        (int(SECOND.timestamp()) * 1000 + 81, AT),
        (int(SECOND.timestamp()) * 10**6 + 81_000, AT),
        (str(int(SECOND.timestamp())), SECOND),
        (str(int(SECOND.timestamp()) * 1000 + 81), AT),
        (f"{int(SECOND.timestamp())}.081", AT),
    ],
)
def test_a_time_is_read_in_the_ways_it_is_written(given, read):
    assert Timed(id="1", at=given).at == read


@pytest.mark.parametrize(
    "given",
    [None, True, "", "soon", "2026", 7, "7", -1, "2026-02-30", "2026-13-01T00:00:00Z", {}, [],
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", float("nan"),
     float("inf"), 10**40, "9" * 400, "Mon", "may be", "24:00", "x" * 10_000],
)  # fmt: skip
def test_what_is_no_time_is_none(given):
    assert Timed(id="1", at=given).at is None


# Addresses.


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("https://app.example/t/1?a=b#c", "https://app.example/t/1?a=b#c"),
        ("https://exämple.org/ü", "https://xn--exmple-cua.org/%C3%BC"),
        ("https://a.example/[x]|{y} z", "https://a.example/%5Bx%5D%7C%7By%7D%20z"),
        ("https://a.example/%zz%41?q=ü&r=[]", "https://a.example/%25zz%41?q=%C3%BC&r=%5B%5D"),
        ('https://a.example/"<>\\^`#ü|', "https://a.example/%22%3C%3E%5C%5E%60#%C3%BC%7C"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://u:p|@a.example/", "https://u:p%7C@a.example/"),
        ("HTTPS://A.example:8443", "https://a.example:8443"),
        ("https://a.example/\ud800", "https://a.example/%EF%BF%BD"),
        ("https://faß.example/", None),
        ("https://a b.example/", None),
        ("https://a.example:port/", None),
        ("https://[::1/", None),
        ("https://" + "ä" * 70 + ".example/", None),
        ("ftp://a.example/", None),
        ("javascript:alert(1)", None),
        ("https:///path", None),
        ("", None),
    ],
)
def test_only_a_uri_goes_into_a_field_for_one(given, made):
    assert as_uri(given) == made
    assert made is None or uri(made) is None
    vendor = Vendor(lambda *_: (201, antimetal_row("a1")))
    plain = draft().model_copy(update={"link": given})
    AntimetalIssues(connection("antimetal"), vendor.http()).create(plain)
    assert vendor.writes()[0]["context"].get("alertUrl") == made


# What the vendors' own clients know.


@pytest.mark.parametrize("name", ["id", "session_id"])
def test_a_session_is_named_in_either_way(name):
    told = {"data": {name: "s1", "status": "active"}}
    agent = BlandAgent(Vendor(lambda *_: (201, told)).http())
    assert agent.create_session("b1").session_id == "s1"
    shown = {"data": bland_row(latest_agent_session={name: "s1", "status": "active"})}
    session, _ = BlandAgent(Vendor(lambda *_: shown).http()).latest_session("b1")
    assert session.session_id == "s1"


@pytest.mark.parametrize("wrap", [lambda r: {"items": r}, lambda r: {"issues": r}, lambda r: r])
def test_a_bland_list_is_found_in_either_place(wrap):
    _, issues = bland_of(lambda *_: {"data": wrap([bland_row()]), "errors": None})
    assert [issue.remote_id for issue in issues.page("hot", None).issues] == ["b1"]


@pytest.mark.parametrize(
    ("code", "read", "write"),
    [
        ("X", Rejected, Ambiguous),
        ("internal", Rejected, Ambiguous),
        ("bad_request", Rejected, Rejected),
        ("not_found", Gone, Gone),
        ("NOT_FOUND", Gone, Gone),
        ("AUTH_FAILURE", AccessRefused, AccessRefused),
        ("TOO_MANY_REQUESTS", RateLimited, RateLimited),
    ],
)
@pytest.mark.parametrize("form", [lambda e: [e], lambda e: e])
def test_errors_in_a_success_are_a_failure(code, read, write, form):
    told = {"data": None, "errors": form({"error": code, "message": "the reason"})}
    _, issues = bland_of(lambda *_: told)
    with pytest.raises(read, match="the reason"):
        issues.get("b1")
    with pytest.raises(Misconfigured if read is Gone else read):
        issues.page("hot", None)
    vendor = Vendor(lambda *_: told)
    calls = [
        lambda: BlandIssues(vendor.http()).create(draft()),
        lambda: BlandAgent(vendor.http()).submit("b1", "s1", "/fix it"),
        lambda: BlandAgent(vendor.http()).create_session("b1"),
        lambda: BlandComments(vendor.http()).post("b1", "text"),
    ]
    for call in calls:
        with pytest.raises(write):
            call()
    assert len(vendor.writes()) == len(calls)


def test_what_a_write_made_is_not_forgotten_for_errors_beside_it():
    told = {"data": bland_row(), "errors": [{"error": "X", "message": "m"}]}
    _, issues = bland_of(lambda *_: told)
    assert issues.create(draft()).remote_id == "b1"


# Words that this server does not know.


def knowing(known: set[str], rows):
    def answer(method, path, query, body):
        if set(query["states"].split(",")) - known or "include" in query:
            return 400, {"error": "bad request"}
        return {"data": rows, "has_next_page": False}

    return answer


@pytest.mark.parametrize(
    ("known", "maps", "unknown"),
    [
        ({"NotReviewed", "InReview", "Closed", "Deleted"}, ["UnderReview"], ["UnderReview"]),
        ({"NotReviewed", "InReview", "Closed"}, ["UnderReview"], ["UnderReview"]),
        ({"Active", "Deleted"}, ["Active"], ["NotReviewed", "InReview", "Closed"]),
    ],
)
def test_a_state_that_a_zylon_does_not_know_is_left_out_and_told(known, maps, unknown):
    rest = {"InReview": ["in_progress", "in_review"], "Closed": ["done", "closed"]}
    words = {"NotReviewed": ["todo", "backlog"], **rest, **{word: ["todo"] for word in maps}}
    given = {"kind": "zylon", "base_url": "https://v.example", "secret": "s"}
    vendor = Vendor(knowing(known, [{"id": "z1", "state": "Closed"}]))
    issues = ZylonIssues(configured(**given, maps={"status": words}), vendor.http())
    page = issues.page("sweep", None)
    assert [issue.remote_id for issue in page.issues] == ["z1"]
    told = [text for text in page.unread if "does not know" in text]
    assert [text.split(":")[0] for text in told] == [f"state {word}" for word in unknown]
    asked = len(vendor.sent)
    issues.page("sweep", None)
    assert len(vendor.sent) == asked + 1, "what it knows is remembered"
    afresh = ZylonIssues(configured(**given, maps={"status": words}), vendor.http())
    assert [issue.remote_id for issue in afresh.page("hot", None).issues] == ["z1"]


def test_a_zylon_that_refuses_everything_is_not_asked_for_long():
    vendor, issues = zylon_of(lambda *_: (400, {}))
    with pytest.raises(Rejected):
        issues.page("sweep", None)
    assert len(vendor.sent) == 4
