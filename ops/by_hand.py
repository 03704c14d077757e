"""What a person decides about issues and connections: let go on, release, link, unlink, adopt."""

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from rich.console import Console

from issuebridge.domain.adoption import ODD
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.use_cases import by_hand
from issuebridge.use_cases.adopt import Adopted
from issuebridge.use_cases.gate import allow
from issuebridge.wiring import Wiring
from ops.asking import agreed
from ops.issues import the_issue
from ops.stack import Stack, StackError

Command = Callable[[Stack, Namespace], int]
ISSUE = "our id, or the id or short code at a connection; `connection:name` says at which"
TOLD_MAX = 40
LOOKS_BACK = timedelta(hours=1)

console = Console(highlight=False)


def register(add: Callable[[str, Command, str], ArgumentParser]) -> None:
    """Add these commands to the command's parser."""
    add("allow", _allow, "let a connection go on that was stopped, for an hour").add_argument(
        "connection"
    )
    _register_release(
        add("release", _release, "try issues again at once: refused, held, parked or waiting")
    )
    probe = add("probe", _probe, "see whether bland takes a link, on an issue for tests")
    probe.add_argument("connection")
    probe.add_argument("issue", help="one without a link; it keeps the one that is written to it")
    ended = add("unlink", _unlink, "let one copy of an issue go: mirrored no more, never made anew")
    ended.add_argument("issue", help=ISSUE)
    ended.add_argument("connection", help="where the copy lives that is let go")
    dropped = add("drop", _drop, "make no counterpart of an issue there, until it is released")
    dropped.add_argument("issue", help=ISSUE)
    dropped.add_argument("connection", help="where none is made")
    joined = add("link", _link, "make two issues one that people have kept in step by hand")
    joined.add_argument("one", help=ISSUE)
    joined.add_argument("other", help=ISSUE)
    joined.add_argument(
        "--from", dest="side", required=True, help="the connection whose values come first"
    )
    adopted = add("adopt", _adopt, "link again what belongs together, after a table was lost")
    adopted.add_argument(
        "--formerly",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="what a connection was called when the marks were made",
    )
    adopted.add_argument("--yes", action="store_true", help="do it without asking")


def _register_release(freed: ArgumentParser) -> None:
    freed.add_argument("issue", nargs="?", help=ISSUE)
    freed.add_argument("--at", metavar="CONNECTION", help="every issue with a held field there")
    freed.add_argument("--take", choices=("ours", "theirs"), help="of what is held (ours)")
    freed.add_argument("--yes", action="store_true", help="do it without asking")


def _known(wiring: Wiring, connection: str) -> str:
    if connection not in wiring.config.connections:
        names = ", ".join(wiring.config.connections)
        raise StackError(f"no connection is called {connection}: there are {names}")
    return connection


