"""Short scenarios, struck at every single boundary: enumerated, not sampled."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.simulation.histories import History
from tests.simulation.norm import NormHabits
from tests.simulation.steps import (
    Add,
    Ask,
    Calm,
    Copy,
    Delete,
    Edit,
    Fault,
    Restore,
    Step,
    Unlink,
    Wait,
    Work,
)
from tests.simulation.strange import Elsewhere, Strange
from tests.simulation.topology import Topology
from tests.simulation.vendor import Habits
from tests.simulation.world import SimWorld
from tests.world import connection, document

LINE = {"external_link": "managed_line"}
TOPOLOGY = Topology(
    document=document(
        connections={
            "bland": connection("bland", carriers=LINE),
            "antimetal": connection("antimetal"),
            "zylon": connection("zylon", carriers={**LINE, "severity": "managed_line"}),
        }
    )
    | {
        "routes": [
            {"from": "antimetal", "to": "bland", "on_delete": "close"},
            {"from": "zylon", "to": "bland", "on_delete": "close"},
            {"from": "bland", "to": "antimetal", "filter": {}, "daily_budget": 1000},
        ],
        "norm": {"rules": [{"name": "look", "when": {"origin": ["bland"]}, "prompt": "{title}"}]},
    },
    habits={name: Habits() for name in ("bland", "antimetal", "zylon")},
    norm=NormHabits(),
    streamless=False,
)
KINDS = (("crash", 0), ("fail", 0), ("fail", 1), ("twice", 0), ("raced", 0))
"""What strikes; `twice`: a second worker does the whole of the same job right there; `raced`: a
person edits, a poll takes it in, and mirror is woken while it is still at work."""
_EDIT = Fault(0, "meanwhile", step=Edit("bland", 0, "status", "in_review"))
RACE = Work("mirror", 0, (Fault(0, "meanwhile", step=Work("poll", "bland", (_EDIT,))),))


@dataclass(frozen=True)
class Scenario:
    """`work` is struck; `before` and `after` are not."""

    before: tuple[Step | Strange, ...]
    work: tuple[Work, ...]
    after: tuple[Step | Strange, ...] = ()
    habits: dict[str, Habits] = field(default_factory=dict)
    norm: NormHabits = TOPOLOGY.norm
    base: Topology = TOPOLOGY

    @property
    def topology(self) -> Topology:
        return replace(self.base, habits={**self.base.habits, **self.habits}, norm=self.norm)


def _born(name: str) -> Add:
    status = {"bland": "todo", "antimetal": "investigating", "zylon": "NotReviewed"}[name]
    return Add(name, "broken", "It does not work.", (("status", status),))


_LOST = Fault(1, "fail", on="create")
_EMPTY = Fault(5, "garbage", 1, on="page")
_GONE = (Fault(0, "fail", 3, on="get"), Fault(1, "fail", 3, on="get"))
"""However often it is read in that round."""
_UNSENT = Fault(0, "fail", on="create")


def _unanswered(name: str) -> tuple[Step | Strange, ...]:
    """A create that arrived at a vendor that was swept before, and gave no answer."""
    return Calm(2), _born(name), Work("poll", name), Work("mirror", 0, (_LOST,))


SCENARIOS: dict[str, Scenario] = {
    "a counterpart is created": Scenario(
        (_born("antimetal"),),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland"), Work("mirror")),
    ),
    "a counterpart whose origin gets a line": Scenario(
        (_born("zylon"),), (Work("poll", "zylon"), Work("mirror"), Work("mirror"))
    ),
    "the answer to a create was lost": Scenario(
        (_born("antimetal"), Work("poll", "antimetal"), Work("mirror", 0, (_LOST,)), Wait(200)),
        (Work("poll", "bland"), Work("finish")),
    ),
    "the answer to a create was lost, and our line with it": Scenario(
        (_born("bland"), Work("poll", "bland"), Work("mirror", 0, (_LOST,))),
        (Work("poll", "antimetal"), Work("finish")),
        habits={"antimetal": Habits(rewrites=True)},
    ),
    "a list shows what a create made, without our line, before it can be found": Scenario(
        _unanswered("bland"),
        (Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        habits={"antimetal": Habits(rewrites=True, search_lag=90)},
    ),
    "what a create made is neither listed nor found for long": Scenario(
        _unanswered("bland"),
        tuple(Work("finish") for _ in range(4)),
        habits={"antimetal": Habits(list_lag=90, search_lag=90)},
    ),
    "what a create made is edited before we know it": Scenario(
        (*_unanswered("antimetal"), Edit("bland", 0, "status", "backlog"), Wait(200)),
        (Work("poll", "bland"), Work("finish")),
    ),
    "a create never arrived": Scenario(
        (_born("antimetal"), Work("poll", "antimetal"), Work("mirror", 0, (_UNSENT,)), Wait(200)),
        (Work("finish"), Work("finish"), Work("poll", "bland")),
    ),
    "an edit is pushed": Scenario(
        (_born("antimetal"), Calm(3), Edit("antimetal", 0, "status", "resolved")),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland")),
    ),
    "an edit is pushed and taken back": Scenario(
        (_born("antimetal"), Calm(3), Edit("antimetal", 0, "status", "resolved")),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland")),
        (Edit("bland", 0, "status", "in_progress"),),
    ),
    "an edit is stored and taken back": Scenario(
        (_born("antimetal"), Calm(3), Edit("antimetal", 0, "status", "resolved")),
        (Work("poll", "antimetal"),),
        (Edit("antimetal", 0, "status", "investigating"),),
    ),
    "a conflict": Scenario(
        (
            _born("antimetal"),
            Calm(3),
            Edit("antimetal", 0, "status", "resolved"),
            Edit("bland", 0, "status", "backlog"),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland"), Work("mirror")),
    ),
    "the answer to a push was lost, and the other side goes on": Scenario(
        (
            _born("antimetal"),
            Calm(3),
            Edit("antimetal", 0, "status", "resolved"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (Fault(1, "fail", on="update"),)),
            Edit("antimetal", 0, "status", "ready_to_fix"),
            Wait(3),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland")),
    ),
    "the answer to a push was lost, and its edit is taken back": Scenario(
        (
            _born("antimetal"),
            Calm(3),
            Edit("antimetal", 0, "status", "resolved"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (Fault(1, "crash", on="update"),)),
            Edit("antimetal", 0, "status", "investigating"),
        ),
        (Work("poll", "antimetal"),),
        (Wait(400),),
    ),
    "the list is late": Scenario(
        (_born("bland"), Calm(3), Edit("antimetal", 0, "status", "resolved")),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland"), Work("poll", "bland")),
        habits={"bland": Habits(list_lag=30)},
    ),
    "a person files an issue while a create has no answer": Scenario(
        (
            _born("antimetal"),
            Calm(3),
            _born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (_UNSENT,)),
            _born("bland"),
        ),
        (Work("poll", "bland"), Work("poll", "bland"), Work("finish")),
    ),
    "the newest row is hidden": Scenario(
        (_born("bland"), _born("bland"), Calm(3)),
        (Work("poll", "bland"),),
        (Work("poll", "bland", (Fault(1, "garbage", 3, on="page"),)),),
    ),
    "a page of the sweep is empty": Scenario(
        (_born("bland"), _born("bland"), _born("bland"), Work("poll", "bland", (_EMPTY,))),
        (Work("poll", "bland"),),
        habits={"bland": Habits(page_size=1)},
    ),
    "a copy made by hand": Scenario(
        (_born("antimetal"), Calm(3), Copy("bland", 0)), (Work("poll", "bland"), Work("finish"))
    ),
    "an issue is deleted": Scenario(
        (_born("antimetal"), _born("antimetal"), Calm(3), Delete("antimetal", 0)),
        (Work("poll", "antimetal"), Work("poll", "antimetal"), Work("mirror")),
    ),
    "a counterpart is deleted before any list showed it": Scenario(
        (_born("antimetal"), Calm(1), _born("antimetal"), Work("poll", "antimetal")),
        (Work("mirror"), Work("poll", "bland"), Work("poll", "bland")),
        (Delete("bland", 1),),
    ),
    "a counterpart is late in the list, and for a moment not found either": Scenario(
        (_born("antimetal"), Calm(2), _born("antimetal"), Work("poll", "antimetal")),
        (Work("mirror"), Work("poll", "bland", _GONE)),
        habits={"bland": Habits(list_lag=30)},
    ),
    "an issue is stored and deleted": Scenario(
        (_born("antimetal"), Calm(2), _born("antimetal")),
        (Work("poll", "antimetal"),),
        (Delete("antimetal", 1),),
    ),
    "a deleted issue comes back": Scenario(
        (_born("zylon"), Calm(3), Delete("zylon", 0), Calm(3), Restore("zylon", 0)),
        (Work("poll", "zylon"), Work("mirror"), Work("poll", "bland")),
    ),
    "a copy is unlinked": Scenario(
        (_born("zylon"), Calm(3), Unlink("bland", 0)),
        (Work("mirror"), Work("poll", "bland"), Work("poll", "zylon")),
    ),
    "a prompt": Scenario(
        (_born("bland"), Calm(2), Ask("bland", 0, "fix", "Please.")),
        (Work("prompt"), Work("finish")),
    ),
    "the answer to a prompt was lost, and Norm is late to show it": Scenario(
        (
            _born("bland"),
            Calm(2),
            Ask("bland", 0, "verify", "Please."),
            Work("prompt", 0, (Fault(1, "fail", on="submit"),)),
        ),
        (Work("finish"), Work("finish")),
        norm=NormHabits(run_seconds=5, lag=30),
    ),
    "a rule": Scenario((_born("bland"),), (Work("poll", "bland"), Work("mirror"), Work("finish"))),
    "two prompts": Scenario(
        (
            _born("bland"),
            Calm(2),
            Ask("bland", 0, "verify", "Please."),
            Ask("bland", 0, "fix", "Please."),
        ),
        (Work("prompt", 0), Work("prompt", 1), Work("finish")),
    ),
}


def struck(name: str, kinds: tuple[tuple[str, int], ...] = KINDS) -> Iterator[History]:
    return struck_at(SCENARIOS[name], kinds)


def struck_at(scenario: Scenario, kinds: tuple[tuple[str, int], ...] = KINDS) -> Iterator[History]:
    """The scenario untouched, then once for each boundary of each worker and each kind of blow."""
    yield History(0, scenario.topology, (*scenario.before, *scenario.work, *scenario.after))
    for place, boundaries in enumerate(_boundaries(scenario)):
        for at in range(boundaries):
            for kind, amount in kinds:
                if kind == "raced" and scenario.work[place].job != "mirror":
                    continue
                yield _history(scenario, place, _blow(scenario.work[place], at, kind, amount))


def _blow(work: Work, at: int, kind: str, amount: int) -> Fault:
    if kind == "neighbour":
        return Fault(at, "meanwhile", step=Elsewhere(Calm(amount)))
    if kind in ("twice", "raced"):
        return Fault(at, "meanwhile", step=work if kind == "twice" else RACE)
    return Fault(at, kind, amount)


def _history(scenario: Scenario, place: int, blow: Fault) -> History:
    work = list(scenario.work)
    work[place] = replace(work[place], faults=(blow,))
    return History(0, scenario.topology, (*scenario.before, *work, *scenario.after))


def _boundaries(scenario: Scenario) -> list[int]:
    """How many each worker reaches when nothing strikes."""
    world = SimWorld(scenario.topology)
    for step in (*scenario.before, *scenario.work):
        world.play(step)
    return world.boundaries[-len(scenario.work) :]
