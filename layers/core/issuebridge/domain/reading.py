"""What a remote issue says about each mirrored field, place by place.

A field can be seen in two places at once: natively, and in our managed line or comment. Each place
is a `Source`; the native one comes first.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from issuebridge.domain.issue import RemoteIssue
from issuebridge.domain.managed_line import line_safe, read_line
from issuebridge.domain.policy import FieldPolicy, Policy
from issuebridge.domain.words import CANONICAL_WORDS, FIELDS, Field, Lens

_URL_KEYS = ("url", "html_url", "external_url", "href", "link")


@dataclass(frozen=True)
class Source:
    """`known` is False for a word or object nobody told us how to read; `value` is None then."""

    raw: str | None
    value: str | None
    known: bool = True


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
    value = lens.read(raw) if lens else find_url(raw)
    return Source(raw, value, known=value is not None)


def _in_line(name: Field, carried: str | None) -> Source:
    words = CANONICAL_WORDS.get(name)
    known = carried in words if words else carried is not None and find_url(carried) == carried
    if carried is None or known:
        return Source(carried, carried)
    return Source(carried, None, known=False)


def find_url(raw: str) -> str | None:
    """The first http(s) address in a vendor's link object, in the form our line can carry."""
    try:
        document: object = json.loads(raw)
    except ValueError:
        document = raw
    texts = [*_strings(document)]
    ordered = [text for name in _URL_KEYS for key, text in texts if key == name]
    ordered += [text for _, text in texts]
    return next((line_safe(url) for url in ordered if is_web_address(url)), None)


def _strings(document: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in it, with the name it stands under."""
    if isinstance(document, str):
        yield key, document
    elif isinstance(document, list):
        for item in document:
            yield from _strings(item, key)
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from _strings(value, name)


def is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def carries(policy: FieldPolicy, raws: tuple[str | None, ...], wanted: str | None) -> bool:
    """Whether a copy whose places hold `raws` already means `wanted`."""
    native = raws[0] if policy.reads_native and raws else None
    line = raws[-1] if policy.carrier in ("managed_line", "comment") and raws else None
    if wanted is None:
        return policy.lens is not None or line is None or policy.carrier == "comment"
    if policy.lens:
        return policy.lens.means(native, wanted) or line == wanted
    return (native is not None and find_url(native) == wanted) or line == wanted


def agrees(policy: FieldPolicy, raws: tuple[str | None, ...], wanted: str | None) -> bool:
    """Whether a copy with `raws` in its places needs no write: it means it, or cannot hold it."""
    return not policy.writable or carries(policy, raws, wanted)
