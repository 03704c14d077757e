"""The control surface under `/_sim/`: what the class can do, for another process."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .wire import Json, Reply, Request

if TYPE_CHECKING:
    from .simulator import Simulator

PREFIX = "/_sim/"


def answer(sim: "Simulator", request: Request) -> Reply:
    """No vendor's authentication, and no trace in the journal."""
    for (method, path), action in ACTIONS.items():
        found = re.fullmatch(path, request.path.removeprefix(PREFIX))
        if found and method == request.method:
            return _perform(sim, action, request, found.groups())
    return Reply(404, {"problem": f"no {request.method} {request.path}"})


def _perform(
    sim: "Simulator", action: Callable[..., Any], request: Request, parts: tuple[str, ...]
) -> Reply:
    try:
        return Reply(body=action(sim, request.fields, *parts))
    except KeyError as unknown:
        return Reply(404, {"problem": f"nothing is called {unknown}"})
    except (TypeError, ValueError) as wrong:
        return Reply(400, {"problem": str(wrong)})


def _set_switches(sim: "Simulator", fields: Json) -> Json:
    sim.set_switches(**fields)
    return dict(sim.switches)


def _advance(sim: "Simulator", fields: Json) -> Json:
    sim.advance(fields["advance_seconds"])
    return {"now": sim.state()["now"]}


def _act(sim: "Simulator", fields: Json, issue_id: str, name: str) -> Any:
    return sim.act(issue_id, name, **fields) or {}


def _add_fault(sim: "Simulator", fields: Json) -> list[Json]:
    sim.faults.add(fields)
    return sim.faults.listed()


def _emptied(empty: Callable[["Simulator"], None]) -> Callable[..., Json]:
    def action(sim: "Simulator", _fields: Json, *parts: str) -> Json:
        empty(sim, *parts)
        return {}

    return action


_ISSUE = r"issues/([^/]+)"
ACTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("GET", "state"): lambda sim, fields: sim.state(),
    ("GET", "requests"): lambda sim, fields: sim.requests,
    ("DELETE", "requests"): _emptied(lambda sim: sim.clear_requests()),
    ("DELETE", "violations"): _emptied(lambda sim: sim.clear_violations()),
    ("POST", "issues"): lambda sim, fields: sim.add(**fields),
    ("PATCH", _ISSUE): lambda sim, fields, issue_id: sim.edit(issue_id, **fields),
    ("DELETE", _ISSUE): _emptied(lambda sim, *parts: sim.remove(*parts)),
    ("POST", _ISSUE + r"/(\w+)"): _act,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _emptied(lambda sim: sim.faults.clear()),
    ("PATCH", "switches"): _set_switches,
    ("POST", "clock"): _advance,
}
