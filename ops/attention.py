"""`issuebridge attention`: all that waits for a person, over all connections, and what ends it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from json import dumps

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from issuebridge.domain.gate import FINISHED
from issuebridge.domain.issue import CanonicalIssue, ExternalRef
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.taking import SET_ASIDE
from issuebridge.wiring import Wiring
from ops.show import plain
from ops.stack import Stack

WAITING = 3
"""The exit status when the list is not empty."""
console = Console(highlight=False)

REMEDIES = {
    "stale": "issuebridge round",
    "stopped": "issuebridge allow {connection}",
    "foreign": "issuebridge allow {connection}",
    "gap": "issuebridge status",
    "quarantined": "mend it at {connection}; it is looked at again by itself",
    "twin": "close it at {connection}, or take our line out of it",
    "held": "issuebridge release {issue} --take ours",
    "rolled_back": "issuebridge release {issue} --take ours",
    "fought": "end one of the automations, then issuebridge release {issue}",
    "frozen": "add the word to connections.{connection}.maps, or mend it at {connection}",
    "rejected": "issuebridge release {issue}",
    "parked": "issuebridge release {issue}",
    "set aside": "issuebridge release {issue}",
    "prompt parked": "issuebridge norm run {name}",
    "awaiting input": "answer Norm at {connection}",
    "dead letter": "read them, then redrive or purge the queue",
}
"""State -> the command, or what to do, that ends it."""
TOLD_FOR = timedelta(days=7)
"""What no command ends, and nobody tells the end of, leaves the list after this."""
QUEUES = {"PromptDeadLettersUrl": "prompts", "MirrorDeadLettersUrl": "changes"}


@dataclass(frozen=True)
class Waiting:
    """`since` is None where nothing tells it; `name` is the vendor's own, or a ledger key."""

    state: str
    connection: str
    name: str
    reason: str
    remedy: str
    since: datetime | None = None


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true")


def attention(stack: Stack, options: Namespace) -> int:
    """0 if nobody has to do anything, else WAITING."""
    found = waiting(stack)
    if options.json:
        rows = [asdict(each) for each in found]
        console.file.write(dumps(rows, default=str, indent=2) + "\n")
    else:
        console.print(_table(found) if found else "nothing waits for you")
    return WAITING if found else 0


def waiting(stack: Stack) -> list[Waiting]:
    """The oldest first; what has no time comes before them all."""
    wiring = stack.wiring()
    found = chain(_connections(wiring), _issues(wiring), _prompts(wiring), _dead_letters(stack))
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda each: each.since or never)


def _waiting(
    state: str,
    connection: str,
    name: str,
    reason: str,
    *,
    issue: str = "",
    since: datetime | None = None,
) -> Waiting:
    remedy = REMEDIES[state].format(connection=connection, issue=issue, name=name)
    return Waiting(state, connection, name, reason, remedy, since)


def _connections(wiring: Wiring) -> Iterator[Waiting]:
    for name, lanes in wiring.freshness.items():
        state, gate = wiring.connections.read(name), wiring.connections.gate(name)
        late = [lane for lane in lanes if lane.is_stale]
        if late:
            why = state.problem or "no look came to its end"
            yield _waiting("stale", name, name, why, since=late[0].at)
        if gate.shut:
            yield _waiting("stopped", name, name, gate.shut)
        if gate.foreign:
            yield _waiting("foreign", name, name, gate.foreign)
        if state.completeness and not state.completeness.closes:
            told = state.completeness
            why = f"seen {told.seen}, stored {told.stored}, missing {told.missing_count}"
            yield _waiting("gap", name, name, why, since=told.at)
        yield from _of_rows(name, state)


def _of_rows(name: str, state: ConnectionState) -> Iterator[Waiting]:
    for unread in state.completeness.unread if state.completeness else ():
        who, _, why = unread.partition(": ")
        yield _waiting("quarantined", name, who, why or unread)
    for failing in state.failing.values():
        yield _waiting("quarantined", name, failing.name, failing.reason)
    for twin in state.twins.values():
        if twin.is_told:
            yield _waiting("twin", name, twin.name, f"a second copy of {twin.issue_id}")


def _issues(wiring: Wiring) -> Iterator[Waiting]:
    for issue in wiring.store.all():
        for name, reason in issue.parked.items():
            yield _waiting("parked", name, _called(issue), reason, issue=issue.issue_id)
        for name, mark in issue.pending.items():
            if mark.reason == SET_ASIDE:
                yield _waiting("set aside", name, _called(issue), SET_ASIDE, issue=issue.issue_id)
        yield from _asked(wiring, issue)
        for ref in issue.refs.values():
            yield from _notes(wiring, issue, ref)


def _asked(wiring: Wiring, issue: CanonicalIssue) -> Iterator[Waiting]:
    """What Norm asks in its last run; nobody tells us that it was answered."""
    run = issue.runs[-1] if issue.runs and issue.status not in FINISHED else None
    if run and run.outcome == "awaiting_input" and run.submitted_at > _since(wiring):
        effect = wiring.ledger.get(run.key)
        at = effect.connection if effect else issue.origin
        yield _waiting("awaiting input", at, _called(issue), run.intent, since=run.submitted_at)


def _since(wiring: Wiring) -> datetime:
    return wiring.clock.now() - TOLD_FOR


def _notes(wiring: Wiring, issue: CanonicalIssue, ref: ExternalRef) -> Iterator[Waiting]:
    told = {part: note for part, note in ref.notes.items() if note.kind in REMEDIES}
    history = wiring.store.history(issue.issue_id) if told else []
    for part, note in told.items():
        key = (ref.connection, part, note.kind)
        noted = [entry.at for entry in history if (entry.by, entry.field, entry.outcome) == key]
        yield _waiting(
            note.kind,
            ref.connection,
            ref.display_id,
            f"{part}: {note.detail}",
            issue=issue.issue_id,
            since=max(noted, default=None),
        )


def _prompts(wiring: Wiring) -> Iterator[Waiting]:
    for name in wiring.config.with_agent:
        for effect in wiring.ledger.listed("parked", name, _since(wiring)):
            why, since = effect.reason or "", effect.planned_at
            yield _waiting("prompt parked", name, effect.key, why, since=since)


def _dead_letters(stack: Stack) -> Iterator[Waiting]:
    """Refused prompts, and changes that could not be mirrored in time."""
    sqs = stack.session.client("sqs")
    for output, what in QUEUES.items():
        url = stack.output(output)
        told = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        if count := int(told["ApproximateNumberOfMessages"]):
            yield _waiting("dead letter", "", what, f"{count} in {url}")


def _called(issue: CanonicalIssue) -> str:
    ref = issue.refs.get(issue.origin)
    return ref.display_id if ref else issue.issue_id


def _table(found: Sequence[Waiting]) -> Table:
    table = Table(title=f"{len(found)} wait for you", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("state", "where", "what", "since", "why", "what to do"):
        table.add_column(heading, overflow="fold")
    for each in found:
        since = each.since.isoformat(timespec="minutes") if each.since else ""
        cells = (each.state, each.connection, each.name, since, each.reason, each.remedy)
        table.add_row(*(escape(plain(cell)) for cell in cells))
    return table
