"""Zylon's client against the simulated vendor, with every open point read both ways."""

from datetime import UTC, datetime, timedelta

import pytest

from issuebridge.adapters.http import Timing
from issuebridge.adapters.network import Reply
from issuebridge.adapters.zylon.client import ZylonIssues, open_http
from issuebridge.adapters.zylon.settings import Anchor
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Gone,
    Misconfigured,
    RateLimited,
    Refused,
    Rejected,
    StaleCursor,
    SyncError,
    Transient,
)
from issuebridge.domain.issue import Draft
from tests.simulators import ZylonSimulator
from tests.world import configured

LOOK_BACK = timedelta(minutes=10)
LINE = "[issuebridge ref=ibabcdefghijklmnopqrstuv]"


@pytest.fixture
def sim():
    simulator = ZylonSimulator()
    with simulator.serving():
        yield simulator
    assert not simulator.violations


def connected(sim: ZylonSimulator, key: str | None = None, **more) -> ZylonIssues:
    fields = {
        "base_url": sim.api_url,
        "secret": "s",
        "requests_per_second": 10_000,
        "anchor": Anchor(**{name: sim.anchor[name] for name in Anchor.model_fields}),
    }
    connection = configured(kind="zylon", **fields | more)
    http = open_http("chat", connection, lambda: key or sim.api_key)
    http.timing = Timing(sleep=lambda _: None)
    return ZylonIssues(connection, http)


@pytest.fixture
def zylon(sim):
    return connected(sim)


def draft(**more) -> Draft:
    fields = {
        "reference": "ibabcdefghijklmnopqrstuv",
        "title": "It makes things up",
        "description": f"It makes\nthings up.\n\n{LINE}",
        "category": "Inaccurate",
        "triggered_at": datetime.now(UTC),
    }
    return Draft(**fields | more)


def walk(zylon: ZylonIssues, lane: str) -> list[str]:
    """Descriptions in the order they came, through all pages."""
    texts, cursor = [], None
    for _ in range(30):
        page = zylon.page(lane, cursor)
        texts += [issue.description for issue in page.issues]
        cursor = page.cursor
        if cursor is None:
            return texts
    raise AssertionError("the walk does not end")


def filled(sim: ZylonSimulator, count: int, state: str = "NotReviewed") -> list[str]:
    for n in range(count):
        sim.add(description=f"{state} {n:03}", state=state, type="Other")
    return [f"{state} {n:03}" for n in range(count)]


def queries(sim: ZylonSimulator) -> list[dict[str, str]]:
    return [{name: v[0] for name, v in e["query"].items()} for e in sim.requests]


@pytest.mark.parametrize("cursors", ["present", "null", "absent"])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_the_sweep_sees_every_issue_once(sim, zylon, cursors, count):
    sim.set_switches(cursors=cursors)
    texts = filled(sim, count)
    assert walk(zylon, "sweep") == texts


def test_cursors_and_page_numbers_are_never_sent_together(sim, zylon):
    for cursors in ("present", "absent"):
        sim.set_switches(cursors=cursors)
        filled(sim, 150)
        walk(zylon, "sweep")
    for query in queries(sim):
        assert not {"page", "page_size"} & set(query) or not {"after", "first"} & set(query)
        assert query["page_order"] == "ASC"
        assert query["total_count"] == "true"
        assert query["include"] == "User,Project"


def test_the_sweep_asks_for_all_states_and_the_hot_lane_for_the_open_ones(sim, zylon):
    for state in ("NotReviewed", "InReview", "Closed", "Deleted"):
        filled(sim, 1, state)
    assert len(walk(zylon, "sweep")) == 4
    assert sorted(walk(zylon, "hot")) == ["InReview 000", "NotReviewed 000"]


def test_a_softly_deleted_issue_is_shown_as_deleted(sim, zylon):
    added = sim.add(description="D")
    sim.remove(added["id"])
    issue = zylon.page("sweep", None).issues[0]
    assert (issue.deleted, issue.raw["status"]) == (True, "Deleted")
    assert zylon.get(added["id"]).deleted
    sim.set_switches(get_deleted=404)
    with pytest.raises(Gone):
        zylon.get(added["id"])


