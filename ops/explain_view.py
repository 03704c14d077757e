"""One issue in words: what is, why it is so, what waits, what was done."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from issuebridge.domain.issue import CanonicalIssue, ExternalRef
from issuebridge.domain.words import FIELDS
from issuebridge.wiring import Wiring
from ops.show import plain, shown


def print_explanation(
    console: Console, wiring: Wiring, issue: CanonicalIssue, why: dict[str, Any]
) -> None:
    """`why` is what `explained` found."""
    console.print(f"[bold]{escape(plain(issue.title))}[/] ({issue.issue_id})")
    console.print(_fields(wiring, issue))
    for line in _lines(issue, why):
        console.print(f"  {plain(line)}", markup=False)
    for entry in why["history"]:
        console.print(f"  {plain(_entry(entry))}", markup=False)


def _fields(wiring: Wiring, issue: CanonicalIssue) -> Table:
    """Our value and who gave it, then the words of each copy and why one differs."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("", *FIELDS):
        table.add_column(heading, overflow="fold")
    table.add_row("meant", *(escape(plain(issue.value(name) or "-")) for name in FIELDS))
    table.add_row("set by", *(_setter(issue, name) for name in FIELDS))
    for name, ref in issue.refs.items():
        policy = wiring.landscape.policies.get(name)
        words = [shown(issue, policy, field) if policy else "not configured" for field in FIELDS]
        at = f"{name} {ref.display_id}{_state(ref)}"
        table.add_row(escape(plain(at)), *(escape(plain(word)) for word in words))
    return table


def _setter(issue: CanonicalIssue, name: str) -> str:
    edit = issue.edits.get(name)  # type: ignore[call-overload]
    return f"{edit.by} {edit.at:%Y-%m-%d %H:%M}" if edit else "-"


def _state(ref: ExternalRef) -> str:
    states = {"unlinked": ref.ended, "deleted": ref.deleted, "another bridge's": ref.foreign}
    told = [name for name, on in states.items() if on]
    return f" ({', '.join(told)})" if told else ""


def _lines(issue: CanonicalIssue, why: dict[str, Any]) -> Iterator[str]:
    for name, ref in issue.refs.items():
        for part, note in ref.notes.items():
            yield f"{part} at {name} is {note.kind.replace('_', ' ')}: {note.detail}"
    for name, mark in issue.pending.items():
        yield f"{name} waits until {mark.due_at:%Y-%m-%d %H:%M}: {mark.reason or 'its next push'}"
    for name, reason in issue.parked.items():
        yield f"no counterpart at {name}: {reason}; `issuebridge release {issue.issue_id}`"
    for name, reason in why.get("stopped", {}).items():
        yield f"{name} is stopped: {reason}"
    yield from (f"route {route}: {reason}" for route, reason in why["routes"].items())
    yield from (f"rule {rule}: {reason}" for rule, reason in why["rules"].items())
    for run in issue.runs:
        sender = f", sent by {run.sender}" if run.sender else ""
        yield (
            f"Norm was asked to {run.intent_asked} by {run.requested_by}{sender} at "
            f"{run.submitted_at:%Y-%m-%d %H:%M}: {run.outcome} ({run.run_id or 'no id'})"
        )


def _entry(entry: dict[str, Any]) -> str:
    at = entry["at"][:16].replace("T", " ")
    values = f"{entry.get('old') or '-'} -> {entry.get('new') or '-'}"
    detail = f": {entry['detail']}" if entry.get("detail") else ""
    return f"{at}  {entry['by']}: {entry['field']} {values} ({entry['outcome']}{detail})"
