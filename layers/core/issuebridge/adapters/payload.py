"""Reading a vendor's objects: a value of the wrong type is told as such, and costs nothing else."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
)

from issuebridge.adapters.instants import instant_of
from issuebridge.domain.limits import ID, stored_bytes

DEPTH_MAX = 50
"""No value that anybody reads is deeper, and not every Python can walk one that is."""
NUMBER_MAX = 2**63


def canonical_json(value: object) -> str:
    """One text for equal values. Plain ASCII, so that half a surrogate pair does no harm."""
    if not _is_shallow(value):
        raise ValueError("it nests too deep")
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _word(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value and value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return canonical_json(value)


def _number(value: object) -> int:
    try:
        number = int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
    return number if abs(number) < NUMBER_MAX else 0


def _instant(value: object, info: ValidationInfo) -> datetime | None:
    return instant_of(value, (info.context or {}).get("zone", UTC))


def id_of(value: object) -> str | None:
    """What names a thing, as text; None for what can name nothing."""
    named = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    return _word(value) if named else None


def _short_enough(name: str) -> str:
    if stored_bytes(name) > ID:
        raise ValueError(f"it has more than {ID} bytes, and is a key of our table")
    return name


def flag(value: object) -> bool:
    """A vendor's yes, should it be no boolean; what is not clearly no is yes."""
    return value not in (None, False, 0, "", "0", "false", "False")


Word = Annotated[str | None, BeforeValidator(_word)]
"""A vendor's word as it is; a value that is no string as its JSON, so that nobody knows it."""
Text = Annotated[str, BeforeValidator(lambda value: _word(value) or "")]
Number = Annotated[int, BeforeValidator(_number)]
Instant = Annotated[datetime | None, BeforeValidator(_instant)]
Flag = Annotated[bool, BeforeValidator(flag)]
Id = Annotated[
    str, BeforeValidator(id_of), StringConstraints(min_length=1), AfterValidator(_short_enough)
]


class Payload(BaseModel):
    """A vendor's object: only its id must be there, and no odd field costs us the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def read(cls, payload: object, zone: tzinfo = UTC) -> Self:
        """ValueError if it has no id; times without a zone are in `zone`."""
        return cls.model_validate(payload, context={"zone": zone})


def rows_of(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list; what is no object can be no issue."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