@pytest.mark.parametrize(
    "switches",
    [
        {"deleted_filter": "reject"},
        {"required_list_parameters": "strict"},
        {"page_size_max": 50},
        {"page_size_max": 20, "cursors": "absent"},
        {"page_size_max": 30, "oversized_page": "clamp", "cursors": "absent"},
        {"page_size_max": 30, "oversized_page": "clamp"},
        {
            "deleted_filter": "reject",
            "required_list_parameters": "strict",
            "page_size_max": 20,
            "cursors": "null",
        },
    ],
    ids=str,
)
def test_a_picky_list_is_asked_as_it_likes(sim, zylon, switches):
    sim.set_switches(**switches)
    texts = filled(sim, 65)
    assert walk(zylon, "sweep") == texts
    sim.clear_requests()
    assert walk(zylon, "hot") == texts
    refused = [entry for entry in sim.requests if entry["status"] == 400]
    assert not refused, "what it likes is remembered"


def test_issues_of_a_type_nobody_knows_are_listed(sim, zylon):
    sim.add(description="new", type="Toxic", state="UnderReview", resource_type="Agent")
    sim.edit(next(iter(sim.issues)), state="NotReviewed")
    issue = zylon.page("hot", None).issues[0]
    assert issue.category == "Toxic"


def test_a_list_that_is_refused_for_another_reason_costs_few_requests(sim, zylon):
    sim.faults.add(kind="status", status=400, times=0)
    with pytest.raises(Rejected):
        zylon.page("sweep", None)
    assert len(sim.requests) == 4


@pytest.mark.parametrize("cursors", ["present", "absent"])
def test_a_page_served_twice_does_not_end_the_walk(sim, zylon, cursors):
    sim.set_switches(cursors=cursors)
    texts = filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1)
    assert walk(zylon, "sweep") == texts


@pytest.mark.parametrize("cursors", ["present", "absent"])
def test_a_list_that_always_serves_the_same_page_ends(sim, zylon, cursors):
    sim.set_switches(cursors=cursors)
    filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1, times=0)
    assert len(walk(zylon, "sweep")) == 200


def test_a_cursor_the_vendor_no_longer_knows_is_stale(sim, zylon):
    filled(sim, 150)
    page = zylon.page("sweep", None)
    sim.act(page.issues[-1].remote_id, "purge")
    with pytest.raises(StaleCursor):
        zylon.page("sweep", page.cursor)


@pytest.mark.parametrize("cursor", ["", "x", "{}x", '{"page": "two"}', '{"unknown": 1}'])
def test_a_cursor_that_is_not_ours_is_stale_or_none(sim, zylon, cursor):
    if not cursor:
        assert zylon.page("sweep", cursor).cursor is None
        return
    with pytest.raises(StaleCursor):
        zylon.page("sweep", cursor)


def test_one_odd_row_does_not_cost_the_others(sim, zylon):
    filled(sim, 2)
    sim.add(description=None, state="NotReviewed", type=None, is_read="maybe")
    sim.rows["no-id"] = {**next(iter(sim.rows.values())), "id": ""}
    issues = zylon.page("hot", None).issues
    assert [issue.description for issue in issues][:2] == ["NotReviewed 000", "NotReviewed 001"]
    assert len(issues) == 3


def test_an_issue_is_read_with_its_own_words_and_no_person(sim, zylon):
    added = sim.add(description="First line\nrest", state="InReview", type="Format")
    issue = zylon.get(added["id"])
    assert issue.raw == {"status": "InReview", "severity": None, "external_link": None}
    assert (issue.title, issue.category) == ("First line", "Format")
    assert issue.updated_at.tzinfo is not None
    assert sim.reporter["email"] not in repr(issue)


def test_an_issue_that_is_not_there_is_gone(sim, zylon):
    with pytest.raises(Gone):
        zylon.get("issue_0000000000000000")


