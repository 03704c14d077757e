"""Answers that no document rules out, from vendors of a few lines each; no network."""

import json
from datetime import timedelta
from email.utils import format_datetime

import pytest

from issuebridge.adapters.bland.client import BlandAgent, BlandComments, BlandIssues
from issuebridge.adapters.http import Timing
from issuebridge.adapters.payload import Flag, Id, Instant, Number, Payload
from issuebridge.adapters.zylon.client import ZylonIssues
from issuebridge.domain.errors import Ambiguous, Rejected, Transient
from tests.integration.odd_vendor import (
    AT,
    REFERENCE,
    WORDS,
    ZYLON_ROW,
    Vendor,
    antimetal_of,
    antimetal_row,
    bland_row,
    draft,
    page_of,
    zylon_of,
)
from tests.world import configured

# zylon


@pytest.mark.parametrize(
    "lost",
    [
        {"description": ...},
        {"description": None},
        {"type": None, "is_read": None, "description": None, "updated_at": None},
        {name: ... for name in ZYLON_ROW if name not in ("id", "state")},
        {"updated_at": ...},
    ],
    ids=["no description", "null description", "nulls", "id and state", "no time"],
)
def test_what_a_zylon_read_leaves_out_is_not_erased_by_the_write_after_it(lost):
    thin = {k: v for k, v in {**ZYLON_ROW, **lost}.items() if v is not ...}

    def answer(method, path, query, body):
        if method == "PUT":
            return {**ZYLON_ROW, **body}
        return thin if path.endswith("z1") else {"data": [ZYLON_ROW], "has_next_page": False}

    vendor, issues = zylon_of(answer)
    seen = issues.get("z1")
    if lost != {"description": None}:
        assert seen.description == WORDS
    issues.update(seen, {"status": "Closed"})
    (put,) = vendor.writes()
    assert (put["is_read"], put["type"], put["state"]) == (True, "Format", "Closed")
    assert put.get("description", WORDS) == WORDS


@pytest.mark.parametrize("taken", ["User", ""])
def test_a_zylon_list_that_does_not_know_what_we_include_is_read_all_the_same(taken):
    def answer(method, path, query, body):
        if query.get("include", "") != taken:
            return 400, {"error": "unknown include"}
        return {"data": [ZYLON_ROW], "has_next_page": False}

    _, issues = zylon_of(answer)
    assert [issue.remote_id for issue in issues.page("sweep", None).issues] == ["z1"]


def test_a_zylon_list_whose_later_pages_must_be_smaller_is_walked_to_its_end():
    rows = [{**ZYLON_ROW, "id": f"z{n}"} for n in range(130)]

    def answer(method, path, query, body):
        size, start = int(query.get("first") or query["page_size"]), int(query.get("after", 0))
        if "first" in query and size > 50:
            return 400, {"error": "first: at most 50"}
        end = start + size
        page = {"data": rows[start:end], "has_next_page": end < len(rows)}
        return {**page, "next_cursor": str(end) if end < len(rows) else None}

    _, issues = zylon_of(answer)
    seen, cursor = [], None
    for _ in range(9):
        page = issues.page("sweep", cursor)
        seen += [issue.remote_id for issue in page.issues]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [row["id"] for row in rows]


def test_a_zylon_list_that_goes_round_ends_the_look_for_a_lost_create():
    pages = {None: ("a", "b"), "b": ("b", "c"), "c": ("c", "b")}

    def answer(method, path, query, body):
        mine, following = pages[query.get("after")]
        row = {**ZYLON_ROW, "id": mine}
        return {"data": [row], "has_next_page": True, "next_cursor": following}

    vendor, issues = zylon_of(answer)
    assert issues.find_created(draft(), AT) == []
    assert len(vendor.sent) < 20


def test_a_zylon_state_of_the_configured_map_is_asked_for():
    given = {
        "InReview": ["in_progress"],
        "Closed": ["done", "closed"],
        "UnderReview": ["in_review"],
    }
    maps = {"status": {"NotReviewed": ["todo", "backlog"], **given}}
    vendor = Vendor(lambda *_: {"data": [], "has_next_page": False})
    given = {"kind": "zylon", "base_url": "https://v.example", "secret": "s", "maps": maps}
    ZylonIssues(configured(**given), vendor.http()).page("sweep", None)
    ((_, _, query, _),) = vendor.sent
    assert query["states"] == "NotReviewed,InReview,Closed,Deleted,UnderReview"


