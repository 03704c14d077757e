"""Lists of the bland simulator: keyset paging, filters, search."""

import pytest

from tests.simulators import BlandSimulator
from tests.simulators.caller import Caller

ISSUES = "/v1/triage/issues"


@pytest.fixture
def sim():
    simulator = BlandSimulator()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


def data(answer):
    assert answer.status == 200, answer.text
    return answer.json["data"]


def walk(call, **query):
    """Every item, page by page, and how many pages it took."""
    items, pages, cursor = [], 0, None
    while True:
        sent = {**query, **({"cursor": cursor} if cursor else {})}
        page = data(call("GET", ISSUES, query=sent))
        items, pages, cursor = items + page["items"], pages + 1, page["next_cursor"]
        if cursor is None or not page["items"]:
            return items, pages


@pytest.mark.parametrize("form", ["row_id", "opaque"])
@pytest.mark.parametrize("trailing", [True, False])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_walk_sees_every_issue_once_in_order(sim, call, form, trailing, order):
    sim.set_switches(cursor_form=form, trailing_cursor=trailing)
    for _ in range(5):  # two rows of the same time each
        for _ in range(2):
            sim.add(created_at=f"2026-01-0{1 + len(sim.issues) // 2}T00:00:00.000Z")
    items, pages = walk(call, limit=4, sort="created_at", order=order)
    keys = [(item["created_at"], item["id"]) for item in items]
    assert keys == sorted(keys, reverse=order == "desc")
    assert len({item["id"] for item in items}) == 10
    assert pages == (4 if trailing else 3)


def test_without_parameters_the_latest_activity_comes_first_fifty_at_a_time(sim, call):
    for day in range(1, 29):
        sim.add(created_at=f"2026-01-{day:02d}T00:00:00.000Z")
        sim.add(created_at=f"2026-02-{day:02d}T00:00:00.000Z")
    items = data(call("GET", ISSUES))["items"]
    assert len(items) == 50
    moments = [item["last_activity_at"] for item in items]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize(
    ("reading", "status", "left"), [("nearest", 200, 2), ("reject", 400, None), ("empty", 200, 0)]
)
def test_a_cursor_of_a_deleted_row_follows_its_switch(sim, call, reading, status, left):
    sim.set_switches(cursor_anchor_deleted=reading)
    for day in range(1, 5):
        sim.add(created_at=f"2026-01-0{day}T00:00:00.000Z")
    sent = {"sort": "created_at", "order": "asc", "limit": 2}
    cursor = data(call("GET", ISSUES, query=sent))["next_cursor"]
    sim.remove(cursor)
    answer = call("GET", ISSUES, query={**sent, "cursor": cursor})
    assert answer.status == status
    assert left is None or len(data(answer)["items"]) == left


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 101}, {"sort": "updated_at"}, {"date_range": "1h"}]
)
def test_a_query_value_out_of_range_is_noted_and_answered_as_switched(sim, call, wrong):
    assert call("GET", ISSUES, query=wrong).status == 400
    sim.set_switches(bad_query_value="ignore")
    assert call("GET", ISSUES, query=wrong).status == 200


def test_filters_combine_and_repeat(sim, call):
    sim.add(status="todo", severity="high", category="Bug")
    sim.add(status="done", severity="high", category="Speech")
    sim.add(status="done", severity="low", category="Bug")
    found = walk(call, severity="high")[0]
    assert len(found) == 2
    both = call("GET", ISSUES, query=[("status", "todo"), ("status", "done"), ("category", "Bug")])
    assert len(data(both)["items"]) == 2


def test_several_values_with_commas_work_only_when_switched(sim, call):
    sim.add(status="todo")
    assert call("GET", ISSUES, query={"status": "todo,done"}).status == 400
    sim.set_switches(multi_value_filters="comma_too")
    assert len(walk(call, status="todo,done")[0]) == 1


@pytest.mark.parametrize(
    ("reading", "words"),
    [("rank", ["high", "medium", "low"]), ("alphabet", ["high", "low", "medium"])],
)
def test_severities_sort_by_rank_or_by_alphabet(sim, call, reading, words):
    sim.set_switches(enum_sort=reading)
    for severity in ("low", "high", "medium"):
        sim.add(severity=severity)
    items, _ = walk(call, sort="severity", order="asc")
    assert [item["severity"] for item in items] == words


def test_a_date_range_ends_now(sim, call):
    sim.add(created_at="2026-01-01T00:00:00.000Z")
    recent = sim.add()
    assert [i["id"] for i in walk(call, date_range="24h", date_field="created_at")[0]] == [
        recent["id"]
    ]


def test_search_reads_title_and_description_and_may_lag(sim, call):
    sim.set_switches(search_lag_seconds=60)
    sim.add(title="Marker K77", description="")
    sim.add(title="x", description="the marker k77 is here")
    assert walk(call, search="k77")[0] == []
    sim.advance(61)
    assert len(walk(call, search="k77")[0]) == 2
    assert walk(call, search="T-1001")[0] == []
    sim.set_switches(search_ticket_number=True)
    assert len(walk(call, search="T-1001")[0]) == 1


def test_another_organizations_issue_is_not_listed(sim, call):
    sim.add(org_id="elsewhere")
    assert walk(call)[0] == []