def test_a_list_that_is_not_there_is_a_wrong_address_and_no_deletion(sim):
    with pytest.raises(Misconfigured, match=r"connections\.chat\.base_url"):
        connected(sim, base_url=sim.base_url + "/other").page("sweep", None)
    sim.clear_violations()


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_may_be_given_with_or_without_its_path(sim, suffix):
    fields = {"kind": "zylon", "base_url": sim.base_url + suffix, "secret": "s"}
    connection = configured(**fields)
    system = ZylonIssues(connection, open_http("chat", connection, lambda: sim.api_key))
    assert system.page("sweep", None).issues == []
    assert abs(system.skew) < timedelta(seconds=5)


@pytest.mark.parametrize("omitted", ["keep", "null"])
@pytest.mark.parametrize("is_read", [True, False])
def test_an_update_carries_the_read_flag_and_all_it_read(sim, zylon, omitted, is_read):
    sim.set_switches(omitted_put_fields=omitted)
    added = sim.add(description="D", type="Format", state="NotReviewed", is_read=is_read)
    shown = zylon.update(zylon.get(added["id"]), {"status": "InReview"})
    assert sim.writes()[0]["body"] == {
        "description": "D",
        "type": "Format",
        "state": "InReview",
        "is_read": is_read,
    }
    assert shown.raw["status"] == "InReview"
    after = sim.issues[added["id"]]
    assert (after["description"], after["type"], after["is_read"]) == ("D", "Format", is_read)


def test_an_absent_description_is_not_sent(sim, zylon):
    seen = zylon.get(sim.add(description=None, type="Other", state="InReview")["id"])
    zylon.update(seen, {"status": "Closed"})
    assert "description" not in sim.writes()[0]["body"]


def test_an_update_of_the_description_leaves_the_state(sim, zylon):
    seen = zylon.get(sim.add(description="D", state="InReview")["id"])
    shown = zylon.update(seen, {"description": f"D\n\n{LINE}"})
    assert (shown.description, shown.raw["status"]) == (f"D\n\n{LINE}", "InReview")


def test_an_update_from_a_list_row_is_as_good(sim, zylon):
    sim.add(description="D", state="InReview", is_read=True)
    shown = zylon.update(zylon.page("hot", None).issues[0], {"status": "Closed"})
    assert shown.raw["status"] == "Closed"
    assert sim.writes()[0]["body"]["is_read"] is True


def test_an_update_of_nothing_writes_nothing(sim, zylon):
    seen = zylon.get(sim.add()["id"])
    assert zylon.update(seen, {}) == seen
    assert not sim.writes()


@pytest.mark.parametrize("field", ["severity", "external_link"])
def test_a_field_zylon_lacks_is_never_written(sim, zylon, field):
    seen = zylon.get(sim.add()["id"])
    with pytest.raises(Rejected, match=field):
        zylon.update(seen, {field: "x"})
    assert not sim.writes()


def test_a_state_the_vendor_does_not_allow_is_refused(sim, zylon):
    sim.set_switches(transitions="no_reopen")
    seen = zylon.get(sim.add(state="Closed")["id"])
    with pytest.raises(Rejected, match="state"):
        zylon.update(seen, {"status": "InReview"})


def test_an_update_without_an_answer_is_not_repeated_in_here(sim, zylon):
    seen = zylon.get(sim.add(state="InReview")["id"])
    sim.faults.add(kind="drop_after", method="PUT")
    with pytest.raises(Ambiguous):
        zylon.update(seen, {"status": "Closed"})
    assert len(sim.writes()) == 1


# An older server: few fields in its answers, no organization, no cursors.


@pytest.fixture
def older(sim):
    sim.set_switches(generation="older")
    return connected(sim, generation="older", anchor=None)


def test_an_older_server_is_read_whole_all_the_same(sim, older):
    filled(sim, 120, "Closed")
    added = sim.add(description="D", type="Format", state="InReview", is_read=True)
    issue = older.get(added["id"])
    assert (issue.description, issue.category, issue.number) == (
        "D",
        "Format",
        added["issue_number"],
    )
    assert issue.updated_at is not None
    assert "x-org" not in sim.requests[0]["headers"]


