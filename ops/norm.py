"""`issuebridge norm`: ask Norm by hand, and see what came of every prompt."""

import getpass
import json
import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import AgentRun, CanonicalIssue
from issuebridge.domain.prompt import Intent, PromptRequest, parse_request, prompt_key
from issuebridge.wiring import Wiring
from ops.issues import find_issues
from ops.show import plain
from ops.stack import Stack, StackError

REFUSED_AT = ""
"""The connection of messages that were refused before one was known."""
FEED_BEFORE = timedelta(seconds=60)

console = Console(highlight=False)


def register(commands: Any, stack_of: Callable[[Namespace], Stack]) -> None:  # noqa: ANN401
    """Add `norm` and what it can do to the command's parser."""
    text = "put Norm on an issue, and see what came of it"
    mine = commands.add_parser("norm", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )

    def add(name: str, command: Callable[[Stack, Namespace], int], text: str) -> Any:  # noqa: ANN401
        made = mine.add_parser(name, help=text, description=text)
        made.set_defaults(command=lambda options: command(stack_of(options), options))
        return made

    ask = add("prompt", _prompt, "ask Norm once; it works as soon as the issue's earlier runs end")
    ask.add_argument("issue", help="our id, or the id or short code at bland")
    ask.add_argument("intent", choices=get_args(Intent), help="fix lets Norm write")
    ask.add_argument("text")
    ask.add_argument("--by", default=getpass.getuser(), help="who asks (%(default)s)")
    ask.add_argument("--key", default=None, help="the same key is the same request: one run")
    ask.add_argument("--connection", help="if several are bland")
    ask.add_argument("--within-minutes", type=float, help="do not start it later than that")
    runs = add("runs", _runs, "every prompt that waits, runs, is parked, or ended lately")
    runs.add_argument("--days", type=float, default=7)
    runs.add_argument("--json", action="store_true")
    one = add("run", _run, "one run with the issue's feed since then")
    one.add_argument("run", help="run id, or the key that `norm runs` shows")
    one.add_argument("--json", action="store_true")


def _prompt(stack: Stack, options: Namespace) -> int:
    deadline = None
    if options.within_minutes is not None:
        deadline = datetime.now(UTC) + timedelta(minutes=options.within_minutes)
    fields = {
        "version": 1,
        "issue": options.issue,
        "intent": options.intent,
        "text": options.text,
        "requested_by": options.by,
        "idempotency_key": options.key or uuid.uuid4().hex,
        "connection": options.connection,
        "deadline": deadline and deadline.isoformat(),
    }
    wiring = stack.wiring()
    request = parse_request(json.dumps(fields), wiring.settings.intents)
    issue = _issue(wiring, request)
    stack.send_prompt(request.model_dump_json(), group=issue.issue_id, key=request.idempotency_key)
    key = prompt_key(issue.issue_id, request)
    console.print(f"on its way; see: issuebridge norm run {key}", markup=False)
    return 0


def _issue(wiring: Wiring, request: PromptRequest) -> CanonicalIssue:
    names = [request.connection] if request.connection else list(wiring.config.connections)
    found = find_issues(wiring, request.issue, names)
    if len(found) > 1:
        told = ", ".join(issue.issue_id for issue in found)
        raise StackError(f"{request.issue} is more than one issue: name one of {told}")
    if not found:
        raise StackError(f"no issue is known as {request.issue}; has its connection been polled?")
    return found[0]


def rows(wiring: Wiring, since: datetime) -> list[dict[str, Any]]:
    """What is open or running, and what ended or was parked since then; oldest first."""
    known: dict[str, CanonicalIssue | None] = {}
    found = [_row(wiring, effect, known) for effect in _effects(wiring, since)]
    return sorted(found, key=lambda row: str(row["asked_at"]))


def _effects(wiring: Wiring, since: datetime) -> Iterator[Effect]:
    for name in wiring.config.with_agent:
        for shelf in ("prompt", "run"):
            yield from wiring.ledger.listed(shelf, name)
        for shelf in ("ended", "parked"):
            yield from wiring.ledger.listed(shelf, name, since)
    yield from wiring.ledger.listed("parked", REFUSED_AT, since)


