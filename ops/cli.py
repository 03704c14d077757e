"""The `issuebridge` command: what a person runs against a stack, in AWS or on this machine."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import boto3
from rich.console import Console

from issuebridge.domain.errors import SyncError
from ops import attention, by_hand, cost, local, norm, push, show, status
from ops.config_file import read_config
from ops.explain import explained
from ops.explain_view import print_explanation
from ops.issues import the_issue
from ops.round import Round
from ops.stack import Stack, StackError

console = Console(highlight=False)

Command = Callable[[Stack, argparse.Namespace], int]


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

    def add_to_stack(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        return add(name, lambda options: command(_stack(options), options), text)

    up = add("local", _local, "deploy the stack on this machine and keep it up until Ctrl-C")
    up.add_argument("--config", type=Path, required=True)
    up.add_argument("--secrets", type=Path, default=Path("secrets.local.yaml"))
    add("check", _check, "validate a configuration file").add_argument("file", type=Path)
    push.arguments(
        add_to_stack("push", push.push, "show what a configuration changes, then make it run")
    )
    now = add_to_stack("round", _round, "poll every connection now; return when nothing is pending")
    now.add_argument("--json", action="store_true")
    now.add_argument("--wait-seconds", type=float, default=300)
    links = add_to_stack("links", _links, "the linked issues with their fields on each side")
    links.add_argument("--json", action="store_true")
    state = add_to_stack("status", _status, "each connection: what it saw, what stops or waits")
    state.add_argument("--json", action="store_true")
    attention.arguments(
        add_to_stack(
            "attention", attention.attention, "all that waits for a person; exit 3 if there is any"
        )
    )
    by_hand.register(add_to_stack)
    explain = add_to_stack("explain", _explain, "why an issue is as it is, or not elsewhere")
    explain.add_argument("issue", help=by_hand.ISSUE)
    explain.add_argument("--json", action="store_true")
    norm.register(commands, _stack)
    cost.register(add)
    return parser


def _stack(options: argparse.Namespace) -> Stack:
    if options.local:
        return local.running()
    return Stack.named(options.stack, boto3.Session())


def _local(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    secrets = local.read_secrets(options.secrets, config)
    console.print(
        "While it is up, whoever has an account on this machine can read the keys in it: give it "
        "keys for tests.",
        style="yellow",
    )
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
    push.tell_findings(config)
    return 0


def _round(stack: Stack, options: argparse.Namespace) -> int:
    if options.json:
        report = Round(stack, options.wait_seconds)()
        sys.stdout.write(report.to_json() + "\n")
    else:
        with console.status("") as shown:
            report = Round(stack, options.wait_seconds, shown.update)()
        show.print_round(console, report)
    return 1 if report.problems else 0


def _links(stack: Stack, options: argparse.Namespace) -> int:
    rows = show.link_rows(stack.wiring())
    if options.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        console.print(show.links_table(rows))
        show.print_runs(console, rows)
    return 0


def _status(stack: Stack, options: argparse.Namespace) -> int:
    rows = status.status_rows(stack.wiring())
    if options.json:
        sys.stdout.write(json.dumps(rows, default=str, indent=2) + "\n")
    else:
        status.print_status(console, rows)
    return 0


def _explain(stack: Stack, options: argparse.Namespace) -> int:
    wiring = stack.wiring()
    issue = the_issue(wiring, options.issue)
    why = explained(wiring, issue)
    if options.json:
        sys.stdout.write(json.dumps(why, indent=2) + "\n")
    else:
        print_explanation(console, wiring, issue, why)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
