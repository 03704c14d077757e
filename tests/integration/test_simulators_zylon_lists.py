"""Lists of the zylon simulator: two ways of paging, filters, and what is shown."""

import pytest

from tests.simulators import ZylonSimulator
from tests.simulators.caller import Caller

ISSUES = "/app/issue"
ALL = "NotReviewed,InReview,Closed,Deleted"
LONG_AGO = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def sim():
    simulator = ZylonSimulator()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


def page(call, **query):
    answer = call("GET", ISSUES, query=query)
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_key", ["created_at", "updated_at"])
def test_both_ways_of_paging_see_every_issue_once(sim, call, order, sort_key):
    sim.set_switches(sort_key=sort_key)
    for day in range(1, 12):
        sim.add(created_at=f"2026-01-{day:02d}T00:00:00.000Z")
    by_page, by_cursor, cursor = [], [], {}
    for number in (1, 2, 3):
        found = page(call, page=number, page_size=4, page_order=order, total_count="true")
        by_page += found["data"]
        assert found["total_count"] == 11
        assert (found["has_next_page"], found["has_previous_page"]) == (number < 3, number > 1)
    while True:
        found = page(call, first=4, page_order=order, **cursor)
        by_cursor += found["data"]
        if not found["has_next_page"]:
            break
        cursor = {"after": found["next_cursor"]}
    numbers = [issue["issue_number"] for issue in by_page]
    assert numbers == sorted(range(1, 12), reverse=order == "DESC")
    assert by_cursor == by_page


def test_cursors_lead_back_as_well(sim, call):
    for _ in range(5):
        sim.add()
    last = page(call, last=2)
    assert [issue["issue_number"] for issue in last["data"]] == [4, 5]
    before = page(call, last=2, before=last["previous_cursor"])
    assert [issue["issue_number"] for issue in before["data"]] == [2, 3]


@pytest.mark.parametrize(("reading", "shown"), [("null", {"next_cursor": None}), ("absent", {})])
def test_cursors_may_be_null_or_absent(sim, call, reading, shown):
    sim.set_switches(cursors=reading)
    for _ in range(3):
        sim.add()
    found = page(call, page_size=2)
    assert {n: v for n, v in found.items() if n == "next_cursor"} == shown
    assert found["has_next_page"] is True


def test_page_numbers_and_cursors_together_are_noted(sim, call):
    assert call("GET", ISSUES, query={"page": 1, "first": 5}).status == 400
    sim.set_switches(page_and_cursor="page")
    assert call("GET", ISSUES, query={"page": 1, "first": 5}).status == 200
    assert len(sim.violations) == 2


@pytest.mark.parametrize(("reading", "status"), [("reject", 400), ("clamp", 200)])
def test_a_page_size_over_the_maximum_is_no_violation(sim, call, reading, status):
    sim.set_switches(oversized_page=reading, page_size_max=2, page_size_default=1)
    for _ in range(3):
        sim.add()
    assert len(page(call)["data"]) == 1
    answer = call("GET", ISSUES, query={"page_size": 100})
    assert answer.status == status
    assert status != 200 or len(answer.json["data"]) == 2
    assert sim.violations == []


@pytest.mark.parametrize(("reading", "count"), [("hide_deleted", 1), ("all", 2)])
def test_without_states_deleted_issues_are_hidden_or_not(sim, call, reading, count):
    sim.set_switches(omitted_states=reading)
    sim.add()
    sim.add(state="Deleted")
    assert len(page(call)["data"]) == count


def test_deleted_may_not_be_a_filter_and_the_order_may_default_to_descending(sim, call):
    sim.set_switches(deleted_filter="reject", page_order_default="DESC")
    sim.add()
    sim.add()
    assert call("GET", ISSUES, query={"states": ALL}).status == 400
    assert [issue["issue_number"] for issue in page(call)["data"]] == [2, 1]
    assert sim.violations == []


def test_the_openapis_required_parameters_can_be_enforced(sim, call):
    sim.set_switches(required_list_parameters="strict")
    query = {"states": ALL, "include": "User,Project"}
    assert call("GET", ISSUES, query=query).status == 400
    types = "NoAnswer,Inaccurate,NoContextUsed,Format,Other"
    assert call("GET", ISSUES, query={**query, "type": types}).status == 200
    assert sim.violations == []


def test_filters_take_comma_lists_and_repeating_is_noted(sim, call):
    sim.add(type="Format", state="Closed")
    sim.add(type="Other", state="InReview")
    assert len(page(call, type="Format,Other", states="Closed,InReview")["data"]) == 2
    assert len(page(call, type="Format", states=ALL)["data"]) == 1
    assert sim.violations == []
    call("GET", ISSUES, query=[("states", "Closed"), ("states", "InReview")])
    assert "repeated" in sim.violations[0]


def test_dates_are_epoch_milliseconds_of_creation(sim, call):
    sim.add(created_at=LONG_AGO)
    start = 1_767_225_600_000
    assert len(page(call, start_date=start, end_date=start)["data"]) == 1
    assert page(call, start_date=start + 1)["data"] == []
    assert call("GET", ISSUES, query={"start_date": LONG_AGO}).status == 400


@pytest.mark.parametrize(
    ("rule", "needle", "found"),
    [
        ("substring", "ker", 1),
        ("whole_word", "ker", 0),
        ("whole_word", "MARKER", 1),
        ("off", "zzz", 2),
        ("nothing", "marker", 0),
    ],
)
def test_a_text_filter_follows_its_rule(sim, call, rule, needle, found):
    sim.set_switches(text_filter=rule)
    sim.add(description="the marker")
    sim.add(description=None)
    assert len(page(call, filter_by_text=needle)["data"]) == found


def test_who_reported_shows_only_when_asked_for_and_not_anonymous(sim, call):
    sim.add()
    sim.add(anonymous=True)
    known, hidden = page(call, include="User,Project")["data"]
    assert known["created_by"]["email"] == sim.reporter["email"]
    assert "created_by" not in hidden
    assert known["project"]["id"] == sim.anchor["project_id"]
    assert "project" not in page(call)["data"][0]
    sim.set_switches(optional_nulls="null")
    assert page(call)["data"][0]["project"] is None
