"""`issuebridge push`: tell what a configuration changes, refuse what goes too far, store it."""

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from issuebridge.domain import prover
from issuebridge.domain.config import Config, switched_on
from issuebridge.domain.errors import LostRace, Misconfigured
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.rename import renamed_config, renamed_issue
from issuebridge.domain.rewrites import rewrites
from issuebridge.use_cases.gate import widen
from issuebridge.wiring import Rename, Wiring, landscape
from ops.config_file import read_config
from ops.departures import Departures
from ops.stack import Stack, StackError

LEASE_TRIES = 45
BUSY_SECONDS = 5
"""Together longer than any lease of a poll."""

console = Console(highlight=False)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--rename", action="append", default=[], metavar="OLD=NEW", help="take its links along"
    )
    parser.add_argument(
        "--orphan", action="append", default=[], metavar="NAME", help="let what is linked there go"
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NAME", help="however much is rewritten"
    )


def push(stack: Stack, options: Namespace) -> int:
    config, running = read_config(options.file), stack.running_config()
    names = _names(options.rename)
    if running is None:
        return _first(stack, config)
    wiring = stack.wiring()
    renames = [wiring.rename(old, new) for old, new in names.items()]
    begun = frozenset(rename.old for rename in renames if rename.is_begun())
    issues = wiring.store.all()
    Departures(running, config, names, begun, options.orphan).demand(issues)
    stack.demand_proof(config, names)
    stack.demand_secrets(config)
    before, now = renamed_config(running, names), datetime.now(UTC)
    fixed = switched_on(config, before, now)
    for line in differences(before, fixed):
        console.print(line, markup=False)
    for line in [f"{old} is called {new} from now on" for old, new in names.items()]:
        console.print(line, markup=False)
    tell_findings(config)
    _demand_few(wiring, before, fixed, _renamed(issues, names), options.allow)
    for name in options.allow:
        widen(wiring.connections, config, wiring.clock, name)
    _store(stack, config, names, renames)
    return 0


def _first(stack: Stack, config: Config) -> int:
    stack.demand_secrets(config)
    for line in differences(None, switched_on(config, None, datetime.now(UTC))):
        console.print(line, markup=False)
    tell_findings(config)
    stack.push_config(config)
    return 0


def _names(given: Sequence[str]) -> dict[str, str]:
    names = {}
    for each in given:
        old, equals, new = each.partition("=")
        if not (old and equals and new):
            raise Misconfigured(f"--rename {each}: write it as old=new")
        names[old] = new
    return names


def _renamed(issues: Sequence[CanonicalIssue], names: Mapping[str, str]) -> list[CanonicalIssue]:
    found = []
    for issue in issues:
        for old, new in names.items():
            issue = renamed_issue(issue, old, new, None)  # noqa: PLW2901
        found.append(issue)
    return found


def tell_findings(config: Config) -> None:
    """What the maps lose on the way, which is no mistake but should surprise nobody."""
    for finding in prover.findings(landscape(config)):
        console.print(f"  {finding}", markup=False)


def _demand_few(
    wiring: Wiring,
    running: Config,
    config: Config,
    issues: Sequence[CanonicalIssue],
    allowed: Sequence[str],
) -> None:
    """Tell what would be written anew, and refuse it where that is more than the gate lets pass."""
    strange = sorted({*allowed} - config.connections.keys())
    if strange:
        raise Misconfigured(f"--allow {strange[0]}: no connection is called that in the file")
    now = datetime.now(UTC)
    ends = (landscape(running, wiring.tag), landscape(config, wiring.tag))
    counts = Counter(each for issue in issues for each in rewrites(issue, *ends, now))
    for (name, part), count in sorted(counts.items()):
        console.print(f"  {name}: {part} of {count} issues will be written anew", markup=False)
    for name, connection in config.connections.items():
        total = sum(count for (at, _), count in counts.items() if at == name)
        limit = connection.breaker.limit(wiring.connections.gate(name).known)
        if total > limit and name not in allowed:
            raise StackError(
                f"{name}: this would write {total} fields anew, more than {limit}: nothing was "
                f"stored; if that is right, push with --allow {name}"
            )


def _store(
    stack: Stack, config: Config, names: Mapping[str, str], renames: Sequence[Rename]
) -> None:
    """What a function wrote under the old names while we moved them is moved after it."""
    for rename in renames:
        _held(rename)
        rename.move()
    stack.push_config(config, names)
    for rename in renames:
        rename.move()
        rename.release()


def _held(rename: Rename) -> None:
    for number in range(LEASE_TRIES):
        try:
            return rename.hold()
        except LostRace:
            if number == 0:
                console.print(f"waiting for a poll of {rename.old} to end")
            time.sleep(BUSY_SECONDS)
    raise StackError(f"a poll of {rename.old} does not end: nothing was stored; push it again")


def differences(old: Config | None, new: Config) -> list[str]:
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