def _row(wiring: Wiring, effect: Effect, known: dict[str, CanonicalIssue | None]) -> dict[str, Any]:
    if effect.issue_id not in known:
        known[effect.issue_id] = wiring.store.load(effect.issue_id)
    issue = known[effect.issue_id]
    run = next((r for r in issue.runs if r.key == effect.key), None) if issue else None
    row = {
        "key": effect.key,
        "state": run.outcome if run else _state(effect),
        "issue_id": effect.issue_id,
        "issue": _display(issue, effect),
        "title": issue.title if issue else "",
        "asked_at": effect.planned_at.isoformat(),
        "reason": effect.reason,
    }
    return {**row, **(_run_part(run, effect) if run else _request_part(effect))}


def _state(effect: Effect) -> str:
    if effect.state == "parked":
        return "parked" if effect.connection != REFUSED_AT else "refused"
    return "waiting" if effect.state == "planned" else effect.state


def _display(issue: CanonicalIssue | None, effect: Effect) -> str:
    ref = issue.refs.get(effect.connection) if issue else None
    return ref.display_id if ref else ""


def _run_part(run: AgentRun, effect: Effect) -> dict[str, Any]:
    """What Norm said stands in the ledger; of runs that ended long ago, on the issue."""
    took = (run.ended_at - run.submitted_at).total_seconds() if run.ended_at else None
    told = run.model_dump(mode="json", exclude={"key", "outcome"})
    said = {"response": effect.response or run.response, "links": effect.links or run.links}
    return {**told, **said, "seconds": took, "intent_changed": run.intent != run.intent_asked}


def _request_part(effect: Effect) -> dict[str, Any]:
    if effect.connection == REFUSED_AT:
        return {"message": effect.request, "run_id": None}
    request = PromptRequest.model_validate_json(effect.request)
    return {
        "intent_asked": request.intent,
        "requested_by": request.requested_by,
        "sender": effect.sender,
        "rule": effect.rule,
        "run_id": effect.result,
        "response": effect.response,
        "links": effect.links,
    }


def _runs(stack: Stack, options: Namespace) -> int:
    found = rows(stack.wiring(), datetime.now(UTC) - timedelta(days=options.days))
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        console.print(_table(found))
    return 0


def _table(found: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"{len(found)} prompts", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("asked at", "issue", "intent", "by", "state", "run or key", "what came of it"):
        table.add_column(heading, overflow="fold")
    for row in found:
        said = row.get("response") or row["reason"] or ""
        cells = (
            row["asked_at"][:19],
            row["issue"],
            row.get("intent_asked", ""),
            row.get("requested_by", ""),
            row["state"],
            row.get("run_id") or row["key"],
            said.splitlines()[0][:100] if said else "",
        )
        table.add_row(*(escape(plain(cell)) for cell in cells))
    return table


def _run(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    found = rows(wiring, datetime.min.replace(tzinfo=UTC))
    row = next((r for r in found if options.run in (r["key"], r.get("run_id"))), None)
    if row is None:
        raise StackError(f"no run or prompt is known as {options.run}")
    effect = wiring.ledger.get(row["key"])
    assert effect is not None, "it was just listed"
    issue = wiring.store.load(effect.issue_id) if effect.issue_id else None
    feed = _feed(wiring, effect, issue) if issue and effect.connection in issue.refs else []
    if options.json:
        sys.stdout.write(json.dumps({**row, "feed": feed}, indent=2) + "\n")
        return 0
    for name, value in row.items():
        if value not in (None, "", [], False):
            console.print(f"{name}: {value}", markup=False)
    for entry in feed:
        console.print(f"  {entry['at'][:19]} {entry['type']}: {entry['text']}", markup=False)
    return 0


def _feed(wiring: Wiring, effect: Effect, issue: CanonicalIssue) -> list[dict[str, str]]:
    """What Norm did on the issue since the prompt was sent, oldest first."""
    since = (effect.sent_at or effect.planned_at) - FEED_BEFORE
    entries = wiring.agent(effect.connection).activity(
        issue.refs[effect.connection].remote_id, since
    )
    return [
        {"at": entry.created_at.isoformat(), "type": entry.type, "text": entry.text}
        for entry in reversed(entries)
        if entry.session_id
    ]
