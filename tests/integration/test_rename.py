"""A connection under another name takes its links along, whatever stops the move half way."""

import copy
from datetime import UTC, datetime, timedelta

import pytest

from issuebridge.adapters.table import Table
from issuebridge.domain.errors import LostRace

OLD, NEW = "voice", "calls"


def renamed(document: dict, old: str = OLD, new: str = NEW) -> dict:
    made = copy.deepcopy(document)
    made["connections"][new] = made["connections"].pop(old)
    for route in made["routes"]:
        for end in ("from", "to"):
            route[end] = new if route[end] == old else route[end]
    return made


def leftovers(operated, old: str = OLD) -> list[str]:
    """Keys with the old name, but for the lease that is left to run out."""
    keys = {key.replace(f"CONNECTION#{old} STATE", "") for key in operated.items()}
    return sorted(key for key in keys if f"#{old}" in key.split(" ")[0] or f"#{old}#" in key)


def assert_goes_on(operated, old: str = OLD, new: str = NEW) -> None:
    before, writes = operated.rows(), sum(len(s.writes()) for s in vars(operated.vendors).values())
    operated.rounds(2)
    assert operated.rows() == before
    assert sum(len(s.writes()) for s in vars(operated.vendors).values()) == writes
    assert leftovers(operated, old) == []
    for issue in operated.issues().values():
        assert old not in (*issue.refs, *issue.pending, *issue.parked, issue.origin)
        assert not [edit for edit in issue.edits.values() if edit.by == old]
    twin = operated.issues()["Disk full"].refs[new].remote_id
    operated.vendors.voice.edit(twin, status="done")
    operated.vendors.answers.edit(
        operated.issues()["It invents a discount."].refs["answers"].remote_id, state="InReview"
    )
    operated.rounds(2)
    assert operated.issues()["Disk full"].status == "done"
    statuses = [i["status"] for i in operated.vendors.incidents.issues.values()]
    assert sorted(statuses) == ["investigating", "resolved"]
    assert operated.counts() == [3, 2, 1]


def test_push_refuses_a_name_that_went_while_another_came_for_the_same_system(operated):
    operated.fill()
    told = operated.push(renamed(operated.document), code=1)
    assert "voice goes, and 3 issues are linked there; calls came" in told
    assert "`--rename voice=calls`" in told
    assert "`--orphan voice`" in told
    assert "voice" in operated.wiring.config.connections


def test_a_renamed_connection_takes_everything_along_and_writes_nothing(operated):
    operated.fill()
    before = operated.issues()
    told = operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert "voice is called calls from now on" in told
    after = operated.issues()
    for title, issue in before.items():
        refs = {name.replace(OLD, NEW): ref for name, ref in issue.refs.items()}
        assert after[title].refs == {
            name: ref.model_copy(update={"connection": name}) for name, ref in refs.items()
        }
    assert_goes_on(operated)


def test_a_route_that_began_when_it_was_switched_on_keeps_its_instant(operated):
    del operated.document["routes"][0]["since"]
    operated.push()
    since = operated.wiring.config.routes[0].since
    operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert operated.wiring.config.routes[0].since == since


@pytest.mark.parametrize("call", ["put", "update", "remove", "write_all"])
def test_a_crash_at_any_point_is_finished_by_the_next_run(operated, monkeypatch, call):
    """As if the operator's machine had died there, each time somewhat later."""
    operated.fill()
    whole, crashed, step = getattr(Table, call), 0, 1
    while True:
        calls = [0]

        def dies(self, *given, calls=calls, step=step, **more):
            calls[0] += 1
            if calls[0] == step:
                raise KeyboardInterrupt
            return whole(self, *given, **more)

        with monkeypatch.context() as patched:
            patched.setattr(Table, call, dies)
            try:
                operated.push(renamed(operated.document), "--rename", "voice=calls")
                break
            except KeyboardInterrupt:
                crashed += 1
        step = 1 + 4**crashed
    assert crashed
    operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert_goes_on(operated)


def test_polls_and_pushes_by_the_old_configuration_do_no_harm_half_way(operated, monkeypatch):
    """A function may have read the old configuration before."""
    operated.fill()
    operated.vendors.incidents.edit(
        operated.issues()["Disk full"].refs["incidents"].remote_id, status="ready_to_fix"
    )
    old, whole = operated.wiring.pipeline, Table.remove
    polled = []

    def meddles(self, key):
        whole(self, key)
        if len(polled) < 12:
            for name in old.config.connections:
                try:
                    old.pull(name, remaining_seconds=lambda: 900, whole_sweep=True)
                    polled.append(name)
                except LostRace:
                    polled.append(f"{name} busy")
            old.finish(remaining_seconds=lambda: 900)

    with monkeypatch.context() as patched:
        patched.setattr(Table, "remove", meddles)
        operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert {"voice busy", "incidents", "answers"} <= set(polled)
    operated.rounds(2)
    assert operated.counts() == [3, 2, 1]
    voices = {i["title"]: i["status"] for i in operated.vendors.voice.issues.values()}
    assert voices["Disk full"] == "in_review"
    assert leftovers(operated) == []
    assert {*operated.issues()["Disk full"].refs} == {"incidents", "calls"}


