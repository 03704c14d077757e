"""What comes from outside of one well-kept installation, as steps: see `steps` for the others."""

from dataclasses import dataclass
from typing import Literal

from tests.simulation.steps import Add, Step

Form = Literal["line", "sentence", "quote"]
Mark = Literal["older", "ours", "theirs", "true", "guessed"]


@dataclass(frozen=True)
class Elsewhere:
    """The second installation's worker, calm or bell."""

    step: Step


@dataclass(frozen=True)
class Leave:
    """The operator pushes a configuration without this connection, its routes and its rules."""

    connection: str


@dataclass(frozen=True)
class Return:
    """The connection is in the configuration again; `anew`: its routes begin at this moment."""

    connection: str
    anew: bool


@dataclass(frozen=True)
class Allow:
    """The operator has looked, and lets the connection go on for an hour."""

    connection: str


@dataclass(frozen=True)
class LoseTable:
    """The table is gone, and a new one is empty; the installation's key lives elsewhere."""


@dataclass(frozen=True)
class Adopt:
    """The operator has the pairs of a lost table read from the vendors, if that exists."""


@dataclass(frozen=True)
class RollBack:
    """The vendor puts itself, or only the nth issue, back to what was true so long ago."""

    connection: str
    seconds: int
    nth: int | None = None


@dataclass(frozen=True)
class Move:
    """The nth issue is gone for good; `into`: merged into that one, which answers for it now."""

    connection: str
    nth: int
    into: int | None = None


@dataclass(frozen=True)
class Renumber:
    """The nth issue gets a new id, if it carries our line; the old one is gone."""

    connection: str
    nth: int


@dataclass(frozen=True)
class Insist:
    """From now on an automation gives the nth issue this status after each write of ours."""

    connection: str
    nth: int
    word: str


@dataclass(frozen=True)
class Forge:
    """A stranger writes a mark that names the nth issue of `of`: into a new issue, or below the
    words of the existing one `into`."""

    connection: str
    of: str
    nth: int
    mark: Mark
    form: Form
    into: int | None = None


@dataclass(frozen=True)
class Point:
    """People file `here` and `there`, and bind the link of the first to the second at once; the
    first is polled before anything else happens."""

    here: Add
    there: Add


Strange = (
    Elsewhere
    | Leave
    | Return
    | Allow
    | LoseTable
    | Adopt
    | RollBack
    | Move
    | Renumber
    | Insist
    | Forge
    | Point
)
