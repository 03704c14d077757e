"""What an operator does by hand, through the command."""

import copy
import json

from issuebridge.domain.mark import Installation

MANY = 3
NARROW = {"breaker": {"count": 2, "share": 0.01}}


def with_voice(operated, **more):
    made = copy.deepcopy(operated.document)
    made["connections"]["voice"] |= more
    return made


def fill_many(operated, count: int = MANY) -> None:
    operated.document = with_voice(operated, **NARROW)
    operated.push()
    operated.rounds(1)
    for number in range(count):
        operated.vendors.incidents.add(title=f"Incident {number}", status="investigating")
    operated.rounds()
    assert len(operated.vendors.voice.issues) == count


def status(operated, name: str) -> dict:
    rows = json.loads(operated.run("status", "--json"))
    return next(row for row in rows if row["connection"] == name)


# push tells what it rewrites


def test_push_tells_what_it_would_rewrite_and_refuses_what_is_too_much(operated):
    fill_many(operated)
    moved = copy.deepcopy(operated.document)
    moved["connections"]["incidents"]["issue_url"] = "https://elsewhere.example/{number}"
    told = operated.push(moved, code=1)
    assert "voice: external_link of 3 issues will be written anew" in told
    assert "this would write 3 fields anew, more than 2" in told
    assert "push with --allow voice" in told
    assert operated.wiring.config.connections["incidents"].issue_url != (
        "https://elsewhere.example/{number}"
    )
    assert "--allow nobody: no connection" in operated.push(moved, "--allow", "nobody", code=1)
    operated.push(moved, "--allow", "voice")
    operated.rounds(2)
    texts = [issue["description"] for issue in operated.vendors.voice.issues.values()]
    assert all("link=https://elsewhere.example/" in text for text in texts)
    assert operated.wiring.connections.gate("voice").shut is None


def test_other_maps_and_carriers_are_counted_by_field(operated):
    fill_many(operated, 2)
    for issue in operated.vendors.voice.issues.values():
        operated.vendors.voice.edit(issue["id"], status="todo")
    operated.rounds(2)
    other = copy.deepcopy(operated.document)
    del other["connections"]["voice"]["carriers"]
    other["connections"]["incidents"]["maps"] = {
        "status": {
            "investigating": ["in_progress"],
            "ready_to_fix": ["in_review", "todo"],
            "resolved": ["done", "closed"],
            "muted": ["backlog"],
        }
    }
    told = operated.push(other, "--allow", "voice")
    assert "voice: line of 2 issues will be written anew" in told
    assert "incidents: status of 2 issues will be written anew" in told
    same = operated.push(other)
    assert "will be written anew" not in same


def test_a_push_that_rewrites_nothing_says_nothing_of_it(operated):
    operated.fill()
    assert "anew" not in operated.push(with_voice(operated, requests_per_second=500))


# status, allow, explain


def test_status_and_allow_tell_what_is_stopped_and_why(operated):
    fill_many(operated)
    for issue in operated.vendors.voice.issues.values():
        operated.vendors.voice.edit(issue["id"], status="done")
    operated.rounds(1)
    row = status(operated, "voice")
    assert "more than 2 linked issues closed within 60 minutes" in row["gate"]["shut"]
    told = operated.run("status")
    assert "stopped: more than 2 linked issues closed" in told
    assert {i["status"] for i in operated.vendors.incidents.issues.values()} == {"investigating"}
    told = operated.run("allow", "voice")
    assert "voice was stopped: more than 2 linked issues closed" in told
    assert "for an hour nothing that it changes is too much" in told
    row = status(operated, "voice")
    assert (row["gate"]["shut"], bool(row["gate"]["allowed_until"])) == (None, True)
    operated.rounds(2)
    assert {i["status"] for i in operated.vendors.incidents.issues.values()} == {"resolved"}
    assert "voice was not stopped" in operated.run("allow", "voice")
    assert "there are answers, incidents, voice" in operated.run("allow", "nobody", code=1)


def test_status_shows_the_counts_of_the_window_beside_their_limit(operated):
    fill_many(operated)
    first = next(iter(operated.vendors.voice.issues.values()))
    operated.vendors.voice.edit(first["id"], status="done")
    operated.rounds(2)
    gate = status(operated, "voice")["gate"]
    assert (gate["counts"], gate["limit"]) == ({"closed": 1}, 2)
    assert "1 of at most 2 issues closed within 60 minutes" in operated.run("status")


