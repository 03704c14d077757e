"""What kills its worker goes to the back: the others go on, and it is named."""

from datetime import timedelta

import pytest

from issuebridge.domain.errors import Unreachable
from issuebridge.domain.issue import issue_id_for
from issuebridge.domain.prompt import PromptRequest
from tests.fakes import FakeAgent
from tests.world import World, connection, document

ROUTES = [{"from": "antimetal", "to": "bland"}]
LEASE = 200


class Killed(BaseException):
    """As when Lambda kills a worker: nothing of ours notices, and nothing is stored any more."""


class Reaper:
    """Kills whoever does something with one victim, and keeps him from storing anything after."""

    def __init__(self, world: World, victim: str, target: object, call: str) -> None:
        self.world, self.victim, self.kills, self.dead = world, victim, 0, False
        self.alive = True
        plain, save_seen = getattr(target, call), world.connections.save_seen

        def deadly(*given, **named):
            what = getattr(given[0], "issue_id", given[0])
            if self.alive and what == victim:
                self.kills, self.dead = self.kills + 1, True
                raise Killed
            return plain(*given, **named)

        def saved(*given):
            if self.dead:
                raise Killed
            return save_seen(*given)

        setattr(target, call, deadly)
        world.connections.save_seen = saved

    def run(self, work, times: int) -> list[bool]:
        """Whether each of so many runs came to its end."""
        ended = []
        for _ in range(times):
            self.dead = False
            try:
                work()
                ended.append(True)
            except Killed:
                ended.append(False)
            self.world.clock.advance(LEASE)
        return ended


def pair_world(count: int = 0, **more: object) -> World:
    kinds = {name: connection(name, **more) for name in ("antimetal", "bland")}
    world = World(document(connections=kinds, routes=ROUTES))
    for n in range(count):
        world.systems["antimetal"].add(f"issue {n}")
    return world


def polling(world: World):
    return lambda: world.poll("antimetal")


def test_a_row_that_kills_the_poll_is_set_aside_after_three_deaths_and_the_others_are_taken_in():
    world = pair_world(9)
    antimetal = world.systems["antimetal"]
    victim = list(antimetal.issues)[1]
    reaper = Reaper(world, issue_id_for("antimetal", victim), world.store, "commit")
    ended = reaper.run(polling(world), 8)
    assert reaper.kills <= 5
    assert ended[-1]
    assert len(world.store.issues) == 8
    (failing,) = world.connections.read("antimetal").failing.values()
    assert failing.name == antimetal.issues[victim].display_id
    assert failing.reason == "its worker died three times"
    assert world.connections.read("antimetal").completeness, "the sweep comes to its end"


