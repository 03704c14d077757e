"""Fingerprints in buckets: what a round reads and writes depends on what it looks at."""

from dataclasses import replace

import pytest

from issuebridge.domain.buckets import FULL, SPAN, hashed_place, numbered_place
from issuebridge.domain.errors import Transient
from issuebridge.domain.fingerprint import fingerprint
from issuebridge.ports import Page
from issuebridge.use_cases.fingerprints import Fingerprints
from tests.world import World, connection, document


@pytest.mark.parametrize("name", ["T-1042", "1042", "t1042", "T-01042", "語1042"])
def test_whatever_stands_before_its_number_an_issue_lies_with_its_neighbours(name):
    assert numbered_place(name) == f"N#{1042 // SPAN:012}"


@pytest.mark.parametrize("name", ["", "T-", "0", "T-0", "1042-", "9" * 13, "١٢٣", "x" * 10**6])
def test_what_has_no_number_goes_by_its_hash(name):
    assert numbered_place(name) is None
    assert hashed_place(name).startswith("H#")


def world_of(count: int, **poll: int) -> World:
    """One board of so many issues, all of them stored."""
    board = connection("bland", poll={"pages_max": 10, **poll})
    world = World(document(connections={"bland": board}, routes=[]))
    world.systems["bland"].page_size = 100
    for number in range(count):
        world.systems["bland"].add(f"issue {number}")
        world.clock.advance(60)
    while not world.poll("bland").swept:
        world.clock.advance(1)
    world.clock.advance(3600)
    return world


def cost_of_a_slice(world: World) -> tuple[int, int]:
    """Buckets read and written in a round that finds nothing."""
    store = world.connections
    world.poll("bland")
    store.bucket_reads.clear()
    store.bucket_writes.clear()
    world.poll("bland")
    return len(store.bucket_reads), len(store.bucket_writes)


def test_a_thousand_unchanged_issues_cost_as_much_whatever_their_number():
    small, large = cost_of_a_slice(world_of(1500)), cost_of_a_slice(world_of(6000))
    for reads, writes in (small, large):
        assert reads <= 1000 / SPAN + 3
        assert writes == 0


def test_a_quiet_newest_page_reads_no_bucket():
    world = world_of(150)
    while not world.poll("bland").swept:
        pass
    world.connections.bucket_reads.clear()
    world.pull.config.connections["bland"].poll.__dict__["pages_max"] = 0
    world.poll("bland")
    assert world.connections.bucket_reads == []


def test_a_page_that_shows_again_what_it_showed_when_it_was_quiet_is_looked_at():
    world = world_of(3)
    board, plain = world.systems["bland"], world.systems["bland"].page
    first = min(board.issues)
    world.poll("bland")
    before = board.issues[first]
    board.issues[first] = replace(before, raw={**before.raw, "status": "done"})
    newest = replace(plain("hot", None), issues=[before, *list(board.issues.values())[1:]])
    board.page = lambda lane, cursor: newest if lane == "hot" else plain(lane, cursor)
    world.poll("bland")
    assert world.issue_of("bland", first).status == "done", "the sweep has seen it"
    board.issues[first] = before

    def alone(lane: str, cursor: str | None) -> Page:
        if lane == "sweep":
            raise Transient("HTTP 503")
        return newest

    board.page = alone
    world.poll("bland")
    assert world.issue_of("bland", first).status == "todo"


def test_one_change_costs_one_bucket_written_twice():
    world = world_of(1000)
    world.poll("bland")
    world.connections.bucket_writes.clear()
    world.systems["bland"].edit("uuid-1500", status="done")
    world.poll("bland")
    assert len(world.connections.bucket_writes) == 2
    assert len({*world.connections.bucket_writes}) == 1


def all_with(world: World, name: str) -> None:
    board = world.systems["bland"]
    board.issues = {k: replace(v, display_id=name) for k, v in board.issues.items()}


def swept(world: World) -> None:
    """One whole sweep from its beginning."""
    for _ in range(2):
        while not world.poll("bland").swept:
            world.clock.advance(1)


def gets(world: World) -> int:
    return sum(call == "get" for call, _ in world.systems["bland"].requests)


