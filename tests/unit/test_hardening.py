"""What a review by fresh eyes found: each was a way to lose an edit, or to stand still."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from issuebridge.domain.errors import (
    Conflict,
    Gone,
    Misconfigured,
    Rejected,
    Transient,
    Unreachable,
)
from issuebridge.ports import Page
from issuebridge.systems import parse_config
from tests.world import World, connection, document


def pair(world: World) -> tuple[str, str]:
    born = world.systems["antimetal"].add(severity="high")
    world.rounds(2)
    (twin,) = world.systems["bland"].issues
    return born.remote_id, twin


def shown(world: World, name: str, remote_id: str) -> str:
    return world.systems[name].issues[remote_id].raw["status"]


def test_an_answer_that_leaves_the_status_out_is_no_edit():
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    whole = bland.issues[twin]
    bland.issues[twin] = dataclasses.replace(whole, raw={"external_link": None})
    world.systems["antimetal"].edit(born, status="resolved")
    world.poll("bland")
    bland.issues[twin] = whole
    world.rounds(3)
    assert (shown(world, "antimetal", born), shown(world, "bland", twin)) == ("resolved", "done")


def test_the_same_system_may_not_be_connected_twice():
    given = document(routes=[])
    given["connections"]["again"] = connection("bland")
    with pytest.raises(Misconfigured, match="the same system with the same key"):
        parse_config(given, "x")


@pytest.mark.parametrize("words", [{"status": ["in-progress"]}, {"severity": []}])
def test_a_filter_of_words_that_nobody_means_is_refused(words):
    routes = [{"from": "antimetal", "to": "bland", "filter": words}]
    with pytest.raises(Misconfigured, match=r"give some of"):
        parse_config(document(routes=routes), "x")


@pytest.mark.parametrize("address", ["https://x/{id", "javascript:{id}", "https://x/{0.__class__}"])
def test_an_issue_url_that_makes_no_address_is_refused(address):
    given = document()
    given["connections"]["bland"]["issue_url"] = address
    with pytest.raises(Misconfigured, match="issue_url"):
        parse_config(given, "x")


def test_a_wrong_tenant_buries_nothing_however_few_the_issues_are():
    routes = [{"from": "antimetal", "to": "bland", "on_delete": "close"}]
    world = World(document(routes=routes))
    _, twin = pair(world)
    before = shown(world, "bland", twin)
    stranger = World().systems["antimetal"].add("a stranger's")
    strangers = {"uuid-9999": dataclasses.replace(stranger, remote_id="uuid-9999")}
    world.systems["antimetal"].issues.clear()
    world.systems["antimetal"].issues.update(strangers)
    world.rounds(6)
    assert shown(world, "bland", twin) == before


def test_a_parked_create_that_happened_after_all_is_adopted():
    world = World()
    bland = world.systems["bland"]
    create = bland.create

    def proxy(draft):
        create(draft)
        raise Rejected("413 from a proxy, after the commit")

    bland.create = proxy
    born = world.systems["antimetal"].add(severity="high")
    world.poll("antimetal")
    world.mirror()
    bland.create = create
    world.release("antimetal", born.remote_id, "ours")
    world.rounds(8)
    assert len(bland.issues) == 1
    assert world.issue_of("antimetal", born.remote_id).parked == {}


def test_a_conflict_with_what_is_under_way_is_tried_again():
    world = World()
    born, twin = pair(world)
    bland = world.systems["bland"]
    update, left = bland.update, [Conflict("409")]

    def busy(seen, changes):
        if left:
            raise left.pop()
        return update(seen, changes)

    bland.update = busy
    world.systems["antimetal"].edit(born, status="resolved")
    world.rounds(4)
    assert shown(world, "bland", twin) == "done"


def test_an_issue_that_cannot_be_read_holds_up_neither_its_round_nor_the_others():
    world = World()
    born, _ = pair(world)
    antimetal = world.systems["antimetal"]
    get = antimetal.get

    def broken(remote_id):
        if remote_id == born:
            raise Transient("500 for this one")
        return get(remote_id)

    antimetal.get = broken
    antimetal.edit(born, status="resolved")
    for n in range(5):
        antimetal.add(f"other {n}", severity="high")
    report = world.poll("antimetal")
    assert report.problem is None
    assert len(report.stored) == 5
    assert world.connections.read("antimetal").failing[born].reason == "500 for this one"


def test_two_issues_with_one_number_are_both_taken_in():
    world = World(document(routes=[]))
    first = world.systems["zylon"].add()
    second = world.systems["zylon"].add()
    twin = dataclasses.replace(second, display_id=first.display_id, number=first.number)
    world.systems["zylon"].issues[second.remote_id] = twin
    world.poll("zylon")
    assert len(world.store.issues) == 2


def test_a_row_marked_as_deleted_whose_read_answers_404_is_a_tombstone():
    routes = [{"from": "zylon", "to": "bland", "on_delete": "close"}]
    world = World(document(routes=routes))
    born = world.systems["zylon"].add()
    world.rounds(2)
    zylon = world.systems["zylon"]
    old = zylon.issues[born.remote_id]
    zylon.issues[born.remote_id] = dataclasses.replace(old, deleted=True)

    def gone(call: str, moment: str) -> None:
        if call == "get":
            raise Gone("404")

    zylon.fail = gone
    world.rounds(2)
    (twin,) = world.systems["bland"].issues.values()
    assert twin.raw["status"] == "closed"


def test_one_list_that_broke_off_does_not_stop_the_connection():
    world = World(document(routes=[]))
    antimetal = world.systems["antimetal"]
    for n in range(60):
        antimetal.add(f"n{n}")
    world.rounds(2)
    page = antimetal.page
    antimetal.page = lambda lane, cursor: Page(page(lane, cursor).issues, None)
    world.poll("antimetal")
    antimetal.page = page
    world.rounds(2)
    assert world.connections.gate("antimetal").shut is None
    assert world.connections.read("antimetal").completeness.closes


def test_a_link_in_our_line_that_is_no_web_address_reaches_nobody():
    line = {"carriers": {"external_link": "managed_line"}}
    connections = {
        "bland": connection("bland", **line),
        "zylon": connection("zylon", **line),
    }
    world = World(document(connections=connections, routes=[{"from": "zylon", "to": "bland"}]))
    born = world.systems["zylon"].add()
    world.rounds(2)
    (twin,) = world.systems["bland"].issues.values()
    text = twin.description.replace("link=https://", "link=javascript:")
    world.systems["bland"].edit(twin.remote_id, description=text)
    world.rounds(3)
    assert "javascript" not in world.systems["zylon"].issues[born.remote_id].description
    note = world.issue_of("zylon", born.remote_id).refs["bland"].notes["external_link"]
    assert note.kind == "frozen"


def test_a_vendors_zero_time_harms_nobody():
    world = World()
    born = world.systems["bland"].add()
    world.systems["bland"].skew = timedelta(minutes=10)
    row = world.systems["bland"].issues[born.remote_id]
    zero = datetime.min.replace(tzinfo=UTC)
    world.systems["bland"].issues[born.remote_id] = dataclasses.replace(row, updated_at=zero)
    assert world.poll("bland").problem is None
    assert world.store.find("bland", born.remote_id)


def test_a_round_that_is_killed_on_a_slow_page_keeps_what_it_had_stored():
    world = World(document(routes=[]))
    world.systems["bland"].page_size = 100
    for n in range(60):
        world.systems["bland"].add(f"n{n}")
    left = [45]

    def remaining() -> float:
        left[0] -= 1
        return 900 if left[0] > 0 else 0

    report = world.pull("bland", remaining_seconds=remaining)
    assert report.problem is None
    kept = sum(bool(digest) for digest in world.connections.fingerprints("bland").values())
    assert 20 <= kept < 60
    world.poll("bland")
    assert len(world.store.issues) == 60


def test_a_vendor_that_does_not_answer_is_waited_for_once_a_minute_and_not_once_an_issue():
    world = World()
    for _ in range(5):
        world.systems["antimetal"].add(severity="high")
    world.rounds()
    for issue in list(world.systems["antimetal"].issues):
        world.systems["antimetal"].edit(issue, status="resolved")
    world.poll("antimetal")
    asked = []

    def silent(call: str, moment: str) -> None:
        asked.append(call)
        raise Unreachable("no answer")

    world.systems["bland"].fail = silent
    world.mirror()
    world.finish(remaining_seconds=lambda: 900)
    assert len(asked) == 1
    assert world.finish(remaining_seconds=lambda: 900).drift > 0
    world.systems["bland"].fail = lambda call, moment: None
    world.clock.advance(120)
    world.rounds()
    assert {i.raw["status"] for i in world.systems["bland"].issues.values()} == {"done"}
    assert world.finish(remaining_seconds=lambda: 900).drift == 0
