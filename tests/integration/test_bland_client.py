"""Bland's client against the simulated vendor, with every open point read both ways."""

from datetime import UTC, datetime, timedelta

import pytest

from issuebridge.adapters.bland.client import (
    BlandAgent,
    BlandComments,
    BlandIssues,
    open_http,
)
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
    Transient,
)
from issuebridge.domain.issue import Draft
from issuebridge.domain.text import without_mention
from tests.simulators import BlandSimulator
from tests.world import configured

LINE = "[issuebridge ref=ibabcdefghijklmnopqrstuv]"
NEVER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def sim():
    simulator = BlandSimulator()
    with simulator.serving():
        yield simulator
    assert not simulator.violations


def http(sim: BlandSimulator, key: str | None = None):
    fields = {"base_url": sim.api_url, "secret": "s", "requests_per_second": 10_000}
    connection = configured(kind="bland", **fields)
    opened = open_http("calls", connection, lambda: key or sim.api_key)
    opened.timing = Timing(sleep=lambda _: None)
    return opened


@pytest.fixture
def bland(sim):
    return BlandIssues(http(sim))


@pytest.fixture
def norm(sim):
    return BlandAgent(http(sim))


def draft(**more) -> Draft:
    fields = {
        "reference": "ibabcdefghijklmnopqrstuv",
        "title": "Agent talks over the caller",
        "description": f"It does.\n\n{LINE}",
        "category": "Dialogue",
        "status": "in_progress",
        "severity": "high",
        "triggered_at": datetime.now(UTC),
    }
    return Draft(**fields | more)


def walk(bland: BlandIssues, lane: str) -> list[str]:
    """Titles in the order they came, through all pages."""
    titles, cursor = [], None
    for _ in range(20):
        page = bland.page(lane, cursor)
        titles += [issue.title for issue in page.issues]
        cursor = page.cursor
        if cursor is None:
            return titles
    raise AssertionError("the walk does not end")


def filled(sim: BlandSimulator, count: int) -> list[str]:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    for n in range(count):
        at = (start + timedelta(minutes=n)).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        sim.add(title=f"issue {n}", created_at=at)
    return [f"issue {n}" for n in range(count)]


@pytest.mark.parametrize("trailing_cursor", [True, False])
@pytest.mark.parametrize("cursor_form", ["row_id", "opaque"])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_both_lanes_see_every_issue_once(sim, bland, trailing_cursor, cursor_form, count):
    sim.set_switches(trailing_cursor=trailing_cursor, cursor_form=cursor_form)
    titles = filled(sim, count)
    assert walk(bland, "sweep") == titles
    assert walk(bland, "hot") == titles[::-1]


def test_the_hot_lane_begins_with_what_moved_last(sim, bland):
    filled(sim, 3)
    moved = next(iter(sim.issues))
    sim.edit(moved, status="done")
    newest = bland.page("hot", None).issues[0]
    assert (newest.remote_id, newest.raw["status"]) == (moved, "done")
    assert newest.activity_at > newest.created_at


def test_a_page_served_twice_does_not_end_the_walk(sim, bland):
    titles = filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1)
    assert walk(bland, "sweep") == titles


def test_a_list_that_always_serves_the_same_page_ends(sim, bland):
    filled(sim, 250)
    sim.faults.add(kind="duplicate_page", method="GET", after=1, times=0)
    assert walk(bland, "sweep") == [f"issue {n}" for n in range(100)] * 2


def test_a_cursor_the_vendor_no_longer_knows_is_stale(sim, bland):
    sim.set_switches(cursor_anchor_deleted="reject")
    filled(sim, 150)
    page = bland.page("sweep", None)
    sim.remove(page.issues[-1].remote_id)
    with pytest.raises(StaleCursor):
        bland.page("sweep", page.cursor)


