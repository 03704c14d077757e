"""Lists of the antimetal simulator: cursors, orders, filters, search."""

import pytest
from jsonschema import Draft202012Validator

from tests.simulators import AntimetalSimulator
from tests.simulators import antimetal_schemas as schemas
from tests.simulators.caller import Caller

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def sim():
    simulator = AntimetalSimulator()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


def fits(schema, answer, status=200):
    assert answer.status == status, answer.text
    Draft202012Validator(schema).validate(answer.json)
    return answer.json


def refusal(answer, status=400):
    return fits(schemas.ERROR, answer, status)


def page(call, **query):
    return fits(schemas.PAGE, call("GET", "/issues", query=query))


def walk(call, **query):
    rows, found = [], page(call, **query)
    while True:
        rows += found["data"]
        if not found["has_more"]:
            return rows
        found = page(call, **query, startingAfter=rows[-1]["uuid"])


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_walk_sees_every_issue_once(sim, call, order):
    sim.set_switches(list_order=order)
    for n in range(23):
        sim.add(title=f"{n}", createdAt=f"2026-01-{1 + n // 2:02d}T00:00:00.000Z")
    rows = walk(call, limit=5)
    numbers = [row["number"] for row in rows]
    assert numbers == sorted(range(1, 24), reverse=order == "newest")
    assert len(page(call)["data"]) == 10, "the default limit"


def test_a_random_order_changes_from_call_to_call(sim, call):
    sim.set_switches(list_order="random")
    for _ in range(30):
        sim.add()
    seen = {tuple(row["uuid"] for row in page(call, limit=30)["data"]) for _ in range(3)}
    assert len(seen) > 1


def test_a_walk_backwards_meets_the_walk_forwards(sim, call):
    for _ in range(6):
        sim.add()
    numbers = [row["number"] for row in walk(call, limit=2)]
    assert numbers == [6, 5, 4, 3, 2, 1]
    last = page(call, limit=6)["data"][-1]["uuid"]
    back = page(call, limit=2, endingBefore=last)
    assert [row["number"] for row in back["data"]] == [3, 2]
    assert back["has_more"] is True
    assert page(call, limit=9, endingBefore=last)["has_more"] is False


def test_cursors_in_pages_are_optional(sim, call):
    for _ in range(3):
        sim.add()
    first = page(call, limit=2)
    assert first["after"] == first["data"][-1]["uuid"]
    assert "before" not in first
    sim.set_switches(page_cursors="absent")
    assert "after" not in page(call, limit=2)


@pytest.mark.parametrize(("reading", "status"), [("reject", 400), ("skip", 200)])
def test_a_cursor_of_a_deleted_issue_follows_its_switch(sim, call, reading, status):
    sim.set_switches(cursor_of_deleted=reading)
    for _ in range(4):
        sim.add()
    cursor = page(call, limit=2)["data"][-1]["uuid"]
    sim.remove(cursor)
    answer = call("GET", "/issues", query={"startingAfter": cursor})
    assert answer.status == status
    if status == 200:
        assert [row["number"] for row in answer.json["data"]] == [2, 1]
    refusal(call("GET", "/issues", query={"startingAfter": UNKNOWN}))


def test_both_cursors_are_noted_and_answered_as_switched(sim, call):
    uuid = sim.add()["uuid"]
    both = {"startingAfter": uuid, "endingBefore": uuid}
    refusal(call("GET", "/issues", query=both))
    sim.set_switches(both_cursors="startingAfter")
    assert page(call, **both)["data"] == []
    assert len(sim.violations) == 2


def test_filters_combine(sim, call):
    sim.add(status="resolved", environment="production", title="A%b")
    sim.add(status="resolved", environment="staging", title="Axb")
    sim.add(status="muted", environment="production", title="other", description="about AXB")
    assert len(walk(call, status="resolved")) == 2
    assert len(walk(call, status="resolved", environment="staging")) == 1
    assert len(walk(call, search="axb")) == 2
    for wrong in ({"status": "open"}, {"limit": 101}, {"search": ""}, {"environment": ""}):
        refusal(call("GET", "/issues", query=wrong))


@pytest.mark.parametrize(("reading", "found"), [("literal", 1), ("like", 2)])
def test_percent_in_a_search_is_literal_or_not(sim, call, reading, found):
    sim.set_switches(search_wildcards=reading)
    sim.add(title="A%b")
    sim.add(title="Axb")
    assert len(walk(call, search="a%b")) == found


def test_a_search_may_see_a_new_issue_late_while_the_list_has_it(sim, call):
    sim.set_switches(search_delay_seconds=60)
    sim.add(title="K99")
    assert walk(call, search="k99") == []
    assert len(walk(call)) == 1
    sim.advance(61)
    assert len(walk(call, search="k99")) == 1


def test_unknown_words_and_fields_reach_the_client_when_injected(sim, call):
    sim.set_switches(extra_fields=True)
    uuid = sim.add()["uuid"]
    sim.edit(uuid, status="escalated")
    row = call("GET", "/issues").json["data"][0]
    assert (row["status"], "ownerTeam" in row) == ("escalated", True)
