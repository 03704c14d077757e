"""What people did, and what became of it: the oracle's memory of every human edit."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

OUR_LINE = re.compile(r"^\[issuebridge ref=(\w+)([^\]]*)\]$")

MARK_LENGTHS = (26, 44)
"""Of a reference of the older and of today's form."""
KEYS = {"external_link": "link"}
"""How our line calls a field, where not by its name."""

Fate = str | None
"""Why an edit need not be in the history: `by a person` or `in the window`; None: it must be."""


@dataclass
class HumanEdit:
    """`field` is a mirrored field, or `line.severity`, `line.external_link` for our line."""

    connection: str
    remote_id: str
    field: str
    raw: str | None
    at: datetime
    fate: Fate = None


def words_of(description: str) -> str:
    """What belongs to people: all but lines of ours, and the space that sets them off."""
    rows = [row for row in description.split("\n") if not OUR_LINE.match(row.strip())]
    return "\n".join(rows).strip()


def lines_of(description: str) -> list[dict[str, str]]:
    """Our lines in it, each as its values, `ref` among them."""
    found = [OUR_LINE.match(row.strip()) for row in description.split("\n")]
    return [
        {"ref": line[1], **dict(part.split("=", 1) for part in line[2].split())}
        for line in found
        if line
    ]


def marks_in(description: str) -> list[str]:
    """Whoever made them: what stands in a whole line and has the form."""
    refs = [line["ref"] for line in lines_of(description)]
    return [ref for ref in refs if ref.startswith("ib") and len(ref) in MARK_LENGTHS]


def is_marked(description: str) -> bool:
    """Whether a row of it begins with a mark, whatever people have written behind it."""
    begun = (re.match(r"\[issuebridge ref=(\w+)", row.strip()) for row in description.split("\n"))
    return any(row[1].startswith("ib") and len(row[1]) in MARK_LENGTHS for row in begun if row)


def our_line(description: str) -> dict[str, str]:
    """The last line that is not one of the forgeries people write."""
    real = [line for line in lines_of(description) if not line["ref"].startswith("ibnot")]
    return real[-1] if real else {}


def in_line(name: str, description: str, reference: str) -> str | None:
    """The value our last line with this reference carries."""
    mine = [line for line in lines_of(description) if line["ref"] == reference]
    return mine[-1].get(KEYS.get(name, name)) if mine else None


def _map_lines(text: str, change: Callable[[str], str | None]) -> str:
    rows = [change(row) if OUR_LINE.match(row.strip()) else row for row in text.split("\n")]
    return "\n".join(row for row in rows if row is not None)


def _in_line(key: str) -> Callable[[str, str], str]:
    pattern = re.compile(rf" {key}=[^\s\]]*")

    def rewrite(old: str, new: str) -> str:
        return _map_lines(old, lambda row: f"{pattern.sub('', row)[:-1]} {key}={new}]")

    return rewrite


LOSES_OUR_LINE = {"replace", "damage our line", "drop our line"}
REWRITES: dict[str, Callable[[str, str], str]] = {
    "append": lambda old, new: f"{old}\n{new}",
    "prepend": lambda old, new: f"{new}\n{old}",
    "replace": lambda old, new: new,
    "around": lambda old, new: _map_lines(old, lambda row: f"{new} above\n{row}\n{new} below"),
    "copy our line": lambda old, new: _map_lines(old, lambda row: f"{row}\n{new}\n{row}"),
    "damage our line": lambda old, new: _map_lines(old, lambda row: row.removesuffix("]")),
    "drop our line": lambda old, new: _map_lines(old, lambda row: None),
    "severity in our line": _in_line("severity"),
    "link in our line": _in_line("link"),
    "fill up": lambda old, new: old + "x" * (9_990 - len(old)),
}