def test_a_list_that_is_not_there_is_a_wrong_address_and_no_deletion(sim):
    elsewhere = http(sim)
    elsewhere.base_url += "/other"
    with pytest.raises(Misconfigured, match=r"connections\.calls\.base_url"):
        BlandIssues(elsewhere).page("sweep", None)
    sim.clear_violations()


def test_one_odd_row_does_not_cost_the_others(sim, bland):
    filled(sim, 2)
    sim.add(title="odd", status=7, severity=None, description=None, number="x", updated_at="soon")
    sim.rows["no-id"] = {**next(iter(sim.rows.values())), "id": "", "title": "no id"}
    issues = {issue.title: issue for issue in bland.page("hot", None).issues}
    assert set(issues) == {"issue 0", "issue 1", "odd"}
    assert issues["odd"].raw["status"] == "7"
    assert issues["odd"].raw["severity"] is None
    assert issues["odd"].description == ""
    assert issues["odd"].updated_at is None


def test_an_issue_is_read_with_its_own_words(sim, bland):
    link = {"url": "https://github.com/o/r/issues/7", "provider": "github"}
    added = sim.add(title="T", description="D", status="triaging", external_link=link)
    issue = bland.get(added["id"])
    assert issue.raw == {
        "status": "triaging",
        "severity": "medium",
        "external_link": '{"provider":"github","url":"https://github.com/o/r/issues/7"}',
    }
    assert (issue.display_id, issue.number) == (added["triage_id"], added["number"])
    assert issue.updated_at.tzinfo is not None
    assert issue.is_processing is False


def test_an_issue_that_is_not_there_is_gone(sim, bland):
    with pytest.raises(Gone):
        bland.get(NEVER)


def test_a_create_says_who_made_it_and_carries_the_reference(sim, bland):
    made = bland.create(draft())
    body = sim.writes()[0]["body"]
    assert body["source"] == "client"
    assert body["description"].endswith(LINE)
    assert made.raw["status"] == "in_progress"
    assert made.raw["severity"] == "high"
    assert made.category == "Dialogue"
    assert len(sim.issues) == 1


@pytest.mark.parametrize("text", ["ask @norm", "ask @NORM now", "ask @@norm", "a@norm@norm.io"])
def test_nothing_that_is_written_mentions_norm(sim, bland, norm, text):
    made = bland.create(draft(title=text, description=text, category=text))
    norm.submit(made.remote_id, norm.create_session(made.remote_id).session_id, f"/verify {text}")
    with pytest.raises(Rejected, match="Norm"):
        bland.update(made, {"description": text, "status": "done"})
    sent = str([entry["body"] for entry in sim.writes()])
    assert without_mention(sent) == sent
    assert [entry["method"] for entry in sim.writes()] == ["POST"] * 3


@pytest.mark.parametrize("unit", ["utf16", "code_points"])
def test_texts_fit_the_limits_by_either_count(sim, bland, unit):
    sim.set_switches(text_unit=unit)
    made = bland.create(draft(title="\U0001f600" * 300, category="\U0001f600" * 100))
    assert len(made.title) <= 200
    assert len(made.category) <= 64


def test_a_create_needs_nothing_but_a_reference(sim, bland):
    bare = draft(title=" ", category="", status=None, severity=None)
    made = bland.create(bare)
    assert (made.title, made.category, made.raw["severity"]) == ("Untitled", "Bug", "medium")
    assert made.raw["status"] == "todo"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "half_body", "wrong_json"])
def test_a_create_without_a_clear_answer_is_ambiguous_and_sent_once(sim, bland, kind):
    body = {"body": "text"} if kind == "wrong_json" else {}
    sim.faults.add(kind=kind, method="POST", times=0, **body)
    with pytest.raises(Ambiguous):
        bland.create(draft())
    assert len(sim.writes()) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_create_that_fails_on_their_side_is_ambiguous_and_sent_once(sim, bland, status):
    sim.faults.add(kind="status", method="POST", status=status, body="html", times=0)
    with pytest.raises(Ambiguous):
        bland.create(draft())
    assert len(sim.writes()) == 1


