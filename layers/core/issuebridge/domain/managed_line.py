"""The one marked line we own inside a description that belongs to people.

`[issuebridge ref=ib… severity=high link=https://…]`: the reference says whose line it is, so a
line that merely looks like ours (quoted, copied, or written to fool us) is not ours. The line is
replaced where it stands, and the words around it are never touched.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from issuebridge.domain.limits import WORD, kept
from issuebridge.domain.mark import is_mark
from issuebridge.domain.text import AT, without_mention

_START = "[issuebridge ref="
_LINE = re.compile(r"^\[issuebridge ref=(?P<ref>[a-z0-9]+)(?P<rest>(?: [a-z]+=[^\s\]]+)*)\]$")
MARKS_MAX = 3
_QUOTE = re.compile(r"<(/?)blockquote\b[^<>]{0,200}>", re.IGNORECASE)
_BREAKS = re.compile(r"</?(?:p|br|div)\b[^<>]{0,200}>", re.IGNORECASE)
_UNSEEN = " \u200b\u200e\u200f\u2060\ufeff"
_SHOWN = re.compile(r"\[issuebridge ref=(?P<ref>[a-z0-9]+)(?![a-zA-Z0-9])")
_UNSAFE = re.compile(r"[\s\]]")
_UNSAFE_OR_AT = re.compile(rf"[\s\]{AT}]")


@dataclass(frozen=True)
class ManagedLine:
    """What the line carries; `link` is a URL without white space or `]`."""

    ref: str
    severity: str | None = None
    link: str | None = None

    def __str__(self) -> str:
        carried = {"severity": self.severity, "link": self.link and line_safe(self.link)}
        rest = "".join(f" {name}={value}" for name, value in carried.items() if value)
        return f"[issuebridge ref={self.ref}{rest}]"

    @property
    def brief(self) -> str:
        """As it is remembered: what it tells of counts, and nobody follows its link."""
        severity, link = (part and kept(part, WORD) for part in (self.severity, self.link))
        return str(replace(self, severity=severity, link=link))


def line_safe(url: str) -> str:
    """The same address with the characters percent-encoded that would end the line's value, or
    mention Norm."""
    unsafe = _UNSAFE if without_mention(url) == url else _UNSAFE_OR_AT
    return unsafe.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), url)


def parse_line(line: str) -> ManagedLine | None:
    found = _LINE.match(line.strip()) if _START in line else None
    if not found:
        return None
    carried = dict(part.split("=", 1) for part in found["rest"].split())
    return ManagedLine(found["ref"], carried.get("severity"), carried.get("link"))


def _lines_upwards(text: str) -> Iterator[ManagedLine]:
    """Every line that has the form of ours, the last one first."""
    return (line for row in reversed(text.split("\n")) if (line := parse_line(row)))


def find_marks(text: str) -> tuple[str, ...]:
    """The references in it, whoever made them, those nearest to the end: that is where they are
    put. More than a few are somebody's game, and each costs a look-up."""
    marks: dict[str, None] = {}
    for row in reversed(_shown(text)) if "issuebridge" in text else ():
        line = _SHOWN.match(row)
        if line and is_mark(line["ref"]):
            marks[line["ref"]] = None
        if len(marks) == MARKS_MAX:
            break
    return tuple(marks)


def _unquoted(text: str) -> str:
    kept, end, depth = [], 0, 0
    for tag in _QUOTE.finditer(text):
        kept += [text[end : tag.start()]] if not depth else []
        depth, end = max(depth + (-1 if tag[1] else 1), 0), tag.end()
    return text if depth else "\n".join([*kept, text[end:]])


def _shown(text: str) -> list[str]:
    """Its lines without what a vendor's rewriting puts around them, and without quotations."""
    broken = _BREAKS.sub("\n", _unquoted(text))
    plain = html.unescape(html.unescape(broken)).replace("\\", "")
    return [" ".join(line.split()).strip(_UNSEEN) for line in plain.splitlines()]


def read_line(text: str, ref: str) -> ManagedLine | None:
    """Our line with this reference; the last one, should a person have copied it."""
    return next((line for line in _lines_upwards(text) if line.ref == ref), None)


def put_line(text: str, line: ManagedLine) -> str:
    """The text with this one line: replaced in place, copies of it dropped, else put at the end."""
    rows = text.split("\n")
    ours = [i for i, row in enumerate(rows) if (own := parse_line(row)) and own.ref == line.ref]
    if not ours:
        return f"{text}\n\n{line}" if text else str(line)
    *copies, last = ours
    rows[last] = str(line)
    dropped = set(copies)
    return "\n".join(row for i, row in enumerate(rows) if i not in dropped)


def drop_line(text: str, ref: str) -> str:
    """The text without our line of this reference, and without the blank row that set it off."""
    rows = text.split("\n")
    ours = {i for i, row in enumerate(rows) if (own := parse_line(row)) and own.ref == ref}
    ends = ours and max(ours) == len(rows) - 1
    kept = "\n".join(row for i, row in enumerate(rows) if i not in ours)
    return kept.removesuffix("\n") if ends else kept


def without_lines(text: str) -> str:
    """The people's own words: what a counterpart's description starts from."""
    return "\n".join(row for row in text.split("\n") if not parse_line(row)).rstrip()
