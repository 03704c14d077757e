"""Text from outside: cut to a vendor's limits, and kept from waking Norm."""

import re

_INVISIBLE = "\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff"
_AT = "@\uff20\ufe6b"
_MENTION = re.compile(
    f"[{_AT}](?=[{_INVISIBLE}]*"
    + f"[{_INVISIBLE}]*".join(
        ("[n\uff4e\uff2e]", "[o\u043e\u03bf\uff4f\uff2f0]", "[r\uff52\uff32]")
    )
    + f"[{_INVISIBLE}]*[m\uff4d\uff2d])",
    re.IGNORECASE,
)


def without_mention(text: str) -> str:
    """No `@norm` in any case or disguise: in a comment it starts a paid run with write tools."""
    while (less := _MENTION.sub("", text)) != text:
        text = less
    return text


def utf16_units(text: str) -> int:
    """Length as the strictest plausible reading of a vendor's "characters"."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, units_max: int) -> str:
    """At most `units_max` UTF-16 units, never half a character; an ellipsis shows the cut."""
    if utf16_units(text) <= units_max:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: max(units_max - 1, 0) * 2]
    return kept.decode("utf-16-le", "ignore") + "…"
