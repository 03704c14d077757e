"""What the stack knows, drawn for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.lag import shows_another
from issuebridge.domain.policy import Policy
from issuebridge.domain.words import FIELDS, Field
from issuebridge.wiring import Wiring
from ops.round import RoundReport

LINES_MAX = 40


@dataclass(frozen=True)
class Side:
    """One copy: how each field stands there, as `raw`, `raw (why not)` or `-`."""

    connection: str
    name: str
    fields: dict[Field, str]
    agrees: bool


@dataclass(frozen=True)
class LinkRow:
    issue_id: str
    title: str
    status: str | None
    severity: str | None
    external_link: str | None
    sides: tuple[Side, ...]
    runs: tuple[str, ...]
    pending: tuple[str, ...]


def link_rows(wiring: Wiring) -> list[LinkRow]:
    """Every canonical issue with more than one copy, or that waits for one."""
    issues = wiring.store.all()
    linked = [issue for issue in issues if len(_lives(issue)) > 1 or issue.pending]
    return [_row(issue, wiring) for issue in sorted(linked, key=lambda i: i.title)]


def _row(issue: CanonicalIssue, wiring: Wiring) -> LinkRow:
    policies = wiring.landscape.policies
    return LinkRow(
        issue.issue_id,
        issue.title,
        issue.status,
        issue.severity,
        issue.external_link,
        tuple(_side(issue, policies.get(name), name) for name in _lives(issue)),
        tuple(run.run_id or "(no id)" for run in issue.runs),
        tuple(f"{name}: {mark.reason or 'lags'}" for name, mark in issue.pending.items()),
    )


def _lives(issue: CanonicalIssue) -> list[str]:
    return [name for name, ref in issue.refs.items() if ref.is_live]


def _side(issue: CanonicalIssue, policy: Policy | None, name: str) -> Side:
    ref = issue.refs[name]
    if policy is None:
        return Side(name, ref.display_id, dict.fromkeys(FIELDS, "not configured"), agrees=False)
    fields = {name: shown(issue, policy, name) for name in FIELDS}
    lags = [n for n in FIELDS if n not in ref.notes and shows_another(issue, policy, n)]
    return Side(policy.connection, ref.display_id, fields, agrees=not lags)


def shown(issue: CanonicalIssue, policy: Policy, name: Field) -> str:
    ref = issue.refs[policy.connection]
    base, note = ref.baselines.get(name), ref.notes.get(name)
    raw = next((raw for raw in base.raws if raw is not None), "-") if base else "-"
    if note and note.kind == "unsupported":
        return raw if raw != "-" else "not held"
    return f"{raw} ({note.kind})" if note else raw


def links_table(rows: Sequence[LinkRow]) -> Table:
    """Each issue, then one line for each side: its own words, and why a field is not held there."""
    table = Table(title=f"{len(rows)} linked issues", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("issue", no_wrap=True, max_width=28)
    for heading in ("status", "severity", "link", "in step"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(f"[bold]{escape(plain(row.title))}[/]", row.status, row.severity, "", "")
        for side in row.sides:
            table.add_row(f"  {side.connection} {escape(plain(side.name))}", *_cells(side))
        for text in row.pending:
            table.add_row(f"  [red]waits: {escape(text)}")
    return table


def plain(text: str) -> str:
    """Outside text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def print_runs(console: Console, rows: Sequence[LinkRow]) -> None:
    for row in rows:
        for run in row.runs:
            console.print(f"  Norm run {run} on: {row.title}", markup=False)


def _cells(side: Side) -> list[str]:
    shown = [escape(plain(side.fields[name])) for name in FIELDS]
    return [*shown[:2], _short(shown[2]), "[green]yes" if side.agrees else "[red]no"]


def _short(link: str) -> str:
    """The end of an address; a vendor's link object is shown as such."""
    if link.startswith("{"):
        return "bound"
    return f"…{link[-8:]}" if link.startswith("http") else link


def print_round(console: Console, report: RoundReport) -> None:
    """What happened, one line each; nothing is a line when nothing did."""
    lines = [
        *(f"{b['connection']}: new {b['as']}" for b in report.born),
        *(f"{c['connection']}: created {c['as']}" for c in report.created),
        *(_change(entry, "->") for entry in report.pulled),
        *(_change(entry, ":=") for entry in report.pushed),
        *(f"Norm: /{run['intent']} run {run['run_id']} ({_asker(run)})" for run in report.prompted),
        *(f"Norm: run {run['run_id']} goes on" for run in report.running),
        *(f"Norm: run {run['run_id']} {run['outcome']}: {_said(run)}" for run in report.ended),
        *(f"waits until {m['due_at']}: {m['connection']}: {m['reason']}" for m in report.waiting),
    ]
    for line in lines[:LINES_MAX]:
        console.print(f"  {line}", markup=False, overflow="ellipsis", no_wrap=True)
    if len(lines) > LINES_MAX:
        console.print(f"  … and {len(lines) - LINES_MAX} more")
    for name, problem in report.problems.items():
        console.print(f"  {name}: {problem}", style="red", markup=False)
    seen = ", ".join(f"{name} {told.get('seen', 0)}" for name, told in report.polled.items())
    console.print(f"  [dim]rows looked at: {seen}[/]")


def _asker(run: dict[str, Any]) -> str:
    sender = run.get("sender")
    return f"asked by {run['requested_by']}" + (f", sent by {sender}" if sender else "")


def _said(run: dict[str, Any]) -> str:
    return " ".join(str(run["response"] or "").split())[:100]


def _change(entry: dict[str, Any], sign: str) -> str:
    old, new = entry.get("old"), entry.get("new")
    values = f"{old} -> {new}" if sign == "->" else f":= {new}"
    return f"{entry['by']}: {entry['field']} {values} ({entry['outcome']})"
