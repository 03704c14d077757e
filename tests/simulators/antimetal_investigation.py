"""Antimetal's investigations: they end by the clock, and may move status and words.

Also the calls around them that a mirror has no use for: results, artifacts, the chat.
"""

from datetime import datetime

from .antimetal_issues import check_query, check_uuid
from .antimetal_state import AntimetalState
from .checks import boolean, missing, problems, text
from .clock import millis
from .wire import Json, Refused, Reply, Request

ARTIFACTS_MAX = 100


def settle(sim: AntimetalState) -> None:
    now = sim.clock.now()
    for uuid, at in sorted(sim.due.items(), key=lambda item: item[1]):
        if at <= now:
            _finish(sim, uuid, at, sim.switches["investigation_outcome"])


def finish_now(sim: AntimetalState, uuid: str, outcome: str = "SUCCESS") -> Json:
    """End the running analysis at once."""
    _finish(sim, uuid, sim.clock.now(), outcome)
    return sim.rows[uuid]


def _finish(sim: AntimetalState, uuid: str, at: datetime, outcome: str) -> None:
    sim.due.pop(uuid, None)
    issue = sim.rows[uuid]
    *earlier, latest = issue["versions"]
    sim.update(uuid, versions=[*earlier, {**latest, "status": outcome}], updatedAt=millis(at))
    if issue["status"] == "investigating":  # someone may have resolved or muted it meanwhile
        after_failure = sim.switches["failed_status"]
        sim.update(uuid, status=after_failure if outcome == "ERROR" else "ready_to_fix")
    if sim.switches["version_rewrites_text"] and outcome == "SUCCESS":
        _rewrite(sim, uuid)
    sim.keep_text(uuid)


def _rewrite(sim: AntimetalState, uuid: str) -> None:
    """The harshest case for a marker: only the first line survives."""
    issue = sim.rows[uuid]
    first_line = issue["description"].partition("\n")[0]
    summary = f"{first_line} [summary of version {issue['latestVersion']}]"
    sim.update(uuid, title=f"{issue['title'][:480]} (root cause known)", description=summary)


def join_alert(sim: AntimetalState, uuid: str, title: str = "The alert fired again") -> Json:
    """A further alert joins the issue; a muted one reopens."""
    now, issue = sim.now_text(), sim.rows[uuid]
    report = {"title": title, "description": title, "triggeredAt": now}
    if sim.switches["seed_joins"]:
        sim.join(uuid, sim.new_seed(report, "alert", "datadog"), now)
    if issue["status"] == "muted":
        sim.update(uuid, status="investigating", updatedAt=now)
        sim.start_investigation(uuid)
    return sim.rows[uuid]


def results(sim: AntimetalState, request: Request, uuid: str) -> Reply:
    check_uuid(sim, request, uuid)
    check_query(sim, request)
    issue = sim.found(uuid)
    version = int(request.one("version") or issue["latestVersion"])
    if version > issue["latestVersion"]:
        raise Refused(sim.error(404, message="Version not found"))
    is_done = issue["versions"][version - 1]["status"] == "SUCCESS"
    if not is_done and sim.switches["results_before_completion"] == 404:
        raise Refused(sim.error(404, message="No results yet"))
    return Reply(body=_results(issue, is_done=is_done))


def _results(issue: Json, *, is_done: bool) -> Json:
    root_cause = {
        "id": f"cause-{issue['number']}",
        "incidentOverview": issue["title"],
        "rootCauseSummary": "A deployment changed a limit.",
        "relevantEvidence": [],
        "irrelevantEvidence": [],
    }
    return {
        "sessionUuid": None,
        "rootCause": root_cause if is_done else None,
        "causalTree": {"nodes": [], "edges": []},
        "causalTreeV2": {"nodes": [], "edges": []},
        "remediation": {"actions": []},
        "timeline": [],
    }


def artifacts(sim: AntimetalState, request: Request) -> Reply:
    """A bare list; there are none, and unknown ids are left out."""
    wanted = request.query.get("id", [])
    if not 1 <= len(wanted) <= ARTIFACTS_MAX:
        raise sim.invalid(request, {"id": f"must be given 1 to {ARTIFACTS_MAX} times"})
    return Reply(body=[])


def query(sim: AntimetalState, request: Request) -> Reply:
    fields = request.fields
    checks = {"question": text(1), "stream": boolean}
    if wrong := missing(fields, ["question"]) | problems(fields, checks):
        raise sim.invalid(request, wrong)
    conversation = fields.get("conversation_id") or sim.new_id()
    return Reply(
        body={"conversation_id": conversation, "answer": "I am a simulator.", "artifacts": []}
    )
