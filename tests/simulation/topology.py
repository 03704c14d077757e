"""A random configuration: connections, what they can hold, routes, and the vendors' bad habits."""

from dataclasses import dataclass
from random import Random

from issuebridge.domain.config import Config
from issuebridge.systems import parse_config
from tests.simulation.norm import NormHabits
from tests.simulation.vendor import Habits

NAMES = {
    "bland": ["bland", "bland-2"],
    "antimetal": ["antimetal", "antimetal-2"],
    "zylon": ["zylon", "zylon-2"],
}
ANCHOR = {"project_id": "p", "thread_id": "t", "reported_interaction_id": "r"}
CARRIED = {"bland": ["external_link"], "zylon": ["severity", "external_link"], "antimetal": []}
CARRIERS = {
    "bland": ["managed_line", "managed_line", "hub", "comment", "native"],
    "zylon": ["managed_line", "hub"],
}
STATUS_MAPS = {
    "bland": {w: [w] for w in ("backlog", "todo", "in_progress", "in_review", "done", "closed")},
    "antimetal": {
        "investigating": ["in_progress", "todo"],
        "ready_to_fix": ["in_review"],
        "resolved": ["done", "closed"],
        "muted": ["backlog"],
    },
    "zylon": {
        "NotReviewed": ["todo", "backlog"],
        "InReview": ["in_progress", "in_review"],
        "Closed": ["done", "closed"],
    },
}
SOME_MAPS = {
    "antimetal": {
        "investigating": ["todo", "backlog"],
        "ready_to_fix": ["in_review", "in_progress"],
        "resolved": ["closed", "done"],
        "muted": ["backlog"],
    },
    "zylon": {
        "NotReviewed": ["backlog", "todo"],
        "InReview": ["in_review", "in_progress"],
        "Closed": ["closed", "done"],
    },
}
IGNORED = ["status", "description", "external_link"]
UNKNOWN = {"bland": "triaged", "antimetal": "escalated", "zylon": "Parked"}


@dataclass(frozen=True)
class Topology:
    """`document` is the configuration file; `streamless`: no record of the stream ever arrives.
    `neighbour`: what a second installation on the same vendors runs with."""

    document: dict[str, object]
    habits: dict[str, Habits]
    norm: NormHabits
    streamless: bool
    index_lag: int = 0
    neighbour: "Topology | None" = None

    @property
    def kinds(self) -> dict[str, str]:
        connections = self.document["connections"]
        assert isinstance(connections, dict)
        return {name: settings["kind"] for name, settings in connections.items()}

    def config(self) -> Config:
        return parse_config(self.document, "simulation")


def make_topology(chance: Random) -> Topology:
    kinds = _kinds(chance)
    connections = {name: _connection(chance, name, kinds) for name in kinds}
    document = {
        "version": 1,
        "connections": connections,
        "routes": _routes(chance, kinds, connections),
        "norm": {"rules": _rules(chance, connections)},
    }
    habits = {name: _habits(chance, kind) for name, kind in kinds.items()}
    norm = NormHabits(
        run_seconds=chance.choice([5, 40, 300]),
        guards=chance.random() < 0.3,
        lag=chance.choice([0, 0, 5, 30]),
    )
    return Topology(document, habits, norm, streamless=chance.random() < 0.1)


def _kinds(chance: Random) -> dict[str, str]:
    counts = {"bland": chance.choice([1, 1, 2]), "antimetal": chance.choice([0, 1, 1, 2])}
    counts["zylon"] = chance.choice([0, 1, 1, 2]) if counts["antimetal"] else 1
    names = {name: kind for kind, n in counts.items() for name in NAMES[kind][:n]}
    return dict(list(names.items())[: chance.choice([2, 3, 3, 4])])


def _connection(chance: Random, name: str, kinds: dict[str, str]) -> dict[str, object]:
    kind, names = kinds[name], list(kinds)
    made: dict[str, object] = {
        "kind": kind,
        "base_url": f"https://{name}.example",
        "secret": kind,
        "mode": chance.choices(["mirror", "observe"], [9, 1])[0],
        "poll": {
            "pages_max": chance.choice([1, 2, 3]),
            "overlap_seconds": chance.choice([60, 300]),
            "seen_within_minutes": beside(chance).choice([0, 0, 0, 2]),
        },
        "carriers": {name: chance.choice(CARRIERS[kind]) for name in CARRIED[kind]},
        "conflict": {
            name: chance.choice(["latest", "hold", {"prefer": chance.choice(names)}])
            for name in ("status", "severity", "external_link")
            if chance.random() < 0.6
        },
    }
    if chance.random() < 0.8:
        made["issue_url"] = f"https://{kind}.example/i/{{id}}"
    if kind == "zylon":
        made["anchor"] = ANCHOR
    if kind in SOME_MAPS and chance.random() < 0.2:
        made["maps"] = {"status": SOME_MAPS[kind]}
    return made


def _routes(
    chance: Random, kinds: dict[str, str], connections: dict[str, dict[str, object]]
) -> list[dict[str, object]]:
    pairs = [(a, b) for a in kinds for b in kinds if a != b and connections[b]["mode"] == "mirror"]
    routes: list[dict[str, object]] = []
    for source, target in pairs:
        if chance.random() < 0.6:
            on_delete = chance.choice(["ignore", "close"])
            route: dict[str, object] = {"from": source, "to": target, "on_delete": on_delete}
            if kinds[target] == "antimetal":
                route |= {"filter": _filter(chance), "daily_budget": 1000}
            routes.append(route)
    return routes


def _filter(chance: Random) -> dict[str, list[str]]:
    return {"severity": ["critical", "high", "medium"]} if chance.random() < 0.3 else {}


def _rules(chance: Random, connections: dict[str, dict[str, object]]) -> list[dict[str, object]]:
    blands = [n for n, c in connections.items() if c["kind"] == "bland" and c["mode"] == "mirror"]
    count = chance.choice([0, 0, 1, 2]) if blands else 0
    return [_rule(chance, name, chance.choice(blands)) for name in ("watch", "mend")[:count]]


def _rule(chance: Random, name: str, at: str) -> dict[str, object]:
    when: dict[str, object] = {"age_minutes_min": chance.choice([0, 0, 3])}
    if chance.random() < 0.3:
        when["severity"] = ["critical", "high"]
    return {
        "name": name,
        "at": at,
        "when": when,
        "intent": chance.choice(["verify", "fix"]),
        "allow_fix": True,
        "prompt": "Look at {title}, which is {status}: {description}",
        "on_complete": chance.choice([None, "in_review", "done"]),
    }


def _habits(chance: Random, kind: str) -> Habits:
    return Habits(
        page_size=chance.choice([2, 3, 10]),
        skew=chance.choice([0, 0, -90, 90]),
        skew_measured=chance.random() < 0.8,
        list_lag=chance.choice([0, 0, 0, 7, 30]),
        search_lag=chance.choice([0, 0, 20, 90]),
        rewrites=kind != "bland" and chance.random() < 0.15,
        ignores=chance.choice(IGNORED) if chance.random() < 0.05 else None,
        hides=chance.random() < 0.5,
        revives=chance.random() < 0.5,
        code=beside(chance).choice(["{}", "{}", "{}00", "{}x"]),
    )


def beside(chance: Random) -> Random:
    """Draws of its own, so that what is drawn after them stays what it was."""
    apart = Random()  # noqa: S311 - histories, not secrets
    apart.setstate(chance.getstate())
    return apart
