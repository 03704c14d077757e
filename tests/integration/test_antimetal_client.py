"""Antimetal's client against the simulated vendor, with every open point read both ways."""

from datetime import UTC, datetime, timedelta

import pytest

from issuebridge.adapters.antimetal.client import AntimetalIssues, open_http
from issuebridge.adapters.http import Timing
from issuebridge.adapters.network import Reply
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Gone,
    Misconfigured,
    RateLimited,
    Rejected,
    StaleCursor,
    SyncError,
)
from issuebridge.domain.issue import Draft
from tests.simulators import AntimetalSimulator
from tests.world import configured

LINE = "[issuebridge ref=ibabcdefghijklmnopqrstuv]"
NEVER = "00000000-0000-4000-8000-000000000000"
AT = datetime(2026, 5, 6, 21, 9, 57, 81_000, tzinfo=UTC)


@pytest.fixture
def sim():
    simulator = AntimetalSimulator(switches={"starts_investigation": False})
    with simulator.serving():
        yield simulator
    assert not simulator.violations


def connected(sim: AntimetalSimulator, key: str | None = None, **more) -> AntimetalIssues:
    fields = {"base_url": sim.api_url, "secret": "s", "requests_per_second": 10_000}
    connection = configured(kind="antimetal", **fields | more)
    http = open_http("infra", connection, lambda: key or sim.api_key)
    http.timing = Timing(sleep=lambda _: None)
    return AntimetalIssues(connection, http)


@pytest.fixture
def antimetal(sim):
    return connected(sim)


def draft(**more) -> Draft:
    fields = {
        "reference": "ibabcdefghijklmnopqrstuv",
        "title": "Calls drop",
        "description": f"They do.\n\n{LINE}",
        "category": "",
        "environment": "staging",
        "severity": "high",
        "link": "https://app.example/t/1?a=b",
        "triggered_at": AT,
    }
    return Draft(**fields | more)


def walk(antimetal: AntimetalIssues, lane: str) -> list[str]:
    """Titles in the order they came, through all pages."""
    titles, cursor = [], None
    for _ in range(20):
        page = antimetal.page(lane, cursor)
        titles += [issue.title for issue in page.issues]
        cursor = page.cursor
        if cursor is None:
            return titles
    raise AssertionError("the walk does not end")


def filled(sim: AntimetalSimulator, count: int, **more) -> list[str]:
    fields = {"status": "resolved", **more}
    return [sim.add(title=f"{fields['status']} {n}", **fields)["title"] for n in range(count)]


@pytest.mark.parametrize("page_cursors", ["present", "absent"])
@pytest.mark.parametrize("list_order", ["newest", "oldest"])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_the_sweep_sees_every_issue_once(sim, antimetal, page_cursors, list_order, count):
    sim.set_switches(page_cursors=page_cursors, list_order=list_order)
    titles = filled(sim, count)
    assert sorted(walk(antimetal, "sweep")) == sorted(titles)
    assert len(sim.requests) == max(1, -(-count // 100)), "no page more than there is"


@pytest.mark.parametrize("list_order", ["newest", "oldest", "random"])
def test_any_walk_ends_whatever_the_order(sim, antimetal, list_order):
    sim.set_switches(list_order=list_order, page_cursors="absent")
    filled(sim, 250)
    assert walk(antimetal, "sweep")


@pytest.mark.parametrize("page_cursors", ["present", "absent"])
def test_the_hot_lane_sees_the_open_issues_and_no_others(sim, antimetal, page_cursors):
    sim.set_switches(page_cursors=page_cursors)
    filled(sim, 120)
    filled(sim, 20, status="muted")
    investigating = filled(sim, 110, status="investigating")
    ready = filled(sim, 3, status="ready_to_fix")
    assert sorted(walk(antimetal, "hot")) == sorted(investigating + ready)
    assert {entry["query"].get("status", [""])[0] for entry in sim.requests} == {
        "investigating",
        "ready_to_fix",
    }


def test_an_empty_open_status_does_not_hide_the_next_one(sim, antimetal):
    ready = filled(sim, 1, status="ready_to_fix")
    assert walk(antimetal, "hot") == ready


def test_a_page_served_twice_does_not_end_the_walk(sim, antimetal):
    titles = filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1)
    assert sorted(walk(antimetal, "sweep")) == sorted(titles)


def test_a_list_that_always_serves_the_same_page_ends(sim, antimetal):
    filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1, times=0)
    assert len(walk(antimetal, "sweep")) == 200


@pytest.mark.parametrize("reading", ["reject", "skip"])
def test_a_deleted_cursor_is_stale_or_leads_on(sim, antimetal, reading):
    sim.set_switches(cursor_of_deleted=reading)
    filled(sim, 150)
    page = antimetal.page("sweep", None)
    sim.remove(page.issues[-1].remote_id)
    if reading == "skip":
        assert len(antimetal.page("sweep", page.cursor).issues) == 50
        return
    with pytest.raises(StaleCursor):
        antimetal.page("sweep", page.cursor)


