"""Norm: sessions, prompts, and runs that go on by the simulator's clock.

A run is accepted, starts, and ends; each step is due at a time, and `settle` takes all steps
that are due, in the order of their times, before anything is read or written.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from .bland_pages import Order, check_query, page
from .bland_state import AGENT_PROFILE_ID, BlandState, Run, data
from .checks import missing, problems, text
from .wire import Json, Refused, Reply, Request

INTENTS = {"fix": "fix", "verify": "verify", "status": "status", "debug": "fix"}
FIRST_WORD = re.compile(rf"\s*/?({'|'.join(INTENTS)})(?:\s+|$)", re.IGNORECASE)
FINISHED = ("complete", "error", "cancelled")
SHORTENED_TO = 80

Step = Callable[[BlandState, Run, datetime], None]
Due = tuple[datetime, Run, Step]


def intent_and_text(detail: str) -> tuple[str, str]:
    """The first word, if it is an intent, and what Norm then reads; `fix` if there is none."""
    found = FIRST_WORD.match(detail)
    return (INTENTS[found[1].lower()], detail[found.end() :]) if found else ("fix", detail)


def list_agents(sim: BlandState, request: Request) -> Reply:
    check_query(sim, request)
    profile = {
        "id": AGENT_PROFILE_ID,
        "provider_type": "blandcode",
        "display_name": "Norm",
        "description": None,
        "is_active": True,
    }
    return page(sim, request, [profile], Order(lambda agent: (agent["display_name"], agent["id"])))


def create_session(sim: BlandState, request: Request, issue_id: str) -> Reply:
    sim.found(issue_id)
    existing = _sessions_of(sim, issue_id)
    if existing and sim.switches["session_create_twice"] == "same":
        return data(_summary(existing[-1]), 201)
    return data(_summary(_new_session(sim, issue_id)), 201)


def _sessions_of(sim: BlandState, issue_id: str) -> list[Json]:
    return [session for session in sim.sessions.values() if session["issue_id"] == issue_id]


def _new_session(sim: BlandState, issue_id: str) -> Json:
    session = {
        "id": sim.new_id(),
        "issue_id": issue_id,
        "agent_profile_id": AGENT_PROFILE_ID,
        "agent_name": "Norm",
        "status": "active",
    }
    sim.sessions[session["id"]] = session
    _note(sim, session, "session_started", sim.norm)
    return session


def _summary(session: Json) -> Json:
    return {name: value for name, value in session.items() if name != "issue_id"}


def _note(
    sim: BlandState,
    session: Json,
    type_: str,
    actor: Json,
    at: datetime | None = None,
    **more: object,
) -> None:
    more = {"agent_session": _summary(session), "artifact": None, **more}
    sim.note(session["issue_id"], type_, actor, at, entry_kind="agent", **more)


def prompt(sim: BlandState, request: Request, issue_id: str, session_id: str) -> Reply:
    sim.found(issue_id)
    session = sim.sessions.get(session_id)
    if session is None or session["issue_id"] != issue_id:
        raise Refused(sim.error(404, message="Session not found"))
    fields, unit = request.fields, sim.switches["text_unit"]
    if wrong := missing(fields, ["detail"]) | problems(fields, {"detail": text(1, 4000, unit)}):
        raise sim.invalid(request, wrong)
    _refuse_a_run(sim, session)
    run = _accept(sim, session, sim.api_user, fields["detail"], "prompt")
    answer = {"session_id": session_id, "run_id": run.run_id, "intent": run.intent}
    return data(answer, 202)


def _refuse_a_run(sim: BlandState, session: Json) -> None:
    if not sim.switches["credit"]:
        raise Refused(sim.error(sim.switches["no_credit_status"]))
    is_busy = any(run.issue_id == session["issue_id"] for run in sim.open_runs)
    if is_busy and sim.switches["prompt_while_running"] == "reject":
        raise Refused(sim.error(409, message="A run is in progress"))
    if session["status"] in FINISHED and sim.switches["prompt_finished_session"] == "reject":
        raise Refused(sim.error(409, message="The session has ended"))


def start_from_comment(sim: BlandState, issue_id: str, actor: Json, detail: str) -> None:
    """A mention starts a run in the issue's latest session, or in a fresh one."""
    sessions = _sessions_of(sim, issue_id)
    session = sessions[-1] if sessions else _new_session(sim, issue_id)
    _accept(sim, session, actor, detail, "comment")


