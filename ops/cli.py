"""The `issuebridge` command: what a person runs against a stack, in AWS or on this machine."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import boto3
import yaml
from rich.console import Console

from issuebridge.domain import prover
from issuebridge.domain.config import Config, switched_on
from issuebridge.domain.errors import SyncError
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.use_cases import by_hand
from issuebridge.use_cases.gate import allow
from issuebridge.wiring import Wiring, landscape
from ops import local, norm, show
from ops.issues import find_issues
from ops.round import Round
from ops.stack import Stack, StackError, read_config

console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with one clear error."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (SyncError, StackError, local.LocalStackError) as error:
        Console(stderr=True, highlight=False).print(
            f"issuebridge: {error}", style="red", markup=False
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="issuebridge", description=__doc__)
    parser.add_argument("--stack", default="issuebridge", help="CloudFormation stack (%(default)s)")
    parser.add_argument("--local", action="store_true", help="the stack that `make local` keeps up")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(command=command)
        return made

    up = add("local", _local, "deploy the stack on this machine and keep it up until Ctrl-C")
    up.add_argument("--config", type=Path, required=True)
    up.add_argument("--secrets", type=Path, default=Path("secrets.local.yaml"))
    add("check", _check, "validate a configuration file").add_argument("file", type=Path)
    add(
        "push", _push, "show what a configuration changes, then make it the running one"
    ).add_argument("file", type=Path)
    now = add("round", _round, "poll every connection now; return when nothing is pending")
    now.add_argument("--json", action="store_true")
    now.add_argument("--wait-seconds", type=float, default=300)
    links = add("links", _links, "the linked issues with their fields on each side")
    links.add_argument("--json", action="store_true")
    status = add("status", _status, "each connection: what it saw, what is missing, what waits")
    status.add_argument("--json", action="store_true")
    allow = add("allow", _allow, "let a connection that the breaker stopped go on, for an hour")
    allow.add_argument("connection")
    freed = add("release", _release, "try an issue again at once: refused, held, parked or waiting")
    freed.add_argument("issue", help="our id, or the id or short code at a connection")
    freed.add_argument("--take", choices=("ours", "theirs"), default="ours", help="held conflicts")
    probe = add("probe", _probe, "see whether bland takes a link, on an issue for tests")
    probe.add_argument("connection")
    probe.add_argument("issue", help="one without a link; it keeps the one that is written to it")
    ended = add("unlink", _unlink, "let one copy of an issue go: mirrored no more, never made anew")
    ended.add_argument("issue", help="our id, or the id or short code at a connection")
    ended.add_argument("connection", help="where the copy lives that is let go")
    dropped = add("drop", _drop, "make no counterpart of an issue there, until it is released")
    dropped.add_argument("issue", help="our id, or the id or short code at a connection")
    dropped.add_argument("connection", help="where none is made")
    explain = add("explain", _explain, "why an issue is as it is: sides, history, what waits")
    explain.add_argument("issue", help="our id, or the id or short code at a connection")
    norm.register(commands, _stack)
    return parser


def _stack(options: argparse.Namespace) -> Stack:
    if options.local:
        return local.running()
    return Stack.named(options.stack, boto3.Session())


def _local(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    secrets = local.read_secrets(options.secrets, config)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with local.kept_up(config, secrets, progress=console.print):
        console.print("Up. In another terminal: .venv/bin/issuebridge --local round")
        console.print("Ctrl-C takes all of it down.")
        ended.wait()
    return 0


def _check(options: argparse.Namespace) -> int:
    config = read_config(options.file)
    console.print(
        f"{options.file}: {len(config.connections)} connections, {len(config.routes)} routes: fine"
    )
    _tell_findings(config)
    return 0


def _tell_findings(config: Config) -> None:
    """What the maps lose on the way, which is no mistake but should surprise nobody."""
    for finding in prover.findings(landscape(config)):
        console.print(f"  {finding}", markup=False)


def _push(options: argparse.Namespace) -> int:
    config, stack = read_config(options.file), _stack(options)
    running = stack.running_config()
    for line in _differences(running, switched_on(config, running, datetime.now(UTC))):
        console.print(line, markup=False)
    gone = sorted(running.connections.keys() - config.connections.keys()) if running else []
    for name in gone:
        console.print(f"{name} goes: the issues linked there are mirrored no more", markup=False)
    _tell_findings(config)
    stack.push_config(config)
    return 0


def _differences(old: Config | None, new: Config) -> list[str]:
    before, after = (
        _flat(config.model_dump(mode="json", by_alias=True)) if config else {}
        for config in (old, new)
    )
    names = sorted(before.keys() | after.keys())
    changed = [
        f"{name}: {before.get(name, '(none)')} -> {after.get(name, '(none)')}"
        for name in names
        if before.get(name) != after.get(name)
    ]
    return changed or ["nothing changes"]


def _flat(document: object, path: str = "") -> dict[str, object]:
    if isinstance(document, dict) and document:
        rows = [
            _flat(value, f"{path}.{key}" if path else str(key)) for key, value in document.items()
        ]
    elif isinstance(document, list) and document:
        rows = [_flat(value, f"{path}[{n}]") for n, value in enumerate(document)]
    else:
        return {path: document}
    return {key: value for row in rows for key, value in row.items()}


def _round(options: argparse.Namespace) -> int:
    stack = _stack(options)
    if options.json:
        report = Round(stack, options.wait_seconds)()
        sys.stdout.write(report.to_json() + "\n")
    else:
        with console.status("") as status:
            report = Round(stack, options.wait_seconds, status.update)()
        show.print_round(console, report)
    return 1 if report.problems else 0


def _links(options: argparse.Namespace) -> int:
    wiring = _stack(options).wiring()
    rows = show.link_rows(wiring)
    if options.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        console.print(show.links_table(rows))
        show.print_runs(console, rows)
    return 0


def _status(options: argparse.Namespace) -> int:
    stack = _stack(options)
    rows = show.status_rows(stack.wiring(), stack.outputs["PollSchedule"])
    if options.json:
        sys.stdout.write(json.dumps(rows, default=str, indent=2) + "\n")
    else:
        show.print_status(console, rows)
    return 0


def _allow(options: argparse.Namespace) -> int:
    wiring = _stack(options).wiring()
    if options.connection not in wiring.config.connections:
        raise StackError(f"no connection is called {options.connection}")
    allow(wiring.connections, wiring.config, wiring.clock, options.connection)
    return 0


def _release(options: argparse.Namespace) -> int:
    wiring = _stack(options).wiring()
    wiring.pipeline.release(_found(wiring, options.issue).issue_id, options.take)
    return 0


def _probe(options: argparse.Namespace) -> int:
    wiring, name = _stack(options).wiring(), options.connection
    issue, policy = _found(wiring, options.issue), wiring.landscape.policies.get(name)
    if policy is None or not policy.may_write:
        raise StackError(f"{name} is no connection that may be written to")
    if [*issue.refs] != [name]:
        raise StackError(f"{options.issue} is linked: name an issue for tests at {name} alone")
    if not by_hand.probe_link(wiring.system(name), issue.refs[name].remote_id):
        raise StackError(f"{name} does not take a link: choose managed_line or comment")
    wiring.connections.prove(name, wiring.config.connections[name].base_url)
    console.print(f"{name} takes a link: carriers: {{ external_link: native }} may be pushed")
    return 0


def _unlink(options: argparse.Namespace) -> int:
    wiring = _stack(options).wiring()
    issue = _found(wiring, options.issue)
    if options.connection not in issue.refs:
        raise StackError(f"{options.issue} has no copy at {options.connection}")
    by_hand.unlink(
        wiring.store, wiring.landscape, issue.issue_id, options.connection, wiring.clock.now()
    )
    return 0


def _drop(options: argparse.Namespace) -> int:
    wiring, name = _stack(options).wiring(), options.connection
    if name not in wiring.config.connections:
        raise StackError(f"no connection is called {name}")
    issue_id, ours = _found(wiring, options.issue).issue_id, wiring.installation()
    by_hand.give_up(wiring.store, wiring.ledger, ours, issue_id, name)
    return 0


def _found(wiring: Wiring, name: str) -> CanonicalIssue:
    found = find_issues(wiring, name)
    if len(found) > 1:
        told = "; ".join(f"{issue.issue_id} ({_places(issue)})" for issue in found)
        raise StackError(f"{name} is more than one issue; name one by its id: {told}")
    if not found:
        raise StackError(f"no issue is known as {name} at any connection")
    return found[0]


def _places(issue: CanonicalIssue) -> str:
    return ", ".join(f"{name} {ref.display_id}" for name, ref in issue.refs.items())


def _explain(options: argparse.Namespace) -> int:
    wiring = _stack(options).wiring()
    issue = _found(wiring, options.issue)
    document = issue.model_dump(mode="json", exclude_defaults=True)
    history = [
        e.model_dump(mode="json", exclude_none=True) for e in wiring.store.history(issue.issue_id)
    ]
    sys.stdout.write(
        yaml.safe_dump({**document, "history": history}, sort_keys=False, allow_unicode=True)
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
