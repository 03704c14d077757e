"""The bland simulator answers as documented, and each open point can be read both ways."""

import re

import pytest

from tests.simulators import BlandSimulator
from tests.simulators.caller import Caller

ISSUES = "/v1/triage/issues"
NEW = {"title": "Calls drop", "severity": "high", "category": "Telephony"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


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


def data(answer, status=200):
    assert answer.status == status, answer.text
    assert answer.json["errors"] is None
    return answer.json["data"]


def refusal(answer, status):
    assert answer.status == status, answer.text
    assert answer.json["data"] is None
    [error] = answer.json["errors"]
    return error["error"], error["message"]


def types(call, issue_id):
    entries = data(call("GET", f"{ISSUES}/{issue_id}/activity"))["items"]
    return [entry["type"] for entry in entries]


# Issues


def test_a_new_issue_has_the_documented_defaults(sim, call):
    issue = data(call("POST", ISSUES, NEW), 201)
    assert issue.items() >= {**NEW, "status": "todo", "source": "manual"}.items()
    assert issue["description"] == ""
    assert issue["external_link"] is issue["latest_agent_session"] is issue["owner_id"] is None
    assert issue["triage_id"] == f"T-{issue['number']}" == "T-1001"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", issue["created_at"])
    assert data(call("GET", f"{ISSUES}/{issue['id']}")) == issue
    assert sim.violations == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"description": "x" * 10_001}, "description"),
        ({"severity": "urgent"}, "severity"),
        ({"status": "open"}, "status"),
        ({"source": "robot"}, "source"),
        ({"category": "x" * 65}, "category"),
        ({"owner_id": "somebody"}, "owner_id"),
        ({"resource_links": [{"resource_type": "sms"}]}, "resource_links"),
    ],
)
def test_a_create_outside_the_documented_limits_is_refused_by_name(sim, call, change, field):
    code, message = refusal(call("POST", ISSUES, {**NEW, **change}), 400)
    assert code == "bad_request"
    assert field in message
    assert sim.issues == {}
    assert len(sim.violations) == 1


def test_title_severity_and_category_are_required(call):
    _, message = refusal(call("POST", ISSUES, {}), 400)
    assert all(name in message for name in ("title", "severity", "category"))


@pytest.mark.parametrize(("unit", "status"), [("utf16", 400), ("code_points", 201), ("bytes", 400)])
def test_a_limit_counts_the_unit_of_its_switch(sim, call, unit, status):
    sim.set_switches(text_unit=unit)
    assert call("POST", ISSUES, {**NEW, "title": "📞" * 150}).status == status


def test_a_patch_changes_only_what_it_names_and_leaves_documented_entries(sim, call):
    issue = sim.add(title="before", created_at="2026-01-01T00:00:00.000Z")
    sent = {"status": "done", "severity": "low", "category": "Bug", "owner_id": sim.person_id}
    patched = data(call("PATCH", f"{ISSUES}/{issue['id']}", sent))
    assert patched.items() >= {**sent, "title": "before"}.items()
    assert patched["updated_at"] == patched["last_activity_at"] > issue["updated_at"]
    entries = data(call("GET", f"{ISSUES}/{issue['id']}/activity"))["items"]
    assert [entry["type"] for entry in entries] == [
        "owner_changed", "category_changed", "severity_changed", "status_changed", "created",
    ]  # fmt: skip
    moved = entries[3]
    assert (moved["from_status"], moved["to_status"]) == ("todo", "done")
    assert moved["actor"]["id"] == sim.api_user_id
    assert entries[2]["from_status"] is entries[2]["to_status"] is None


def test_an_empty_patch_changes_nothing(sim, call):
    issue = sim.add()
    assert data(call("PATCH", f"{ISSUES}/{issue['id']}", {})) == issue


@pytest.mark.parametrize(("reading", "moves"), [("moves", True), ("no_effect", False)])
def test_a_patch_to_the_same_value_is_news_or_not(sim, call, reading, moves):
    sim.set_switches(same_value_patch=reading)
    issue = sim.add(status="done", created_at="2026-01-01T00:00:00.000Z")
    patched = data(call("PATCH", f"{ISSUES}/{issue['id']}", {"status": "done"}))
    assert (patched["updated_at"] != issue["updated_at"]) is moves
    assert ("status_changed" in types(call, issue["id"])) is moves


