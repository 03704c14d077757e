"""JSON as vendors send it: one bad byte or value must not cost the rows around it."""

import codecs
import json
import math
import re

PARTS_MAX = 200_000
"""Objects and lists in one answer: a hundred rows have a few thousand."""
DEPTH_MAX = 50
"""No field we read is deeper."""
DIGITS_MAX = 400

UNREADABLE = "\ufffd"
"""In place of a value: nobody knows this word, so it is shown and changes nothing."""

_ESCAPES = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class TooManyParts(ValueError):
    """Reading it would take more memory and time than it can be worth."""


def read_json(body: bytes) -> object:
    """ValueError if it is none. Bytes that are no UTF-8 become replacement characters, and so do
    values that nest too deep."""
    parts = body.count(b"{") + body.count(b"[")
    if parts > PARTS_MAX:
        raise TooManyParts(f"in {parts} parts")
    text = body.removeprefix(codecs.BOM_UTF8).decode(_encoding(body), "replace")
    try:
        return _read(text)
    except RecursionError:
        text = _shallow(text)
    except ValueError:
        text = _ESCAPES.sub(lambda found: found[0] if len(found[0]) > 1 else "\\\\", text)
    try:
        return _read(text)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def _encoding(body: bytes) -> str:
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if is_wide else "utf-8"


def _read(text: str) -> object:
    return json.loads(text, strict=False, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """No number in use is that long, and Python refuses to read or show it."""
    return int(digits) if len(digits) <= DIGITS_MAX else math.inf


def _shallow(text: str) -> str:
    """The same, with an unreadable value in place of each that nests too deep."""
    kept: list[str] = []
    depth, end = 0, 0
    for found in _TOKENS.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == DEPTH_MAX:
                kept.append(text[end : found.start()])
        elif found[0] in "]}":
            if depth == DEPTH_MAX:
                kept.append(json.dumps(UNREADABLE))
                end = found.end()
            depth -= 1
    return "".join(kept) + (text[end:] if depth < DEPTH_MAX else "")