def test_what_a_full_bucket_turns_away_is_known_and_missed_like_all_others():
    world = world_of(0)
    for _ in range(FULL + 50):
        world.systems["bland"].add()
    all_with(world, "T-1")
    swept(world)
    sizes = [len(bucket) for _, bucket in world.connections.all_buckets("bland")]
    assert sum(sizes) == FULL + 50
    assert max(sizes) == FULL
    looks, writes = gets(world), len(world.connections.bucket_writes)
    swept(world)
    assert (gets(world), len(world.connections.bucket_writes)) == (looks, writes)
    del world.systems["bland"].issues[f"uuid-{1001 + FULL + 20}"]
    del world.systems["bland"].issues["uuid-1001"]
    swept(world)
    swept(world)
    assert world.connections.fingerprints("bland").keys() == world.systems["bland"].issues.keys()


@pytest.mark.parametrize("name", ["T-77777", "no number", "T-1001"])
def test_an_issue_whose_short_code_changes_is_found_and_counted_once(name):
    world = world_of(60)
    all_with(world, name)
    for _ in range(3):
        swept(world)
    assert len(world.connections.fingerprints("bland")) == 60
    assert sum(len(bucket) for _, bucket in world.connections.all_buckets("bland")) == 60
    equation = world.connections.read("bland").completeness
    assert equation.closes
    assert (equation.seen, equation.stored) == (60, 60)
    assert world.connections.read("bland").known == 60


def before_buckets(count: int) -> World:
    """As an earlier version left it: by sixteenths, and in the middle of a sweep."""
    world = world_of(count, pages_max=2)
    store, state = world.connections, world.connections.states["bland"]
    parts = store.parts.setdefault("bland", {})
    for remote_id, digest in store.fingerprints("bland").items():
        part = f"DIGESTS#{hashed_place(remote_id)[2]}"
        parts.setdefault(part, {})[remote_id] = digest
    store.digests.clear()
    kept = {"known": 0, "bucketed": False, "hot_digest": None, "sweep_cursor": "100"}
    store.states["bland"] = state.model_copy(update=kept)
    world.systems["bland"].requests.clear()
    return world


def test_fingerprints_from_before_there_were_buckets_hold_and_nothing_is_looked_at_anew():
    world = before_buckets(250)
    store = world.connections
    assert not list(store.all_buckets("bland"))
    for _ in range(2):
        swept(world)
    assert gets(world) == 0
    assert not store.parts["bland"]
    places = {place for place, bucket in store.all_buckets("bland") if bucket}
    assert places == {numbered_place(i.display_id) for i in world.systems["bland"].issues.values()}
    digests = {i.remote_id: fingerprint(i, "salt") for i in world.systems["bland"].issues.values()}
    assert store.fingerprints("bland") == digests
    assert store.read("bland").known == 250
    del world.systems["bland"].issues["uuid-1100"]
    swept(world)
    swept(world)
    assert "uuid-1100" not in store.fingerprints("bland")
    assert world.issue_of("bland", "uuid-1100").refs["bland"].deleted


def test_a_version_that_was_put_back_and_replaced_again_leaves_no_older_fingerprint_in_force():
    world = before_buckets(60)
    store, board = world.connections, world.systems["bland"]
    name, first = "uuid-1010", board.issues["uuid-1010"]
    swept(world)
    older = {place: dict(bucket) for place, bucket in store.digests["bland"].items()}
    board.edit(name, status="done")
    swept(world)
    assert world.issue_of("bland", name).status == "done"
    for remote_id, digest in store.fingerprints("bland").items():
        part = f"DIGESTS#{hashed_place(remote_id)[2]}"
        store.parts["bland"].setdefault(part, {})[remote_id] = digest
    store.digests["bland"] = older
    store.states["bland"] = store.states["bland"].model_copy(update={"bucketed": False})
    board.edit(name, **first.raw)
    looks = gets(world)
    swept(world)
    assert world.issue_of("bland", name).status == "todo"
    assert gets(world) == looks, "seen by its row, and no other looked at"


def test_a_list_without_numbers_keeps_no_more_at_hand_than_a_few_pages(monkeypatch):
    monkeypatch.setattr("issuebridge.use_cases.fingerprints.AT_HAND_MAX", 50)
    world = world_of(0)
    for _ in range(900):
        world.systems["bland"].add()
    all_with(world, "no number")
    swept(world)
    at_hand, load = [], Fingerprints.load

    def recorded(self: Fingerprints, *given: object) -> None:
        load(self, *given)
        at_hand.append(len(self.buckets))

    monkeypatch.setattr(Fingerprints, "load", recorded)
    swept(world)
    assert 100 <= max(at_hand) <= 150
    assert world.connections.read("bland").completeness.closes
    assert len(world.connections.fingerprints("bland")) == 900


