"""What every store must keep, the fakes of the unit tests and the real table alike."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from issuebridge.adapters.dynamodb import DynamoDBIssueStore, DynamoDBLedger
from issuebridge.adapters.dynamodb_connections import DynamoDBConnectionStore
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import LostRace, Rejected
from issuebridge.domain.issue import (
    CanonicalIssue,
    Draft,
    Edit,
    ExternalRef,
    HistoryEntry,
    Pending,
)
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.swept import Swept
from issuebridge.domain.taking import Taking
from tests.bench.counting_table import CountingTable
from tests.fakes import DAWN, FakeConnectionStore, FakeIssueStore, FakeLedger
from tests.simulators import seeds

SECOND = timedelta(seconds=1)
PLACE = "N#000000000001"
KEY = "0123456789ab"


@pytest.fixture(params=["fakes", "dynamodb", "counting"])
def stores(request):
    if request.param == "dynamodb":
        return request.getfixturevalue("dynamodb")
    if request.param == "counting":
        table = CountingTable()
        return SimpleNamespace(
            issues=DynamoDBIssueStore(table, history_days=90),
            ledger=DynamoDBLedger(table),
            connections=DynamoDBConnectionStore(table),
        )
    ledger, connections = FakeLedger(), FakeConnectionStore()
    issues = FakeIssueStore(ledger, connections)
    return SimpleNamespace(issues=issues, ledger=ledger, connections=connections)


def issue(name: str = "is1", **more: object) -> CanonicalIssue:
    fields = {"origin": "voice", "title": "T", "description": "D", "category": "Bug", **more}
    return CanonicalIssue.model_validate({"issue_id": name, **fields})


def at_voice(remote_id: str = "uuid-1", display_id: str = "T-1", **more: object):
    ref = ExternalRef(connection="voice", remote_id=remote_id, display_id=display_id)
    return {"refs": {"voice": ref}, **more}


def lagging(**seconds: float) -> dict[str, Pending]:
    return {name: Pending(due_at=DAWN + s * SECOND) for name, s in seconds.items()}


def entry(at=DAWN, new: str = "done") -> HistoryEntry:
    return HistoryEntry(at=at, field="status", outcome="pulled", by="voice", new=new)


def effect(key: str = "ib1", **more: object) -> Effect:
    fields = {"kind": "create", "issue_id": "is1", "connection": "voice", "request": "{}", **more}
    return Effect.model_validate({"key": key, "planned_at": DAWN, "due_at": DAWN, **fields})


def newer(stored: CanonicalIssue, **more: object) -> CanonicalIssue:
    return stored.model_copy(update=more)


def test_an_issue_is_read_back_as_it_was_stored_with_the_next_version(stores):
    texts = "\n".join(seeds.nasty_texts())
    edits = {"status": Edit(by="voice", at=DAWN)}
    given = issue(**at_voice(), description=texts, edits=edits, pending=lagging(other=0))
    stored = stores.issues.commit(given)
    assert stored == newer(given, version=1)
    assert stores.issues.load("is1") == stored
    again = stores.issues.commit(newer(stored, status="done"))
    assert (again.version, stores.issues.load("is1")) == (2, again)


def test_what_was_never_stored_is_not_found(stores):
    assert stores.issues.load("is1") is None
    assert stores.issues.find("voice", "uuid-1") is None
    assert stores.issues.history("is1") == []
    assert stores.ledger.get("ib1") is None


def test_of_two_writers_that_read_the_same_version_the_second_loses(stores):
    read = stores.issues.commit(issue())
    first = stores.issues.commit(newer(read, status="done"), [entry(new="done")])
    with pytest.raises(LostRace):
        stores.issues.commit(newer(read, status="closed"), [entry(new="closed")])
    assert stores.issues.load("is1") == first
    assert [e.new for e in stores.issues.history("is1")] == ["done"]


def test_an_issue_that_exists_is_not_stored_as_a_new_one(stores):
    stored = stores.issues.commit(issue(status="done"))
    with pytest.raises(LostRace):
        stores.issues.commit(issue(status="closed"))
    assert stores.issues.load("is1") == stored


@pytest.mark.parametrize("name", ["uuid-1", "T-1"])
def test_an_issue_is_found_by_both_its_names_at_a_connection_and_only_there(stores, name):
    stores.issues.commit(issue(**at_voice()), linked="voice")
    assert stores.issues.named("voice", name) == ["is1"]
    assert stores.issues.named("other", name) == []


def test_a_short_code_names_an_issue_and_takes_nothing_from_another(stores):
    """No vendor promises that its numbers are unique."""
    stores.issues.commit(issue("is1", **at_voice("uuid-1", "7")), linked="voice")
    stores.issues.commit(issue("is2", **at_voice("uuid-2", "7")), linked="voice")
    assert [stores.issues.find("voice", n) for n in ("uuid-1", "uuid-2")] == ["is1", "is2"]
    assert stores.issues.find("voice", "7") is None
    assert stores.issues.named("voice", "7") == ["is1", "is2"]


def test_a_remote_whose_two_names_are_one_can_be_linked(stores):
    stores.issues.commit(issue(**at_voice("42", "42")), linked="voice")
    assert stores.issues.find("voice", "42") == "is1"


def test_a_remote_that_is_linked_cannot_be_taken_by_another_issue(stores):
    stores.issues.commit(issue("is1", **at_voice()), linked="voice")
    with pytest.raises(LostRace):
        stores.issues.commit(issue("is2", **at_voice("uuid-1", "T-2")), linked="voice")
    assert stores.issues.load("is2") is None
    assert [stores.issues.named("voice", n) for n in ("uuid-2", "T-2")] == [[], []]
    assert stores.issues.find("voice", "uuid-1") == "is1"


def test_history_is_kept_in_the_order_of_time_and_of_commits(stores):
    stored = stores.issues.commit(issue(), [entry(new="todo"), entry(new="done")])
    stores.issues.commit(stored, [entry(DAWN + SECOND, "closed")])
    assert [e.new for e in stores.issues.history("is1")] == ["todo", "done", "closed"]


def everything_at_once(stores, version: int, effect_version: int, *, ref: str = "uuid-1") -> None:
    stores.issues.commit(
        issue(**at_voice(ref, "T-1"), version=version, pending=lagging(voice=0)),
        [entry()],
        done=effect(version=effect_version, state="done", result=ref),
        linked="voice",
        pushing="voice",
    )


def shown(stores) -> tuple[object, ...]:
    return (
        stores.issues.load("is1"),
        stores.issues.history("is1"),
        stores.issues.find("voice", "uuid-1"),
        stores.ledger.get("ib1"),
        stores.connections.pushed("voice"),
        list(stores.issues.due(DAWN)),
    )


def test_issue_history_ref_finished_effect_and_pushed_mark_are_stored_together(stores):
    stores.ledger.put(effect())
    everything_at_once(stores, version=0, effect_version=1)
    stored, history, found, finished, pushed, due = shown(stores)
    assert stored.version == 1
    assert history == [entry()]
    assert found == "is1"
    assert (finished.state, finished.result, finished.version) == ("done", "uuid-1", 2)
    assert list(pushed.values()) == [1]
    assert due == ["is1"]


@pytest.mark.parametrize("obstacle", ["issue", "ref", "effect"])
def test_whatever_stops_a_commit_stops_all_of_it(stores, obstacle):
    stores.ledger.put(effect())
    if obstacle == "issue":
        stores.issues.commit(issue())
    if obstacle == "ref":
        stores.issues.commit(issue("is0", **at_voice()), linked="voice")
    if obstacle == "effect":
        stores.ledger.put(effect(version=1, state="sending"))
    before = shown(stores)
    with pytest.raises(LostRace):
        everything_at_once(stores, version=0, effect_version=1)
    assert shown(stores) == before


def test_an_issue_is_due_from_the_earliest_time_any_of_its_copies_is(stores):
    stores.issues.commit(issue("is1", pending=lagging(a=10, b=20)))
    stores.issues.commit(issue("is2", pending=lagging(a=30)))
    stores.issues.commit(issue("is3"))
    due = {s: sorted(stores.issues.due(DAWN + s * SECOND)) for s in (9, 10, 30)}
    assert due == {9: [], 10: ["is1"], 30: ["is1", "is2"]}


def test_an_issue_in_step_is_due_no_more(stores):
    stored = stores.issues.commit(issue(pending=lagging(a=0)))
    stores.issues.commit(newer(stored, pending={}))
    assert list(stores.issues.due(DAWN)) == []


def test_a_ledger_row_is_read_back_as_it_was_put_with_the_next_version(stores):
    draft = Draft(
        reference="ib1", title="T", description="D", category="C", triggered_at=DAWN
    ).model_dump_json()
    planned = stores.ledger.put(effect(request=draft))
    assert planned == effect(request=draft, version=1)
    sending = stores.ledger.put(planned.sending(DAWN))
    assert stores.ledger.get("ib1") == sending
    assert (sending.version, sending.state, sending.sends) == (2, "sending", 1)


@pytest.mark.parametrize("version", [0, 1])
def test_a_ledger_row_that_moved_on_is_not_overwritten(stores, version):
    sending = stores.ledger.put(stores.ledger.put(effect()).sending(DAWN))
    with pytest.raises(LostRace):
        stores.ledger.put(effect(version=version, state="planned"))
    assert stores.ledger.get("ib1") == sending


def test_open_effects_are_those_of_their_kind_and_connection_without_an_end(stores):
    states = ("planned", "sending", "unknown", "done", "parked")
    for state in states:
        stores.ledger.put(effect(state, state=state))
    stores.ledger.put(effect("prompt", kind="prompt"))
    stores.ledger.put(effect("elsewhere", connection="other"))
    opened = [sorted(e.key for e in stores.ledger.open("create", c)) for c in ("voice", "other")]
    assert opened == [["planned", "sending", "unknown"], ["elsewhere"]]
    stores.ledger.put(stores.ledger.get("unknown").done("uuid-1"))
    assert sorted(e.key for e in stores.ledger.open("create", "voice")) == ["planned", "sending"]


def test_runs_are_the_prompts_that_norm_took_and_that_have_not_ended(stores):
    for state in ("planned", "done", "parked"):
        stores.ledger.put(effect(state, kind="prompt", state=state))
    stores.ledger.put(effect("made", state="done"))
    ended = stores.ledger.put(effect("ended", kind="prompt", state="done"))
    assert sorted(e.key for e in stores.ledger.runs("voice")) == ["done", "ended"]
    assert stores.ledger.runs("other") == []
    stores.ledger.put(newer(ended, ended_at=DAWN))
    assert [e.key for e in stores.ledger.runs("voice")] == ["done"]


def test_an_issue_is_due_when_a_rule_is_though_no_copy_lags(stores):
    stored = stores.issues.commit(issue(asks={"rule": DAWN + SECOND}))
    assert list(stores.issues.due(DAWN)) == []
    assert list(stores.issues.due(DAWN + SECOND)) == ["is1"]
    stores.issues.commit(newer(stored, asks={}))
    assert list(stores.issues.due(DAWN + SECOND)) == []


def test_a_new_effect_is_stored_together_with_its_issue_or_not_at_all(stores):
    stored = stores.issues.commit(issue())
    stores.issues.commit(newer(stored, prompts=("pr1",)), done=effect("pr1", kind="prompt"))
    assert stores.ledger.get("pr1").version == 1
    with pytest.raises(LostRace):
        stores.issues.commit(newer(stored, prompts=("pr2",)), done=effect("pr2", kind="prompt"))
    assert stores.ledger.get("pr2") is None


def test_a_budget_is_spent_up_to_its_limit_each_day_and_by_itself(stores):
    spend = [stores.ledger.spend("a>b", "2026-11-22", 2) for _ in range(4)]
    assert spend == [True, True, False, False]
    assert stores.ledger.spend("a>b", "2026-11-23", 2)
    assert stores.ledger.spend("b>a", "2026-11-22", 2)
    assert stores.ledger.spend("a>b", "2026-11-22", 3), "a raised limit leaves one more"


def test_a_lease_is_held_by_one_until_it_is_saved_back(stores):
    held = stores.connections.acquire("voice", DAWN, 60)
    with pytest.raises(LostRace):
        stores.connections.acquire("voice", DAWN + 59 * SECOND, 60)
    stores.connections.acquire("other", DAWN, 60)
    stores.connections.save(held.model_copy(update={"watermark": DAWN}))
    again = stores.connections.acquire("voice", DAWN + 1 * SECOND, 60)
    assert (held.generation, held.watermark) == (1, None)
    assert (again.generation, again.watermark) == (2, DAWN)


def test_whoever_outlived_his_lease_can_store_nothing_any_more(stores):
    late = stores.connections.acquire("voice", DAWN, 60)
    holder = stores.connections.acquire("voice", DAWN + 60 * SECOND, 60)
    stores.connections.save_seen(holder, {PLACE: {KEY: "b" * 12}}, {})
    for store in (
        lambda: stores.connections.save(late.model_copy(update={"watermark": DAWN})),
        lambda: stores.connections.save_seen(late, {PLACE: {KEY: "a" * 12}}, {}),
        lambda: stores.connections.save_seen(late, {PLACE: {}}, {}),
    ):
        with pytest.raises(LostRace):
            store()
    assert stores.connections.buckets("voice", [PLACE]) == {PLACE: {KEY: "b" * 12}}
    stores.connections.save(holder.model_copy(update={"sweep_cursor": "c"}))
    assert stores.connections.read("voice") == ConnectionState(
        connection="voice", generation=2, sweep_cursor="c"
    )


def test_buckets_are_stored_whole_and_found_alone_by_range_and_all_together(stores):
    held = stores.connections.acquire("voice", DAWN, 60)
    places = [*(f"N#{n:012}" for n in range(1, 240)), "N#000000009000", "H#0ab", "H#fff"]
    many = {place: {f"id {place}": f"{n:012x}", "x": ""} for n, place in enumerate(places)}
    stores.connections.save_seen(held, many, {})
    stores.connections.save_seen(held, {places[3]: {KEY: "f" * 12}, places[4]: {}}, {})
    many |= {places[3]: {KEY: "f" * 12}, places[4]: {}}
    for asked in (places[2:6], [*places[:5], "H#0ab"], places[::7], places, [places[4]]):
        assert stores.connections.buckets("voice", asked) == {name: many[name] for name in asked}
    assert stores.connections.buckets("voice", ["N#000000000777", "H#111"]) == {
        "H#111": {},
        "N#000000000777": {},
    }
    everything = {place: dict(bucket) for place, bucket in stores.connections.all_buckets("voice")}
    assert {place: bucket for place, bucket in everything.items() if bucket} == {
        place: bucket for place, bucket in many.items() if bucket
    }
    assert stores.connections.buckets("other", places[:2]) == {key: {} for key in places[:2]}
    assert not list(stores.connections.all_buckets("other"))


UUID_NAME = "0b7c6a5e-1111-4222-8333-444455556666"


@pytest.mark.parametrize(
    "bucket",
    [
        {UUID_NAME: "a" * 12, UUID_NAME.replace("0b", "0c"): "0" * 12},
        {UUID_NAME: ""},
        {UUID_NAME.upper(): "a" * 12, UUID_NAME: "b" * 12},
        {UUID_NAME.replace("-", ""): "a" * 12},
        {f"{{{UUID_NAME}}}": "a" * 12},
        {f"urn:uuid:{UUID_NAME}": "a" * 12},
        {"\ud800 语": "a" * 12},
        {"x" * 200: "a" * 12},
    ],
)
def test_a_bucket_comes_back_as_it_was_whatever_the_ids_are(stores, bucket):
    held = stores.connections.acquire("voice", DAWN, 60)
    stores.connections.save_seen(held, {PLACE: bucket}, {})
    assert stores.connections.buckets("voice", [PLACE]) == {PLACE: bucket}


def test_a_push_voids_a_fingerprint_until_a_look_that_knew_of_it(stores):
    held = stores.connections.acquire("voice", DAWN, 60)
    stored = stores.issues.commit(issue(**at_voice()), linked="voice")
    first = stores.issues.commit(stored, pushing="voice")
    before = stores.connections.pushed("voice")
    (key,) = before
    stores.issues.commit(first, pushing="voice")
    stores.connections.save_seen(held, {PLACE: {key: "a" * 12}}, before)
    assert key in stores.connections.pushed("voice"), "pushed again meanwhile"
    stores.connections.save_seen(held, {PLACE: {key: "b" * 12}}, stores.connections.pushed("voice"))
    assert not stores.connections.pushed("voice")


def test_what_the_rounds_of_one_sweep_saw_is_remembered_together(stores):
    first = Swept({"N#1": 28}, {"N#2": {"a", "b"}})
    for sweep, rounds in (
        (1, (first, Swept({"N#3": 2}, {"N#2": {"c"}}))),
        (2, (Swept({"N#1": 28}),)),
    ):
        for swept in rounds:
            held = stores.connections.acquire("voice", DAWN, 60)
            held = held.model_copy(update={"sweep_number": sweep})
            stores.connections.save_swept(held, swept, DAWN)
            stores.connections.save(held)
    both = Swept({"N#1": 28, "N#3": 2}, {"N#2": {"a", "b", "c"}})
    found = [stores.connections.swept("voice", number) for number in (1, 2, 3)]
    assert found == [both, Swept({"N#1": 28}), Swept()]
    assert not stores.connections.swept("other", 1)


def test_the_longest_pause_that_was_asked_for_holds(stores):
    assert stores.connections.paused_until("voice") is None
    for seconds in (30, 60, 10):
        stores.connections.pause("voice", DAWN + seconds * SECOND)
    assert stores.connections.paused_until("voice") == DAWN + 60 * SECOND
    assert stores.connections.paused_until("other") is None


def test_several_new_refs_and_effects_are_stored_with_their_issue_or_not_at_all(stores):
    """As after a lost table, when an issue begins with all of its copies."""
    refs = {
        name: ExternalRef(connection=name, remote_id=f"uuid-{name}", display_id=f"T-{name}")
        for name in ("voice", "other")
    }
    done = [effect(key).done(f"uuid-{key}") for key in ("ib1", "ib2")]
    stores.issues.commit(issue(refs=refs), linked=["voice", "other"], done=done)
    assert [stores.issues.find(n, f"uuid-{n}") for n in refs] == ["is1", "is1"]
    assert [stores.issues.named(n, f"T-{n}") for n in refs] == [["is1"], ["is1"]]
    assert [stores.ledger.get(e.key).state for e in done] == ["done", "done"]
    taken = {"voice": refs["voice"], "third": refs["other"].model_copy(update={"connection": "c"})}
    with pytest.raises(LostRace):
        stores.issues.commit(issue("is2", refs=taken), linked=["voice", "third"])
    assert stores.issues.load("is2") is None
    assert stores.issues.find("c", "uuid-other") is None


HUGE = "a" * 410_000


@pytest.mark.parametrize(
    "store",
    [
        lambda s: s.issues.commit(issue(joined=HUGE)),
        lambda s: s.issues.commit(issue(), [entry(new=HUGE)]),
        lambda s: s.ledger.put(effect(request=HUGE)),
        lambda s: s.connections.save(
            s.connections.acquire("voice", DAWN, 60).model_copy(update={"sweep_cursor": HUGE})
        ),
    ],
    ids=["issue", "history", "effect", "state"],
)
def test_what_is_larger_than_an_item_may_be_is_refused_by_name_and_size(stores, store):
    with pytest.raises(Rejected, match=r"#(is1|ib1|voice).* has 4\d\d,\d{3} bytes"):
        store(stores)
    assert stores.issues.load("is1") is None
    assert stores.ledger.get("ib1") is None


def test_more_than_a_hundred_items_are_not_stored_at_once(stores):
    with pytest.raises(Rejected, match="101 items"):
        stores.issues.commit(issue(), [entry(DAWN + n * SECOND) for n in range(100)])
    assert stores.issues.load("is1") is None


def test_a_lease_that_was_never_given_back_is_told_once(stores):
    told = []
    for seconds, saves in ((0, True), (60, False), (120, True), (180, True)):
        held = stores.connections.acquire("voice", DAWN + seconds * SECOND, 60)
        told.append(held.former_died)
        if saves:
            stores.connections.save(held)
    assert told == [False, False, True, False]


def test_what_a_worker_was_at_is_known_to_the_next_one(stores):
    assert stores.connections.taking("reconcile") is None
    noted = Taking(row="is1", deaths={"is1": 2, "is2": 1}, until=DAWN)
    stores.connections.save_taking("reconcile", noted)
    assert stores.connections.taking("reconcile") == noted
    assert stores.connections.taking("poll voice") is None