# bland


@pytest.mark.parametrize("told", [None, {}, [], {"data": None}, {"data": {"session_id": "s1"}}])
def test_a_prompt_that_was_accepted_without_a_run_id_is_accepted(told):
    answer = BlandAgent(Vendor(lambda *_: (202, told)).http()).submit("b1", "s1", "/verify x")
    assert (answer.run_id, answer.intent) == ("", "")


@pytest.mark.parametrize("status", [400, 404, 422, 500])
@pytest.mark.parametrize("kind", ["antimetal", "zylon"])
def test_a_search_that_fails_does_not_hide_what_the_rows_tell(kind, status):
    def answer(method, path, query, body):
        if "search" in query or "filter_by_text" in query:
            return status, {}
        return {"data": [], "has_next_page": False}

    _, issues = {"antimetal": antimetal_of, "zylon": zylon_of}[kind](answer)
    assert issues.find_created(draft(), AT) == []


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), -timedelta(minutes=2)])
def test_the_times_of_an_activity_feed_are_told_by_our_clock(ahead):
    theirs = AT.replace(microsecond=0) + ahead
    entry = {"id": "e1", "type": "prompt", "created_at": theirs.isoformat()}
    vendor = Vendor(lambda *_: page_of(entry), date=format_datetime(theirs, usegmt=True))
    http = vendor.http()
    http.timing = Timing(now=lambda: AT.replace(microsecond=0))
    (told,) = BlandAgent(http).activity("b1", AT - timedelta(minutes=1))
    assert told.created_at == AT.replace(microsecond=0)


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_a_bland_search_that_fails_does_not_hide_what_the_walk_back_has_told(status):
    def answer(method, path, query, body):
        return (status, {}) if "search" in query else page_of(bland_row())

    assert BlandIssues(Vendor(answer).http()).find_created(draft(), AT) == []


def test_bland_cursors_that_go_round_end_a_walk():
    pages = {None: "a", "a": "b", "b": "a"}
    vendor = Vendor(lambda m, p, query, b: page_of(bland_row(), cursor=pages[query.get("cursor")]))
    assert BlandIssues(vendor.http()).find_created(draft(), AT) == []
    assert len(vendor.sent) < 10


def test_a_stale_cursor_in_an_activity_feed_is_no_refusal():
    def answer(method, path, query, body):
        entry = {"id": "e1", "type": "comment", "created_at": "2026-05-06T21:09:57Z"}
        return (400, {}) if "cursor" in query else page_of(entry, cursor="gone")

    with pytest.raises(Transient, match="begins anew"):
        BlandAgent(Vendor(answer).http()).activity("b1", AT - timedelta(minutes=1))


@pytest.mark.parametrize("again", ["absent", "words"])
@pytest.mark.parametrize("first", ["absent", None])
def test_a_description_that_was_not_read_is_not_written_over(first, again):
    told = [first, again]

    def answer(*_):
        shown = told.pop(0)
        return {"data": {k: v for k, v in bland_row(description=shown).items() if v != "absent"}}

    vendor = Vendor(answer)
    issues = BlandIssues(vendor.http())
    with pytest.raises(Transient, match="no description was read"):
        issues.update(issues.get("b1"), {"description": "[issuebridge ref=ibx]"})
    assert vendor.writes() == []


def test_a_description_that_is_null_twice_is_none():
    vendor = Vendor(lambda *_: {"data": bland_row(description=None)})
    issues = BlandIssues(vendor.http())
    issues.update(issues.get("b1"), {"description": "[issuebridge ref=ibx]"})
    assert vendor.writes() == [{"description": "[issuebridge ref=ibx]"}]


def test_a_bland_that_counts_bytes_gets_less_and_our_line_whole():
    def answer(method, path, query, body):
        sizes = {name: len(str(value).encode()) for name, value in body.items()}
        fits = sizes["title"] <= 200 and sizes["description"] <= 10_000
        return (201, {"data": bland_row(**body)}) if fits else (400, {"errors": [{"error": "X"}]})

    vendor = Vendor(answer)
    long = draft(title="ж" * 199, description="ж" * 9_000 + f"\n\n[issuebridge ref={REFERENCE}]")
    made = BlandIssues(vendor.http()).create(long)
    assert made.description.endswith(f"…\n\n[issuebridge ref={REFERENCE}]")
    assert made.title == "ж" * 98 + "…"
    assert len(vendor.writes()) == 2