@pytest.mark.parametrize("omitted", ["keep", "null"])
def test_an_older_server_is_updated_without_losing_anything(sim, older, omitted):
    sim.set_switches(omitted_put_fields=omitted)
    added = sim.add(description="D", type="Format", state="NotReviewed", is_read=True)
    shown = older.update(older.get(added["id"]), {"status": "Closed"})
    assert (shown.raw["status"], shown.description, shown.category) == ("Closed", "D", "Format")
    assert shown.updated_at is not None
    after = sim.issues[added["id"]]
    assert (after["is_read"], after["description"], after["type"]) == (True, "D", "Format")


def test_what_was_read_too_thinly_is_not_written(sim, older):
    added = sim.add(description="D", state="InReview")
    sim.faults.add(kind="empty_list", times=0)
    with pytest.raises(Rejected, match="erase"):
        older.update(older.get(added["id"]), {"status": "Closed"})
    assert not sim.writes()


def test_a_write_whose_reading_back_fails_may_have_been_carried_out(sim, older):
    seen = older.get(sim.add(description="D", state="InReview")["id"])
    sim.faults.add(kind="drop_before", method="GET", times=0)
    with pytest.raises(Ambiguous):
        older.update(seen, {"status": "Closed"})
    assert len(sim.writes()) == 1


def test_an_older_server_takes_a_create_without_project(sim, older):
    made = older.create(draft())
    body = sim.writes()[0]["body"]
    assert set(body) == {"resource_type", "type", "anonymous", "description"}
    assert made.description == draft().description
    assert made.updated_at is not None


def test_a_create_that_was_made_is_not_forgotten_when_reading_it_back_fails(sim, older):
    sim.faults.add(kind="drop_before", method="GET", times=0)
    assert older.create(draft()).remote_id in sim.issues


def test_a_server_that_wants_an_organization_gets_it(sim):
    sim.set_switches(missing_org=400)
    assert connected(sim, org="default").page("sweep", None).issues == []
    assert sim.requests[0]["headers"]["x-org"] == "default"


# Creating, and finding what a lost answer left behind.


@pytest.mark.parametrize("status", [200, 201])
def test_a_create_hangs_on_the_anchor(sim, zylon, status):
    sim.set_switches(create_status=status)
    made = zylon.create(draft())
    body = sim.writes()[0]["body"]
    assert body == {
        "project_id": sim.anchor["project_id"],
        "resource_type": "Thread",
        "type": "Inaccurate",
        "config": {
            "thread_id": sim.anchor["thread_id"],
            "reported_interaction_id": sim.anchor["reported_interaction_id"],
        },
        "anonymous": False,
        "description": draft().description,
    }
    assert (made.raw["status"], made.category) == ("NotReviewed", "Inaccurate")


def test_a_create_of_another_category_is_of_type_other(sim, zylon):
    assert zylon.create(draft(category="Latency")).category == "Other"


def test_a_create_without_an_anchor_asks_for_one_and_sends_nothing(sim):
    with pytest.raises(Misconfigured, match="anchor"):
        connected(sim, anchor=None).create(draft())
    assert not sim.writes()


@pytest.mark.parametrize("answer", [b"{}", b'{"title": "T"}', b"[]", b""])
def test_a_success_that_does_not_say_what_was_made_is_ambiguous(sim, zylon, answer):
    zylon._http.transport = lambda *_: Reply(201, {}, answer)
    with pytest.raises(Ambiguous):
        zylon.create(draft())


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half_body", "wrong_json"])
def test_a_create_without_a_clear_answer_is_ambiguous_and_sent_once(sim, zylon, kind):
    body = {"body": "text"} if kind == "wrong_json" else {}
    sim.faults.add(kind=kind, method="POST", times=0, **body)
    with pytest.raises(Ambiguous):
        zylon.create(draft())
    assert len(sim.writes()) == 1


@pytest.mark.parametrize("text_filter", ["substring", "whole_word", "off", "nothing"])
@pytest.mark.parametrize("search_lag_seconds", [0, 3600])
def test_a_lost_create_is_found_by_its_reference(sim, zylon, text_filter, search_lag_seconds):
    sim.set_switches(text_filter=text_filter, search_lag_seconds=search_lag_seconds)
    sim.add(description="another")
    sim.faults.add(kind="drop_after", method="POST")
    with pytest.raises(Ambiguous):
        zylon.create(draft())
    filled(sim, 120)
    found = zylon.find_created(draft(), datetime.now(UTC) - LOOK_BACK)
    assert [issue.description for issue in found] == [draft().description]


