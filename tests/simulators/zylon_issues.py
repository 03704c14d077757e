"""Zylon's issues: reported, read, changed by PUT and softly deleted."""

from typing import Any

from .checks import Check, boolean, missing, one_of, problems
from .wire import Json, Refused, Reply, Request
from .zylon_rules import (
    CONFIG,
    CREATABLE,
    DELETED,
    PUTTABLE,
    REQUIRED_BY_PROFILE,
    RESOURCE_TYPES,
    STATE_WORDS,
    STATES,
    TRANSITIONS,
    TYPES,
)
from .zylon_state import ZylonState


def _text_or_null(value: Any) -> str | None:
    return None if value is None or isinstance(value, str) else "must be a string or null"


def _config(value: Any) -> str | None:
    is_fine = isinstance(value, dict) and all(isinstance(value.get(n), str) for n in CONFIG)
    return None if is_fine else f"must hold {' and '.join(CONFIG)}"


CREATE_CHECKS: dict[str, Check] = {
    "project_id": lambda value: None if isinstance(value, str) else "must be a string",
    "resource_type": one_of(RESOURCE_TYPES),
    "type": one_of(TYPES),
    "config": _config,
    "anonymous": boolean,
    "description": _text_or_null,
}
PUT_CHECKS: dict[str, Check] = {
    "description": _text_or_null,
    "type": one_of(TYPES),
    "state": one_of(STATES),
    "is_read": boolean,
}


def create(sim: ZylonState, request: Request) -> Reply:
    fields = {name: value for name, value in request.fields.items() if name in CREATABLE}
    wrong = problems(fields, CREATE_CHECKS)
    if wrong:
        raise sim.invalid(request, wrong)
    required = REQUIRED_BY_PROFILE[sim.switches["create_body"]]
    if absent := missing(fields, required):
        raise Refused(sim.error(400, message=f"{', '.join(absent)}: is required"))
    config = fields.get("config", {})
    _check_anchor(sim, fields.get("project_id"), config)
    issue = {
        "description": fields.get("description"),
        "resource_type": fields["resource_type"],
        "type": fields["type"],
        "data": config,
        "created_by": None if fields.get("anonymous") else sim.token_user,
    }
    born = sim.new_issue(issue, fields.get("project_id"))
    return Reply(sim.switches["create_status"], sim.shown(born, "create"))


def _check_anchor(sim: ZylonState, project_id: str | None, config: Json) -> None:
    """The reported chat turn must exist, in that thread of that project."""
    reading = sim.switches["unknown_anchor"]
    if reading == "accept" or not config:
        return
    thread_id = config["thread_id"]
    is_known = sim.interactions.get(config["reported_interaction_id"]) == thread_id
    if not is_known or sim.threads[thread_id] != (project_id or sim.threads[thread_id]):
        raise Refused(sim.error(reading, message="config: no such thread or interaction"))


def add(sim: ZylonState, **fields: Any) -> Json:
    """A user of the assistant reports a bad answer; `anonymous=True` hides who."""
    with sim.lock:
        anonymous = fields.pop("anonymous", False)
        project_id = fields.pop("project_id", None) or sim.anchor["project_id"]
        if "data" not in fields:
            anchor = sim.new_anchor(project_id)
            fields["data"] = {name: anchor[name] for name in CONFIG}
        author = {} if anonymous else {"created_by": sim.reporter}
        return sim.new_issue({**author, **fields}, project_id)


def get(sim: ZylonState, request: Request, issue_id: str) -> Reply:
    issue = sim.found(issue_id)
    if issue["state"] == DELETED and sim.switches["get_deleted"] == 404:
        raise Refused(sim.error(404))
    return Reply(body=sim.shown(issue, "get"))


def put(sim: ZylonState, request: Request, issue_id: str) -> Reply:
    before = sim.found(issue_id)
    fields = {name: value for name, value in request.fields.items() if name in PUTTABLE}
    if wrong := problems(fields, PUT_CHECKS):
        raise sim.invalid(request, wrong)
    _check_state(sim, before, fields["state"] if "state" in fields else before["state"])
    after = _replaced(sim, before, fields)
    if _moves_updated(sim, before, after):
        after["updated_at"] = sim.now_text()
    if before["state"] == DELETED != after["state"]:
        sim.deleted_at.pop(issue_id, None)
    return Reply(body=sim.shown(sim.update(issue_id, **after), "put"))


def _check_state(sim: ZylonState, before: Json, state: str) -> None:
    words = STATE_WORDS[sim.switches["states"]]
    allowed = TRANSITIONS[sim.switches["transitions"]].get(before["state"], STATES)
    if state != before["state"] and (state not in words or state not in allowed):
        raise Refused(sim.error(400, message=f"state: {state} is not valid here"))


def _replaced(sim: ZylonState, before: Json, fields: Json) -> Json:
    """The four fields after a PUT, by the readings of what it leaves out."""
    keeps = sim.switches["omitted_put_fields"] == "keep"
    omitted = {name: before[name] if keeps else None for name in PUTTABLE}
    omitted["is_read"] = (
        before["is_read"] if sim.switches["omitted_is_read"] == "preserve" else False
    )
    after = {**omitted, **fields}
    if "description" in fields and not fields["description"] and before["description"]:
        reading = sim.switches["clear_description"]
        if reading == "reject":
            raise Refused(sim.error(400, message="description: must not be empty"))
        if reading == "ignore":
            after["description"] = before["description"]
    return after


def _moves_updated(sim: ZylonState, before: Json, after: Json) -> bool:
    changed = {name for name in PUTTABLE if before[name] != after[name]}
    if not changed:
        return bool(sim.switches["no_op_put_bumps_updated"])
    return changed != {"is_read"} or bool(sim.switches["is_read_bumps_updated"])


def edit(sim: ZylonState, issue_id: str, **fields: Any) -> Json:
    """An admin edits in the dashboard, with any words at all."""
    with sim.lock:
        sim.settle()
        if fields.get("state") == DELETED:
            sim.deleted_at.setdefault(issue_id, sim.now_text())
        return sim.update(issue_id, **{"updated_at": sim.now_text(), **fields})


def delete(sim: ZylonState, request: Request, issue_id: str) -> Reply:
    issue = sim.found(issue_id)
    if issue["state"] != DELETED:
        issue = sim.soft_delete(issue_id)
    elif sim.switches["repeat_delete"] == 404:
        raise Refused(sim.error(404))
    if sim.switches["delete_answer"] == 204:
        return Reply(204)
    return Reply(body=sim.shown(issue, "get"))
