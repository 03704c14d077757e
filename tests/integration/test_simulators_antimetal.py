"""The antimetal simulator fits its OpenAPI, and each open point can be read both ways."""

import pytest
from jsonschema import Draft202012Validator

from tests.simulators import AntimetalSimulator
from tests.simulators import antimetal_schemas as schemas
from tests.simulators.caller import Caller

NEW = {"title": "Disk full", "description": "The disk is full.", "environment": "production"}
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


def detail(call, uuid, **query):
    return fits(schemas.DETAIL, call("GET", f"/issues/{uuid}", query=query))


def page(call, **query):
    return fits(schemas.PAGE, call("GET", "/issues", query=query))


def patch(call, uuid, **fields):
    return call("PATCH", f"/issues/{uuid}", fields)


# Issues


def test_a_new_issue_is_medium_investigating_and_numbered(sim, call):
    created = fits(schemas.CREATED, call("POST", "/issues", NEW), 201)
    assert created.items() >= {**NEW, "severity": "medium", "status": "investigating"}.items()
    assert (created["number"], created["latestVersion"]) == (1, 1)
    assert "context" not in created
    seen = detail(call, created["uuid"])
    assert seen["versions"][0]["status"] == "PENDING"
    assert seen["seedCount"] == len(seen["seeds"]) == 1
    by_number = fits(schemas.DETAIL, call("GET", "/issues/by_number/1"))
    assert by_number == seen
    assert sim.violations == []


def test_the_callers_trigger_time_comes_back_in_rows(call):
    at = "2026-01-02T03:04:05.678901Z"
    created = fits(schemas.CREATED, call("POST", "/issues", {**NEW, "triggeredAt": at}), 201)
    assert created["triggeredAt"] == page(call)["data"][0]["triggeredAt"] == at


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "x" * 501}, "title"),
        ({"description": ""}, "description"),
        ({"environment": ""}, "environment"),
        ({"severity": "critical"}, "severity"),
        ({"triggeredAt": "2026-01-02T03:04:05+00:00"}, "triggeredAt"),
        ({"triggeredAt": "2026-02-30T03:04:05Z"}, "triggeredAt"),
        ({"context": {"tags": [1]}}, "context"),
        ({"context": {"alertUrl": "nowhere"}}, "context"),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_create_outside_the_schema_is_refused_by_field(sim, call, change, field, status):
    sim.set_switches(validation_status=status)
    error = refusal(call("POST", "/issues", {**NEW, **change}), status)
    assert error["type"] == "invalid_request_error"
    assert list(error["details"]) == [field]
    assert sim.issues == {}


def test_a_description_may_have_a_limit(sim, call):
    sim.set_switches(description_max=20)
    assert call("POST", "/issues", {**NEW, "description": "x" * 21}).status == 400
    assert call("POST", "/issues", {**NEW, "description": "x" * 20}).status == 201


@pytest.mark.parametrize(
    ("part", "field"), [("link", "link"), ("tags", "tags"), ("payload", "rawPayload")]
)
@pytest.mark.parametrize("reading", ["kept", "lost"])
def test_context_reaches_the_seed_or_is_lost(sim, call, part, field, reading):
    sim.set_switches(**{f"seed_{part}": reading})
    context = {"alertUrl": "https://e.test/1", "tags": ["k1"], "metadata": {"ref": "k1"}}
    created = fits(schemas.CREATED, call("POST", "/issues", {**NEW, "context": context}), 201)
    seed = detail(call, created["uuid"])["seeds"][0]
    kept = {"link": context["alertUrl"], "tags": ["k1"], "rawPayload": context}[field]
    assert seed[field] == (kept if reading == "kept" else ([] if part == "tags" else None))


@pytest.mark.parametrize("provider", ["user", "antimetal"])
def test_the_seed_of_a_create_names_the_provider_of_its_switch(sim, call, provider):
    sim.set_switches(seed_provider=provider)
    uuid = call("POST", "/issues", NEW).json["uuid"]
    assert detail(call, uuid)["seeds"][0]["provider"] == provider