def test_what_was_deleted_while_an_update_came_in_is_missed():
    world = before_buckets(250)
    del world.systems["bland"].issues["uuid-1100"]
    for _ in range(3):
        swept(world)
    assert world.issue_of("bland", "uuid-1100").refs["bland"].deleted


def test_a_take_over_that_runs_out_of_time_goes_on_where_it_stopped():
    world = before_buckets(250)
    left = [60.0]

    def remaining() -> float:
        left[0] -= 1
        return left[0]

    report = world.pull("bland", remaining_seconds=remaining)
    assert (report.problem, report.seen) == (None, 0)
    assert 0 < len(world.connections.parts["bland"]) < 16
    swept(world)
    assert not world.connections.parts["bland"]
    assert gets(world) == 0
    assert len(world.connections.fingerprints("bland")) == 250


@pytest.mark.parametrize("place", range(4))
def test_a_move_that_is_broken_off_anywhere_loses_no_fingerprint(place):
    world = before_buckets(40)
    world.poll("bland")
    world.connections.digests["bland"] = {
        hashed_place(k): {k: v} for k, v in world.connections.fingerprints("bland").items()
    }
    save_seen = world.connections.save_seen

    def broken(state, buckets, pushed):
        save_seen(state, dict([*buckets.items()][: place * len(buckets) // 3]), pushed)
        if place < 3:
            raise Transient("throttled")

    world.connections.save_seen = broken
    world.poll("bland")
    world.connections.save_seen = save_seen
    world.connections.states["bland"] = world.connections.states["bland"].model_copy(
        update={"former_died": True}
    )
    for _ in range(3):
        swept(world)
    assert world.connections.fingerprints("bland").keys() == world.systems["bland"].issues.keys()
    assert sum(len(bucket) for _, bucket in world.connections.all_buckets("bland")) == 40
    assert world.connections.read("bland").completeness.closes


def test_a_sweep_that_showed_as_many_as_are_known_ends_without_reading_them_all():
    world = world_of(1500)
    swept(world)
    whole = world.connections.all_buckets
    world.connections.all_buckets = pytest.fail
    swept(world)
    world.connections.all_buckets = whole
    equation = world.connections.read("bland").completeness
    assert (equation.seen, equation.stored, equation.closes) == (1500, 1500, True)


@pytest.mark.parametrize("born", [0, 1])
def test_a_deletion_is_missed_though_sweeps_go_by_the_number(born):
    world = world_of(150)
    swept(world)
    del world.systems["bland"].issues["uuid-1050"]
    for _ in range(born):
        world.systems["bland"].add("another")
    for _ in range(2):
        swept(world)
        world.clock.advance(3600)
    assert world.issue_of("bland", "uuid-1050").refs["bland"].deleted


@pytest.mark.parametrize("drift", [-1, 1])
def test_a_round_that_broke_off_leaves_no_number_to_go_by(drift):
    world = world_of(150)
    swept(world)
    store = world.connections
    state = store.states["bland"]
    store.states["bland"] = state.model_copy(update={"known": state.known + drift})
    store.leases["bland"] = world.clock.now()
    del world.systems["bland"].issues["uuid-1050"]
    world.clock.advance(200)
    for _ in range(2):
        swept(world)
    assert store.read("bland").known == 149
    assert world.issue_of("bland", "uuid-1050").refs["bland"].deleted


def test_all_that_is_known_is_counted_once_a_day():
    world = world_of(150)
    swept(world)
    state = world.connections.states["bland"]
    world.connections.states["bland"] = state.model_copy(update={"known": 149})
    del world.systems["bland"].issues["uuid-1050"]
    world.clock.advance(24 * 3600)
    for _ in range(2):
        swept(world)
    assert world.issue_of("bland", "uuid-1050").refs["bland"].deleted


def test_what_a_sweep_has_shown_is_kept_by_whole_buckets():
    world = world_of(2000)
    for _ in range(3):
        world.poll("bland")
    kept = world.connections.sweeps.values()
    assert max(map(len, kept)) < 2000 / SPAN + 2 * SPAN


def test_a_list_that_goes_round_is_noticed_though_nothing_in_it_is_new():
    world = world_of(20, pages_max=100)
    board = world.systems["bland"]
    board.page_size = 10
    plain, next_of = board.page, {None: "10", "10": "5", "5": "10"}
    board.page = lambda lane, cursor: replace(plain(lane, cursor), cursor=next_of[cursor])
    report = world.poll("bland")
    assert report.swept
    assert sum(what[0] == "sweep" for call, what in board.requests if call == "page") < 60