def test_it_kills_once_at_each_further_try_and_ever_more_rarely():
    world = pair_world(5)
    victim = next(iter(world.systems["antimetal"].issues))
    reaper = Reaper(world, issue_id_for("antimetal", victim), world.store, "commit")
    ended = reaper.run(polling(world), 24 * 3600 // LEASE)
    assert reaper.kills < 16
    assert ended.count(False) == reaper.kills
    reaper.alive = False
    reaper.run(polling(world), 24 * 3600 // LEASE)
    assert world.connections.read("antimetal").failing == {}
    assert len(world.store.issues) == 5


def test_two_that_kill_are_both_found():
    world = pair_world(6)
    first, _, _, _, other, _ = world.systems["antimetal"].issues
    one = Reaper(world, issue_id_for("antimetal", first), world.store, "commit")
    two = Reaper(world, issue_id_for("antimetal", other), world.store, "commit")

    def both():
        two.dead = False
        world.poll("antimetal")

    ended = one.run(both, 14)
    assert ended[-1]
    assert set(world.connections.read("antimetal").failing) == {first, other}
    assert len(world.store.issues) == 4


def test_a_row_that_kills_while_its_page_is_judged_is_set_aside_too():
    world = pair_world(9, breaker={"count": 3, "share": 0.01})
    world.rounds(3)
    antimetal = world.systems["antimetal"]
    antimetal.page_size = 100
    first, victim, *_ = antimetal.issues
    for remote_id in antimetal.issues:
        antimetal.edit(remote_id, description="changed")
    reaper = Reaper(world, issue_id_for("antimetal", victim), world.store, "load")
    ended = reaper.run(polling(world), 8)
    assert ended[-1]
    assert list(world.connections.read("antimetal").failing) == [victim]
    reaper.alive = False
    assert world.issue_of("antimetal", first).description == "changed"


def test_a_round_after_one_that_ended_well_notes_nothing():
    world = pair_world(6)
    noted = []
    plain = world.connections.save_taking
    world.connections.save_taking = lambda *given: (noted.append(given), plain(*given))
    world.rounds(2)
    assert [worker for worker, _ in noted if worker.startswith("poll")] == []


def lagging_pairs(count: int) -> tuple[World, list[str]]:
    world = pair_world(count)
    world.rounds(3)
    for remote_id in list(world.systems["antimetal"].issues):
        world.systems["antimetal"].edit(remote_id, status="resolved")
    world.poll("antimetal")
    world.store.woken.clear()
    return world, list(world.systems["bland"].issues)


def reconciling(world: World):
    return lambda: world.finish(remaining_seconds=lambda: 900)


def test_an_issue_that_kills_reconcile_goes_far_back_with_its_reason_until_it_is_released():
    """Also the one whose record has ended in mirror's dead letters."""
    world, twins = lagging_pairs(5)
    bland = world.systems["bland"]
    reaper = Reaper(world, twins[0], bland, "get")
    ended = reaper.run(reconciling(world), 8)
    assert reaper.kills <= 5
    assert ended[-1]
    words = {twin: bland.issues[twin].raw["status"] for twin in twins}
    assert words.pop(twins[0]) == "in_progress"
    assert set(words.values()) == {"done"}
    mark = world.issue_of("bland", twins[0]).pending["bland"]
    assert mark.reason == "set aside: its worker died three times"
    assert mark.due_at - world.clock.now() > timedelta(hours=3)
    reaper.alive = False
    world.release("bland", twins[0], "ours")
    reconciling(world)()
    assert bland.issues[twins[0]].raw["status"] == "done"


def test_while_one_kills_the_others_are_done_first():
    world, twins = lagging_pairs(5)
    reaper = Reaper(world, twins[0], world.systems["bland"], "get")
    reaper.run(reconciling(world), 3)
    words = [world.systems["bland"].issues[twin].raw["status"] for twin in twins[1:]]
    assert set(words) == {"done"}


def test_a_reconcile_that_ran_out_of_time_is_no_death():
    world, twins = lagging_pairs(3)
    for _ in range(6):
        left = iter([900, 20])
        world.finish(remaining_seconds=lambda left=left: next(left, 20))
        world.clock.advance(LEASE)
    assert all(mark.reason is None for twin in twins for mark in pending(world, twin))
    taking = world.connections.taking("reconcile")
    assert (taking.until, taking.deaths) == (None, {})


def test_a_second_reconcile_at_the_same_time_is_no_death():
    world, twins = lagging_pairs(3)
    bland, plain = world.systems["bland"], world.systems["bland"].get

    def get(remote_id: str):
        bland.get = plain
        reconciling(world)()
        return plain(remote_id)

    for _ in range(6):
        bland.get = get
        reconciling(world)()
        world.clock.advance(60)
    assert all(mark.reason is None for twin in twins for mark in pending(world, twin))


def pending(world: World, twin: str):
    return world.issue_of("bland", twin).pending.values()


def ask(world: World, issue: str, key: str = "k", **more: object):
    given = {"issue": issue, "intent": "verify", "text": "please", "requested_by": "me", **more}
    return world.submit(PromptRequest(version=1, idempotency_key=key, **given))


def test_a_run_that_kills_its_tracker_is_given_up_and_the_others_end():
    world = World(document(connections={"bland": connection("bland")}, routes=[]))
    issues = [world.systems["bland"].add().remote_id for _ in range(3)]
    world.rounds(1)
    for issue in issues:
        ask(world, issue)
    reaper = Reaper(world, issues[0], world.agent, "activity")
    ended = reaper.run(lambda: world.track(remaining_seconds=lambda: 900), 8)
    assert reaper.kills <= 5
    assert ended[-1]
    runs = [world.issue_of("bland", issue).runs[0] for issue in issues]
    assert [run.outcome for run in runs] == ["timed_out", "complete", "complete"]
    assert world.ledger.get(runs[0].key).response == "its worker died three times"


class Hanging(FakeAgent):
    """No answer comes; each time that costs what a read may take."""

    asked = 0

    def latest_session(self, remote_id: str):
        self.asked += 1
        self.clock.advance(25)
        raise Unreachable("no answer")


@pytest.fixture
def two_agents():
    kinds = {
        "slow": connection("bland", base_url="https://slow.example"),
        "sound": connection("bland", base_url="https://sound.example"),
    }
    world = World(document(connections=kinds, routes=[]))
    agents = {"slow": FakeAgent(world.clock), "sound": FakeAgent(world.clock)}
    world.agent_of = lambda name: agents[name]
    for system in world.systems.values():
        for _ in range(6):
            system.add()
    world.rounds(1)
    return world, agents


def within_a_lambda(world: World):
    began = world.clock.now()
    return lambda: 120 - (world.clock.now() - began).total_seconds()


def asked_everywhere(world: World) -> None:
    for name, system in world.systems.items():
        for n, remote_id in enumerate(list(system.issues)):
            ask(world, world.issue_of(name, remote_id).issue_id, f"{name}{n}", connection=name)


def test_prompts_at_a_vendor_that_hangs_cost_the_others_nothing(two_agents):
    world, agents = two_agents
    for agent in agents.values():
        agent.processing = True
    asked_everywhere(world)
    assert not agents["sound"].runs
    agents["sound"].processing = False
    agents["slow"] = Hanging(world.clock)
    world.clock.advance(60)
    world.finish(remaining_seconds=within_a_lambda(world))
    assert len(agents["sound"].runs) == 6
    assert agents["slow"].asked == 1
    assert world.connections.paused_until("slow") > world.clock.now()


def test_runs_at_a_vendor_that_hangs_cost_the_others_nothing(two_agents):
    world, agents = two_agents
    asked_everywhere(world)
    agents["slow"] = Hanging(world.clock)
    tracked = world.track(remaining_seconds=within_a_lambda(world))
    assert len(tracked.ended) == 6
    assert agents["slow"].asked == 1


def test_a_vendor_that_hangs_costs_one_push_and_the_others_are_written():
    world, _ = lagging_pairs(6)
    bland = world.systems["bland"]

    def fail(call: str, moment: str) -> None:
        if moment == "before":
            world.clock.advance(25)
            raise Unreachable("no answer")

    bland.fail = fail
    began = world.clock.now()
    world.finish(remaining_seconds=within_a_lambda(world))
    assert world.clock.now() - began < timedelta(seconds=30)
