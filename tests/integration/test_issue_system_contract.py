"""What every issue system must do, the fake of the unit tests and the real adapters alike.

The adapters talk to simulated vendors, whose own record tells what was asked of them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from issuebridge.adapters.zylon.settings import Anchor
from issuebridge.domain.errors import Ambiguous, Gone, StaleCursor
from issuebridge.domain.fingerprint import fingerprint
from issuebridge.domain.issue import Draft
from issuebridge.ports import IssueSystem, Lane
from issuebridge.systems import SYSTEMS
from tests.fakes import FakeClock, FakeIssueSystem
from tests.simulators import AntimetalSimulator, BlandSimulator, Simulator, ZylonSimulator, seeds
from tests.world import configured

REFERENCE = "ibabcdefghijklmnopqrstuv"
PAGES_MAX = 60


@dataclass(frozen=True)
class Words:
    """What people and we may write there."""

    born: dict[str, str]
    open_status: str
    closed_status: str
    writable: tuple[str, ...]


WORDS = {
    "fake": Words({}, "in_progress", "done", ("status", "severity", "description")),
    "bland": Words({}, "in_progress", "done", ("status", "severity", "description")),
    "antimetal": Words({"status": "investigating"}, "ready_to_fix", "resolved", ("status",)),
    "zylon": Words({"is_read": True}, "InReview", "Closed", ("status", "description")),
}
SIMULATORS = {s.vendor: s for s in (BlandSimulator, AntimetalSimulator, ZylonSimulator)}
MOVING = ("updated_at", "updatedAt", "last_activity_at", "has_unread_activity")
ANALYSIS = ("versions", "latestVersion")


class Simulated:
    """A real adapter, and the simulated vendor behind it as its people use it."""

    rows = 230  # more than two pages of a hundred

    def __init__(self, kind: str, sim: Simulator) -> None:
        self.sim, self.words = sim, WORDS[kind]
        more = {"secret": "s", "requests_per_second": 10_000}
        if isinstance(sim, ZylonSimulator):
            more["anchor"] = Anchor(**{name: sim.anchor[name] for name in Anchor.model_fields})
        connection = configured(kind=kind, base_url=sim.api_url, **more)
        http = SYSTEMS[kind].http(kind, connection, lambda: sim.api_key)
        self.system: IssueSystem = SYSTEMS[kind].issues(connection, http)
        self._status = "state" if kind == "zylon" else "status"

    def add(self, text: str = "It does not work.") -> str:
        given = {self._status if k == "status" else k: v for k, v in self.words.born.items()}
        return str(self.sim.add(description=text, **given)[self.sim.id_field])

    def edit(self, remote_id: str, status: str) -> None:
        self.sim.edit(remote_id, **{self._status: status})

    def remove(self, remote_id: str) -> None:
        if isinstance(self.sim, ZylonSimulator):
            self.sim.act(remote_id, "purge")
        else:
            self.sim.remove(remote_id)

    def held(self, remote_id: str) -> dict[str, object]:
        """All that the vendor holds of it, but for what any write moves there."""
        row = self.sim.issues[remote_id]
        return {k: v for k, v in row.items() if k not in (*MOVING, *ANALYSIS)}

    def writes(self) -> int:
        return len(self.sim.writes())

    def lose_the_answer_to_a_create(self) -> None:
        self.sim.faults.add(kind="drop_after", method="POST")

    def outdated(self, cursor: str) -> str:
        """The same cursor, once its vendor has forgotten it."""
        if isinstance(self.sim, BlandSimulator):
            self.sim.set_switches(cursor_anchor_deleted="reject")
        for remote_id in self.sim.issues:
            self.remove(remote_id)
        return cursor


class InMemory:
    rows = 8

    def __init__(self) -> None:
        self.clock = FakeClock(datetime.now(UTC))
        self.system = self.fake = FakeIssueSystem(self.clock)
        self.words = WORDS["fake"]

    def add(self, text: str = "It does not work.") -> str:
        self.clock.advance(1)
        return self.fake.add(description=text).remote_id

    def edit(self, remote_id: str, status: str) -> None:
        self.clock.advance(1)
        self.fake.edit(remote_id, status=status)

    def remove(self, remote_id: str) -> None:
        del self.fake.issues[remote_id]

    def held(self, remote_id: str) -> dict[str, object]:
        issue = self.fake.issues[remote_id]
        return {**issue.raw, "description": issue.description, "title": issue.title}

    def writes(self) -> int:
        return len(self.fake.writes())

    def lose_the_answer_to_a_create(self) -> None:
        def lose(call: str, moment: str) -> None:
            if (call, moment) == ("create", "after"):
                raise Ambiguous("the answer is lost")

        self.fake.fail = lose

    def outdated(self, cursor: str) -> str:
        return f"forgotten {cursor}"


@pytest.fixture(params=WORDS)
def vendor(request) -> Iterator[Simulated | InMemory]:
    if request.param == "fake":
        yield InMemory()
        return
    sim = SIMULATORS[request.param]()
    with sim.serving():
        yield Simulated(request.param, sim)
    assert not sim.violations


def draft(reference: str = REFERENCE) -> Draft:
    return Draft(
        reference=reference,
        title="The greeting is cut off",
        description=f"The first\nsecond is missing.\n\n[issuebridge ref={reference}]",
        category="Bug",
        triggered_at=datetime.now(UTC),
    )


def walk(vendor, lane: Lane, *, after_first_page=lambda: None) -> list[str]:
    """Remote ids in the order they came, through all pages."""
    ids, cursor = [], None
    for number in range(PAGES_MAX):
        page = vendor.system.page(lane, cursor)
        ids += [issue.remote_id for issue in page.issues]
        cursor = page.cursor
        if cursor is None:
            return ids
        if number == 0:
            after_first_page()
    raise AssertionError("the walk does not end")


def test_a_sweep_shows_every_issue_exactly_once(vendor):
    added = [vendor.add() for _ in range(vendor.rows)]
    vendor.edit(added[0], vendor.words.closed_status)
    assert Counter(walk(vendor, "sweep")) == Counter(added)


def test_a_walk_through_nothing_ends_at_once(vendor):
    assert walk(vendor, "sweep") == walk(vendor, "hot") == []


def test_no_issue_that_stays_is_lost_while_others_come_and_change_during_a_sweep(vendor):
    added = [vendor.add() for _ in range(vendor.rows)]

    def people_work() -> None:
        for place in (0, 1, len(added) // 2, -2, -1):
            vendor.edit(added[place], vendor.words.closed_status)
        for _ in range(5):
            vendor.add()

    assert set(walk(vendor, "sweep", after_first_page=people_work)) >= set(added)


def test_the_hot_lane_shows_every_open_issue_and_what_was_just_edited(vendor):
    added = [vendor.add() for _ in range(vendor.rows)]
    closed = added[::3]
    for remote_id in closed:
        vendor.edit(remote_id, vendor.words.closed_status)
    vendor.edit(added[1], vendor.words.open_status)
    assert set(walk(vendor, "hot")) >= set(added) - set(closed)


def test_a_row_of_a_list_says_what_a_read_says(vendor):
    """Else its fingerprint would never hold, and each round would read the issue again."""
    for text in seeds.nasty_texts():
        vendor.edit(vendor.add(text), vendor.words.open_status)
    rows, cursor = [], None
    while not rows or cursor:
        page = vendor.system.page("sweep", cursor)
        rows, cursor = [*rows, *page.issues], page.cursor
    for row in rows:
        read = vendor.system.get(row.remote_id)
        assert fingerprint(read, "salt") == fingerprint(row, "salt")
        assert (read.number, read.remote_id) == (row.number, row.remote_id)


def test_a_read_shows_what_a_person_just_wrote(vendor):
    remote_id = vendor.add("The very words.")
    vendor.edit(remote_id, vendor.words.open_status)
    issue = vendor.system.get(remote_id)
    assert (issue.remote_id, issue.description) == (remote_id, "The very words.")
    assert issue.raw["status"] == vendor.words.open_status
    assert issue.raw.keys() == {"status", "severity", "external_link"}


def test_an_issue_that_is_not_there_is_gone(vendor):
    remote_id = vendor.add()
    vendor.remove(remote_id)
    with pytest.raises(Gone):
        vendor.system.get(remote_id)


def test_a_create_is_one_request_and_what_it_made_carries_the_reference(vendor):
    made = vendor.system.create(draft())
    assert vendor.writes() == 1
    shown = vendor.system.get(made.remote_id)
    assert REFERENCE in shown.description
    assert (made.display_id, made.number) == (shown.display_id, shown.number)


def test_what_was_created_is_found_by_its_reference_and_nothing_else_is(vendor):
    since = datetime.now(UTC) - timedelta(seconds=1)
    vendor.add(f"It quotes {REFERENCE[:-1]}")
    made = vendor.system.create(draft())
    vendor.system.create(draft("ibzzzzzzzzzzzzzzzzzzzzzz"))
    found = vendor.system.find_created(draft(), since)
    assert [issue.remote_id for issue in found] == [made.remote_id]
    assert list(vendor.system.find_created(draft("ibneversent"), since)) == []


def test_of_two_with_one_reference_the_first_made_comes_first(vendor):
    since = datetime.now(UTC) - timedelta(seconds=1)
    same = draft()
    made = [vendor.system.create(same).remote_id for _ in range(2)]
    assert [i.remote_id for i in vendor.system.find_created(same, since)] == made


def test_a_create_whose_answer_is_lost_is_ambiguous_sent_once_and_can_be_found(vendor):
    since, sent = datetime.now(UTC) - timedelta(seconds=1), draft()
    vendor.lose_the_answer_to_a_create()
    with pytest.raises(Ambiguous):
        vendor.system.create(sent)
    assert vendor.writes() == 1
    assert len(vendor.system.find_created(sent, since)) == 1


def test_an_update_writes_what_is_asked_and_nothing_else_and_shows_the_result(vendor):
    values = {"status": vendor.words.open_status, "severity": "low", "description": "New words."}
    for writes, name in enumerate(vendor.words.writable, 1):
        remote_id = vendor.add()
        before, seen = vendor.held(remote_id), vendor.system.get(remote_id)
        shown = vendor.system.update(seen, {name: values[name]})
        after = vendor.held(remote_id)
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"state" if name == "status" and "state" in before else name}
        assert vendor.writes() == writes
        assert fingerprint(shown, "") == fingerprint(vendor.system.get(remote_id), "")


def test_an_update_of_nothing_writes_nothing(vendor):
    seen = vendor.system.get(vendor.add())
    assert fingerprint(vendor.system.update(seen, {}), "") == fingerprint(seen, "")
    assert vendor.writes() == 0


def test_reading_writes_nothing(vendor):
    remote_id = vendor.add()
    for read in (
        partial(walk, vendor, "hot"),
        partial(walk, vendor, "sweep"),
        partial(vendor.system.get, remote_id),
        partial(vendor.system.find_created, draft(), datetime.now(UTC)),
    ):
        read()
    assert vendor.writes() == 0


@pytest.mark.parametrize("lane", ["hot", "sweep"])
def test_a_cursor_that_the_vendor_no_longer_knows_is_stale(vendor, lane):
    for _ in range(vendor.rows):
        vendor.add()
    cursor = vendor.system.page(lane, None).cursor
    assert cursor
    with pytest.raises(StaleCursor):
        vendor.system.page(lane, vendor.outdated(cursor))
