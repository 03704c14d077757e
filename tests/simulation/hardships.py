"""Short scenarios of what comes from outside, struck at every boundary as those in `crashes`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.simulation.crashes import KINDS, LINE, SCENARIOS, TOPOLOGY, Scenario, struck_at
from tests.simulation.histories import History
from tests.simulation.steps import (
    Add,
    Calm,
    Copy,
    Delete,
    Edit,
    Fault,
    Learn,
    Release,
    Wait,
    Work,
)
from tests.simulation.strange import (
    Adopt,
    Allow,
    Elsewhere,
    Forge,
    Insist,
    Leave,
    LoseTable,
    Move,
    Point,
    Renumber,
    Return,
    RollBack,
)
from tests.simulation.topology import Topology
from tests.simulation.vendor import Habits
from tests.world import connection, document

BEFORE_ALL = "2026-11-01T00:00:00Z"
FEWER = (("crash", 0), ("fail", 1), ("twice", 0))
NEIGHBOURLY = (("crash", 0), ("fail", 1), ("neighbour", 1))


def _born(name: str, status: str | None = None) -> Add:
    first = {"bland": "todo", "antimetal": "investigating", "zylon": "NotReviewed"}[name]
    return Add(name, "broken", "It does not work.", (("status", status or first),))


def _file(
    prefix: str = "",
    *,
    both_ways: bool = True,
    narrow: Sequence[str] = (),
    rules: Sequence[object] = (),
    **more: Any,
) -> dict[str, object]:
    """The connections of the other scenarios, with routes from before all issues; `narrow`: those
    whose gates let one change of a sort pass."""
    settings = {
        "bland": connection("bland", carriers=LINE, **more),
        "antimetal": connection("antimetal", **more),
        "zylon": connection("zylon", carriers={**LINE, "severity": "managed_line"}, **more),
    }
    for name in narrow:
        settings[name]["breaker"] = {"count": 1, "share": 0.01}
    antimetal = {"filter": {}, "daily_budget": 1000}
    routes = [("antimetal", "bland", {}), ("zylon", "bland", {}), ("bland", "antimetal", antimetal)]
    return document(connections={f"{prefix}{n}": c for n, c in settings.items()}) | {
        "routes": [
            {"from": f"{prefix}{a}", "to": f"{prefix}{b}", "since": BEFORE_ALL, **extra}
            for a, b, extra in routes[: 3 if both_ways else 2]
        ],
        "norm": {"rules": list(rules)},
    }


def _topology(**more: Any) -> Topology:
    return replace(TOPOLOGY, document=_file(**more))


def _beside(prefix: str) -> Topology:
    theirs = _file(prefix)
    habits = {f"{prefix}{name}": Habits() for name in TOPOLOGY.habits}
    return replace(_topology(), neighbour=replace(TOPOLOGY, document=theirs, habits=habits))


SAME, OTHER = _beside(""), _beside("their-")
PLAIN = _topology()
NARROW = _topology(narrow=("bland", "antimetal", "zylon"))
ONE_WAY = _topology(both_ways=False)
_POLL_ALL = tuple(Work("poll", name) for name in ("bland", "antimetal", "zylon"))
_THEIRS = tuple(Elsewhere(work) for work in _POLL_ALL)
_PAIR = (_born("antimetal"), Calm(4))
_LOST = Fault(1, "fail", on="create")
_NOT_FOUND = (Fault(0, "fail", 3, on="get"),)
_FOUR = (*(_born("antimetal") for _ in range(4)), Calm(6))
_RESOLVED = tuple(Edit("antimetal", n, "status", "resolved") for n in range(3))

TWO_INSTALLATIONS: dict[str, Scenario] = {
    "a second installation begins beside the first": Scenario(
        (_born("antimetal"), _born("bland"), _born("zylon"), Calm(4), Elsewhere(Calm(4))),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        base=SAME,
    ),
    "a second installation with other names": Scenario(
        (_born("antimetal"), _born("bland"), _born("zylon"), Calm(4), Elsewhere(Calm(4))),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        base=OTHER,
    ),
    "two installations see a new issue at once": Scenario(
        (Calm(2), Elsewhere(Calm(2)), _born("antimetal"), _born("zylon")),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "zylon"), Work("mirror")),
        (Elsewhere(Calm(2)),),
        base=SAME,
    ),
    "an installation begins where another one is at work": Scenario(
        (_born("antimetal"), _born("zylon"), Elsewhere(Calm(5)), Work("poll", "antimetal")),
        (Work("mirror"), Work("poll", "zylon"), Work("mirror"), Work("poll", "bland")),
        base=SAME,
    ),
    "both write to the issue that both know": Scenario(
        (
            Calm(2),
            Elsewhere(Calm(2)),
            _born("zylon"),
            Work("poll", "zylon"),
            Elsewhere(Work("poll", "zylon")),
            Elsewhere(Work("mirror")),
        ),
        (Work("mirror"), Work("mirror"), Work("poll", "zylon")),
        (Elsewhere(Work("mirror")), Edit("bland", 0, "status", "done"), Elsewhere(Calm(1))),
        base=SAME,
    ),
    "an edit of an issue that both know": Scenario(
        (_born("bland"), Calm(3), Elsewhere(Calm(3)), Edit("bland", 0, "status", "done")),
        (Work("poll", "bland"), Work("mirror")),
        (Elsewhere(Calm(1)), Edit("antimetal", 0, "status", "muted")),
        base=OTHER,
    ),
}
LOST_TABLES: dict[str, Scenario] = {
    "a table is lost": Scenario(
        (_born("antimetal"), _born("bland"), _born("zylon"), Calm(5), LoseTable()),
        (*_POLL_ALL, Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a table is lost, and a row cannot be read in the first sweep": Scenario(
        (
            *_PAIR,
            LoseTable(),
            Work("poll", "bland", tuple(Fault(at, "fail", 0, on="find") for at in range(4))),
            Work("poll", "antimetal"),
        ),
        (Work("mirror"), Work("poll", "bland"), Work("mirror")),
        base=PLAIN,
    ),
    "a table is lost and adopted": Scenario(
        (_born("antimetal"), _born("bland"), _born("zylon"), Calm(5), LoseTable()),
        (Work("poll", "bland"), Work("mirror")),
        (Calm(2), Adopt(), Edit("antimetal", 0, "status", "resolved")),
        base=PLAIN,
    ),
    "a table is lost while a create has no answer": Scenario(
        (
            *_PAIR,
            _born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (_LOST,)),
            LoseTable(),
        ),
        (*_POLL_ALL, Work("mirror")),
        base=PLAIN,
    ),
}
VENDORS: dict[str, Scenario] = {
    "a vendor is restored after an edit there": Scenario(
        (
            *_PAIR,
            Wait(100),
            Edit("bland", 0, "status", "done"),
            Calm(3),
            RollBack("bland", 200),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal")),
        base=ONE_WAY,
    ),
    "a vendor is restored after an edit elsewhere": Scenario(
        (
            *_PAIR,
            Wait(100),
            Edit("antimetal", 0, "status", "resolved"),
            Calm(3),
            RollBack("bland", 200),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("finish")),
        base=ONE_WAY,
    ),
    "what was restored is taken": Scenario(
        (
            *_PAIR,
            Wait(100),
            Edit("antimetal", 0, "status", "resolved"),
            Calm(3),
            RollBack("bland", 200),
            Work("poll", "bland"),
        ),
        (Work("poll", "bland"), Work("mirror")),
        (Release("bland", 0, "theirs"),),
        base=ONE_WAY,
    ),
    "a vendor is restored to before it was written to, and many issues with it": Scenario(
        (
            *(_born("antimetal") for _ in range(3)),
            Calm(6),
            Wait(100),
            *_RESOLVED,
            Calm(3),
            RollBack("bland", 250),
        ),
        (Work("poll", "bland"), Work("mirror")),
        base=_topology(both_ways=False, breaker={"count": 2, "share": 0.01}),
    ),
    "an issue is merged into another": Scenario(
        (
            *_PAIR,
            _born("antimetal"),
            Calm(3),
            Edit("bland", 1, "status", "done"),
            Move("bland", 0, 1),
        ),
        (Work("poll", "bland"), Work("poll", "antimetal"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"),),
    ),
    "a counterpart is renumbered": Scenario(
        (*_PAIR, Renumber("bland", 0)),
        (Work("poll", "bland"), Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"), Calm(1)),
    ),
    "a copy of our line comes as its original is renumbered": Scenario(
        (*_PAIR, Renumber("bland", 0), Copy("bland", 0), Calm(2)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"), Calm(1)),
    ),
    "a counterpart is edited before it has our value": Scenario(
        (
            *(Calm(1), _born("bland", "in_review"), Work("poll", "bland"), Work("mirror")),
            Edit("antimetal", 0, "status", "muted"),
            Edit("antimetal", 0, "status", "ready_to_fix"),
            Edit("bland", 0, "status", "in_progress"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal")),
        base=PLAIN,
    ),
    "an origin with our line is renumbered": Scenario(
        (_born("zylon"), Calm(4), Renumber("zylon", 0), Edit("bland", 0, "status", "done")),
        (Work("poll", "zylon"), Work("poll", "zylon"), Work("mirror")),
    ),
    "two automations undo each other": Scenario(
        (*_PAIR, Insist("bland", 0, "todo"), Insist("antimetal", 0, "resolved"), Calm(2)),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        (Calm(12),),
        base=ONE_WAY,
    ),
}
STRANGERS: dict[str, Scenario] = {
    f"a stranger's {form} with a mark: {mark}": Scenario(
        (
            *_PAIR,
            Forge("bland", "antimetal", 0, mark, form),
            Forge("zylon", "antimetal", 0, mark, form),
        ),
        (Work("poll", "bland"), Work("poll", "zylon"), Work("mirror")),
        (Edit("bland", 1, "status", "done"),),
        base=PLAIN,
    )
    for mark in ("older", "ours", "theirs")
    for form in ("line", "sentence", "quote")
} | {
    "a stranger guesses the mark of what is being created": Scenario(
        (
            *_PAIR,
            _born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (Fault(0, "fail", on="create"),)),
            Forge("bland", "antimetal", 1, "guessed", "line"),
        ),
        (Work("poll", "bland"), Work("finish"), Work("finish")),
        (Edit("bland", 1, "status", "done"),),
        base=PLAIN,
    ),
    "a stranger quotes what is being created": Scenario(
        (
            *_PAIR,
            _born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (_LOST,)),
            Forge("bland", "bland", 1, "true", "quote"),
            Move("bland", 1),
            Wait(200),
        ),
        (Work("finish"), Work("finish"), Work("poll", "bland")),
        (Edit("bland", 2, "status", "done"),),
        base=PLAIN,
    ),
    "a copy of our line is seen while what it was copied from is not found": Scenario(
        (*_PAIR, Copy("bland", 0), Work("poll", "bland", _NOT_FOUND)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("bland", 1, "status", "done"),),
        base=PLAIN,
    ),
    "our line of one place stands in another": Scenario(
        (*_PAIR, Forge("zylon", "bland", 0, "true", "line")),
        (Work("poll", "zylon"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a stranger's mark beside our line": Scenario(
        (
            *_PAIR,
            Forge("bland", "antimetal", 0, "ours", "line", into=0),
            _born("zylon"),
            Calm(4),
            Forge("zylon", "zylon", 0, "ours", "line", into=0),
            Edit("bland", 1, "severity", "low"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "zylon")),
        base=PLAIN,
    ),
    "a stranger's mark in somebody's issue": Scenario(
        (*_PAIR, Forge("bland", "antimetal", 0, "theirs", "line", into=0)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"),),
        base=PLAIN,
    ),
    "a copy of our line outlives what it was copied from": Scenario(
        (
            *_PAIR,
            Forge("bland", "bland", 0, "true", "line"),
            Calm(2),
            Delete("bland", 0),
            Calm(3),
        ),
        (Work("poll", "bland"), Work("poll", "bland"), Work("mirror")),
        (Edit("bland", 1, "status", "done"),),
        base=PLAIN,
    ),
}
PAIRS: dict[str, Scenario] = {
    "a link that points across": Scenario(
        (Calm(2), Point(_born("bland"), _born("antimetal", "resolved"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("mirror")),
        base=PLAIN,
    ),
    "a link of an issue that is gone": Scenario(
        (
            _born("bland"),
            Calm(2),
            Point(_born("bland"), _born("antimetal")),
            Work("poll", "bland"),
            Delete("bland", 1),
            *(Work("poll", "bland") for _ in range(3)),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a rule asks about an issue that is paired then": Scenario(
        (Calm(2), Point(_born("bland"), _born("antimetal"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=_topology(rules=[{"name": "look", "when": {}, "prompt": "{title}"}]),
    ),
    "a link that points across, where one route leads": Scenario(
        (Calm(2), Point(_born("bland", "in_review"), _born("antimetal"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        (Edit("bland", 0, "status", "done"),),
        base=ONE_WAY,
    ),
}
OPERATORS: dict[str, Scenario] = {
    "a file is pushed and rolled back before any poll": Scenario(
        (
            *_PAIR,
            _born("zylon"),
            Calm(4),
            Edit("bland", 0, "status", "done"),
            Work("poll", "bland"),
            Leave("antimetal"),
            Work("mirror"),
            Return("antimetal", anew=False),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a connection is left out and comes back": Scenario(
        (
            *_PAIR,
            _born("zylon"),
            Calm(3),
            Leave("antimetal"),
            Edit("bland", 0, "status", "done"),
            Calm(2),
            _born("antimetal"),
            Return("antimetal", anew=False),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
}
_OTHER_MAP = (
    ("NotReviewed", ("todo",)),
    ("InReview", ("in_progress", "in_review")),
    ("Closed", ("done", "closed", "backlog")),
)
GATES: dict[str, Scenario] = {
    "another map rewrites many": Scenario(
        (
            *(_born("zylon") for _ in range(4)),
            Calm(6),
            *(Edit("bland", n, "status", "backlog") for n in range(4)),
            Calm(3),
            Wait(3700),
            Learn("zylon", "status", _OTHER_MAP),
        ),
        (Work("poll", "zylon"), Work("mirror"), Work("finish")),
        (Calm(2),),
        base=_topology(narrow=("zylon",)),
    ),
    "many are closed at once": Scenario(
        (*_FOUR, *_RESOLVED),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland"), Work("finish")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are opened again": Scenario(
        (
            *_FOUR,
            *(Edit("antimetal", n, "status", "resolved") for n in range(3)),
            Allow("antimetal"),
            Calm(5),
            Wait(3700),
            *(Edit("antimetal", n, "status", "ready_to_fix") for n in range(3)),
        ),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=_topology(narrow=("antimetal",)),
    ),
    "many get another severity": Scenario(
        (*_FOUR, *(Edit("bland", n, "severity", "low") for n in range(3))),
        (Work("poll", "bland"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are called something else": Scenario(
        (*_FOUR, *(Edit("antimetal", n, "status", "ready_to_fix") for n in range(3))),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are closed one after the other": Scenario(
        (*_FOUR, _RESOLVED[0], Calm(1), _RESOLVED[1], Calm(1), _RESOLVED[2]),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are closed, and each is about to be written to": Scenario(
        (
            *_FOUR,
            *(Edit("antimetal", n, "severity", "low") for n in range(3)),
            *(Edit("bland", n, "status", "done") for n in range(3)),
        ),
        (Work("poll", "antimetal"), *(Work("mirror") for _ in range(3))),
        (Calm(1),),
        base=_topology(narrow=("bland",)),
    ),
    "one connection is stopped, and others speak": Scenario(
        (
            *_FOUR,
            *_RESOLVED,
            Work("poll", "antimetal"),
            Edit("bland", 3, "status", "done"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("finish")),
        (Calm(1),),
        base=NARROW,
    ),
}
HARDSHIPS = {
    **TWO_INSTALLATIONS,
    **LOST_TABLES,
    **VENDORS,
    **STRANGERS,
    **PAIRS,
    **OPERATORS,
    **GATES,
}


def struck_anywhere(name: str, kinds: tuple[tuple[str, int], ...] = KINDS) -> Iterator[History]:
    return struck(name, kinds) if name in HARDSHIPS else struck_at(SCENARIOS[name], kinds)


def struck(name: str, kinds: tuple[tuple[str, int], ...] = KINDS) -> Iterator[History]:
    """With fewer kinds of blows than elsewhere: each of these takes long."""
    if kinds == KINDS:
        kinds = NEIGHBOURLY if name in TWO_INSTALLATIONS else FEWER
    return struck_at(HARDSHIPS[name], kinds)