def test_rows_have_no_times_and_a_single_read_has_them(sim, antimetal):
    added = sim.add(status="resolved", severity="low", environment="dev")
    row = antimetal.page("sweep", None).issues[0]
    assert (row.created_at, row.updated_at, row.activity_at) == (None, None, None)
    issue = antimetal.get(added["uuid"])
    assert issue.updated_at.tzinfo is not None
    assert issue.created_at is not None
    assert issue.raw == {"status": "resolved", "severity": "low", "external_link": None}
    assert (issue.environment, issue.number, issue.category) == ("dev", added["number"], "")


def test_one_odd_row_does_not_cost_the_others(sim, antimetal):
    filled(sim, 2)
    sim.add(title="odd", status="paused", severity=None, description=7, environment=None)
    sim.rows["no-id"] = {**next(iter(sim.rows.values())), "uuid": "", "title": "no id"}
    issues = {issue.title: issue for issue in antimetal.page("sweep", None).issues}
    assert set(issues) == {"resolved 0", "resolved 1", "odd"}
    assert issues["odd"].raw["status"] == "paused"
    assert issues["odd"].description == "7"


def test_unknown_fields_are_nobodys_business(sim, antimetal):
    sim.set_switches(extra_fields=True)
    titles = filled(sim, 2)
    assert sorted(walk(antimetal, "sweep")) == titles


def test_an_issue_that_is_not_there_is_gone(sim, antimetal):
    with pytest.raises(Gone):
        antimetal.get(NEVER)


def test_a_list_that_is_not_there_is_a_wrong_address_and_no_deletion(sim):
    with pytest.raises(Misconfigured, match=r"connections\.infra\.base_url"):
        connected(sim, base_url=sim.base_url + "/other").page("sweep", None)
    sim.clear_violations()


@pytest.mark.parametrize("suffix", ["", "/", "/api/v2", "/api/v2/"])
def test_the_address_may_be_given_with_or_without_its_path(sim, suffix):
    fields = {"kind": "antimetal", "base_url": sim.base_url + suffix, "secret": "s"}
    connection = configured(**fields)
    system = AntimetalIssues(connection, open_http("infra", connection, lambda: sim.api_key))
    assert system.page("sweep", None).issues == []
    assert abs(system.skew) < timedelta(seconds=5)


def test_a_create_leaves_its_mark_wherever_it_can(sim, antimetal):
    made = antimetal.create(draft())
    body = sim.writes()[0]["body"]
    assert body == {
        "title": "Calls drop",
        "description": f"They do.\n\n{LINE}",
        "environment": "staging",
        "severity": "high",
        "triggeredAt": "2026-05-06T21:09:57.081Z",
        "context": {
            "alertUrl": "https://app.example/t/1?a=b",
            "tags": ["ibabcdefghijklmnopqrstuv"],
            "metadata": {"issuebridge": "ibabcdefghijklmnopqrstuv"},
        },
    }
    assert made.raw["status"] == "investigating"
    assert sim.writes()[0]["headers"]["antimetal-version"] == "2026-03-17"


def test_a_create_needs_no_link_severity_or_environment(sim, antimetal):
    made = antimetal.create(draft(link=None, severity=None, environment=None, title="x" * 600))
    body = sim.writes()[0]["body"]
    assert "alertUrl" not in body["context"]
    assert "severity" not in body
    assert made.environment == "production"
    assert len(made.title) == 500


def test_a_create_folded_into_another_issue_shows_that_issue(sim, antimetal):
    sim.set_switches(grouped_creates=True)
    other = sim.add(environment="staging", status="investigating")
    assert antimetal.create(draft()).remote_id == other["uuid"]


@pytest.mark.parametrize("answer", [b"{}", b'{"title": "T"}', b"[]", b""])
def test_a_success_that_does_not_say_what_was_made_is_ambiguous(sim, antimetal, answer):
    antimetal._http.transport = lambda *_: Reply(201, {}, answer)
    with pytest.raises(Ambiguous):
        antimetal.create(draft())


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half_body", "wrong_json"])
def test_a_create_without_a_clear_answer_is_ambiguous_and_sent_once(sim, antimetal, kind):
    body = {"body": "text"} if kind == "wrong_json" else {}
    sim.faults.add(kind=kind, method="POST", times=0, **body)
    with pytest.raises(Ambiguous):
        antimetal.create(draft())
    assert len(sim.writes()) == 1


