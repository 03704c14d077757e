"""What the stack knows, drawn for a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from issuebridge.domain.converge import wanted
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.policy import Policy
from issuebridge.domain.reading import carries
from issuebridge.domain.words import FIELDS, Field
from issuebridge.wiring import Wiring
from ops.round import RoundReport


@dataclass(frozen=True)
class Side:
    """One copy: how each field stands there, as `raw`, `raw (why not)` or `-`."""

    connection: str
    name: str
    fields: dict[str, str]
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
    linked = [issue for issue in issues if len(issue.refs) > 1 or issue.pending]
    return [_row(issue, wiring) for issue in sorted(linked, key=lambda i: i.title)]


def _row(issue: CanonicalIssue, wiring: Wiring) -> LinkRow:
    policies = wiring.landscape.policies
    return LinkRow(
        issue.issue_id,
        issue.title,
        issue.status,
        issue.severity,
        issue.external_link,
        tuple(_side(issue, policies[name]) for name in issue.refs if name in policies),
        tuple(run.run_id or "(no id)" for run in issue.runs),
        tuple(f"{name}: {mark.reason or 'lags'}" for name, mark in issue.pending.items()),
    )


def _side(issue: CanonicalIssue, policy: Policy) -> Side:
    ref = issue.refs[policy.connection]
    fields = {name: _shown(issue, policy, name) for name in FIELDS}
    lags = [
        name
        for name in FIELDS
        if name not in ref.notes
        and name in ref.baselines
        and not carries(
            policy.fields[name],
            ref.baselines[name].raws,
            wanted(issue, policy.connection, name),
        )
    ]
    return Side(policy.connection, ref.display_id, fields, agrees=not lags)


def _shown(issue: CanonicalIssue, policy: Policy, name: Field) -> str:
    ref = issue.refs[policy.connection]
    base, note = ref.baselines.get(name), ref.notes.get(name)
    raw = next((raw for raw in base.raws if raw is not None), "-") if base else "-"
    return f"{raw} ({note.kind})" if note else raw


def links_table(rows: Sequence[LinkRow], connections: Sequence[str]) -> Table:
    """One line an issue: what we hold, then status / severity / link at each connection."""
    table = Table(title=f"{len(rows)} linked issues: status / severity / link on each side")
    table.add_column("issue", max_width=26, no_wrap=True)
    table.add_column("canonical")
    for name in connections:
        table.add_column(name)
    table.add_column("in step")
    table.add_column("Norm runs")
    for row in rows:
        sides = {side.connection: _cell(side) for side in row.sides}
        agrees = all(side.agrees for side in row.sides) and not row.pending
        table.add_row(
            row.title,
            f"{row.status} / {row.severity or '-'}",
            *(sides.get(name, "") for name in connections),
            "[green]yes" if agrees else f"[red]no[/] {'; '.join(row.pending)}",
            "\n".join(row.runs),
        )
    return table


def _cell(side: Side) -> str:
    status, severity, link = (side.fields[name] for name in FIELDS)
    lead = "link" if link.startswith(("http", "{")) else link
    return f"[bold]{side.name}[/] {status} / {severity} / {lead}"


def print_round(console: Console, report: RoundReport) -> None:
    for name, told in report.polled.items():
        console.print(f"  {name}: looked at {told.get('seen', 0)}, stored {told.get('stored_count', 0)}")
    for entry in report.pulled:
        console.print(f"  {entry['by']}: {entry['field']} {entry.get('old')} -> {entry.get('new')} ({entry['outcome']})", markup=False)
    for made in report.created:
        console.print(f"  {made['connection']}: created {made['as']}")
    for entry in report.pushed:
        console.print(f"  {entry['by']}: {entry['field']} := {entry.get('new')} ({entry['outcome']})", markup=False)
    for run in report.prompted:
        console.print(f"  Norm: /{run['intent']} run {run['run_id']}")
    for mark in report.waiting:
        console.print(f"  waits until {mark['due_at']}: {mark['connection']}: {mark['reason']}", markup=False)
    for name, problem in report.problems.items():
        console.print(f"  {name}: {problem}", style="red", markup=False)