@pytest.mark.parametrize(
    ("reading", "status", "kept"),
    [("ignore", 200, False), ("reject", 400, False), ("accept", 200, True)],
)
def test_a_patched_external_link_follows_its_switch_and_is_always_noted(
    sim, call, reading, status, kept
):
    sim.set_switches(unknown_patch_field=reading)
    issue, link = sim.add(), {"url": "https://example.test/7"}
    answer = call("PATCH", f"{ISSUES}/{issue['id']}", {"external_link": link})
    assert answer.status == status
    assert sim.issues[issue["id"]]["external_link"] == (link if kept else None)
    assert "external_link" in sim.violations[0]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("adds", [False, True])
def test_a_link_bound_by_a_person_moves_activity_as_switched(sim, call, moves, adds):
    sim.set_switches(external_link_moves_activity=moves, external_link_adds_entry=adds)
    issue = sim.add(created_at="2026-01-01T00:00:00.000Z")
    sim.edit(issue["id"], external_link={"provider": "github", "link": {"href": "https://e.test"}})
    seen = data(call("GET", f"{ISSUES}/{issue['id']}"))
    assert seen["updated_at"] > issue["updated_at"]
    assert (seen["last_activity_at"] > issue["last_activity_at"]) is (moves or adds)
    assert ("external_link_changed" in types(call, issue["id"])) is adds


@pytest.mark.parametrize("moves", [True, False])
def test_a_new_title_leaves_no_entry_and_moves_activity_as_switched(sim, call, moves):
    sim.set_switches(text_edit_moves_activity=moves)
    issue = sim.add(created_at="2026-01-01T00:00:00.000Z")
    patched = data(call("PATCH", f"{ISSUES}/{issue['id']}", {"title": "other"}))
    assert types(call, issue["id"]) == ["created"]
    assert patched["updated_at"] > issue["updated_at"]
    assert (patched["last_activity_at"] > issue["last_activity_at"]) is moves


def test_a_delete_is_final_and_takes_the_children_along(sim, call):
    issue, other = sim.add(), sim.add()
    path = f"{ISSUES}/{issue['id']}"
    relation = {"related_issue_id": other["id"], "relation_type": "blocks"}
    data(call("POST", f"{path}/relations", relation), 201)
    answer = call("DELETE", path)
    assert (answer.status, answer.text) == (204, "")
    assert refusal(call("GET", path), 404) == ("not_found", "Issue not found")
    assert call("DELETE", path).status == 404
    assert sim.issues[other["id"]]["relation_count"] == 0
    assert data(call("GET", f"{ISSUES}/{other['id']}/relations"))["items"] == []


@pytest.mark.parametrize("status", [404, 400])
def test_a_short_code_is_no_id(sim, call, status):
    sim.set_switches(non_uuid_id=status)
    sim.add()
    assert call("GET", f"{ISSUES}/T-1001").status == status


def test_another_organizations_issue_is_unknown(sim, call):
    issue = sim.add(org_id="elsewhere")
    assert call("GET", f"{ISSUES}/{issue['id']}").status == 404


# Who may call


@pytest.mark.parametrize("key", [None, "wrong", "Bearer wrong", "Basic bland-simulated-key"])
def test_only_the_key_opens(sim, call, key):
    assert refusal(call("GET", ISSUES, authorization=key), 401) == ("AUTH_FAILURE", "Unauthorized")
    assert sim.requests[0]["auth"] == ("missing" if key is None else "wrong")
    assert "authorization" not in sim.requests[0]["headers"]


@pytest.mark.parametrize(("reading", "status"), [("accept", 200), ("reject", 401)])
def test_a_scheme_word_before_the_key_is_tolerated(sim, call, reading, status):
    sim.set_switches(bearer_prefix=reading)
    assert call("GET", ISSUES, authorization=f"Bearer {sim.api_key}").status == status
    assert call("GET", ISSUES, authorization=sim.api_key).status == 200


# Children


def test_attaching_twice_gives_201_then_200_and_the_same_link(sim, call):
    issue, (kind, resource_id) = sim.add(), next(iter(sim.resources))
    path, resource = f"{ISSUES}/{issue['id']}/resources", {"resource_type": kind}
    resource["resource_id"] = resource_id
    link = data(call("POST", path, resource), 201)
    assert data(call("POST", path, resource), 200) == link
    assert sim.issues[issue["id"]]["resource_count"] == 1
    assert data(call("GET", path))["items"] == [link]
    assert call("DELETE", f"{path}/{link['id']}").status == 204
    assert refusal(call("DELETE", f"{path}/{link['id']}"), 404)[1] == "Resource not found"


def test_one_bad_resource_refuses_the_whole_create_unless_switched(sim, call):
    sent = {**NEW, "resource_links": [{"resource_type": "call", "resource_id": "none"}]}
    assert call("POST", ISSUES, sent).status == 404
    assert sim.issues == {}
    sim.set_switches(bad_resource_link="skip")
    assert call("POST", ISSUES, sent).status == 201


