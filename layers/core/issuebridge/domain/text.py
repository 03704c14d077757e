"""Text from outside: cut to a vendor's limits, and kept from waking Norm."""

import unicodedata

AT = "@\uff20\ufe6b"
_MENTION = "norm"
_UNSEEN = {"Cc", "Cf", "Mn", "Me", "Zl", "Zp"}
_FILLERS = "\u115f\u1160\u3164\uffa0"
_ENDS_A_WORD = "\t\n\r"
_LOOKALIKES = str.maketrans(
    "0\u043e\u03bf\u0585\u1d0f\u0578\u0274\u0433\u0280\u043c\u1d0d", "ooooonnrrmm"
)
"""Zero, and letters of other alphabets and of phonetics that look like those of the mention."""


def without_mention(text: str) -> str:
    """No `@norm` in any case or disguise: in a comment it starts a paid run with write tools."""
    while places := {at for at in range(len(text)) if text[at] in AT and _is_mention(text, at)}:
        text = "".join(letter for at, letter in enumerate(text) if at not in places)
    return text


def _is_mention(text: str, at: int) -> bool:
    left = _MENTION
    for place in range(at + 1, len(text)):
        seen = _seen(text[place])
        if not left.startswith(seen):
            return False
        left = left.removeprefix(seen)
        if not left:
            return True
    return False


def _seen(letter: str) -> str:
    """What a reader, or a vendor that normalises, takes it for; nothing if it shows nowhere."""
    if letter in _ENDS_A_WORD:
        return letter
    plain = unicodedata.normalize("NFKD", letter)
    shown = (c for c in plain if unicodedata.category(c) not in _UNSEEN and c not in _FILLERS)
    return "".join(shown).casefold().translate(_LOOKALIKES)


def utf16_units(text: str) -> int:
    """Length as the strictest plausible reading of a vendor's "characters"."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_bytes(text: str, bytes_max: int) -> str:
    """The same in bytes of UTF-8, for a vendor that counts those."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= bytes_max:
        return text
    return whole[: bytes_max - len("…".encode())].decode("utf-8", "ignore") + "…"


def cut(text: str, units_max: int) -> str:
    """At most `units_max` UTF-16 units, never half a character; an ellipsis shows the cut."""
    if utf16_units(text) <= units_max:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: max(units_max - 1, 0) * 2]
    return kept.decode("utf-16-le", "ignore") + "…"
