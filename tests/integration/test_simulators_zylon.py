"""The zylon simulator answers as documented, in both generations, and each open point both ways."""

import re

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


def ok(answer, status=200):
    assert answer.status == status, answer.text
    return answer.json


def page(call, **query):
    return ok(call("GET", ISSUES, query=query))


def report(sim, **changes):
    """The body of a create that hangs on a chat turn the simulator knows."""
    anchor = dict(sim.anchor)
    body = {"project_id": anchor.pop("project_id"), "config": anchor, "resource_type": "Thread"}
    return {**body, "type": "Inaccurate", "anonymous": False, "description": "wrong", **changes}


def put(call, issue, **fields):
    return call("PUT", f"{ISSUES}/{issue['id']}", fields)


# Issues


def test_a_new_report_is_unread_and_not_reviewed(sim, call):
    issue = ok(call("POST", ISSUES, report(sim)))
    assert issue.items() >= {"state": "NotReviewed", "is_read": False, "issue_number": 1}.items()
    assert issue["data"] == report(sim)["config"]
    assert re.fullmatch(r"issue_[0-9a-f]{16}", issue["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", issue["created_at"])
    assert ok(call("GET", f"{ISSUES}/{issue['id']}")) == issue
    assert sim.violations == []


@pytest.mark.parametrize("name", ["project_id", "resource_type", "type", "config", "anonymous"])
def test_a_create_needs_its_five_fields_unless_it_is_legacy(sim, call, name):
    body = report(sim)
    del body[name]
    assert call("POST", ISSUES, body).status == 400
    sim.set_switches(create_body="legacy")
    legacy_needs_it = name in ("resource_type", "type")
    assert call("POST", ISSUES, body).status == (400 if legacy_needs_it else 200)


@pytest.mark.parametrize(
    "wrong", [{"type": "Bug"}, {"resource_type": "Chat"}, {"config": {}}, {"anonymous": "no"}]
)
def test_a_create_with_a_bad_word_is_refused_and_noted(sim, call, wrong):
    assert call("POST", ISSUES, report(sim, **wrong)).status == 400
    assert len(sim.violations) == 1
    assert sim.issues == {}


@pytest.mark.parametrize(("reading", "status"), [(400, 400), (404, 404), ("accept", 200)])
def test_an_unknown_chat_turn_answers_as_switched(sim, call, reading, status):
    sim.set_switches(unknown_anchor=reading)
    config = {"thread_id": "thread_x", "reported_interaction_id": "interaction_x"}
    assert call("POST", ISSUES, report(sim, config=config)).status == status
    assert sim.violations == []


def test_a_create_may_answer_201(sim, call):
    sim.set_switches(create_status=201)
    assert call("POST", ISSUES, report(sim)).status == 201


def test_a_put_changes_what_it_names(sim, call):
    issue = sim.add(created_at=LONG_AGO, description="words")
    changed = ok(put(call, issue, state="InReview", is_read=True))
    assert changed.items() >= {"state": "InReview", "is_read": True, "description": "words"}.items()
    assert changed["updated_at"] > changed["created_at"]


@pytest.mark.parametrize(("reading", "is_read"), [("false", False), ("preserve", True)])
def test_a_put_without_is_read_marks_it_unread_or_not(sim, call, reading, is_read):
    sim.set_switches(omitted_is_read=reading)
    issue = sim.add(is_read=True)
    assert ok(put(call, issue, state="Closed"))["is_read"] is is_read


@pytest.mark.parametrize(("reading", "kept"), [("keep", "words"), ("null", None)])
def test_other_fields_a_put_leaves_out_stay_or_go(sim, call, reading, kept):
    sim.set_switches(omitted_put_fields=reading)
    issue = sim.add(description="words")
    put(call, issue, state="Closed", is_read=True)
    assert sim.issues[issue["id"]]["description"] == kept


@pytest.mark.parametrize(
    ("reading", "status", "left"),
    [("accept", 200, ""), ("reject", 400, "words"), ("ignore", 200, "words")],
)
def test_clearing_a_description_follows_its_switch(sim, call, reading, status, left):
    sim.set_switches(clear_description=reading)
    issue = sim.add(description="words")
    assert put(call, issue, description="", is_read=False).status == status
    assert sim.issues[issue["id"]]["description"] == left


@pytest.mark.parametrize("bumps", [True, False])
def test_a_put_without_real_change_moves_updated_at_or_not(sim, call, bumps):
    sim.set_switches(no_op_put_bumps_updated=bumps, is_read_bumps_updated=bumps)
    issue = sim.add(created_at=LONG_AGO)
    for fields in ({"is_read": False}, {"is_read": True}):
        put(call, issue, **fields)
        assert (sim.issues[issue["id"]]["updated_at"] != LONG_AGO) is bumps


@pytest.mark.parametrize(("table", "status"), [("all", 200), ("no_reopen", 400)])
def test_transitions_follow_their_table(sim, call, table, status):
    sim.set_switches(transitions=table)
    assert put(call, sim.add(state="Closed"), state="InReview", is_read=True).status == status
    assert sim.violations == []


def test_a_put_of_an_unknown_state_is_refused_and_noted(sim, call):
    assert put(call, sim.add(), state="Done", is_read=True).status == 400
    assert "state" in sim.violations[0]


def test_a_delete_is_soft_and_visible(sim, call):
    issue = sim.add(created_at=LONG_AGO)
    gone = ok(call("DELETE", f"{ISSUES}/{issue['id']}"))
    assert gone["state"] == "Deleted"
    assert gone["updated_at"] > gone["created_at"]
    assert ok(call("GET", f"{ISSUES}/{issue['id']}"))["state"] == "Deleted"
    assert page(call)["data"] == []
    assert len(page(call, states=ALL)["data"]) == 1


def test_the_other_readings_of_a_delete(sim, call):
    sim.set_switches(delete_answer=204, repeat_delete=404, get_deleted=404)
    path = f"{ISSUES}/{sim.add()['id']}"
    answers = [call("DELETE", path), call("DELETE", path), call("GET", path)]
    assert [(a.status, a.text == "") for a in answers] == [(204, True), (404, False), (404, False)]


def test_a_deleted_issue_may_be_purged_later(sim, call):
    sim.set_switches(purge_after_days=14)
    issue, kept = sim.add(), sim.add()
    sim.remove(issue["id"])
    sim.advance(15 * 86_400)
    assert set(sim.issues) == {kept["id"]}
    sim.act(kept["id"], "purge")
    assert page(call, states=ALL)["data"] == []


@pytest.mark.parametrize(
    ("scope", "numbers"), [("organization", [1, 2, 3]), ("project", [1, 1, 2])]
)
def test_issue_numbers_count_in_their_scope(sim, scope, numbers):
    sim.set_switches(issue_number_scope=scope)
    first, second = sim.new_anchor()["project_id"], sim.new_anchor()["project_id"]
    made = [sim.add(project_id=project) for project in (first, second, second)]
    assert [issue["issue_number"] for issue in made] == numbers


@pytest.mark.parametrize(("precision", "ending"), [("s", "00Z"), ("ms", "00.000Z")])
def test_times_have_the_precision_of_their_switch(sim, call, precision, ending):
    sim.set_switches(time_precision=precision)
    issue = sim.add(created_at=LONG_AGO)
    assert ok(call("GET", f"{ISSUES}/{issue['id']}"))["created_at"].endswith("T00:00:" + ending)


# The older generation


def test_the_older_generation_answers_thinly(sim, call):
    sim.set_switches(generation="older")
    body = {"resource_type": "Thread", "type": "Other", "description": "wrong"}
    issue = ok(call("POST", ISSUES, body, x_org=None))
    assert "data" not in issue
    path = f"{ISSUES}/{issue['id']}"
    assert set(ok(call("GET", path))) == {"id", "description", "type", "state"}
    assert ok(call("PUT", path, {"state": "Closed", "is_read": True})) == {
        "id": issue["id"],
        "state": "Closed",
        "is_read": True,
    }
    found = page(call, states=ALL, first=100)
    assert "next_cursor" not in found
    assert "data" not in found["data"][0]
    assert call("DELETE", path).status == 204
    assert sim.violations == []


def test_a_set_switch_wins_over_the_generation(sim, call):
    sim.set_switches(generation="older", delete_answer="object")
    assert call("DELETE", f"{ISSUES}/{sim.add()['id']}").status == 200


def test_the_oldest_spec_knew_two_states(sim, call):
    sim.set_switches(states="two")
    issue = sim.add()
    assert page(call)["data"][0]["state"] == "Active"
    assert put(call, issue, state="InReview", is_read=True).status == 400
    assert sim.violations == [], "documented, only not here"


# Who may call, and how refusals look


@pytest.mark.parametrize(
    ("reading", "status", "kind"),
    [(401, 401, "application/json"), (302, 302, None), ("html", 200, "text/html")],
)
def test_a_bad_token_gets_what_its_switch_says(sim, call, reading, status, kind):
    sim.set_switches(unauthenticated=reading)
    answer = call("GET", ISSUES, authorization="Bearer wrong")
    assert answer.status == status
    assert (answer.headers.get("content-type") or "").startswith(kind or "")
    assert sim.requests[-1]["auth"] == "wrong"


@pytest.mark.parametrize(("reading", "status"), [(400, 400), (403, 403), ("default", 200)])
def test_a_missing_organization_answers_as_switched(sim, call, reading, status):
    sim.set_switches(missing_org=reading)
    assert call("GET", ISSUES, x_org=None).status == status
    assert call("GET", ISSUES, x_org="elsewhere").status == 403
    assert call("GET", ISSUES, x_org=sim.org["id"]).status == 200
    sim.set_switches(unknown_org=404)
    assert call("GET", ISSUES, x_org="elsewhere").status == 404


def test_a_role_bounds_what_may_be_done(sim, call):
    issue = sim.add()
    sim.set_switches(role="AppMember")
    assert call("GET", ISSUES).status == 403
    assert call("POST", ISSUES, report(sim)).status == 200
    sim.set_switches(role="read_only")
    assert call("GET", ISSUES).status == 200
    assert put(call, issue, state="Closed", is_read=True).status == 403


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("nested", '{"type": "error", "error": {"type": "not_found_error", '
            '"message": "Issue not found"}}'),
        ("message", '{"message": "Issue not found"}'),
        ("error_string", '{"error": "Issue not found"}'),
        ("text", "Issue not found"),
        ("empty", ""),
    ],
)  # fmt: skip
def test_an_error_has_the_shape_of_its_switch(sim, call, shape, text):
    sim.set_switches(error_body=shape)
    answer = call("GET", f"{ISSUES}/issue_none")
    assert (answer.status, answer.text) == (404, text)


def test_an_update_is_a_put_and_nothing_else(sim, call):
    path = f"{ISSUES}/{sim.add()['id']}"
    assert [call(method, path, {}).status for method in ("PATCH", "POST")] == [405, 405]
    assert len(sim.violations) == 2


def test_the_related_calls_answer(sim, call):
    assert ok(call("GET", "/app/me"))["email"] == sim.token_user["email"]
    threads = ok(call("GET", f"/app/project/{sim.anchor['project_id']}/thread"))
    assert threads["data"] == [{"id": sim.anchor["thread_id"]}]
    turns = ok(call("GET", f"/app/thread/{sim.anchor['thread_id']}/interaction"))
    assert turns["data"] == [{"id": sim.anchor["reported_interaction_id"]}]


def test_any_word_a_person_sets_reaches_the_client(sim, call):
    issue = sim.add()
    sim.edit(issue["id"], state="UnderReview", type="Rude", resource_type="Chat")
    [row] = page(call)["data"]
    assert (row["state"], row["type"], row["resource_type"]) == ("UnderReview", "Rude", "Chat")
