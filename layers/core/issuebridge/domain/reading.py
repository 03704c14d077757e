"""What a remote issue says about each mirrored field, place by place.

A field can be seen in two places at once: natively, and in our managed line or comment. Each place
is a `Source`; the native one comes first.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from issuebridge.domain import limits
from issuebridge.domain.fingerprint import text_digest
from issuebridge.domain.issue import RemoteIssue
from issuebridge.domain.managed_line import line_safe, read_line
from issuebridge.domain.policy import FieldPolicy, Policy
from issuebridge.domain.rewriting import same_link
from issuebridge.domain.words import CANONICAL_WORDS, FIELDS, Field, Lens

_PAGE_NAMES = (
    "htmlurl",  # GitHub, PagerDuty
    "weburl",  # GitLab, Sentry
    "permalink",  # Sentry
    "permalinkurl",  # Asana
    "appurl",  # Shortcut
    "url",  # Linear and most others; at GitHub and Sentry it is the API's
    "externalurl",
    "href",
    "link",
)
"""What vendors call the page of an issue, the surest name first, without `_` and capitals."""

_OTHER_THINGS = re.compile(
    "account|actor|agent|assignees?|author|(closed|created|updated)by|creator|escalationpolicy|"
    "labels?|milestone|organization|owner|project|repo(sitory)?|reporter|sender|service|teams?|"
    "user|workspace"
)
"""What an issue belongs to has pages too, and they are not the issue's."""

_PICTURE = re.compile("icon|avatar|image|logo|photo|picture|thumb", re.IGNORECASE)
_FOR_MACHINES = {"self", "_links", "api_url", "apiUrl"}
_API = re.compile(
    r"https?://(?:[^/?#]*\.)?api(?:-[^/?#.]*)?\."
    r"|https?://[^?#]*/(?:api|rest/agile)/(?:v?\d[\d.]*|latest|now)/[^?#]"
    r"|https?://[^?#]*/(?:api/graphql|rest/servicedeskapi|_apis)\b",
    re.IGNORECASE,
)
"""An address for machines. A page may lie under `api` too: that of a project of this name."""