def test_another_bridges_marks_are_shown_and_stop_creating_until_allowed(operated):
    operated.push()
    operated.rounds(1)
    mark = Installation.new().reference("is" + "a" * 24, "voice")
    operated.vendors.voice.add(title="Theirs", description=f"Hm.\n\n[issuebridge ref={mark}]")
    operated.vendors.incidents.add(title="Disk full", status="investigating")
    operated.rounds(2)
    assert operated.counts() == [1, 1, 0]
    row = status(operated, "voice")
    assert row["marked"] == {"T-1001": f"another issuebridge writes here: {mark}"}
    told = operated.run("status")
    assert "creates nothing: another issuebridge writes here" in told
    assert "marked: 1 issues are not ours to route" in told
    explained = json.loads(operated.run_raw("explain", "--json", "incidents:1"))
    assert "another issuebridge" in explained["routes"]["incidents -> voice"]
    told = operated.run("allow", "voice")
    assert "nothing was created at voice: another issuebridge writes here" in told
    assert "1 counterparts are created there now" in told


def test_before_its_first_sweep_status_says_that_nothing_is_created(operated):
    operated.push()
    assert status(operated, "voice")["gate"]["first_sweep_ended"] is False
    assert "before its first whole sweep has ended" in operated.run("status")


def test_explain_says_of_each_route_and_rule_why_it_does_not_take_the_issue(operated):
    rule = {"name": "look", "when": {"severity": ["high"]}, "prompt": "Look.", "at": "voice"}
    operated.document["norm"] = {"rules": [rule]}
    operated.fill()
    operated.vendors.voice.add(title="Typo", severity="low", status="todo")
    operated.rounds(1)
    typo = json.loads(operated.run_raw("explain", "--json", "T-1004"))
    assert typo["routes"] == {"voice -> incidents": "its severity low is not in the filter"}
    assert "its severity low is none of high" in typo["rules"]["look"]
    disk = json.loads(operated.run_raw("explain", "--json", "incidents:1"))
    assert disk["routes"] == {"incidents -> voice": "it has a copy there"}


def test_explain_says_in_words_what_is_why_and_what_to_do(operated):
    for connection in operated.document["connections"].values():
        connection["conflict"] = {"status": "hold"}
    operated.fill()
    incidents, voice = operated.vendors.incidents, operated.vendors.voice
    (counterpart,) = (i for i in voice.issues.values() if i["title"] == "Disk full")
    incidents.edit(next(iter(incidents.issues)), status="resolved")
    voice.edit(counterpart["id"], status="in_review")
    operated.rounds()
    told = operated.run("explain", counterpart["triage_id"])
    assert told.startswith("Disk full (is")
    assert "meant" in told
    assert "(held)" in told
    assert "status at" in told
    assert "is held: edited on both sides" in told
    assert "route incidents -> voice: it has a copy there" in told
    assert "incidents: status in_progress -> done (pulled" in told


def test_no_text_from_outside_steers_the_terminal(operated):
    operated.push()
    operated.rounds(1)
    title = "\x1b[2Jgone\u202e [bold]x[/bold]"
    operated.vendors.voice.add(title=title, status="todo")
    operated.rounds(1)
    told = operated.run_raw("explain", "T-1001")
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[bold]x[/bold]" in told


# link


def unrouted(operated) -> None:
    operated.document["routes"] = []
    operated.push()
    operated.vendors.incidents.add(title="Disk full", status="investigating")
    operated.vendors.voice.add(title="Calls fail", severity="critical", status="done")
    operated.rounds(1)


def test_two_issues_are_linked_by_hand_and_the_named_sides_values_come_first(operated):
    unrouted(operated)
    told = operated.run("link", "voice:T-1001", "incidents:1", "--from", "incidents")
    assert "one issue now: incidents 1, voice T-1001; the values of incidents come first" in told
    operated.rounds(2)
    (issue,) = [i for i in operated.wiring.store.all() if i.refs]
    assert issue.refs.keys() == {"incidents", "voice"}
    (voice,) = operated.vendors.voice.issues.values()
    assert voice["status"] == "in_progress"
    assert f"ref={issue.refs['voice'].reference}" in voice["description"]
    operated.vendors.voice.edit(voice["id"], status="closed")
    operated.rounds(2)
    assert next(iter(operated.vendors.incidents.issues.values()))["status"] == "resolved"
    assert operated.counts() == [1, 1, 0]