@pytest.mark.parametrize("answer", [b"{}", b'{"data": null}', b'{"data": {"id": ""}}', b"[]", b""])
def test_a_success_that_does_not_say_what_was_made_is_ambiguous(sim, bland, norm, answer):
    issue_id = sim.add()["id"]
    for system in (bland, norm):
        system._http.transport = lambda *_: Reply(201, {}, answer)
    for call in (lambda: bland.create(draft()), lambda: norm.create_session(issue_id)):
        with pytest.raises(Ambiguous):
            call()


@pytest.mark.parametrize("search_lag_seconds", [0, 3600])
def test_a_lost_create_is_found_by_its_reference(sim, bland, search_lag_seconds):
    sim.set_switches(search_lag_seconds=search_lag_seconds)
    since = datetime.now(UTC) - timedelta(minutes=10)
    sim.add(title="before it")
    sim.faults.add(kind="drop_after", method="POST")
    with pytest.raises(Ambiguous):
        bland.create(draft())
    for n in range(120):
        sim.add(title=f"after it {n}")
    found = bland.find_created(draft(), since)
    assert [issue.title for issue in found] == [draft().title]


def test_a_create_that_never_arrived_is_not_found_and_old_issues_are_not_walked(sim, bland):
    filled(sim, 250)
    sim.faults.add(kind="drop_before", method="POST")
    with pytest.raises(Ambiguous):
        bland.create(draft())
    sim.clear_requests()
    assert bland.find_created(draft(), datetime.now(UTC)) == []
    assert len(sim.requests) == 2, "one page back in time, one search"


def test_twins_come_lowest_number_first(sim, bland):
    since = datetime.now(UTC) - timedelta(minutes=10)
    first, second = bland.create(draft()), bland.create(draft())
    found = bland.find_created(draft(), since)
    assert [issue.remote_id for issue in found] == [first.remote_id, second.remote_id]


def test_what_was_there_long_before_the_send_is_not_ours_though_a_search_finds_it(sim, bland):
    sim.add(description=LINE, created_at="2026-01-01T00:00:00.000Z")
    filled(sim, 120)
    assert bland.find_created(draft(), datetime.now(UTC)) == []


def test_an_update_sends_only_what_changes_and_shows_what_there_is_then(sim, bland):
    seen = bland.get(sim.add(title="T", description="D")["id"])
    sim.edit(seen.remote_id, severity="low")
    shown = bland.update(seen, {"status": "done"})
    assert sim.writes()[-1]["body"] == {"status": "done"}
    assert (shown.raw["status"], shown.raw["severity"]) == ("done", "low")
    assert bland.update(seen, {"description": f"D\n\n{LINE}"}).description == f"D\n\n{LINE}"


def test_an_update_of_nothing_writes_nothing(sim, bland):
    seen = bland.get(sim.add()["id"])
    assert bland.update(seen, {}) == seen
    assert not sim.writes()


@pytest.mark.parametrize("reading", ["ignore", "accept"])
def test_a_link_counts_as_written_only_if_a_read_shows_it(sim, bland, reading):
    """The vendor's answer to the PATCH is not asked: it may show what was sent."""
    sim.set_switches(unknown_patch_field=reading)
    seen = bland.get(sim.add()["id"])
    shown = bland.update(seen, {"external_link": "https://x.example"})
    assert sim.requests[-1]["method"] == "GET"
    stands = {"accept": '{"url":"https://x.example"}', "ignore": None}
    assert shown.raw["external_link"] == stands[reading]
    sim.clear_violations()


def test_a_comment_is_posted_once_and_found_by_its_mark(sim):
    comments, issue_id = BlandComments(http(sim)), sim.add()["id"]
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert not comments.stands(issue_id, "ref=ic1", before)
    comments.post(issue_id, "Linked issue: https://x.example [issuebridge ref=ic1]")
    assert comments.stands(issue_id, "ref=ic1", before)
    assert not comments.stands(issue_id, "ref=ic2", before)
    assert len(sim.writes()) == 1


