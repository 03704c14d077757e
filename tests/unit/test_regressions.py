"""Bugs the simulation found, each in its smallest form."""

from dataclasses import replace

import pytest

from issuebridge.domain.errors import Ambiguous, LostRace, Transient
from issuebridge.domain.prompt import PromptRequest
from issuebridge.ports import Page
from tests.world import World, connection, document


@pytest.fixture
def world() -> World:
    """Nothing is created at a connection before its first whole sweep has ended."""
    made = World()
    made.poll("bland")
    return made


def request(key: str) -> PromptRequest:
    body = {"issue": "T-1001", "intent": "fix", "text": "?", "requested_by": "ada"}
    return PromptRequest.model_validate({"version": 1, "idempotency_key": key, **body})


def test_an_edit_taken_back_is_seen_though_the_first_one_was_stored_without_its_fingerprint(world):
    born = world.systems["bland"].add()
    world.poll("bland")
    world.systems["bland"].edit(born.remote_id, status="done")
    save_seen = world.connections.save_seen

    def lost(state, changed, pushed):
        if world.issue_of("bland", born.remote_id).status == "done":
            raise Transient("throttled")
        save_seen(state, changed, pushed)

    world.connections.save_seen = lost
    world.poll("bland")
    world.connections.save_seen = save_seen
    world.systems["bland"].edit(born.remote_id, status="todo")
    world.clock.advance(200)
    world.poll("bland")
    assert world.issue_of("bland", born.remote_id).status == "todo"


def test_two_workers_with_two_prompts_of_one_issue_start_one_run(world):
    """Both find Norm free before either says that it sends."""
    world.systems["bland"].add()
    world.rounds(1)
    look = world.agent.latest_session

    def meanwhile(remote_id):
        world.agent.latest_session = look
        world.submit(request("k2"))
        return look(remote_id)

    world.agent.latest_session = meanwhile
    world.submit(request("k1"))
    assert len(world.agent.runs) == 1


def test_a_second_prompt_waits_until_the_first_run_can_show(world):
    """After Norm has taken a prompt, its issue may say for a while that nothing is under way."""
    world.systems["bland"].add()
    world.rounds(1)
    world.submit(request("k1"))
    assert world.submit(request("k2")).kind == "waiting"
    world.rounds(3)
    assert len(world.agent.runs) == 2