def test_a_counterpart_in_doubt_is_found_and_not_made_again(operated):
    operated.push()
    operated.rounds(1)
    operated.vendors.voice.faults.add({"kind": "drop_after"}, method="POST", path=r".*/issues$")
    operated.vendors.incidents.add(title="Disk full", status="investigating")
    operated.poll()
    operated.wiring.pipeline.push(operated.issues()["Disk full"].issue_id)
    assert [e.state for e in operated.wiring.ledger.open("create", OLD)] == ["unknown"]
    assert operated.counts() == [1, 1, 0]
    operated.push(renamed(operated.document), "--rename", "voice=calls")
    operated.rounds(3)
    assert operated.counts() == [1, 1, 0]
    assert operated.wiring.ledger.open("create", NEW) == []
    assert {*operated.issues()["Disk full"].refs} == {"incidents", "calls"}


def test_budgets_stay_spent_and_gates_stay_shut(operated):
    operated.fill()
    wiring, day = operated.wiring, datetime.now(UTC).date().isoformat()
    wiring.pipeline.gate.close(OLD, "look, then `issuebridge allow voice`")
    operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert operated.wiring.connections.gate(NEW).shut == "look, then `issuebridge allow calls`"
    assert not operated.wiring.ledger.spend("calls>incidents", day, 1)


def test_it_waits_for_a_poll_that_holds_the_lease(operated, monkeypatch):
    operated.fill()
    wiring = operated.wiring
    state = wiring.connections.acquire(OLD, datetime.now(UTC), 180)
    waited = []

    def ends(seconds):
        waited.append(seconds)
        wiring.connections.save(state)

    monkeypatch.setattr("ops.push.time.sleep", ends)
    told = operated.push(renamed(operated.document), "--rename", "voice=calls")
    assert "waiting for a poll of voice to end" in told
    assert len(waited) == 1
    assert operated.wiring.connections.read(NEW).watermark == state.watermark
    later = datetime.now(UTC) + timedelta(seconds=1)
    operated.wiring.connections.acquire(NEW, later, 1)


def test_wrong_renames_are_refused_each_with_its_reason(operated):
    operated.fill()
    document = renamed(operated.document)
    wrong = {
        "voice": "write it as old=new",
        "nobody=calls": "no connection is called nobody in the running configuration",
        "incidents=calls": "incidents is still in the file",
        "voice=nobody": "no connection is called nobody in the file",
        "voice=answers": "answers runs already",
    }
    for given, why in wrong.items():
        assert why in operated.push(document, "--rename", given, code=1), given
    moved = copy.deepcopy(document)
    moved["connections"]["calls"]["base_url"] = "https://other.example"
    assert "not the same system" in operated.push(moved, "--rename", "voice=calls", code=1)


def test_a_kept_name_means_the_same_system(operated):
    operated.fill()
    other = copy.deepcopy(operated.document)
    other["routes"] = []
    other["connections"]["answers"] = operated.connection("voice") | {"secret": "other"}
    told = operated.push(other, code=1)
    assert "connections.answers.kind: zylon -> bland" in told
    assert "give the new one a name of its own" in told


def test_a_connection_that_goes_lets_its_links_go_only_when_a_person_says_so(operated):
    operated.fill()
    without = copy.deepcopy(operated.document)
    del without["connections"]["answers"], without["routes"][1]
    told = operated.push(without, code=1)
    assert "answers goes, and 1 issues are linked there: `--orphan answers` lets them go" in told
    assert "it does not go" in operated.push(without, "--orphan", "voice", code=1)
    operated.push(without, "--orphan", "answers")
    before = operated.rows()
    operated.rounds(2)
    assert operated.rows() == before


def test_links_from_before_installations_had_keys_keep_their_marks(operated):
    """In the old form a mark is made of the name, so it is written down as it moves."""
    operated.fill()
    wiring = operated.wiring
    for issue in wiring.store.all():
        refs = {n: r.model_copy(update={"reference": None}) for n, r in issue.refs.items()}
        wiring.store.commit(issue.model_copy(update={"refs": refs}))
    operated.push(renamed(operated.document), "--rename", "voice=calls")
    made = operated.issues()
    marks = [made[title].refs["calls"].reference for title in ("Disk full", "Wrong queue")]
    assert all(mark and len(mark) == 26 for mark in marks)