def test_a_comment_that_would_wake_norm_is_refused_unsent(sim):
    comments, issue_id = BlandComments(http(sim)), sim.add()["id"]
    with pytest.raises(Rejected, match="mentions Norm"):
        comments.post(issue_id, "see https://x.example/@Norm/1")
    assert not sim.writes()


def test_an_update_refused_names_the_vendors_reason(sim, bland):
    seen = bland.get(sim.add()["id"])
    with pytest.raises(Rejected, match="400 bad_request: status"):
        bland.update(seen, {"status": "nonsense"})
    sim.clear_violations()


def test_an_update_of_a_deleted_issue_is_gone(sim, bland):
    seen = bland.get(sim.add()["id"])
    sim.remove(seen.remote_id)
    with pytest.raises(Gone):
        bland.update(seen, {"status": "done"})


def test_an_update_without_an_answer_is_not_repeated_in_here(sim, bland):
    seen = bland.get(sim.add()["id"])
    sim.faults.add(kind="drop_after", method="PATCH")
    with pytest.raises(Ambiguous):
        bland.update(seen, {"status": "done"})
    assert len(sim.writes()) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "unauthorized"}, AccessRefused),
        ({"kind": "status", "status": 403, "body": "error_message"}, AccessRefused),
        ({"kind": "status", "status": 429, "retry_after": 60}, RateLimited),
        (
            {"kind": "status", "status": 429, "retry_after": 60, "retry_after_as": "date"},
            RateLimited,
        ),
        ({"kind": "status", "status": 503, "body": "html"}, Transient),
        ({"kind": "drop_before"}, Transient),
        ({"kind": "half_body"}, Transient),
        ({"kind": "wrong_json", "body": "truncated"}, Transient),
    ],
)
def test_a_list_that_fails_says_what_to_do(sim, bland, fault, error):
    sim.add()
    sim.faults.add(**fault, times=0)
    with pytest.raises(error) as caught:
        bland.page("hot", None)
    assert sim.api_key not in str(caught.value)
    if error is RateLimited:
        assert 55 <= caught.value.retry_after_seconds <= 62


@pytest.mark.parametrize("kind", ["drop_before", "half_body", "wrong_json", "status"])
def test_a_read_that_fails_for_a_moment_is_no_failure(sim, bland, kind):
    added = sim.add()
    body = {"body": "text"} if kind == "wrong_json" else {}
    sim.faults.add(kind=kind, times=3, **body)
    assert bland.get(added["id"]).remote_id == added["id"]


@pytest.mark.parametrize("body", ["envelope", "flat", "error_message", "html", "empty", "garbage"])
@pytest.mark.parametrize("status", [400, 401, 402, 404, 409, 429, 500])
def test_no_error_shows_the_key(sim, bland, body, status):
    sim.faults.add(kind="status", status=status, body=body, times=0, message=f"no {sim.api_key}")
    with pytest.raises(SyncError) as caught:
        bland.create(draft())
    chain, error = [], caught.value
    while error:
        chain.append(f"{error!r}")
        error = error.__cause__ or error.__context__
    assert sim.api_key not in str(chain)
    assert f"{status}" in str(caught.value)


def test_the_key_goes_without_a_scheme_word_and_a_wrong_one_is_refused(sim, bland):
    bland.page("hot", None)
    assert sim.requests[-1]["auth"] == "ok"
    with pytest.raises(AccessRefused, match=r"connections\.calls\.secret"):
        BlandIssues(http(sim, key="wrong")).page("hot", None)