def _allow(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    name = _known(wiring, options.connection)
    for line in _lets_go_on(wiring, name):
        console.print(line, markup=False)
    allow(wiring.connections, wiring.config, wiring.clock, name)
    return 0


def _lets_go_on(wiring: Wiring, name: str) -> Iterator[str]:
    gate, state = wiring.connections.gate(name), wiring.connections.read(name)
    waiting = [issue for issue in wiring.store.all() if _waits_for(issue, name)]
    if gate.shut:
        yield f"{name} was stopped: {gate.shut}"
        yield f"  its polls go on, and so do {len(waiting)} issues that wait for it"
    if gate.foreign:
        creates = sum(name in issue.pending and name not in issue.refs for issue in waiting)
        yield f"nothing was created at {name}: {gate.foreign}"
        yield f"  {creates} counterparts are created there now"
    if state.missing:
        yield f"  {len(state.missing)} missing issues are believed to be gone at the next sweep"
    if not (gate.shut or gate.foreign or state.missing):
        yield f"{name} was not stopped"
    yield "for an hour nothing that it changes is too much"


def _waits_for(issue: CanonicalIssue, name: str) -> bool:
    """Something lags there, or lags elsewhere by what was said there."""
    said = any(edit.by.endswith(name) for edit in issue.edits.values())
    return name in issue.pending or (bool(issue.pending) and said)


def _release(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    take: by_hand.Side = options.take or "ours"
    if bool(options.issue) == bool(options.at):
        raise StackError("name one issue, or a connection with --at")
    if options.issue:
        wiring.pipeline.release(the_issue(wiring, options.issue).issue_id, take)
        return 0
    if not options.take:
        raise StackError("say which value shall stand: --take ours, or --take theirs")
    return _release_at(wiring, _known(wiring, options.at), options)


def _release_at(wiring: Wiring, name: str, options: Namespace) -> int:
    found = [i for i in wiring.store.all() if name in i.refs and by_hand.held(i, name)]
    if not found:
        console.print(f"nothing is held at {name}")
        return 0
    if options.take == "theirs":
        _demand_room(wiring, name, found)
    kinds = Counter(note.kind for i in found for note in by_hand.held(i, name).values())
    told = ", ".join(f"{count} fields {kind}" for kind, count in sorted(kinds.items()))
    whose = "ours is written there" if options.take == "ours" else f"what {name} shows stands"
    question = f"{len(found)} issues at {name} ({told}): {whose}.".replace("_", " ")
    if not agreed(console, question, yes=options.yes):
        return 0
    for issue in found:
        wiring.pipeline.release(issue.issue_id, options.take, name)
    console.print(f"released {len(found)} issues")
    return 0


def _demand_room(wiring: Wiring, name: str, found: Sequence[CanonicalIssue]) -> None:
    """Rather nothing than the first few of them."""
    gate, now = wiring.connections.gate(name), wiring.clock.now()
    room = 0 if gate.shut else wiring.pipeline.gate.room(name)
    if len(found) > room and not gate.is_allowed(now):
        raise StackError(
            f"{len(found)} issues are more than {name} may change now ({room}): look at the "
            f"vendor, then `issuebridge allow {name}` and this again"
        )


def _probe(stack: Stack, options: Namespace) -> int:
    wiring, name = stack.wiring(), options.connection
    issue, policy = the_issue(wiring, options.issue), wiring.landscape.policies.get(name)
    if policy is None or not policy.may_write:
        raise StackError(f"{name} is no connection that may be written to")
    if [*issue.refs] != [name]:
        raise StackError(f"{options.issue} is linked: name an issue for tests at {name} alone")
    if not by_hand.probe_link(wiring.system(name), issue.refs[name].remote_id):
        raise StackError(f"{name} does not take a link: choose managed_line or comment")
    wiring.connections.prove(name, wiring.config.connections[name].base_url)
    console.print(f"{name} takes a link: carriers: {{ external_link: native }} may be pushed")
    return 0


def _unlink(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    issue = the_issue(wiring, options.issue)
    if options.connection not in issue.refs:
        raise StackError(f"{options.issue} has no copy at {options.connection}")
    by_hand.unlink(
        wiring.store, wiring.landscape, issue.issue_id, options.connection, wiring.clock.now()
    )
    return 0


def _drop(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    name, issue = _known(wiring, options.connection), the_issue(wiring, options.issue)
    by_hand.give_up(wiring.store, wiring.ledger, wiring.installation(), issue.issue_id, name)
    return 0


def _link(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    side = _known(wiring, options.side)
    both = [the_issue(wiring, name) for name in (options.one, options.other)]
    kept, others = _sides(both, side)
    for name in others.refs:
        if wiring.pipeline.pair.is_under_way(kept, name):
            raise StackError(f"a counterpart of {kept.title} is being created at {name}: wait")
    joined = wiring.pipeline.pair.join(kept.issue_id, others.issue_id)
    told = ", ".join(f"{name} {ref.display_id}" for name, ref in joined.refs.items())
    console.print(f"one issue now: {told}; the values of {side} come first", markup=False)
    for entry in wiring.store.history(joined.issue_id):
        if entry.outcome == "conflict" and entry.at == joined.refs[entry.by].linked_at:
            console.print(
                f"  {entry.by} {entry.field}: {entry.old} -> {entry.new} (kept in the history)",
                markup=False,
            )
    return 0


def _sides(both: Sequence[CanonicalIssue], side: str) -> tuple[CanonicalIssue, CanonicalIssue]:
    """The one that keeps its id and values, and the one that joins it."""
    kept = [issue for issue in both if issue.origin == side]
    if len(kept) != 1 or both[0].issue_id == both[1].issue_id:
        born = " and ".join(f"{issue.title} at {issue.origin}" for issue in both)
        raise StackError(f"--from {side}: name the side where just one was born: {born}")
    other = both[1] if kept[0] is both[0] else both[0]
    return kept[0], other


def _adopt(stack: Stack, options: Namespace) -> int:
    wiring = stack.wiring()
    former = _former(wiring, options.formerly)
    adopting = wiring.pipeline.adopt(time.sleep)
    with console.status("reading every connection"):
        findings = adopting.look(former)
        plan = adopting.plan(findings)
    for line in adoption_lines(wiring, plan):
        console.print(line, markup=False)
    todo = sum(what in ("linked", "joined") for whats in plan.whats.values() for what in whats)
    question = f"{todo} copies are to be linked again; nothing is created, no line is touched."
    if not todo or agreed(console, question, yes=options.yes):
        adopting(findings)
        console.print(f"linked {todo} copies")
    return 0


def _former(wiring: Wiring, given: Sequence[str]) -> dict[str, list[str]]:
    former: dict[str, list[str]] = {}
    for each in given:
        old, equals, new = each.partition("=")
        if not (old and equals and new):
            raise Misconfigured(f"--formerly {each}: write it as old=new")
        former.setdefault(_known(wiring, new), []).append(old)
    return former


def adoption_lines(wiring: Wiring, plan: Adopted) -> Iterator[str]:
    """Counts for each connection, then what is left as it is, and why."""
    for name in wiring.config.connections:
        counts = Counter[str](plan.whats.get(name, []))
        told, overruled = plan.told.get(name, []), plan.overruled.get(name, [])
        yield (
            f"{name}: {counts['linked'] + counts['joined']} to be linked, "
            f"{counts['already']} linked already, {len(told)} left as they are"
        )
        if overruled:
            fields = Counter(entry.field for entry in overruled)
            many = ", ".join(f"{field} of {count}" for field, count in fields.items())
            yield f"  {many} differ: the side of their birth comes first, the history tells"
        yield from (f"  {t.remote.display_id}: {ODD[t.odd]} ({t.mark})" for t in told[:TOLD_MAX])
        if len(told) > TOLD_MAX:
            yield f"  ... and {len(told) - TOLD_MAX} more"
    yield from _looks_back(wiring)


def _looks_back(wiring: Wiring) -> Iterator[str]:
    """What only the table knew: which pairs a person had ended, and what was deleted."""
    for route in wiring.landscape.routes:
        if wiring.clock.now() - route.since_at > LOOKS_BACK:
            yield (
                f"{route.source} -> {route.target} takes what was born since "
                f"{route.since_at.date()}: also what was unlinked, or deleted at {route.target}, "
                "before the table was lost; push it with `since: now` first if that is not wanted"
            )