def _accept(sim: BlandState, session: Json, actor: Json, detail: str, origin: str) -> Run:
    intent, stripped = intent_and_text(detail)
    run = Run(
        run_id=sim.new_id(),
        issue_id=session["issue_id"],
        session_id=session["id"],
        intent=intent,
        detail=stripped,
        text=detail,
        origin=origin,
        actor=actor,
        accepted=sim.clock.now(),
    )
    sim.all_runs.append(run)
    sim.open_runs.append(run)
    _set_session(sim, run, "active")
    settle(sim)
    return run


def _set_session(sim: BlandState, run: Run, status: str) -> None:
    session = sim.sessions[run.session_id] = {**sim.sessions[run.session_id], "status": status}
    latest = {**_summary(session), "run_state": run.status, "draft_pathway_version": None}
    running = any(r.issue_id == run.issue_id and r.status == "running" for r in sim.open_runs)
    sim.update(run.issue_id, latest_agent_session=latest, is_processing=running)


def settle(sim: BlandState) -> None:
    now = sim.clock.now()
    while due := min(_due(sim, now), key=lambda step: step[0], default=None):
        at, run, step = due
        step(sim, run, at)


def _due(sim: BlandState, now: datetime) -> list[Due]:
    steps = [step for run in sim.open_runs for step in _next_steps(sim, run)]
    return [step for step in steps if step[0] <= now]


def _next_steps(sim: BlandState, run: Run) -> list[Due]:
    if not run.is_noted:
        noted_after = timedelta(seconds=sim.switches["prompt_entry_delay_seconds"])
        return [(run.accepted + noted_after, run, _note_prompt)]
    if run.status == "queued":
        return [(start, run, _start)] if (start := _start_of(sim, run)) else []
    if sim.switches["run_outcome"] == "never_ends":
        return []
    lasting = timedelta(seconds=sim.switches["run_seconds"])
    return [((run.started or run.accepted) + lasting, run, _end)]


def _start_of(sim: BlandState, run: Run) -> datetime | None:
    """When a queued run may start; None while an earlier run of its issue is in its way."""
    start = run.accepted + timedelta(seconds=sim.switches["processing_delay_seconds"])
    if sim.switches["prompt_while_running"] == "parallel":
        return start
    earlier = sim.all_runs[: sim.all_runs.index(run)]
    ended = [other.ended for other in earlier if other.issue_id == run.issue_id]
    if None in ended:
        return None
    return max([start, *(end for end in ended if end)])


def _note_prompt(sim: BlandState, run: Run, at: datetime) -> None:
    run.is_noted = True
    texts = {
        "full": run.text,
        "shortened": run.text[:SHORTENED_TO],
        "without_intent": run.detail,
    }
    shown = sim.switches["prompt_entry_run_id"] == "present"
    _note(
        sim,
        sim.sessions[run.session_id],
        "prompt",
        run.actor,
        at,
        detail=texts[sim.switches["prompt_entry_text"]],
        metadata={"run_id": run.run_id} if shown else None,
    )


def _start(sim: BlandState, run: Run, at: datetime) -> None:
    run.status, run.started = "running", at
    _set_session(sim, run, "active")
    _note(sim, sim.sessions[run.session_id], "thought", sim.norm, at, detail="Reading the issue")


def _end(sim: BlandState, run: Run, at: datetime) -> None:
    outcome = sim.switches["run_outcome"]
    _finish(sim, run, at, outcome)
    words = {
        "complete": ("response", f"Done ({run.intent})."),
        "error": ("error", "Norm could not go on."),
        "awaiting_input": ("response", "Which pathway do you mean?"),
    }
    type_, detail = words[outcome]
    _note(sim, sim.sessions[run.session_id], type_, sim.norm, at, detail=detail)


def _finish(sim: BlandState, run: Run, at: datetime, status: str) -> None:
    run.status, run.ended = status, at
    sim.open_runs.remove(run)
    _set_session(sim, run, status)


def stop(sim: BlandState, issue_id: str) -> None:
    """A person stops whatever Norm does on the issue."""
    now = sim.clock.now()
    for run in [run for run in sim.open_runs if run.issue_id == issue_id]:
        _finish(sim, run, now, "cancelled")
        session = sim.sessions[run.session_id]
        _note(sim, session, "session_stopped", sim.person, now, detail="Stopped")