def test_a_prompt_is_cut_to_bytes_where_bytes_are_counted():
    def answer(method, path, query, body):
        fits = len(body["detail"].encode()) <= 4000
        return (202, {"data": {"run_id": "r1", "intent": "verify"}}) if fits else (400, {})

    vendor = Vendor(answer)
    agent = BlandAgent(vendor.http())
    assert agent.submit("b1", "s1", "/verify [ref prx] " + "ж" * 3_000).run_id == "r1"
    with pytest.raises(Rejected):
        BlandAgent(Vendor(lambda *_: (400, {})).http()).submit("b1", "s1", "/verify short")


def test_a_link_that_mentions_norm_is_not_written_to_bland():
    vendor = Vendor(lambda *_: {"data": bland_row()})
    issues = BlandIssues(vendor.http())
    with pytest.raises(Rejected, match="Norm is mentioned in external_link"):
        issues.update(issues.get("b1"), {"external_link": "https://x.example/@norm/1"})
    assert vendor.writes() == []


def test_a_comment_answered_with_errors_may_not_stand():
    told = {"data": None, "errors": [{"error": "X", "message": "no"}]}
    with pytest.raises(Ambiguous):
        BlandComments(Vendor(lambda *_: told).http()).post("b1", "text")


# antimetal


@pytest.mark.parametrize("shown", ["2026-05-06T21:09:57Z", "2026-05-06T21:09Z"])
@pytest.mark.parametrize("seeds", [[{"tags": [REFERENCE]}], [{"tags": ["another"]}], None])
def test_a_lost_create_whose_time_is_shown_rounded_is_proved_by_its_detail(shown, seeds):
    row = antimetal_row("a1", triggeredAt=shown)

    def answer(method, path, query, body):
        if "search" in query:
            return {"data": []}
        return {**row, "seeds": seeds} if path.endswith("a1") else {"data": [row]}

    _, issues = antimetal_of(answer)
    found = [issue.remote_id for issue in issues.find_created(draft(), AT)]
    assert found == (["a1"] if REFERENCE in json.dumps(seeds) else [])


def test_where_an_antimetal_row_shows_twice_the_rows_are_looked_through_once_more():
    """Rows that move from page to page hide others."""
    looks: list[int] = []

    def answer(method, path, query, body):
        if "search" in query:
            return {"data": []}
        if path.endswith("a2"):
            return antimetal_row("a2")
        if "startingAfter" not in query:
            looks.append(1)
            return {"data": [antimetal_row("a1", triggeredAt=None)], "after": "x"}
        mine = "a1" if len(looks) == 1 else "a2"
        times = [None, "2026-05-06T21:09:57.081Z"]
        return {"data": [antimetal_row(mine, triggeredAt=times[mine == "a2"])], "after": None}

    _, issues = antimetal_of(answer)
    assert [issue.remote_id for issue in issues.find_created(draft(), AT)] == ["a2"]


# all of them


class Odd(Payload):
    id: Id
    number: Number = 0
    flag: Flag = False
    at: Instant = None


@pytest.mark.parametrize(
    ("given", "read"),
    [("1042", 1042), (17.0, 17), (10**30, 0), ("x", 0), (None, 0)],
)
def test_a_number_may_come_as_text(given, read):
    assert Odd(id="1", number=given).number == read


@pytest.mark.parametrize("given", [{}, [], False, True, float("nan"), None, ""])
def test_what_is_no_text_and_no_number_names_nothing(given):
    with pytest.raises(ValueError, match="id"):
        Odd(id=given)


@pytest.mark.parametrize(
    ("given", "read"),
    [(True, True), ("true", True), (1, True), (False, False), ("false", False), (None, False)],
)
def test_a_flag_that_is_not_clearly_down_is_up(given, read):
    assert Odd(id="1", flag=given).flag is read


def test_a_time_in_lower_case_is_read():
    assert Odd(id="1", at="2026-05-06t21:09:57z").at == AT.replace(microsecond=0)


def test_a_read_that_was_answered_slowly_is_not_repeated():
    clock = [0.0]

    def answer(method, path, query, body):
        clock[0] += 20
        return 503, {}

    vendor = Vendor(answer)
    http = vendor.http()
    http.timing = Timing(sleep=lambda _: None, monotonic=lambda: clock[0])
    with pytest.raises(Transient):
        http.send("GET", "/x")
    assert len(vendor.sent) == 1
