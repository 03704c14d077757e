"""What can go wrong between a client and any of the three simulators, and what stays true."""

import json
import time
from http.client import HTTPException, IncompleteRead

import pytest

from tests.simulators import AntimetalSimulator, BlandSimulator, ZylonSimulator
from tests.simulators.caller import Caller

LISTS = {"bland": "/v1/triage/issues", "antimetal": "/issues", "zylon": "/app/issue"}
SIZES = {"bland": "limit", "antimetal": "limit", "zylon": "page_size"}
BROKEN = (HTTPException, ConnectionError)


@pytest.fixture(params=[BlandSimulator, AntimetalSimulator, ZylonSimulator], ids=lambda s: s.vendor)
def sim(request):
    simulator = request.param()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


@pytest.fixture
def path(sim):
    return LISTS[sim.vendor]


def create(sim, call):
    bodies = {
        "bland": {"title": "t", "severity": "low", "category": "Bug"},
        "antimetal": {"title": "t", "description": "d", "environment": "e"},
        "zylon": {
            "project_id": sim.anchor["project_id"] if sim.vendor == "zylon" else "",
            "config": {n: v for n, v in getattr(sim, "anchor", {}).items() if n != "project_id"},
            "resource_type": "Thread",
            "type": "Other",
            "anonymous": False,
        },
    }
    return call("POST", LISTS[sim.vendor], bodies[sim.vendor])


def rows(answer):
    body = answer.json
    return body["data"]["items"] if isinstance(body["data"], dict) else body["data"]


@pytest.mark.parametrize(("kind", "committed"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_call_was_committed_or_not(sim, call, kind, committed):
    sim.faults.add(kind=kind, method="POST")
    with pytest.raises(BROKEN):
        create(sim, call)
    assert len(sim.issues) == committed
    [entry] = sim.requests
    assert (entry["status"], entry["committed"], entry["fault"]) == (None, bool(committed), kind)
    assert create(sim, call).status in (200, 201), "once is once"


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        ("envelope", "{"),
        ("flat", '{"error": "injected"'),
        ("error_message", '{"status": "error"'),
        ("html", "<html>"),
        ("empty", ""),
        ("garbage", '{"data": '),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_status_comes_in_the_shape_asked_for_and_commits_nothing(sim, call, body, starts, status):
    sim.faults.add(kind="status", status=status, body=body)
    answer = create(sim, call)
    assert answer.status == status
    assert answer.text.startswith(starts)
    assert sim.issues == {}
    assert sim.writes()[0]["committed"] is False


@pytest.mark.parametrize(("form", "shown"), [("seconds", "3"), ("date", "GMT")])
def test_retry_after_comes_in_both_forms(sim, call, path, form, shown):
    sim.faults.add(kind="status", status=429, retry_after=3, retry_after_as=form)
    assert call("GET", path).headers["retry-after"].endswith(shown)


def test_a_half_body_announces_more_than_it_sends(sim, call, path):
    sim.add()
    sim.faults.add(kind="half_body")
    with pytest.raises(IncompleteRead):
        call("GET", path)
    assert len(rows(call("GET", path))) == 1


@pytest.mark.parametrize("form", ["truncated", "text"])
def test_wrong_json_has_the_right_length_and_no_meaning(sim, call, path, form):
    sim.faults.add(kind="wrong_json", body=form)
    answer = call("GET", path)
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json


def eventually(holds, seconds):
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def test_a_slow_reply_is_committed_before_it_comes(sim):
    sim.faults.add(kind="slow", seconds=5)
    impatient = Caller(sim, timeout_seconds=0.1)
    with pytest.raises(TimeoutError):
        create(sim, impatient)
    assert eventually(lambda: len(sim.issues) == 1, seconds=0.2), "before the reply"


def test_a_dripping_reply_comes_byte_by_byte_and_is_whole_in_the_end(sim):
    sim.faults.add(kind="drip", seconds=0.001)
    began = time.monotonic()
    caller = Caller(sim, timeout_seconds=0.5)
    answer = create(sim, caller)
    caller.close()
    assert answer.status < 300
    assert time.monotonic() - began > 0.001 * len(json.dumps(answer.json))


def test_a_late_success_is_committed_after_the_client_gave_up(sim):
    sim.faults.add(kind="late_success", seconds=0.4)
    impatient = Caller(sim, timeout_seconds=0.1)
    with pytest.raises(TimeoutError):
        create(sim, impatient)
    assert sim.issues == {}
    assert eventually(lambda: len(sim.issues) == 1, seconds=5)


def test_an_empty_list_hides_every_row_once(sim, call, path):
    sim.add()
    sim.faults.add(kind="empty_list", method="GET")
    assert rows(call("GET", path)) == []
    assert len(rows(call("GET", path))) == 1


def test_a_duplicate_page_is_the_previous_one_again(sim, call, path):
    for _ in range(4):
        sim.add()
    first = call("GET", path, query={SIZES[sim.vendor]: 2})
    sim.faults.add(kind="duplicate_page")
    assert call("GET", path, query={SIZES[sim.vendor]: 3}).text == first.text
    assert len(rows(call("GET", path, query={SIZES[sim.vendor]: 3}))) == 3


def test_unauthorized_midway_is_the_vendors_own_401(sim, call, path):
    sim.faults.add(kind="unauthorized", after=1)
    assert [call("GET", path).status for _ in range(3)] == [200, 401, 200]


def test_a_fault_counts_what_it_lets_through(sim, call, path):
    sim.faults.add(kind="status", path=sim.api_path + path, after=1, every=2, times=2)
    statuses = [call("GET", path).status for _ in range(7)]
    assert statuses == [200, 500, 200, 500, 200, 200, 200]


def test_a_fault_without_end_lasts_until_it_is_cleared(sim, call, path):
    sim.faults.add({"kind": "status", "times": 0, "status": 503})
    assert {call("GET", path).status for _ in range(5)} == {503}
    sim.faults.clear()
    assert call("GET", path).status == 200


def test_a_fault_concerns_its_method_and_its_path_as_prefix_or_pattern(sim, call, path):
    sim.faults.add(kind="status", method="POST", times=0)
    sim.faults.add(kind="status", path=r".*/nowhere$", times=0)
    assert call("GET", path).status == 200
    assert create(sim, call).status == 500
    assert call("GET", path + "/nowhere").status == 500


@pytest.mark.parametrize(
    "wrong", [{"kind": "fire"}, {"kind": "slow", "sleep": 3}, {"kind": "status", "body": "x"}]
)
def test_a_fault_that_does_not_exist_is_refused(sim, wrong):
    with pytest.raises(ValueError, match="fault"):
        sim.faults.add(wrong)