def test_grouped_creates_answer_with_an_issue_that_is_there_already(sim, call):
    sim.set_switches(grouped_creates=True)
    first = call("POST", "/issues", NEW).json
    second = fits(schemas.CREATED, call("POST", "/issues", {**NEW, "title": "Other"}), 201)
    assert (second["uuid"], second["title"]) == (first["uuid"], "Disk full")
    assert sim.issues[first["uuid"]]["seedCount"] == 2
    elsewhere = call("POST", "/issues", {**NEW, "environment": "staging"}).json
    assert elsewhere["uuid"] != first["uuid"]


def test_only_the_status_can_be_patched(sim, call):
    uuid = sim.add(status="ready_to_fix", createdAt="2026-01-01T00:00:00.000Z")["uuid"]
    changed = fits(schemas.DETAIL, patch(call, uuid, status="resolved"))
    assert changed["status"] == "resolved"
    assert changed["updatedAt"] > changed["createdAt"]
    assert (
        fits(schemas.DETAIL, patch(call, uuid, status="muted", severity="high"))["severity"]
        == "medium"
    )
    assert "'severity'" in sim.violations[0]
    sim.set_switches(patch_extra_field="reject")
    refusal(patch(call, uuid, status="resolved", severity="high"))
    refusal(patch(call, uuid))
    refusal(patch(call, uuid, status="done"))


@pytest.mark.parametrize("bumps", [True, False])
def test_a_patch_to_the_same_status_is_an_update_or_not(sim, call, bumps):
    sim.set_switches(same_status_bumps_updated=bumps)
    issue = sim.add(status="resolved", createdAt="2026-01-01T00:00:00.000Z")
    changed = fits(schemas.DETAIL, patch(call, issue["uuid"], status="resolved"))
    assert (changed["updatedAt"] != issue["updatedAt"]) is bumps


@pytest.mark.parametrize(("table", "status"), [("all", 200), ("no_reopen", 400)])
def test_transitions_follow_their_table(sim, call, table, status):
    sim.set_switches(transitions=table)
    uuid = sim.add(status="resolved")["uuid"]
    assert patch(call, uuid, status="ready_to_fix").status == status


def test_a_delete_is_permanent(sim, call):
    uuid = sim.add()["uuid"]
    answer = call("DELETE", f"/issues/{uuid}")
    assert (answer.status, answer.text) == (204, "")
    for method in ("GET", "DELETE"):
        refusal(call(method, f"/issues/{uuid}"), 404)


def test_ids_are_lower_case_uuids_and_numbers_are_numbers(call):
    refusal(call("GET", "/issues/nonsense"))
    refusal(call("GET", f"/issues/{UNKNOWN.replace('8', 'A')}"))
    refusal(call("GET", f"/issues/{UNKNOWN}"), 404)
    refusal(call("GET", "/issues/by_number/0"))
    refusal(call("GET", "/issues/by_number/9"), 404)


def test_another_organizations_issue_is_unknown(sim, call):
    uuid = sim.add(hidden=True)["uuid"]
    refusal(call("GET", f"/issues/{uuid}"), 404)
    assert page(call)["data"] == []


# Investigations


def test_an_investigation_ends_by_itself(sim, call):
    uuid = call("POST", "/issues", NEW).json["uuid"]
    sim.advance(299)
    assert sim.issues[uuid]["status"] == "investigating"
    sim.advance(2)
    seen = detail(call, uuid)
    assert (seen["status"], seen["versions"][0]["status"]) == ("ready_to_fix", "SUCCESS")
    assert seen["updatedAt"] > seen["createdAt"]
    assert fits(schemas.RESULTS, call("GET", f"/issues/{uuid}/results"))["rootCause"]


def test_an_end_does_not_undo_what_a_person_decided(sim):
    uuid = sim.add()["uuid"]
    sim.edit(uuid, status="resolved")
    sim.advance(400)
    assert sim.issues[uuid]["status"] == "resolved"


@pytest.mark.parametrize("status", ["investigating", "ready_to_fix"])
def test_a_failed_investigation_leaves_the_status_of_its_switch(sim, status):
    sim.set_switches(investigation_outcome="ERROR", failed_status=status)
    uuid = sim.add()["uuid"]
    sim.advance(400)
    assert sim.issues[uuid]["status"] == status
    assert sim.issues[uuid]["versions"][0]["status"] == "ERROR"


def test_a_create_need_not_start_an_investigation(sim, call):
    sim.set_switches(starts_investigation=False)
    uuid = call("POST", "/issues", NEW).json["uuid"]
    sim.advance(10_000)
    assert sim.issues[uuid]["status"] == "investigating"


