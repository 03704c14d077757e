"""Web addresses as people write them, in the form that a field of the format `uri` takes."""

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[A-Za-z0-9._~-]+")
_SAFE = "%:@!$&'()*+,;=/?"
_TWO_READINGS = "ßς\u200c\u200d"
"""Letters that the two generations of internationalised names turn into different hosts."""


def as_uri(address: str) -> str | None:
    """The same address with what a URI may not hold percent-encoded; None if it can be none."""
    try:
        parts = urlsplit(address.strip())
        place = _place(parts)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or place is None:
        return None
    path, query, fragment = (_quoted(part) for part in (parts.path, parts.query, parts.fragment))
    return SplitResult(parts.scheme, place, path, query, fragment).geturl()


def _place(parts: SplitResult) -> str | None:
    host = parts.hostname and _host(parts.hostname)
    login, at, _ = parts.netloc.rpartition("@")
    port = "" if parts.port is None else f":{parts.port}"
    return f"{_quoted(login).replace('@', '%40')}{at}{host}{port}" if host else None


def _host(name: str) -> str | None:
    if ":" in name:
        return f"[{IPv6Address(name)}]"
    if any(letter in _TWO_READINGS for letter in name):
        return None
    plain = name if name.isascii() else name.encode("idna").decode("ascii")
    return plain if _HOST.fullmatch(plain) else None


def _quoted(part: str) -> str:
    whole = part.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return quote(_STRAY_PERCENT.sub("%25", whole), safe=_SAFE)