@pytest.mark.parametrize("status", [400, 422])
def test_a_create_that_is_not_valid_is_refused_with_the_vendors_reason(sim, antimetal, status):
    sim.set_switches(validation_status=status)
    with pytest.raises(Rejected, match=f"{status} .*description"):
        antimetal.create(draft(description=""))
    sim.clear_violations()


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"search_delay_seconds": 3600},
        {"search_delay_seconds": 3600, "page_cursors": "absent", "list_order": "oldest"},
    ],
)
def test_a_lost_create_is_found_again(sim, antimetal, switches):
    sim.set_switches(**switches)
    sim.faults.add(kind="drop_after", method="POST")
    filled(sim, 120, triggeredAt="2026-05-06T21:09:57.081Z", environment="production")
    with pytest.raises(Ambiguous):
        antimetal.create(draft())
    filled(sim, 120)
    found = antimetal.find_created(draft(), AT)
    assert [issue.title for issue in found] == ["Calls drop"]


def test_a_lost_create_is_found_though_its_text_was_rewritten(sim, antimetal):
    made = antimetal.create(draft())
    sim.edit(made.remote_id, description="Root cause: a pool ran dry", title="Pool exhausted")
    assert [issue.remote_id for issue in antimetal.find_created(draft(), AT)] == [made.remote_id]


def test_a_search_that_is_refused_leaves_the_rows_to_tell(sim, antimetal):
    made = antimetal.create(draft())
    sim.faults.add(kind="status", status=400, method="GET", times=1)
    assert [issue.remote_id for issue in antimetal.find_created(draft(), AT)] == [made.remote_id]


def test_neither_the_time_nor_the_environment_alone_makes_an_issue_ours(sim, antimetal):
    sim.add(triggeredAt="2026-05-06T21:09:57.081Z", environment="production")
    sim.add(triggeredAt="2026-05-06T21:09:57.082Z", environment="staging")
    assert antimetal.find_created(draft(), AT) == []


def test_twins_come_lowest_number_first(sim, antimetal):
    first, second = antimetal.create(draft()), antimetal.create(draft())
    found = antimetal.find_created(draft(), AT)
    assert [issue.remote_id for issue in found] == [first.remote_id, second.remote_id]


def test_an_update_writes_the_status_and_shows_what_there_is_then(sim, antimetal):
    seen = antimetal.get(sim.add(status="ready_to_fix")["uuid"])
    shown = antimetal.update(seen, {"status": "resolved"})
    assert sim.writes()[0]["body"] == {"status": "resolved"}
    assert shown.raw["status"] == "resolved"
    assert shown.updated_at > seen.updated_at


@pytest.mark.parametrize("field", ["severity", "external_link", "description"])
def test_nothing_but_the_status_is_ever_written(sim, antimetal, field):
    seen = antimetal.get(sim.add(status="resolved")["uuid"])
    with pytest.raises(Rejected, match=field):
        antimetal.update(seen, {field: "low", "status": "muted"})
    assert not sim.writes()


def test_an_update_of_nothing_writes_nothing(sim, antimetal):
    seen = antimetal.get(sim.add(status="resolved")["uuid"])
    assert antimetal.update(seen, {}) == seen
    assert not sim.writes()


def test_a_move_the_vendor_does_not_allow_is_refused(sim, antimetal):
    sim.set_switches(transitions="no_reopen")
    seen = antimetal.get(sim.add(status="resolved")["uuid"])
    with pytest.raises(Rejected, match="resolved can't become investigating"):
        antimetal.update(seen, {"status": "investigating"})


def test_an_update_without_an_answer_is_not_repeated_in_here(sim, antimetal):
    seen = antimetal.get(sim.add(status="resolved")["uuid"])
    sim.faults.add(kind="drop_after", method="PATCH")
    with pytest.raises(Ambiguous):
        antimetal.update(seen, {"status": "muted"})
    assert len(sim.writes()) == 1


@pytest.mark.parametrize("form", ["none", "seconds", "date"])
def test_a_quota_used_up_asks_for_a_pause(sim, antimetal, form):
    sim.set_switches(quota=1, quota_window_seconds=3600, quota_retry_after=form)
    antimetal.page("sweep", None)
    with pytest.raises(RateLimited) as caught:
        antimetal.page("sweep", None)
    expected = 30 if form == "none" else 3600
    assert caught.value.retry_after_seconds == pytest.approx(expected, abs=5)


def test_a_key_that_may_only_read_cannot_write(sim, antimetal):
    sim.set_switches(key_scope="read_only")
    seen = antimetal.get(sim.add(status="resolved")["uuid"])
    with pytest.raises(AccessRefused):
        antimetal.update(seen, {"status": "muted"})


@pytest.mark.parametrize("body", ["envelope", "flat", "error_message", "html", "empty", "garbage"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_error_shows_the_key(sim, antimetal, body, status):
    sim.faults.add(kind="status", status=status, body=body, times=0, message=f"no {sim.api_key}")
    for call in (lambda: antimetal.create(draft()), lambda: antimetal.page("hot", None)):
        with pytest.raises(SyncError) as caught:
            call()
        assert sim.api_key not in str(caught.value)
        assert f"{status}" in str(caught.value)


def test_a_wrong_key_is_refused(sim):
    with pytest.raises(AccessRefused, match=r"connections\.infra\.secret"):
        connected(sim, key="wrong").page("hot", None)
