"""Short scenarios of what vendors and strangers do: restored, moved, renumbered, undone, forged."""

from tests.simulation.crashes import Scenario
from tests.simulation.stage import LOST, NOT_FOUND, ONE_WAY, PAIR, PLAIN, RESOLVED, born, topology
from tests.simulation.steps import Calm, Copy, Delete, Edit, Fault, Release, Wait, Work
from tests.simulation.strange import Forge, Insist, Move, Renumber, RollBack

VENDORS: dict[str, Scenario] = {
    "a vendor is restored after an edit there": Scenario(
        (
            *PAIR,
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
            *PAIR,
            Wait(100),
            Edit("antimetal", 0, "status", "resolved"),
            Calm(3),
            RollBack("bland", 200),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("finish")),
        base=ONE_WAY,
    ),
    "what a backup took away is put back, and something else was meant by then": Scenario(
        (
            *PAIR,
            Wait(100),
            Edit("antimetal", 0, "status", "resolved"),
            Calm(3),
            RollBack("bland", 200),
            Edit("antimetal", 0, "status", "ready_to_fix"),
            *(Work("poll", "bland"), Work("poll", "antimetal")),
            Edit("bland", 0, "status", "done"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal")),
        base=ONE_WAY,
    ),
    "a vendor is restored after an edit elsewhere, and gives other ids": Scenario(
        (
            *PAIR,
            Wait(100),
            Edit("antimetal", 0, "status", "resolved"),
            Calm(3),
            RollBack("bland", 200),
            Renumber("bland", 0),
        ),
        (Work("poll", "bland"), Work("poll", "bland"), Work("mirror")),
        base=ONE_WAY,
    ),
    "what was restored is taken": Scenario(
        (
            *PAIR,
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
            *(born("antimetal") for _ in range(3)),
            Calm(6),
            Wait(100),
            *RESOLVED,
            Calm(3),
            RollBack("bland", 250),
        ),
        (Work("poll", "bland"), Work("mirror")),
        base=topology(both_ways=False, breaker={"count": 2, "share": 0.01}),
    ),
    "an issue is merged into another": Scenario(
        (
            *PAIR,
            born("antimetal"),
            Calm(3),
            Edit("bland", 1, "status", "done"),
            Move("bland", 0, 1),
        ),
        (Work("poll", "bland"), Work("poll", "antimetal"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"),),
    ),
    "a counterpart is renumbered": Scenario(
        (*PAIR, Renumber("bland", 0)),
        (Work("poll", "bland"), Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"), Calm(1)),
    ),
    "a counterpart is renumbered, and nobody can say that its old id is gone": Scenario(
        (
            *(born("antimetal"), born("antimetal"), Calm(4), Renumber("bland", 0)),
            Work("poll", "bland", (Fault(0, "fail", 100, on="get"),)),
        ),
        (Work("poll", "bland"), Work("poll", "bland"), Work("poll", "bland")),
    ),
    "a counterpart is renumbered, and that is seen as its deletion is confirmed": Scenario(
        (
            *(born("antimetal"), born("antimetal"), Calm(4), Renumber("bland", 0)),
            Work("poll", "bland", (Fault(0, "fail", 1, on="get"),)),
            *(Work("poll", "bland"), Wait(400)),
        ),
        (Work("poll", "bland"), Work("poll", "bland")),
    ),
    "a copy of our line comes as its original is renumbered": Scenario(
        (*PAIR, Renumber("bland", 0), Copy("bland", 0), Calm(2)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"), Calm(1)),
    ),
    "a counterpart is edited before it has our value": Scenario(
        (
            *(Calm(1), born("bland", "in_review"), Work("poll", "bland"), Work("mirror")),
            Edit("antimetal", 0, "status", "muted"),
            Edit("antimetal", 0, "status", "ready_to_fix"),
            Edit("bland", 0, "status", "in_progress"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal")),
        base=PLAIN,
    ),
    "an origin with our line is renumbered": Scenario(
        (born("zylon"), Calm(4), Renumber("zylon", 0), Edit("bland", 0, "status", "done")),
        (Work("poll", "zylon"), Work("poll", "zylon"), Work("mirror")),
    ),
    "two automations undo each other": Scenario(
        (*PAIR, Insist("bland", 0, "todo"), Insist("antimetal", 0, "resolved"), Calm(2)),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "antimetal"), Work("mirror")),
        (Calm(12),),
        base=ONE_WAY,
    ),
}
STRANGERS: dict[str, Scenario] = {
    f"a stranger's {form} with a mark: {mark}": Scenario(
        (
            *PAIR,
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
            *PAIR,
            born("antimetal"),
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
            *PAIR,
            born("antimetal"),
            Work("poll", "antimetal"),
            Work("mirror", 0, (LOST,)),
            Forge("bland", "bland", 1, "true", "quote"),
            Move("bland", 1),
            Wait(200),
        ),
        (Work("finish"), Work("finish"), Work("poll", "bland")),
        (Edit("bland", 2, "status", "done"),),
        base=PLAIN,
    ),
    "a copy of our line is seen while what it was copied from is not found": Scenario(
        (*PAIR, Copy("bland", 0), Work("poll", "bland", NOT_FOUND)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("bland", 1, "status", "done"),),
        base=PLAIN,
    ),
    "our line of one place stands in another": Scenario(
        (*PAIR, Forge("zylon", "bland", 0, "true", "line")),
        (Work("poll", "zylon"), Work("mirror"), Work("finish")),
        base=PLAIN,
    ),
    "a stranger's mark beside our line": Scenario(
        (
            *PAIR,
            Forge("bland", "antimetal", 0, "ours", "line", into=0),
            born("zylon"),
            Calm(4),
            Forge("zylon", "zylon", 0, "ours", "line", into=0),
            Edit("bland", 1, "severity", "low"),
        ),
        (Work("poll", "bland"), Work("mirror"), Work("poll", "zylon")),
        base=PLAIN,
    ),
    "a mark of the old form in what was never linked": Scenario(
        (born("bland"), Calm(2), Forge("bland", "bland", 0, mark="older", form="line", into=0)),
        (Work("poll", "bland"), Work("mirror")),
        base=ONE_WAY,
    ),
    "a stranger's mark in somebody's issue": Scenario(
        (*PAIR, Forge("bland", "antimetal", 0, "theirs", "line", into=0)),
        (Work("poll", "bland"), Work("mirror")),
        (Edit("antimetal", 0, "status", "resolved"),),
        base=PLAIN,
    ),
    "a copy of our line outlives what it was copied from": Scenario(
        (
            *PAIR,
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
