"""Ask before something that many issues feel."""

import sys

from rich.console import Console

from ops.stack import StackError


def agreed(console: Console, question: str, *, yes: bool) -> bool:
    """Whether a person says yes; StackError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise StackError(f"{question} Nobody can be asked here: say --yes")
    return console.input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