_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\U000e0000-\U000e0fff"
)
"""Controls, letters that turn the direction or show nowhere, and halves of letters."""
_IN_HOST = rf"[^\s:/?#@\\\[\]<>\"%^`{{|}}{_HIDDEN}]"
_WEB_ADDRESS = re.compile(
    rf"https?://(?!\.){_IN_HOST}+(?::\d{{0,5}})?(?:[/?#][^{_HIDDEN}]*)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Source:
    """`known` is False for a word or object nobody told us how to read; `value` is None then, and
    `why` tells more, if there is more to tell. What is large is its beginning and its digest."""

    raw: str | None
    value: str | None
    known: bool = True
    why: str = ""

    @property
    def told(self) -> str:
        return self.why or f"unknown word: {self.raw}"


Reading = tuple[Source, ...]


def read_fields(
    remote: RemoteIssue, policy: Policy, reference: str, commented: str | None
) -> dict[Field, Reading]:
    """Every mirrored field of this copy, in all the places the policy looks at; `commented` is
    what our last comment says."""
    return {name: _read(remote, name, policy.fields[name], reference, commented) for name in FIELDS}


def _read(
    remote: RemoteIssue, name: Field, policy: FieldPolicy, reference: str, commented: str | None
) -> Reading:
    native = (_native(remote.raw.get(name), policy.lens),) if policy.reads_native else ()
    if policy.carrier == "comment":
        return (*native, Source(commented, commented))
    if policy.carrier != "managed_line":
        return native
    line = read_line(remote.description, reference)
    carried = None if line is None else (line.severity if name == "severity" else line.link)
    return (*native, _in_line(name, carried))


def _native(raw: str | None, lens: Lens | None) -> Source:
    if raw is None:
        return Source(None, None)
    if lens is None:
        return _link(raw, find_url(raw))
    value = lens.read(raw)
    return Source(raw if value else short(raw), value, known=value is not None)


def _link(raw: str, url: str | None) -> Source:
    if url is not None and _in_an_object(url) > limits.LINK:
        why = f"its link is longer than {limits.LINK:,} bytes"
        return Source(short(raw), None, known=False, why=why)
    if limits.stored_bytes(raw) > limits.RAW_LINK:
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
        page = {"sha256": digest, **({"url": url} if url else {})}
        raw = json.dumps(page, ensure_ascii=False)
    return Source(raw, url, known=url is not None)


def _in_an_object(url: str) -> int:
    return limits.stored_bytes(json.dumps(url, ensure_ascii=False)[1:-1])


def short(raw: str) -> str:
    """A word nobody knows, or as much of it as tells it from every other."""
    if limits.stored_bytes(raw) <= limits.WORD:
        return raw
    return f"{limits.kept(raw, limits.WORD - 30)} (digest {text_digest(raw)})"


def _in_line(name: Field, carried: str | None) -> Source:
    words = CANONICAL_WORDS.get(name)
    if carried is None or (words and carried in words):
        return Source(carried, carried)
    if not words and find_url(carried) == carried:
        return _link(carried, carried)
    return Source(short(carried), None, known=False)


class _Address(NamedTuple):
    """Where in a link object it stands: how deep, and under which name."""

    depth: int
    name: str
    text: str
    for_machines: bool

    @property
    def rank(self) -> tuple[bool, int, int]:
        named = self.name in _PAGE_NAMES
        return (not named, self.depth, _PAGE_NAMES.index(self.name) if named else 0)


def find_url(raw: str) -> str | None:
    """The page a person can open, of a vendor's link object, in the form our line can carry.

    Under a name that nobody told us an address counts only where the object has none for machines:
    the page of such a one has a name we know, or there is none.
    """
    try:
        document: object = json.loads(raw)
    except (ValueError, RecursionError):
        document = raw
    if isinstance(document, str):
        return line_safe(document.strip()) if is_web_address(document) else None
    found = list(_addresses(document))
    pages = [address for address in found if not address.for_machines]
    best = min(pages, key=lambda address: address.rank, default=None)
    if best is None or (best.name not in _PAGE_NAMES and pages != found):
        return None
    return line_safe(best.text)


def _addresses(document: object) -> Iterator[_Address]:
    """The outermost first. No pictures, and nothing of the people and things around an issue."""
    depth, level = 0, [("", document, False)]
    while level:
        below: list[tuple[str, object, bool]] = []
        for name, value, for_machines in level:
            if isinstance(value, list):
                below += [(name, item, for_machines) for item in value]
            elif isinstance(value, dict):
                below += [
                    (_plain(inner), item, for_machines or inner in _FOR_MACHINES)
                    for inner, item in value.items()
                    if not _PICTURE.search(inner)
                    and not (isinstance(item, str) and _OTHER_THINGS.fullmatch(name))
                ]
            elif isinstance(value, str) and is_web_address(value):
                text = value.strip()
                yield _Address(depth, name, text, for_machines or _API.match(text) is not None)
        depth, level = depth + 1, below


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def is_web_address(text: str) -> bool:
    """Whether it has a host, and neither credentials nor what is not seen."""
    return _WEB_ADDRESS.fullmatch(text.strip()) is not None


def carries(policy: FieldPolicy, raws: tuple[str | None, ...], wanted: str | None) -> bool:
    """Whether a copy whose places hold `raws` already means `wanted`."""
    native = raws[0] if policy.reads_native and raws else None
    line = raws[-1] if policy.carrier in ("managed_line", "comment") and raws else None
    if wanted is None:
        return policy.lens is not None or line is None or policy.carrier == "comment"
    if policy.lens:
        return policy.lens.means(native, wanted) or line == wanted
    return same_link(find_url(native or ""), wanted) or same_link(line, wanted)


def agrees(policy: FieldPolicy, raws: tuple[str | None, ...], wanted: str | None) -> bool:
    """Whether a copy with `raws` in its places needs no write: it means it, or cannot hold it."""
    return not policy.writable or carries(policy, raws, wanted)
