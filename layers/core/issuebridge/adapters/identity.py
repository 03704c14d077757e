"""Whether an answer is about the issue that was asked for, and an issue the one that we sent."""

import html
import re
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from issuebridge.adapters.payload import id_of
from issuebridge.domain.errors import Moved
from issuebridge.domain.issue import RemoteIssue

NOISE = timedelta(seconds=2)

_QUOTATION_ENDS = re.compile(r"</blockquote\s*>", re.IGNORECASE)
_QUOTATION_BEGINS = re.compile(r"<blockquote\b", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"</?(?:p|br|div)\b[^<>]{0,200}>", re.IGNORECASE)
_UNSEEN = " \u200b\u200e\u200f\u2060\ufeff"


def same_id(one: object, other: object) -> bool:
    """As the mappings read ids; a UUID is the same in either case."""
    left, right = id_of(one), id_of(other)
    return bool(left and right and _plain(left) == _plain(right))


def _plain(name: str) -> str:
    try:
        return str(UUID(name)) if len(name) == len(str(UUID(int=0))) else name
    except ValueError:
        return name


def about(place: str, asked: str, told: RemoteIssue) -> RemoteIssue:
    """The issue under the id we know it by; Moved if it is another one."""
    if not same_id(asked, told.remote_id):
        raise moved(place, asked, told.remote_id)
    return told if told.remote_id == asked else replace(told, remote_id=asked)


def moved(place: str, asked: str, told: object) -> Moved:
    return Moved(f"{place}: asked for {asked!r}, told of {str(told)[:100]!r}")


def names_another(row: object, name: str, asked: str) -> bool:
    """Whether an object names, in this field, another one than was asked for."""
    told = row.get(name) if isinstance(row, dict) else None
    return told is not None and not same_id(told, asked)


def carries_line(text: str, reference: str) -> bool:
    """Whether our line stands by itself in a description, in spite of what a vendor's rewriting
    puts around it; within a sentence or a quotation it is a person's."""
    begins = f"[issuebridge ref={reference}"
    lines = _lines(text) if reference in text else []
    return any(x.startswith(begins) and not x[len(begins) :][:1].isalnum() for x in lines)


def _lines(text: str) -> list[str]:
    *quoting, last = _QUOTATION_ENDS.split(text)
    kept = [_QUOTATION_BEGINS.split(part, maxsplit=1)[0] for part in quoting]
    broken = _LINE_BREAKS.sub("\n", "\n".join([*kept, last]))
    plain = html.unescape(html.unescape(broken)).replace("\\", "")
    return [" ".join(line.split()).strip(_UNSEEN) for line in plain.splitlines()]


def born_before(remote: RemoteIssue, theirs: datetime) -> bool:
    """Whether it is known to be older than this time by the vendor's clock, as far as the date of
    an answer, in whole seconds, tells that clock."""
    return remote.created_at is not None and remote.created_at < theirs - NOISE
