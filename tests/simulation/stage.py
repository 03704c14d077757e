"""What the scenarios of the outside begin with: files, habits, and who stands beside whom."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.simulation.crashes import LINE, TOPOLOGY
from tests.simulation.steps import Add, Calm, Edit, Fault, Work
from tests.simulation.strange import Elsewhere
from tests.simulation.topology import Topology
from tests.simulation.vendor import Habits
from tests.world import connection, document

BEFORE_ALL = "2026-11-01T00:00:00Z"
FEWER = (("crash", 0), ("fail", 1), ("twice", 0))
NEIGHBOURLY = (("crash", 0), ("fail", 1), ("neighbour", 1))


def born(name: str, status: str | None = None) -> Add:
    first = {"bland": "todo", "antimetal": "investigating", "zylon": "NotReviewed"}[name]
    return Add(name, "broken", "It does not work.", (("status", status or first),))


def file_of(
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


def topology(**more: Any) -> Topology:
    return replace(TOPOLOGY, document=file_of(**more))


def _beside(prefix: str) -> Topology:
    theirs = file_of(prefix)
    habits = {f"{prefix}{name}": Habits() for name in TOPOLOGY.habits}
    return replace(topology(), neighbour=replace(TOPOLOGY, document=theirs, habits=habits))


SAME, OTHER = _beside(""), _beside("their-")
PLAIN = topology()
NARROW = topology(narrow=("bland", "antimetal", "zylon"))
ONE_WAY = topology(both_ways=False)
POLL_ALL = tuple(Work("poll", name) for name in ("bland", "antimetal", "zylon"))
THEIRS = tuple(Elsewhere(work) for work in POLL_ALL)
PAIR = (born("antimetal"), Calm(4))
LOST = Fault(1, "fail", on="create")
NOT_FOUND = (Fault(0, "fail", 3, on="get"),)
FOUR = (*(born("antimetal") for _ in range(4)), Calm(6))
RESOLVED = tuple(Edit("antimetal", n, "status", "resolved") for n in range(3))
