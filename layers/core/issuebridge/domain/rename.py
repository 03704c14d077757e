"""A connection under another name: what is keyed by the name moves along, and what was written to
a vendor stays as it is."""

from collections.abc import Mapping
from typing import TypeVar

from issuebridge.domain.config import Config, Prefer
from issuebridge.domain.converge import DELETED_AT
from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import CanonicalIssue, Edit, ExternalRef, reference_for
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.rules import Rule

T = TypeVar("T")


def renamed_config(config: Config, names: Mapping[str, str]) -> Config:
    """The same configuration with these connections under their new names."""

    def new(name: str) -> str:
        return names.get(name, name)

    connections = {
        new(name): connection.model_copy(
            update={
                "conflict": {
                    field: Prefer(prefer=new(rule.prefer)) if isinstance(rule, Prefer) else rule
                    for field, rule in connection.conflict.items()
                }
            }
        )
        for name, connection in config.connections.items()
    }
    routes = [
        route.model_copy(update={"source": new(route.source), "target": new(route.target)})
        for route in config.routes
    ]
    rules = tuple(_renamed_rule(rule, names) for rule in config.norm.rules)
    norm = config.norm.model_copy(update={"rules": rules})
    return config.model_copy(update={"connections": connections, "routes": routes, "norm": norm})


def _renamed_rule(rule: Rule, names: Mapping[str, str]) -> Rule:
    origin = rule.when.origin and [names.get(name, name) for name in rule.when.origin]
    when = rule.when.model_copy(update={"origin": origin})
    return rule.model_copy(update={"at": rule.at and names.get(rule.at, rule.at), "when": when})


def renamed_issue(issue: CanonicalIssue, old: str, new: str, asked: str | None) -> CanonicalIssue:
    """The issue with everything of this connection under its new name; the same once that is done.
    `asked`: the key of the counterpart that was asked for there."""
    refs = _moved(issue.refs, old, new)
    if old in issue.refs and new not in issue.refs:
        refs[new] = _renamed_ref(issue, old, new)
    is_asked = asked is not None and new not in refs
    return issue.model_copy(
        update={
            "origin": new if issue.origin == old else issue.origin,
            "refs": refs,
            "pending": _moved(issue.pending, old, new),
            "parked": _moved(issue.parked, old, new),
            "asked": {**_moved(issue.asked, old, new), **({new: asked} if is_asked else {})},
            "edits": {name: _renamed_edit(edit, old, new) for name, edit in issue.edits.items()},
        }
    )


def _moved(rows: Mapping[str, T], old: str, new: str) -> dict[str, T]:
    return {new if name == old else name: row for name, row in rows.items()}


def _renamed_ref(issue: CanonicalIssue, old: str, new: str) -> ExternalRef:
    """Its mark keeps its words. In the old form they are made of the name, so they are written
    down now, where a line with them may stand."""
    ref = issue.refs[old]
    is_marked = "line" in ref.baselines or old != issue.origin
    mark = ref.reference
    if mark is None and is_marked:
        mark = reference_for(issue.issue_id, old)
    return ref.model_copy(update={"connection": new, "reference": mark})


def _renamed_edit(edit: Edit, old: str, new: str) -> Edit:
    names = {old: new, f"{DELETED_AT}{old}": f"{DELETED_AT}{new}"}
    also = tuple(names.get(name, name) for name in edit.also)
    return edit.model_copy(update={"by": names.get(edit.by, edit.by), "also": also})


def renamed_effect(effect: Effect, old: str, new: str) -> Effect:
    if effect.connection != old:
        return effect
    moved = effect.model_copy(update={"connection": new})
    if effect.kind != "prompt":
        return moved
    request = PromptRequest.model_validate_json(effect.request)
    if request.connection != old:
        return moved
    named = request.model_copy(update={"connection": new})
    return moved.model_copy(update={"request": named.model_dump_json()})


def renamed_budget(name: str, old: str, new: str) -> str:
    """Of a route or of Norm at a connection; what was spent today stays spent."""
    source, arrow, target = name.partition(">")
    if arrow:
        return arrow.join(new if end == old else end for end in (source, target))
    return f"norm at {new}" if name == f"norm at {old}" else name
