"""Issues move between three systems through the deployed stack, and then everything is still."""

from urllib.parse import urlsplit

import pytest

ALL_ROUTES = [
    {"from": "incidents", "to": "voice"},
    {"from": "answers", "to": "voice"},
    {"from": "voice", "to": "incidents", "filter": {"severity": ["critical"]}},
]
GITHUB = "https://github.com/acme/voice/issues/42"
LINED = {"carriers": {"external_link": "managed_line"}}


def test_issues_travel_edits_go_both_ways_and_an_idle_round_writes_nothing(bridged):
    bridge = bridged(ALL_ROUTES, voice=LINED, answers=LINED)
    voice, incidents, answers = bridge.voice, bridge.incidents, bridge.answers
    disk = incidents.add(title="Disk full", severity="high", status="investigating")["uuid"]
    cpu = incidents.add(title="CPU", severity="medium", status="investigating")["uuid"]
    answer = answers.add(description="It invents a discount.", type="Inaccurate")["id"]
    queue = voice.add(title="Wrong queue", severity="critical", status="todo")["id"]
    typo = voice.add(title="Typo", severity="low", status="todo")["id"]

    bridge.round()
    assert (len(voice.issues), len(incidents.issues), len(answers.issues)) == (5, 3, 1)
    assert bridge.issue_of(typo).refs.keys() == {f"{bridge.prefix}-voice"}
    born = bridge.copy_of(disk, voice)
    assert (born["title"], born["severity"], born["status"]) == ("Disk full", "high", "in_progress")
    assert f"link=https://antimetal.example/{disk}" in born["description"]
    (seed,) = bridge.copy_of(queue, incidents)["seeds"]
    assert urlsplit(seed["link"]).path == f"/{queue}"

    incidents.edit(disk, status="ready_to_fix")
    voice.edit(bridge.copy_of(cpu, voice)["id"], status="done")
    voice.edit(queue, status="closed")
    voice.edit(bridge.copy_of(answer, voice)["id"], status="in_progress")
    voice.edit(bridge.copy_of(answer, voice)["id"], external_link={"html_url": GITHUB})
    bridge.round()
    assert bridge.copy_of(disk, voice)["status"] == "in_review"
    assert incidents.issues[cpu]["status"] == "resolved"
    assert bridge.copy_of(queue, incidents)["status"] == "resolved"
    assert answers.issues[answer]["state"] == "InReview"
    assert f" link={GITHUB}]" in answers.issues[answer]["description"]
    assert answers.issues[answer]["description"].startswith("It invents a discount.\n")

    writes, items = bridge.writes(), bridge.items()
    told = bridge.round()
    assert (told.pulled, told.pushed, told.created, told.prompted) == ([], [], [], [])
    assert bridge.writes() == writes
    assert bridge.items() == items


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "drop_after"}, id="made, and the answer is lost"),
        pytest.param({"kind": "drop_before"}, id="the request is lost"),
        pytest.param({"kind": "wrong_json", "body": "text"}, id="made, and the answer is garbage"),
        pytest.param({"kind": "status", "status": 502, "body": "html"}, id="not made, it says 502"),
    ],
)
def test_whatever_is_lost_of_a_create_there_is_one_counterpart(bridged, fault):
    bridge = bridged(
        [
            {"from": "incidents", "to": "voice"},
            {"from": "voice", "to": "incidents", "filter": {"status": ["todo"]}},
            {"from": "voice", "to": "answers"},
        ],
        answers={"anchor": "any"},
        recovery={"looks": 2, "over_seconds": 1},
    )
    for sim in bridge.vendors.values():
        sim.faults.add(fault, method="POST", path=r".*/issues?$")
    incident = bridge.incidents.add(title="Disk full", status="investigating")["uuid"]
    call = bridge.voice.add(title="Wrong queue", status="todo")["id"]

    bridge.round()
    assert [f.struck for sim in bridge.vendors.values() for f in sim.faults._faults] == [1, 1, 1]
    counts = [len(sim.issues) for sim in (bridge.voice, bridge.incidents, bridge.answers)]
    assert counts == [2, 2, 1]
    for remote_id, copies in ((incident, 2), (call, 3)):
        issue = bridge.issue_of(remote_id)
        assert (len(issue.refs), issue.pending, issue.parked) == (copies, {}, {})