def test_a_lost_create_is_found_though_it_lost_our_line(sim, zylon):
    made = zylon.create(draft())
    sim.edit(made.remote_id, description="It makes things up.")
    found = zylon.find_created(draft(), datetime.now(UTC) - LOOK_BACK)
    assert [issue.remote_id for issue in found] == [made.remote_id]


def test_another_counterpart_with_the_same_words_is_not_ours(sim, zylon):
    zylon.create(draft(description="It makes things up.\n\n[issuebridge ref=ibother]"))
    sim.add(description="It makes things up.", type="Inaccurate")
    assert zylon.find_created(draft(), datetime.now(UTC) - LOOK_BACK) == []


def test_only_the_time_since_the_send_is_looked_through(sim, zylon):
    zylon.create(draft())
    long_after = datetime.now(UTC) + timedelta(hours=1)
    assert zylon.find_created(draft(), long_after) == []
    start = int(queries(sim)[-1]["start_date"])
    assert start == pytest.approx((long_after.timestamp() - 600) * 1000, abs=2000)


def test_a_text_filter_that_is_refused_is_done_without(sim, zylon):
    made = zylon.create(draft())
    sim.faults.add(kind="status", status=400, method="GET", times=2)
    found = zylon.find_created(draft(), datetime.now(UTC) - LOOK_BACK)
    assert [issue.remote_id for issue in found] == [made.remote_id]


def test_twins_come_lowest_number_first(sim, zylon):
    first, second = zylon.create(draft()), zylon.create(draft())
    found = zylon.find_created(draft(), datetime.now(UTC) - LOOK_BACK)
    assert [issue.remote_id for issue in found] == [first.remote_id, second.remote_id]


# What goes wrong.


@pytest.mark.parametrize("unauthenticated", [401, 302, "html"])
def test_a_wrong_key_is_refused_however_the_server_says_it(sim, unauthenticated):
    sim.set_switches(unauthenticated=unauthenticated)
    with pytest.raises(AccessRefused, match=r"connections\.chat\.secret"):
        connected(sim, key="wrong").page("hot", None)


def test_a_gateways_page_is_a_fault_and_no_refused_key(sim, zylon):
    sim.faults.add(kind="status", status=502, body="html", times=0)
    with pytest.raises(Transient):
        zylon.page("hot", None)


def test_a_role_without_rights_is_refused(sim, zylon):
    sim.set_switches(role="read_only")
    closing = {"status": "Closed"}
    one, other = (zylon.get(sim.add(state="InReview", description="D")["id"]) for _ in range(2))
    zylon.page("hot", None)
    with pytest.raises(Refused):
        zylon.update(one, closing)
    with pytest.raises(AccessRefused):
        zylon.update(other, closing)
    with pytest.raises(AccessRefused):
        zylon.update(one, closing)


@pytest.mark.parametrize("shape", ["nested", "message", "error_string", "text", "html", "empty"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_error_shows_the_key_in_any_shape(sim, zylon, shape, status):
    sim.set_switches(error_body=shape)
    sim.faults.add(kind="status", status=status, times=0, message=f"no {sim.api_key}")
    for call in (lambda: zylon.create(draft()), lambda: zylon.page("hot", None)):
        with pytest.raises(SyncError) as caught:
            call()
        assert sim.api_key not in str(caught.value)
        assert f"{status}" in str(caught.value)


@pytest.mark.parametrize("form", ["none", "seconds", "date"])
def test_a_quota_used_up_asks_for_a_pause(sim, zylon, form):
    sim.set_switches(quota=1, quota_window_seconds=3600, quota_retry_after=form)
    zylon.page("sweep", None)
    with pytest.raises(RateLimited) as caught:
        zylon.page("sweep", None)
    expected = 30 if form == "none" else 3600
    assert caught.value.retry_after_seconds == pytest.approx(expected, abs=5)