def test_a_relation_shows_outgoing_here_and_incoming_there(sim, call):
    here, there = sim.add(), sim.add(title="There")
    path, sent = f"{ISSUES}/{here['id']}/relations", {"related_issue_id": there["id"]}
    sent["relation_type"] = "duplicate_of"
    relation = data(call("POST", path, sent), 201)
    assert (relation["direction"], relation["related_title"]) == ("outgoing", "There")
    [seen] = data(call("GET", f"{ISSUES}/{there['id']}/relations"))["items"]
    assert (seen["id"], seen["direction"]) == (relation["id"], "incoming")
    assert call("DELETE", f"{ISSUES}/{there['id']}/relations/{relation['id']}").status == 204
    assert sim.issues[here["id"]]["relation_count"] == 0


@pytest.mark.parametrize("status", [201, 200, 409])
def test_a_duplicate_relation_or_category_answers_as_switched(sim, call, status):
    sim.set_switches(duplicate_relation=status, duplicate_category=status)
    here, there = sim.add(), sim.add()
    relation = {"related_issue_id": there["id"], "relation_type": "blocks"}
    for path, body in (
        (f"{ISSUES}/{here['id']}/relations", relation),
        ("/v1/triage/categories", {"name": "Mine"}),
    ):
        assert call("POST", path, body).status == 201
        assert call("POST", path, body).status == status


@pytest.mark.parametrize(("reading", "status"), [("reject", 400), ("accept", 201)])
def test_an_issue_related_to_itself_answers_as_switched(sim, call, reading, status):
    sim.set_switches(self_relation=reading)
    issue_id = sim.add()["id"]
    sent = {"related_issue_id": issue_id, "relation_type": "related_to"}
    assert call("POST", f"{ISSUES}/{issue_id}/relations", sent).status == status


def test_categories_come_by_name_and_the_cursor_is_the_last_name(sim, call):
    data(call("POST", "/v1/triage/categories", {"name": "Custom"}), 201)
    page = data(call("GET", "/v1/triage/categories", query={"limit": 2}))
    assert [item["name"] for item in page["items"]] == ["Bug", "Custom"]
    assert page["items"][0]["id"] == "built-in:bug"
    assert page["next_cursor"] == "Custom"
    rest = data(call("GET", "/v1/triage/categories", query={"cursor": "Custom"}))
    assert [item["name"] for item in rest["items"]][:2] == ["Dialogue", "Latency"]


def test_viewing_clears_unread_until_something_happens(sim, call):
    issue = sim.add()
    assert data(call("PUT", f"{ISSUES}/{issue['id']}/view"))["issue_id"] == issue["id"]
    assert sim.issues[issue["id"]]["has_unread_activity"] is False
    sim.act(issue["id"], "comment", detail="hello")
    assert sim.issues[issue["id"]]["has_unread_activity"] is True


# Anything else


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/triage/sessions", 404),
        ("GET", f"{ISSUES}/{UNKNOWN}/agent-sessions", 405),
        ("PUT", f"{ISSUES}/{UNKNOWN}", 405),
    ],
)
def test_what_is_not_documented_is_refused_and_noted(sim, call, method, path, status):
    assert call(method, path).status == status
    assert path in sim.violations[0]


def test_unknown_query_and_fields_are_noted_and_answered_as_switched(sim, call):
    assert call("GET", ISSUES, query={"updated_after": "2026"}).status == 200
    assert call("POST", ISSUES, {**NEW, "agent_id": "x"}).status == 201
    sim.set_switches(unknown_query="reject", unknown_body_field="reject")
    assert call("GET", ISSUES, query={"updated_after": "2026"}).status == 400
    assert call("POST", ISSUES, {**NEW, "agent_id": "x"}).status == 400
    assert len(sim.violations) == 4


@pytest.mark.parametrize("text", ["@norm", "ask @NoRm!", "me@norman.example"])
def test_a_mention_anywhere_in_a_write_is_noted(sim, call, text):
    call("POST", ISSUES, {**NEW, "description": text})
    assert "@norm" in sim.violations[0]


def test_a_quota_answers_429_with_the_retry_after_of_its_switch(sim, call):
    sim.set_switches(quota=2, quota_window_seconds=10, quota_retry_after="seconds")
    statuses = [call("GET", ISSUES).status for _ in range(3)]
    refused = call("GET", ISSUES)
    assert statuses == [200, 200, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    sim.advance(10)
    assert call("GET", ISSUES).status == 200
    sim.set_switches(quota=1, quota_retry_after="none")
    assert "retry-after" not in call("GET", ISSUES).headers