def test_a_link_that_cannot_be_is_refused_with_the_reason(operated):
    unrouted(operated)
    wrong = {
        ("T-1001", "incidents:1", "--from", "nobody"): "there are answers, incidents, voice",
        ("T-1001", "incidents:1", "--from", "answers"): "name the side where just one was born",
        ("T-1001", "T-9", "--from", "voice"): "no issue is known as T-9",
        ("T-1001", "T-1001", "--from", "voice"): "name the side where just one was born",
    }
    for given, why in wrong.items():
        assert why in operated.run("link", *given, code=1), given
    operated.run("link", "T-1001", "incidents:1", "--from", "incidents")
    operated.vendors.voice.add(title="Again", status="todo")
    operated.rounds(1)
    told = operated.run("link", "T-1002", "incidents:1", "--from", "incidents", code=1)
    assert "Disk full has a copy at voice already" in told


# release


def held(operated, count: int = MANY) -> None:
    """Edited on both sides, and a person shall decide."""
    operated.document["connections"]["voice"]["conflict"] = {"status": "hold"}
    fill_many(operated, count)
    for sim in (operated.vendors.incidents, operated.vendors.voice):
        for row in sim.issues.values():
            word = {"incidents": "ready_to_fix"}.get("incidents" if "uuid" in row else "", "todo")
            sim.edit(row[sim.id_field], status=word)
    operated.wiring.pipeline.pull("incidents", remaining_seconds=lambda: 900, whole_sweep=True)
    operated.rounds(1)
    notes = [i.refs["voice"].notes["status"].kind for i in operated.wiring.store.all()]
    assert notes == ["held"] * count


def test_every_held_field_of_a_connection_is_released_at_once(operated):
    held(operated)
    assert "say --yes" in operated.run("release", "--at", "voice", "--take", "ours", code=1)
    told = operated.run("release", "--at", "voice", "--take", "ours", "--yes")
    assert "released 3 issues" in told
    operated.rounds(1)
    assert {i["status"] for i in operated.vendors.voice.issues.values()} == {"in_review"}
    assert "nothing is held at voice" in operated.run("release", "--at", "voice", "--take", "ours")


def test_what_a_connection_says_passes_its_gate_also_by_hand_and_rather_all_or_nothing(operated):
    held(operated)
    take = ("release", "--at", "voice", "--take", "theirs", "--yes")
    told = operated.run(*take, code=1)
    assert "3 issues are more than voice may change now (2)" in told
    assert "`issuebridge allow voice` and this again" in told
    operated.rounds(1)
    assert {i["status"] for i in operated.vendors.incidents.issues.values()} == {"ready_to_fix"}
    operated.run("allow", "voice")
    operated.run(*take)
    operated.rounds(1)
    assert {i["status"] for i in operated.vendors.incidents.issues.values()} == {"investigating"}


def test_release_wants_one_issue_or_one_connection_and_a_side(operated):
    operated.fill()
    assert "name one issue, or a connection" in operated.run("release", code=1)
    assert "name one issue, or a connection" in operated.run(
        "release", "T-1001", "--at", "voice", code=1
    )
    assert "say which value shall stand" in operated.run("release", "--at", "voice", code=1)
    operated.run("release", "T-1001")


# adopt


def test_a_lost_table_is_adopted_by_the_command(operated):
    operated.fill()
    before = operated.rows()
    operated.lose_the_table()
    operated.push()
    operated.rounds(2)
    assert operated.rows() == before
    assert "say --yes" in operated.run("adopt", code=1)
    told = operated.run("adopt", "--yes")
    assert "voice: 2 to be linked, 0 linked already, 0 left as they are" in told
    assert "linked 3 copies" in told
    assert "incidents -> voice takes what was born since 2026-01-01: also what was unlinked" in told
    operated.rounds(2)
    assert operated.rows() == before
    assert "voice: 0 to be linked, 2 linked already" in operated.run("adopt")
    assert "no connection is called nobody" in operated.run(
        "adopt", "--formerly", "old=nobody", code=1
    )
    assert "write it as old=new" in operated.run("adopt", "--formerly", "old", code=1)


# a secret that the functions could not read


def test_push_refuses_a_secret_outside_of_the_stack_s_prefix_and_shows_nothing_of_it(operated):
    moved = with_voice(operated, secret="other/team-key-of-ours")  # noqa: S106
    told = operated.push(moved, code=1)
    assert "connections.voice.secret: the functions may read only secrets whose names begin" in told
    assert "issuebridge/" in told
    assert "team-key" not in told
