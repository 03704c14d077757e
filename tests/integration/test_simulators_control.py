"""Driving a simulator: the class, its control surface, the process, and what they share."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.simulators import AntimetalSimulator, BlandSimulator, Remote, ZylonSimulator, seeds
from tests.simulators.caller import Caller

VENDORS = [BlandSimulator, AntimetalSimulator, ZylonSimulator]
LISTS = {"bland": "/v1/triage/issues", "antimetal": "/issues", "zylon": "/app/issue"}
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(params=VENDORS, ids=lambda simulator: simulator.vendor)
def sim(request):
    simulator = request.param()
    with simulator.serving():
        yield simulator


@pytest.fixture
def call(sim):
    caller = Caller(sim)
    yield caller
    caller.close()


def test_a_remote_does_what_the_class_does_and_leaves_no_trace(sim, call):
    remote = Remote(sim.base_url)
    issue = remote.add(description="from afar")
    issue_id = issue[sim.id_field]
    assert remote.edit(issue_id, description="weird")["description"] == "weird"
    assert remote.issues == sim.issues
    assert remote.requests == remote.violations == []
    remote.remove(issue_id)
    assert remote.issues == sim.issues
    call("GET", LISTS[sim.vendor], query={"nonsense": "1"})
    assert remote.requests == sim.requests
    assert remote.writes() == []
    assert len(remote.violations) == 1
    remote.clear_violations()
    remote.clear_requests()
    assert remote.requests == remote.violations == []


def test_a_remote_sets_faults_switches_and_the_clock(sim, call):
    remote = Remote(sim.base_url)
    remote.faults.add(kind="status", status=503)
    assert call("GET", LISTS[sim.vendor]).status == 503
    remote.faults.add({"kind": "status", "status": 503})
    remote.faults.clear()
    assert call("GET", LISTS[sim.vendor]).status == 200
    remote.set_switches(quota=1)
    assert sim.switches["quota"] == 1
    before = remote.state()["now"]
    remote.advance(3600)
    assert remote.state()["now"][:13] > before[:13]


def test_a_remote_is_told_what_was_wrong(sim):
    remote = Remote(sim.base_url)
    for wrong in (
        lambda: remote.set_switches(nonsense=1),
        lambda: remote.set_switches(quota="many"),
        lambda: remote.faults.add(kind="fire"),
        lambda: remote.edit("unknown", title="x"),
        lambda: remote.act("unknown", "nonsense"),
        lambda: remote.advance(-1),
        lambda: remote.call("GET", "nonsense"),
    ):
        with pytest.raises(ValueError, match=r"."):
            wrong()


def test_a_remote_sees_norms_runs():
    sim = BlandSimulator()
    with sim.serving() as base_url:
        remote = Remote(base_url)
        issue_id = remote.add()["id"]
        remote.act(issue_id, "comment", detail="@norm verify it")
        assert remote.runs == sim.runs
        assert len(remote.runs) == 1


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda simulator: simulator.vendor)
def test_every_switch_takes_each_of_its_readings_and_no_other(vendor):
    for name, switch in vendor.SWITCHES.items():
        readings = switch.allowed if isinstance(switch.allowed, tuple) else (switch.allowed.low,)
        assert switch.permits(switch.default)
        assert switch.open_point
        for reading in readings:
            vendor(switches={name: reading})
        with pytest.raises(ValueError, match=name):
            vendor(switches={name: object()})
    with pytest.raises(ValueError, match="no switch"):
        vendor(switches={"nonsense": True})


def test_requests_are_kept_without_the_secret(sim, call):
    call("GET", LISTS[sim.vendor], query=[("search", "x")])
    [entry] = sim.requests
    assert (
        entry.items() >= {"method": "GET", "auth": "ok", "status": 200, "committed": False}.items()
    )
    assert entry["query"] == {"search": ["x"]}
    assert sim.api_key not in json.dumps(sim.requests)


def test_a_date_header_shows_the_simulators_clock(sim, call):
    sim.advance(400 * 86_400)
    year = sim.state()["now"][:4]
    assert f" {year} " in call("GET", LISTS[sim.vendor]).headers["date"]


@pytest.mark.parametrize("status", [405, 404])
def test_a_method_the_path_does_not_have_answers_as_switched(sim, call, status):
    sim.set_switches(wrong_method=status)
    assert call("PUT", LISTS[sim.vendor], {}).status == status
    assert "no such method" in sim.violations[0]


def test_a_body_that_is_no_json_object_is_refused_and_noted(sim, call):
    for body in (b"{", b"[]"):
        assert call("POST", LISTS[sim.vendor], body).status == 400
    assert "no JSON" in sim.violations[0]


def test_nasty_texts_come_back_as_they_went_in(sim, call):
    for text in seeds.nasty_texts():
        sim.add(description=text)
    size = "page_size" if sim.vendor == "zylon" else "limit"
    body = call("GET", LISTS[sim.vendor], query={size: 100}).json
    rows = body["data"]["items"] if sim.vendor == "bland" else body["data"]
    assert {row["description"] for row in rows} == set(seeds.nasty_texts())


def median_seconds(call, path):
    """What a call usually takes; a busy machine slows some of them, not most."""
    taken = []
    for _ in range(9):
        started = time.monotonic()
        assert call("GET", path).status == 200
        taken.append(time.monotonic() - started)
    return sorted(taken)[4]


def test_seeds_repeat_and_serve_in_quick_pages(sim, call):
    seeds.fill(sim, 5_000, seed=7)
    again = type(sim)()
    seeds.fill(again, 50, seed=7)
    words = [issue["description"] for issue in sim.issues.values()][:50]
    assert [issue["description"] for issue in again.issues.values()] == words
    assert median_seconds(call, LISTS[sim.vendor]) < 0.2, "a page is a matter of milliseconds"


def test_replies_are_not_held_back_by_delayed_acks(sim, call):
    sim.add()
    assert median_seconds(call, LISTS[sim.vendor]) < 0.03, "each would take 0.044 s"


def _ask_again(connection):
    connection.request("GET", "/_sim/state")
    connection.getresponse()


def test_a_stopped_simulator_answers_nobody_and_can_start_again():
    sim = BlandSimulator()
    with sim.serving() as base_url:
        kept_alive = HTTPConnection(urlsplit(base_url).netloc, timeout=5)
        kept_alive.request("GET", "/_sim/state")
        kept_alive.getresponse().read()
    with pytest.raises(OSError, match=r"."):
        Remote(base_url).state()
    with pytest.raises(OSError, match=r"."):
        _ask_again(kept_alive)
    kept_alive.close()
    with sim.serving():
        assert Remote(sim.base_url).issues == {}


def test_callers_at_once_lose_nothing():
    sim = BlandSimulator()
    body = {"title": "t", "severity": "low", "category": "Bug"}

    def create_ten():
        caller = Caller(sim)
        for _ in range(10):
            assert caller("POST", "/v1/triage/issues", body).status == 201
        caller.close()

    with sim.serving(), ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(create_ten) for _ in range(8)]:
            done.result()
        assert sorted(issue["number"] for issue in sim.issues.values()) == list(range(1001, 1081))
        assert len(sim.writes()) == 80


def test_the_process_says_where_it_listens_and_ends_on_sigterm(tmp_path):
    port_file = tmp_path / "ports.json"
    options = ["--port-file", str(port_file), "--issues", "20", "--zylon-key", "k"]
    options += ["--switches", '{"bland": {"run_seconds": 9}}']
    command = [sys.executable, "-m", "tests.simulators", *options]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        urls = json.loads(process.stdout.readline())
        assert json.loads(port_file.read_text()) == urls
        for vendor, url in urls.items():
            state = Remote(url).state()
            assert (state["vendor"], len(state["issues"])) == (vendor, 20)
        assert Remote(urls["bland"]).state()["switches"]["run_seconds"] == 9
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
