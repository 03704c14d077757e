"""`make local` as a person uses it: up, used from another terminal and by AWS's tools, down."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ops.local_stack import ROOT, SAM
from ops.stack import POLLERS
from tests.simulators import AntimetalSimulator, BlandSimulator, ZylonSimulator

FUNCTIONS = {
    **dict.fromkeys(POLLERS.values(), "poll"),
    "Mirror": "mirror",
    "SubmitPrompt": "submit_prompt",
    "TrackRuns": "track_runs",
    "Reconcile": "reconcile",
}
UP_SECONDS_MAX = 180


def command(*arguments: object, **more: str) -> str:
    """What it prints; it must succeed."""
    environment = {**os.environ, **more, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [str(a) for a in arguments],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def issuebridge(*arguments: object) -> str:
    return command(sys.executable, "-m", "ops.cli", "--local", *arguments)


@pytest.fixture(scope="module")
def vendors():
    sims = [BlandSimulator(), AntimetalSimulator(), ZylonSimulator()]
    with sims[0].serving(), sims[1].serving(), sims[2].serving():
        sims[0].add(title="Is asked about by events/submit_prompt.json", status="todo")
        yield {sim.vendor: sim for sim in sims}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def up(vendors, folder):
    config = {
        "version": 1,
        "connections": {
            kind: {
                "kind": kind,
                "base_url": sim.api_url,
                "secret": f"issuebridge/{kind}",
                "mode": "mirror",
            }
            for kind, sim in vendors.items()
        },
        "routes": [{"from": "antimetal", "to": "bland"}],
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(config))
    secrets = {f"issuebridge/{kind}": sim.api_key for kind, sim in vendors.items()}
    (folder / "secrets.yaml").write_text(yaml.safe_dump(secrets))
    options = ["--config", folder / "own.yaml", "--secrets", folder / "secrets.yaml"]
    with subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "local", *map(str, options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        until = time.monotonic() + UP_SECONDS_MAX
        for line in running.stdout:
            assert time.monotonic() < until
            if line.startswith("Ctrl-C"):
                break
        yield running
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert not (ROOT / ".local/running.json").exists()


@pytest.mark.usefixtures("up")
def test_a_round_from_another_terminal_does_the_work_and_says_what(vendors):
    vendors["antimetal"].add(title="Disk full", severity="high", status="investigating")
    told = json.loads(issuebridge("round", "--json"))
    assert [made["connection"] for made in told["created"]] == ["bland"]
    titles = [issue["title"] for issue in vendors["bland"].issues.values()]
    assert titles.count("Disk full") == 1
    assert stat.S_IMODE((ROOT / ".local/installation.json").stat().st_mode) == 0o600
    status = json.loads(issuebridge("status", "--json"))
    assert [row["completeness"]["closes"] for row in status] == [True] * 3
    lanes = [lane for row in status for lane in row["freshness"].values()]
    assert {(lane["seen_within_seconds"], lane["stale"]) for lane in lanes} == {(60, False)}


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_sam_can_invoke_every_function_with_its_event_file(function):
    aws = str(ROOT / ".local/aws.ini")
    event = Path("events") / f"{FUNCTIONS[function]}.json"
    answer = command(
        *(SAM, "remote", "invoke", function, "--stack-name", "issuebridge", "--event-file", event),
        AWS_CONFIG_FILE=aws,
        AWS_SHARED_CREDENTIALS_FILE=aws,
    )
    assert "errorMessage" not in answer


@pytest.mark.usefixtures("up")
def test_a_native_link_may_be_pushed_once_a_probe_has_shown_that_it_stands(vendors, folder):
    for_tests = vendors["bland"].add(title="For tests", status="todo")["triage_id"]
    issuebridge("round")
    native = yaml.safe_load((folder / "own.yaml").read_text())
    native["connections"]["bland"]["carriers"] = {"external_link": "native"}
    file = folder / "native.yaml"
    file.write_text(yaml.safe_dump(native))
    with pytest.raises(AssertionError, match="run `issuebridge probe bland ISSUE`"):
        issuebridge("push", file)
    with pytest.raises(AssertionError, match="choose managed_line or comment"):
        issuebridge("probe", "bland", for_tests)
    vendors["bland"].set_switches(unknown_patch_field="accept")
    issuebridge("probe", "bland", for_tests)
    issuebridge("push", file)
    issuebridge("push", folder / "own.yaml")


@pytest.mark.usefixtures("up")
def test_an_unlinked_copy_goes_its_own_way(vendors):
    born = vendors["antimetal"].add(title="Cache cold", status="investigating")["uuid"]
    issuebridge("round")
    (twin,) = [i for i in vendors["bland"].issues.values() if i["title"] == "Cache cold"]
    assert "[issuebridge ref=" in twin["description"]
    issuebridge("unlink", twin["triage_id"], "bland")
    issuebridge("round")
    assert "[issuebridge" not in vendors["bland"].issues[twin["id"]]["description"]
    vendors["antimetal"].edit(born, status="resolved")
    issuebridge("round")
    assert vendors["bland"].issues[twin["id"]]["status"] == twin["status"]
    told = json.loads(issuebridge("explain", "--json", twin["triage_id"]))
    assert told["refs"]["bland"]["ended"]
