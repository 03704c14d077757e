"""Our own text or link, as vendors show it: rewritten, and still ours.

They escape, wrap, compose and trim what they are given. Both sides are brought into one plain form,
in one pass over each: what differs beyond that is somebody's edit.
"""

import re
import string
import unicodedata
from base64 import urlsafe_b64decode
from html import unescape
from itertools import islice
from urllib.parse import unquote, unquote_to_bytes

MARKS_MAX = 30
"""On one letter. To put many more in their order takes a time that grows with their square."""
WRAPS_MAX = 3

_ESCAPED_AND = re.compile("&(?:amp;)+", re.IGNORECASE)
_ENTITY = re.compile("&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_IN_ANGLES = re.compile(r"<(https?://[^\s<>]+)>", re.IGNORECASE)
_MARKDOWN = re.compile(
    r"\[(https?://[^\s\[\]]+)\]\(((?:[^\s()\[\]<>]|\([^\s()\[\]<>]*\))+)\)", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"https?://[^\s<>\[\]\"]*[^\s<>\[\]\".,;:!?')*]",  # it ends before a sentence does
    re.IGNORECASE,
)
_PARTS = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PERCENT = re.compile("(?:%[0-9a-f]{2})+|%", re.IGNORECASE)
_DELIMITERS = "%/?#&=+;"
"""Written out they part an address, so that they mean something else than their `%` code."""

_PARAMETER = re.compile(r"[?&]([^=&]+)=([^&]*)")
_INNER = {"dest", "destination", "link", "target", "to", "u", "url"}
_INNER_OF_URL = {"a", "q", *_INNER}
"""Names that redirectors use for the address they lead to; some only on a path `/url`."""
_DEFENSE_3 = re.compile(
    r"https://urldefense\.com/v3/__(.*?)__;([^!]*).*", re.IGNORECASE | re.DOTALL
)
_DEFENSE_2 = re.compile(
    r"https://urldefense\.proofpoint\.com/v2/url\?u=([^&]*).*", re.IGNORECASE | re.DOTALL
)
_STARS = re.compile(r"\*(?:\*.)?")
_RUN_LENGTHS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def same_text(ours: str | None, shown: str | None) -> bool:
    """Whether a vendor shows our text, for all it may have done to its letters and addresses."""
    return _plain(ours or "") == _plain(shown or "")


def same_link(ours: str | None, shown: str | None) -> bool:
    """Whether both lead to one page, as they are or through a redirector."""
    return _plain_link(ours or "") == _plain_link(shown or "")


def _plain(text: str) -> str:
    return _ADDRESS.sub(lambda found: _target(found[0]), _bare(text))


def _plain_link(text: str) -> str:
    bare = _bare(text)
    return _target(bare) if _PARTS.fullmatch(bare) else bare


def _bare(text: str) -> str:
    """Without entities, kinds of line ends, and what marks an address as one."""
    text = _composed(_ENTITY.sub(lambda found: unescape(found[0]), _ESCAPED_AND.sub("&", text)))
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return _MARKDOWN.sub(_bare_address, _IN_ANGLES.sub(r"\1", text))


def _bare_address(found: re.Match[str]) -> str:
    is_same = _target(found[1]) == _target(found[2])
    return found[1] if is_same else found[0]


def _composed(text: str) -> str:
    if text.isascii():
        return text
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks > MARKS_MAX:
            return text
    return unicodedata.normalize("NFC", text)


def _target(address: str) -> str:
    """The plain form of where it leads."""
    for _ in range(WRAPS_MAX):
        inner = _unwrapped(address)
        if inner is None:
            break
        address = inner
    parts = _PARTS.fullmatch(address)
    if parts is None:
        return address
    scheme, host, path, query, fragment = (part or "" for part in parts.groups())
    host = _decoded(host).lower().removesuffix(_DEFAULT_PORTS[scheme.lower()])
    rest = _decoded(path.removesuffix("/")) + _decoded(query) + _decoded(fragment)
    return f"{scheme.lower()}://{host}{rest}"


def _decoded(text: str) -> str:
    return _composed(_PERCENT.sub(_letters, text))


def _letters(found: re.Match[str]) -> str:
    if found[0] == "%":
        return "%25"
    letters = unquote_to_bytes(found[0]).decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(one):02X}" if one in _DELIMITERS else one for one in letters)


def _unwrapped(address: str) -> str | None:
    """What a redirector, or a guard of somebody's mail, leads to."""
    if guarded := _DEFENSE_3.fullmatch(address):
        return _starred(guarded[1], guarded[2])
    if guarded := _DEFENSE_2.fullmatch(address):
        return unquote(guarded[1].translate(str.maketrans("-_", "%/")))
    parts = _PARTS.fullmatch(address)
    if parts is None or parts[4] is None:
        return None
    names = _INNER_OF_URL if parts[3].endswith("/url") else _INNER
    for name, value in _PARAMETER.findall(parts[4]):
        inner = _PARTS.fullmatch(unquote(value)) if name.lower() in names else None
        if inner and inner[2].lower() != parts[2].lower():
            return inner[0]
    return None


def _starred(address: str, letters: str) -> str:
    """The address whose letters were taken out for a star, or for a run of so many: `**A` is 2."""
    try:
        taken = urlsafe_b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8", "replace")
    except ValueError:
        return address
    rest = iter(taken)

    def put_back(star: re.Match[str]) -> str:
        run = star[0]
        return "".join(islice(rest, 1 if run == "*" else 2 + _RUN_LENGTHS.find(run[-1])))

    return _STARS.sub(put_back, address)