def test_going_back_from_an_unknown_word_is_told_when_the_other_side_was_edited_meanwhile(world):
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.systems["antimetal"].edit(born.remote_id, status="escalated")
    world.systems["bland"].edit(counterpart.remote_id, status="done")
    world.rounds()
    world.systems["antimetal"].edit(born.remote_id, status="investigating")
    world.rounds()
    issue = world.issue_of("antimetal", born.remote_id)
    told = [(e.old, e.new) for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert (issue.status, told) == ("done", [("in_progress", "done")])


def test_an_edit_that_only_a_push_has_read_is_seen_when_it_is_taken_back(world):
    """The push finds both sides agreed and writes nothing; the poll has never seen that value."""
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.clock.advance(1)
    world.systems["bland"].edit(counterpart.remote_id, status="closed")
    world.mirror()
    world.clock.advance(1)
    world.systems["bland"].edit(counterpart.remote_id, status="in_progress")
    world.rounds()
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "investigating"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_create_without_an_answer_is_looked_for_though_its_issue_is_closed_by_now(world, arrived):
    """Else the next new issue over there would be taken for that counterpart for ever."""
    born = world.systems["antimetal"].add()
    world.poll("antimetal")

    def lost(call: str, moment: str) -> None:
        if (call, moment) == ("create", "after" if arrived else "before"):
            raise Ambiguous("lost")

    world.systems["bland"].fail = lost
    world.mirror()
    world.systems["bland"].fail = lambda call, moment: None
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    other = world.systems["bland"].add("a person's")
    world.rounds(8)
    assert len(world.systems["bland"].issues) == 1 + arrived
    assert world.store.find("bland", other.remote_id)
    assert ("bland" in world.issue_of("antimetal", born.remote_id).refs) is arrived


@pytest.mark.parametrize("place", [0, 1])
def test_a_list_that_breaks_off_grants_no_watermark(world, place):
    for n in range(8):
        world.systems["bland"].add(f"issue {n}")
    page = world.systems["bland"].page

    def broken(lane, cursor):
        found = page(lane, cursor)
        empty = lane == "sweep" and int(cursor or 0) == 3 * place
        return replace(found, issues=[]) if empty else found

    world.systems["bland"].page = broken
    report = world.poll("bland")
    assert world.connections.read("bland").watermark is None
    assert "broke off" in report.problem
    world.systems["bland"].page = page
    world.rounds(2)
    assert world.connections.read("bland").watermark
    assert len([key for key in world.store.refs if "uuid" in key[1]]) >= 8


def test_an_edit_of_a_counterpart_before_it_was_linked_is_told(world):
    world.systems["bland"].fail = lose_first_create()
    born = world.systems["antimetal"].add(status="investigating")
    world.poll("antimetal")
    world.mirror()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.clock.advance(1)
    world.systems["bland"].edit(counterpart.remote_id, status="closed")
    world.rounds(4)
    issue = world.issue_of("antimetal", born.remote_id)
    told = [(e.old, e.new) for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert told == [("closed", "in_progress")]


def lose_first_create():
    left = [Ambiguous("lost")]

    def lost(call: str, moment: str) -> None:
        if left and (call, moment) == ("create", "after"):
            raise left.pop()

    return lost


@pytest.mark.parametrize("words", ["ping @norm please", "x" * 9_990])
def test_a_description_that_could_not_take_our_line_takes_it_once_it_can(words):
    line = {"carriers": {"external_link": "managed_line"}}
    names = ("bland", "antimetal", "zylon")
    world = World(
        document(
            connections={
                **{name: connection(name) for name in names},
                "bland": connection("bland", **line),
            }
        )
    )
    born = world.systems["bland"].add(description=words, severity="high")
    world.rounds()
    assert world.systems["bland"].issues[born.remote_id].description == words
    world.systems["bland"].edit(born.remote_id, description="fine")
    world.rounds()
    assert "[issuebridge ref=" in world.systems["bland"].issues[born.remote_id].description


def test_a_link_that_a_person_binds_wins_over_the_one_that_leads_across_by_itself():
    line = {"carriers": {"external_link": "managed_line"}}
    connections = {name: connection(name) for name in ("antimetal", "zylon")}
    world = World(document(connections={**connections, "bland": connection("bland", **line)}))
    born = world.systems["bland"].add(description="ping @norm please", severity="high")
    world.rounds()
    link = '{"url":"https://git.example/1"}'
    world.systems["bland"].edit(born.remote_id, external_link=link)
    world.rounds()
    issue = world.issue_of("bland", born.remote_id)
    told = [e.outcome for e in world.store.history(issue.issue_id) if e.field == "external_link"]
    assert (issue.external_link, told) == ("https://git.example/1", ["pulled"])


def test_an_edit_between_two_words_of_one_meaning_is_told_when_the_other_side_stands():
    words = {
        "backlog": ["backlog"],
        "todo": ["todo"],
        "in_progress": ["in_progress"],
        "triaged": ["in_progress"],
        "in_review": ["in_review"],
        "done": ["done", "closed"],
    }
    names = ("antimetal", "zylon")
    connections = {name: connection(name) for name in names}
    connections |= {"bland": connection("bland", maps={"status": words})}
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.systems["bland"].edit(counterpart.remote_id, status="triaged")
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.mirror()
    issue = world.issue_of("antimetal", born.remote_id)
    told = [(e.old, e.new) for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert told == [("in_progress", "done")]


def test_an_odd_link_that_is_unbound_again_is_no_conflict(world):
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    for link in ('"javascript:alert(1)"', None):
        world.systems["bland"].edit(counterpart.remote_id, external_link=link)
        world.rounds(2)
    issue = world.issue_of("antimetal", born.remote_id)
    told = {e.outcome for e in world.store.history(issue.issue_id) if e.field == "external_link"}
    assert told == {"frozen"}


def test_a_row_older_than_what_a_read_has_shown_is_no_edit(world):
    born = world.systems["bland"].add(severity="high")
    world.systems["antimetal"].fail = refuse_create
    world.poll("bland")
    world.clock.advance(1)
    old = world.systems["bland"].issues[born.remote_id]
    world.systems["bland"].edit(born.remote_id, status="closed")
    world.poll("bland")
    page = world.systems["bland"].page
    world.systems["bland"].page = lambda lane, cursor: replace(page(lane, cursor), issues=[old])
    world.poll("bland")
    assert world.issue_of("bland", born.remote_id).status == "closed"


def refuse_create(call: str, moment: str) -> None:
    if call == "create":
        raise Transient("503")


def test_of_a_link_edited_in_both_of_its_places_the_one_that_lost_is_told():
    line = {"carriers": {"external_link": "managed_line"}}
    connections = {name: connection(name) for name in ("antimetal", "zylon")}
    world = World(document(connections={**connections, "bland": connection("bland", **line)}))
    born = world.systems["antimetal"].add()
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    ours = f"https://antimetal.example/i/{born.remote_id}"
    text = counterpart.description.replace(ours, "https://git.example/line")
    link = '{"url":"https://git.example/native"}'
    world.systems["bland"].edit(counterpart.remote_id, description=text, external_link=link)
    world.rounds()
    issue = world.issue_of("antimetal", born.remote_id)
    told = [e for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert issue.external_link == "https://git.example/native"
    assert [e.old for e in told] == ["https://git.example/line"]


def test_a_write_in_doubt_is_looked_at_though_nothing_lags_any_more(world):
    """The write was done, its answer lost, and the edit behind it was taken back meanwhile."""
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.systems["bland"].fail = killed_after_update
    with pytest.raises(KeyboardInterrupt):
        world.mirror()
    world.systems["bland"].fail = lambda call, moment: None
    world.clock.advance(1)
    world.systems["antimetal"].edit(born.remote_id, status="investigating")
    world.poll("antimetal")
    world.clock.advance(400)
    world.rounds()
    assert world.systems["antimetal"].issues[born.remote_id].raw["status"] == "investigating"
    counterpart = next(iter(world.systems["bland"].issues.values()))
    assert counterpart.raw["status"] == "in_progress"


def killed_after_update(call: str, moment: str) -> None:
    if (call, moment) == ("update", "after"):
        raise KeyboardInterrupt


def test_after_a_lost_race_the_row_is_read_again(world):
    born = world.systems["zylon"].add(status="resolved")
    world.config.routes.clear()
    world.poll("zylon")
    row = world.systems["zylon"].issues[born.remote_id]
    world.systems["zylon"].edit(born.remote_id, status="NotReviewed")
    commit, left = world.store.commit, [LostRace("somebody was faster")]

    def late(*given, **named):
        if left:
            world.systems["zylon"].edit(born.remote_id, status="InReview")
            raise left.pop()
        return commit(*given, **named)

    world.store.commit = late
    world.poll("zylon")
    assert row.raw["status"] == "resolved"
    assert world.issue_of("zylon", born.remote_id).status == "in_progress"


def test_another_word_for_what_we_set_out_to_write_is_an_edit_of_a_person():
    """The answer to our write was lost; bland spells its words as we do, and this map knows two
    for one meaning."""
    names = ("backlog", "todo", "in_progress", "in_review", "done", "closed")
    words = {**{name: [name] for name in names}, "triaged": ["in_review"]}
    connections = {name: connection(name) for name in ("antimetal", "zylon")}
    connections |= {"bland": connection("bland", maps={"status": words})}
    world = World(document(connections=connections))
    born = world.systems["antimetal"].add(status="investigating")
    world.rounds()
    counterpart = next(iter(world.systems["bland"].issues.values()))
    world.systems["antimetal"].edit(born.remote_id, status="ready_to_fix")
    world.poll("antimetal")
    world.systems["bland"].fail = killed_after_update
    with pytest.raises(KeyboardInterrupt):
        world.mirror()
    world.systems["bland"].fail = lambda call, moment: None
    world.clock.advance(1)
    world.systems["bland"].edit(counterpart.remote_id, status="triaged")
    world.clock.advance(1)
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    world.rounds(8)
    issue = world.issue_of("antimetal", born.remote_id)
    told = [(e.old, e.new) for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert (issue.status, told) == ("done", [("in_review", "done")])


def test_a_counterpart_that_is_found_in_an_old_row_is_read_before_it_is_linked(world):
    """The answer to its create was lost; a person moved it and put it back before we linked it."""
    born = world.systems["antimetal"].add(status="investigating")
    world.poll("antimetal")
    bland, commit = world.systems["bland"], world.store.commit
    world.store.commit = killed
    with pytest.raises(KeyboardInterrupt):
        world.mirror()
    world.store.commit = commit
    (old_row,) = bland.issues.values()
    for status in ("in_review", old_row.raw["status"]):
        world.clock.advance(1)
        bland.edit(old_row.remote_id, status=status)
    world.systems["antimetal"].edit(born.remote_id, status="resolved")
    world.poll("antimetal")
    bland.page = lambda lane, cursor: Page([old_row], None)
    world.poll("bland")
    issue = world.issue_of("antimetal", born.remote_id)
    told = [(e.old, e.new) for e in world.store.history(issue.issue_id) if e.outcome == "conflict"]
    assert told == [("in_progress", "done")]


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