@pytest.mark.parametrize("suffix", ["", "/", "/v1"])
def test_the_address_may_be_given_as_the_documents_show_it(sim, suffix):
    fields = {"kind": "bland", "base_url": sim.api_url + suffix, "secret": "s"}
    connection = configured(**fields)
    opened = open_http("calls", connection, lambda: sim.api_key)
    system, agent = BlandIssues(opened), BlandAgent(opened)
    assert system.page("hot", None).cursor is None
    added = sim.add()
    assert agent.latest_session(added["id"]) == (None, False)
    assert abs(system.skew) < timedelta(seconds=5)


@pytest.mark.parametrize("twice", ["new", "same"])
def test_a_prompt_names_its_run(sim, norm, twice):
    sim.set_switches(session_create_twice=twice)
    issue_id = sim.add()["id"]
    session = norm.create_session(issue_id)
    assert session.status == "active"
    assert norm.latest_session(issue_id) == (None, False), "not shown before it was prompted"
    submitted = norm.submit(issue_id, session.session_id, "/verify [ref ib1] look")
    assert [run["run_id"] for run in sim.runs] == [submitted.run_id]
    assert submitted.intent == "verify"
    sim.advance(1)
    shown, is_processing = norm.latest_session(issue_id)
    assert (shown.session_id, is_processing) == (session.session_id, True)


@pytest.mark.parametrize("kind", ["drop_after", "half_body", "drop_before"])
def test_neither_a_session_nor_a_prompt_is_ever_sent_twice(sim, norm, kind):
    issue_id = sim.add()["id"]
    session = norm.create_session(issue_id)
    sim.clear_requests()
    sim.faults.add(kind=kind, method="POST", times=0)
    with pytest.raises(Ambiguous):
        norm.create_session(issue_id)
    with pytest.raises(Ambiguous):
        norm.submit(issue_id, session.session_id, "/fix it")
    assert len(sim.writes()) == 2


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        ({"credit": False, "no_credit_status": 402}, Rejected),
        ({"credit": False, "no_credit_status": 403}, AccessRefused),
    ],
)
def test_a_prompt_without_credit_is_refused_for_good(sim, norm, switches, error):
    sim.set_switches(**switches)
    issue_id = sim.add()["id"]
    session = norm.create_session(issue_id)
    with pytest.raises(error):
        norm.submit(issue_id, session.session_id, "/fix it")


def test_a_prompt_to_an_unknown_session_is_gone(sim, norm):
    with pytest.raises(Gone):
        norm.submit(sim.add()["id"], NEVER, "/fix it")


@pytest.mark.parametrize("shown", ["present", "absent"])
def test_the_activity_tells_what_became_of_a_prompt(sim, norm, shown):
    sim.set_switches(prompt_entry_run_id=shown)
    issue_id = sim.add()["id"]
    session_id = norm.create_session(issue_id).session_id
    run = norm.submit(issue_id, session_id, "/verify [ref ib1] look")
    since = datetime.now(UTC) - timedelta(seconds=5)
    sim.advance(10)
    entries = norm.activity(issue_id, since)
    assert [entry.type for entry in entries][:2] == ["response", "thought"]
    assert entries[0].text == "Done (verify)."
    prompt = next(entry for entry in entries if entry.type == "prompt")
    assert (prompt.kind, prompt.session_id) == ("agent", session_id)
    assert "[ref ib1]" in prompt.text
    assert prompt.run_id == (run.run_id if shown == "present" else None)


def test_the_activity_is_read_back_to_its_time_and_no_further(sim, norm):
    issue_id = sim.add(created_at="2026-01-01T00:00:00.000Z")["id"]
    for _ in range(60):
        sim.edit(issue_id, status="done")
        sim.edit(issue_id, status="todo")
    sim.advance(60)
    since = sim.clock.now() - timedelta(seconds=30)
    sim.edit(issue_id, severity="low")
    sim.clear_requests()
    assert [entry.type for entry in norm.activity(issue_id, since)] == ["severity_changed"]
    assert len(sim.requests) == 1
    assert len(norm.activity(issue_id, datetime(2025, 1, 1, tzinfo=UTC))) == 122