@pytest.mark.parametrize(("restarts", "versions"), [(True, 2), (False, 1)])
def test_writing_investigating_restarts_the_analysis_or_not(sim, call, restarts, versions):
    sim.set_switches(investigating_restarts=restarts)
    uuid = sim.add(status="resolved")["uuid"]
    changed = fits(schemas.DETAIL, patch(call, uuid, status="investigating"))
    assert changed["latestVersion"] == len(changed["versions"]) == versions
    sim.advance(400)
    assert (sim.issues[uuid]["status"] == "ready_to_fix") is restarts


@pytest.mark.parametrize("rewrites", [False, True])
def test_an_analysis_may_rewrite_the_words_and_versions_keep_them(sim, call, rewrites):
    sim.set_switches(version_rewrites_text=rewrites)
    uuid = sim.add(title="First", description="words\nmarker", status="resolved")["uuid"]
    patch(call, uuid, status="investigating")
    sim.advance(400)
    seen = detail(call, uuid)
    assert ("marker" in seen["description"]) is not rewrites
    assert detail(call, uuid, version=1)["description"] == "words\nmarker"
    refusal(call("GET", f"/issues/{uuid}", query={"version": 3}), 404)


@pytest.mark.parametrize("joins", [True, False])
def test_a_new_alert_reopens_a_muted_issue(sim, call, joins):
    sim.set_switches(seed_joins=joins)
    uuid = sim.add(status="muted", triggeredAt="2026-01-01T00:00Z")["uuid"]
    sim.act(uuid, "join_alert")
    seen = detail(call, uuid)
    assert seen["status"] == "investigating"
    assert seen["seedCount"] == (2 if joins else 1)
    assert seen["triggeredAt"] == "2026-01-01T00:00Z", "the earliest of the seeds"


@pytest.mark.parametrize(("reading", "status"), [("empty", 200), (404, 404)])
def test_results_before_the_end_follow_their_switch(sim, call, reading, status):
    sim.set_switches(results_before_completion=reading)
    answer = call("GET", f"/issues/{sim.add()['uuid']}/results")
    if status == 200:
        assert fits(schemas.RESULTS, answer)["rootCause"] is None
    else:
        refusal(answer, 404)


# The rest


def test_a_bearer_key_and_a_known_version_are_needed(sim, call):
    for key in (None, "Bearer wrong", sim.api_key):
        error = refusal(call("GET", "/issues", authorization=key), 401)
        assert error["type"] == "authentication_error"
    assert call("GET", "/issues", antimetal_version=None).status == 200
    assert sim.violations == []
    refusal(call("GET", "/issues", antimetal_version="2020-01-01"))
    sim.set_switches(unknown_version="ignore")
    assert call("GET", "/issues", antimetal_version="2020-01-01").status == 200


def test_a_read_only_key_reads_and_nothing_else(sim, call):
    sim.set_switches(key_scope="read_only")
    uuid = sim.add()["uuid"]
    detail(call, uuid)
    refusal(patch(call, uuid, status="muted"), 403)


def test_the_other_documented_calls_answer_in_their_shape(call):
    assert call("GET", "/artifacts", query=[("id", "log:loki:1"), ("id", "x")]).json == []
    refusal(call("GET", "/artifacts"))
    fits(schemas.ANSWER, call("POST", "/query", {"question": "why?"}))


def test_what_is_not_documented_is_noted(sim, call):
    refusal(call("PUT", f"/issues/{UNKNOWN}", {"status": "muted"}), 405)
    refusal(call("GET", "/issues/search"), 400)
    refusal(call("GET", "/comments"), 404)
    page(call, updatedAfter="2026")
    call("POST", "/issues", {**NEW, "description": "ask @norm"})
    call("GET", "/issues", query={"search": sim.api_key})
    noted = " ".join(sim.violations)
    for part in ("no such method", "no such path", "updatedAfter", "@norm", "API key"):
        assert part in noted


def test_a_quota_answers_429(sim, call):
    sim.set_switches(quota=1, quota_retry_after="date")
    page(call)
    answer = call("GET", "/issues")
    refusal(answer, 429)
    assert answer.headers["retry-after"].endswith("GMT")
