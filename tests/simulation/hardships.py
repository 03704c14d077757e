"""Short scenarios of what comes from outside, struck at every boundary as those in `crashes`."""

from collections.abc import Iterator

from tests.simulation.crashes import KINDS, SCENARIOS, Scenario, struck_at
from tests.simulation.histories import History
from tests.simulation.stage import (
    FEWER,
    FOUR,
    LOST,
    NARROW,
    NEIGHBOURLY,
    ONE_WAY,
    OTHER,
    PAIR,
    PLAIN,
    POLL_ALL,
    RESOLVED,
    SAME,
    born,
    topology,
)
from tests.simulation.steps import Calm, Delete, Edit, Fault, Learn, Wait, Work
from tests.simulation.strange import Adopt, Allow, Elsewhere, Leave, LoseTable, Point, Return
from tests.simulation.vendor_hardships import STRANGERS, VENDORS

TWO_INSTALLATIONS: dict[str, Scenario] = {
    "a second installation begins beside the first": Scenario(
        (born("antimetal"), born("bland"), born("zylon"), Calm(4), Elsewhere(Calm(4))),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        base=SAME,
    ),
    "a second installation with other names": Scenario(
        (born("antimetal"), born("bland"), born("zylon"), Calm(4), Elsewhere(Calm(4))),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        base=OTHER,
    ),
    "two installations see a new issue at once": Scenario(
        (Calm(2), Elsewhere(Calm(2)), born("antimetal"), born("zylon")),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "zylon"), Work("mirror")),
        (Elsewhere(Calm(2)),),
        base=SAME,
    ),
    "an installation begins where another one is at work": Scenario(
        (born("antimetal"), born("zylon"), Elsewhere(Calm(5)), Work("poll", "antimetal")),
        (Work("mirror"), Work("poll", "zylon"), Work("mirror"), Work("poll", "bland")),
        base=SAME,
    ),
    "both write to the issue that both know": Scenario(
        (
            Calm(2),
            Elsewhere(Calm(2)),
            born("zylon"),
            Work("poll", "zylon"),
            Elsewhere(Work("poll", "zylon")),
            Elsewhere(Work("mirror")),
        ),
        (Work("mirror"), Work("mirror"), Work("poll", "zylon")),
        (Elsewhere(Work("mirror")), Edit("bland", 0, "status", "done"), Elsewhere(Calm(1))),
        base=SAME,
    ),
    "an edit of an issue that both know": Scenario(
        (born("bland"), Calm(3), Elsewhere(Calm(3)), Edit("bland", 0, "status", "done")),
        (Work("poll", "bland"), Work("mirror")),
        (Elsewhere(Calm(1)), Edit("antimetal", 0, "status", "muted")),
        base=OTHER,
    ),
}
LOST_TABLES: dict[str, Scenario] = {
    "a table is lost": Scenario(
        (born("antimetal"), born("bland"), born("zylon"), Calm(5), LoseTable()),
        (*POLL_ALL, Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a table is lost, and a row cannot be read in the first sweep": Scenario(
        (
            *PAIR,
            LoseTable(),
            Work("poll", "bland", tuple(Fault(at, "fail", 0, on="find") for at in range(4))),
            Work("poll", "antimetal"),
        ),
        (Work("mirror"), Work("poll", "bland"), Work("mirror")),
        base=PLAIN,
    ),
    "a table is lost and adopted": Scenario(
        (born("antimetal"), born("bland"), born("zylon"), Calm(5), LoseTable()),
        (Work("poll", "bland"), Work("mirror")),
        (Calm(2), Adopt(), Edit("antimetal", 0, "status", "resolved")),
        base=PLAIN,
    ),
    "a table is lost while a create has no answer": Scenario(
        (
            *PAIR,
            born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (LOST,)),
            LoseTable(),
        ),
        (*POLL_ALL, Work("mirror")),
        base=PLAIN,
    ),
}
PAIRS: dict[str, Scenario] = {
    "a link that points across": Scenario(
        (Calm(2), Point(born("bland"), born("antimetal", "resolved"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("mirror")),
        base=PLAIN,
    ),
    "a link of an issue that is gone": Scenario(
        (
            born("bland"),
            Calm(2),
            Point(born("bland"), born("antimetal")),
            Work("poll", "bland"),
            Delete("bland", 1),
            *(Work("poll", "bland") for _ in range(3)),
        ),
        (Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a rule asks about an issue that is paired then": Scenario(
        (Calm(2), Point(born("bland"), born("antimetal"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        base=topology(rules=[{"name": "look", "when": {}, "prompt": "{title}"}]),
    ),
    "a link that points across, where one route leads": Scenario(
        (Calm(2), Point(born("bland", "in_review"), born("antimetal"))),
        (Work("mirror"), Work("poll", "antimetal"), Work("mirror"), Work("finish")),
        (Edit("bland", 0, "status", "done"),),
        base=ONE_WAY,
    ),
}
OPERATORS: dict[str, Scenario] = {
    "a file is pushed and rolled back before any poll": Scenario(
        (
            *PAIR,
            born("zylon"),
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
            *PAIR,
            born("zylon"),
            Calm(3),
            Leave("antimetal"),
            Edit("bland", 0, "status", "done"),
            Calm(2),
            born("antimetal"),
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
            *(born("zylon") for _ in range(4)),
            Calm(6),
            *(Edit("bland", n, "status", "backlog") for n in range(4)),
            Calm(3),
            Wait(3700),
            Learn("zylon", "status", _OTHER_MAP),
        ),
        (Work("poll", "zylon"), Work("mirror"), Work("finish")),
        (Calm(2),),
        base=topology(narrow=("zylon",)),
    ),
    "many are closed at once": Scenario(
        (*FOUR, *RESOLVED),
        (Work("poll", "antimetal"), Work("mirror"), Work("poll", "bland"), Work("finish")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are opened again": Scenario(
        (
            *FOUR,
            *(Edit("antimetal", n, "status", "resolved") for n in range(3)),
            Allow("antimetal"),
            Calm(5),
            Wait(3700),
            *(Edit("antimetal", n, "status", "ready_to_fix") for n in range(3)),
        ),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=topology(narrow=("antimetal",)),
    ),
    "many get another severity": Scenario(
        (*FOUR, *(Edit("bland", n, "severity", "low") for n in range(3))),
        (Work("poll", "bland"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are called something else": Scenario(
        (*FOUR, *(Edit("antimetal", n, "status", "ready_to_fix") for n in range(3))),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are closed one after the other": Scenario(
        (*FOUR, RESOLVED[0], Calm(1), RESOLVED[1], Calm(1), RESOLVED[2]),
        (Work("poll", "antimetal"), Work("mirror")),
        (Calm(1),),
        base=NARROW,
    ),
    "many are closed, and each is about to be written to": Scenario(
        (
            *FOUR,
            *(Edit("antimetal", n, "severity", "low") for n in range(3)),
            *(Edit("bland", n, "status", "done") for n in range(3)),
        ),
        (Work("poll", "antimetal"), *(Work("mirror") for _ in range(3))),
        (Calm(1),),
        base=topology(narrow=("bland",)),
    ),
    "one connection is stopped, and others speak": Scenario(
        (
            *FOUR,
            *RESOLVED,
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
