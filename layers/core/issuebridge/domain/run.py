"""What the activity of an issue says about one run: no entry names its run, and none its end.

A run is over when Norm no longer works on the issue and has answered, failed or was stopped, or
its session says so. Every prompt has the issue for itself, so the entries after ours are its own,
up to the next prompt of somebody else in the same session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast, get_args

from issuebridge.domain.issue import AgentRun, RunOutcome
from issuebridge.domain.limits import (
    ANSWER,
    ANSWER_LINK,
    ANSWER_LINKS_MAX,
    ANSWER_UNITS,
    stored_bytes,
    words,
)
from issuebridge.domain.prompt import carries_reference

SILENT_SECONDS = 300
"""After this a session's own word is taken, though the feed shows no end, or not even our prompt.
Before, it may be left over from the session's last run."""

ENDINGS: dict[str, RunOutcome] = {
    "response": "complete",
    "error": "error",
    "session_stopped": "cancelled",
}
_OVER = set(get_args(RunOutcome)) - {"running", "timed_out"}


@dataclass(frozen=True)
class ActivityEntry:
    """One entry of an issue's activity feed, as far as prompts need it."""

    entry_id: str
    kind: str
    type: str
    text: str
    session_id: str | None
    run_id: str | None
    created_at: datetime
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """What Norm's side shows of an issue. `entries` are the oldest first."""

    session_id: str | None
    session_status: str | None
    is_processing: bool
    entries: Sequence[ActivityEntry]


@dataclass(frozen=True)
class _Part:
    """The entries of one run; `is_followed`: another prompt came after it in its session."""

    prompt: ActivityEntry | None
    entries: Sequence[ActivityEntry]
    is_followed: bool


def follow(run: AgentRun, shown: Shown, now: datetime, run_minutes_max: float) -> AgentRun:
    """The run as it stands now; the same one while nothing is known that was not."""
    part = _part_of(run, shown)
    found = run.run_id or (part.prompt.run_id if part.prompt else None)
    outcome = _outcome(run, shown, part, now)
    if outcome == "running":
        if now - run.submitted_at <= timedelta(minutes=run_minutes_max):
            return run.model_copy(update={"run_id": found})
        outcome = "timed_out"
    return run.model_copy(
        update={
            "run_id": found,
            "outcome": outcome,
            "ended_at": now,
            "response": _last_word(part.entries),
            "links": _links(part.entries),
        }
    )


def _part_of(run: AgentRun, shown: Shown) -> _Part:
    feed = [entry for entry in shown.entries if entry.session_id in (run.session_id, None)]
    place = next((n for n, entry in enumerate(feed) if _is_own(entry, run)), None)
    if place is None:
        return _Part(None, (), is_followed=False)
    after = feed[place + 1 :]
    following = next((n for n, entry in enumerate(after) if entry.type == "prompt"), None)
    if following is None:
        return _Part(feed[place], after, is_followed=False)
    mine = after[:following]
    if not any(entry.type in ENDINGS for entry in mine):
        # Queued prompts may be noted before the first of them has ended.
        end = next((n for n, entry in enumerate(after) if entry.type in ENDINGS), -1)
        mine = [entry for entry in after[: end + 1] if entry.type != "prompt"]
    return _Part(feed[place], mine, is_followed=True)


def _is_own(entry: ActivityEntry, run: AgentRun) -> bool:
    named = run.run_id is not None and entry.run_id == run.run_id
    return entry.type == "prompt" and (named or carries_reference(entry.text, run.key))


def _outcome(run: AgentRun, shown: Shown, part: _Part, now: datetime) -> RunOutcome:
    if shown.is_processing and not part.is_followed:
        return "running"
    is_last = shown.session_id == run.session_id and not part.is_followed
    status = shown.session_status if is_last and shown.session_status in _OVER else None
    ending = next((e.type for e in reversed(part.entries) if e.type in ENDINGS), None)
    if ending == "response" and status:
        return cast("RunOutcome", status)
    if ending:
        return ENDINGS[ending]
    if status and now - run.submitted_at > timedelta(seconds=SILENT_SECONDS):
        return cast("RunOutcome", status)
    return "running"


def _last_word(entries: Sequence[ActivityEntry]) -> str | None:
    said = [entry.text for entry in entries if entry.type in ("response", "error") and entry.text]
    return words(said[-1], ANSWER_UNITS, ANSWER) if said else None


def _links(entries: Sequence[ActivityEntry]) -> tuple[str, ...]:
    """A link that was cut would lead nowhere."""
    found = [link for entry in entries for link in entry.links]
    short = (link for link in found if stored_bytes(link) <= ANSWER_LINK)
    return tuple(dict.fromkeys(short))[:ANSWER_LINKS_MAX]
