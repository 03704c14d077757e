"""Text from outside: cut to a vendor's limits, and kept from waking Norm."""

import re
import unicodedata

AT = "@\uff20\ufe6b"
_SIGN = re.compile(f"([{AT}])")
_EMAIL = re.compile(
    rf"(?<![\w.+{AT}-])[\w.+-]{{1,64}}@[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}})+", re.I
)
_MENTION = "norm"
_UNSEEN = {"Cc", "Cf", "Mn", "Me", "Zl", "Zp"}
_FILLERS = "\u115f\u1160\u3164\uffa0"
_ELLIPSIS = "…"
_ENDS_A_WORD = "\t\n\r"
_LOOKALIKES = str.maketrans(
    "0\u043e\u03bf\u0585\u1d0f\u0578\u0274\u0433\u0280\u043c\u1d0d", "ooooonnrrmm"
)
"""Zero, and letters of other alphabets and of phonetics that look like those of the mention."""


def without_mention(text: str) -> str:
    """No `@norm` in any case or disguise: in a comment it starts a paid run with write tools.

    A sign goes if a mention follows it, or nothing that shows and then a sign that goes: taking
    that one out would make a mention of this one.
    """
    first, *rest = _SIGN.split(text)
    kept, goes = [], False
    for sign, words in zip(rest[-2::-2], rest[::-2], strict=True):  # the last one first
        goes = _wakes(words, next_goes=goes)
        kept += [words] if goes else [words, sign]
    return "".join([first, *reversed(kept)])


def without_call(text: str) -> str:
    """The same where no agent listens: there an e-mail address keeps its sign."""
    kept, end = [], 0
    for address in _EMAIL.finditer(text):
        kept += [without_mention(text[end : address.start()]), address[0]]
        end = address.end()
    return "".join([*kept, without_mention(text[end:])])


def _wakes(words: str, *, next_goes: bool) -> bool:
    """Whether a sign mentions Norm that stands before these words, which end at the next sign."""
    left = _MENTION
    for letter in words:
        seen = _seen(letter)
        if seen.startswith(left):
            return True
        if not left.startswith(seen):
            return False
        left = left.removeprefix(seen)
    return next_goes and left == _MENTION


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
    room = bytes_max - len(_ELLIPSIS.encode())
    return whole[:room].decode("utf-8", "ignore") + _ELLIPSIS if room >= 0 else ""


def cut(text: str, units_max: int) -> str:
    """At most `units_max` UTF-16 units, never half a character; an ellipsis shows the cut."""
    if utf16_units(text) <= units_max:
        return text
    room = units_max - len(_ELLIPSIS)
    kept = text.encode("utf-16-le", "surrogatepass")[: max(room, 0) * 2]
    return kept.decode("utf-16-le", "ignore") + _ELLIPSIS if room >= 0 else ""
