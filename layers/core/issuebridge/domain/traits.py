"""What a kind of issue system can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from issuebridge.domain.words import Field, Lens

Capability = Literal["native", "create_only", "read_only", "none"]


@dataclass(frozen=True)
class Traits:
    """What an issue system can do; each system's folder declares its own."""

    lenses: Mapping[Field, Lens]
    capabilities: Mapping[Field, Capability]
    description_units_max: int
    description_writable: bool
    comments: bool = False
    agent: bool = False
    """It has one that can be prompted, and that a mention in a text may start."""
    unproven: frozenset[Field] = frozenset()
    """No document says that these can be written; a connection may have shown that they can."""
