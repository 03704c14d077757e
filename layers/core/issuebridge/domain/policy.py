"""How one connection treats each field: what its system can do, and what is configured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from issuebridge.domain.config import Carrier, Connection, Prefer
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.limits import WRITES_MAX
from issuebridge.domain.words import CANONICAL_WORDS, FIELDS, Field, Lens

Capability = Literal["native", "create_only", "read_only", "none"]


@dataclass(frozen=True)
class Traits:
    """What an issue system can do; each adapter's mapping.py declares its own."""

    lenses: Mapping[Field, Lens]
    capabilities: Mapping[Field, Capability]
    description_units_max: int
    description_writable: bool
    comments: bool = False
    wakes_agent: bool = False
    """A mention in a text there may start an agent: none of ours has one."""
    unproven: frozenset[Field] = frozenset()
    """No document says that these can be written; a connection may have shown that they can."""


@dataclass(frozen=True)
class FieldPolicy:
    """`lens` is None for a field whose value travels as it is (links)."""

    lens: Lens | None
    capability: Capability
    carrier: Carrier

    @property
    def reads_native(self) -> bool:
        return self.capability != "none"

    @property
    def is_read(self) -> bool:
        """Whether a copy shows it anywhere."""
        return self.reads_native or self.carrier in ("managed_line", "comment")

    @property
    def writable(self) -> bool:
        return self.carrier != "hub"


@dataclass(frozen=True)
class Policy:
    """One connection, resolved: everything the merge needs to know of it."""

    connection: str
    fields: Mapping[Field, FieldPolicy]
    conflict: Mapping[Field, str]
    may_read: bool
    may_write: bool
    issue_url: str | None
    description_units_max: int
    description_writable: bool
    wakes_agent: bool = False
    writes_per_hour: int = 6


def resolve(name: str, connection: Connection, traits: Traits) -> Policy:
    """Join the traits and the configuration; Misconfigured where they don't fit."""
    return Policy(
        connection=name,
        fields={field: _field_policy(name, field, connection, traits) for field in FIELDS},
        conflict={field: _rule(connection, field) for field in FIELDS},
        may_read=connection.mode != "paused",
        may_write=connection.mode == "mirror",
        issue_url=connection.issue_url,
        description_units_max=traits.description_units_max,
        description_writable=traits.description_writable,
        wakes_agent=traits.wakes_agent,
        writes_per_hour=min(connection.writes_per_hour, WRITES_MAX),
    )


def _rule(connection: Connection, field: Field) -> str:
    rule = connection.conflict.get(field, "latest")
    return f"prefer:{rule.prefer}" if isinstance(rule, Prefer) else rule


def _field_policy(name: str, field: Field, connection: Connection, traits: Traits) -> FieldPolicy:
    capability = traits.capabilities[field]
    default: Carrier = "native" if capability == "native" else "hub"
    carrier = connection.carriers.get(field, default)
    place = f"connections.{name}.carriers.{field}"
    if carrier == "native" and capability != "native" and field not in traits.unproven:
        raise Misconfigured(f"{place}: {connection.kind} cannot write it; use managed_line or hub")
    if carrier == "comment" and (field != "external_link" or not traits.comments):
        raise Misconfigured(f"{place}: a comment carries external_link at bland only; use hub")
    if carrier == "managed_line" and (field == "status" or not traits.description_writable):
        raise Misconfigured(f"{place}: {connection.kind} has no managed line for it; use hub")
    lens = _lens(field, connection, traits)
    return FieldPolicy(lens=lens, capability=capability, carrier=carrier)


def _lens(field: Field, connection: Connection, traits: Traits) -> Lens | None:
    if field == "external_link":
        return None
    custom = connection.maps.get(field)
    if custom:
        return Lens({raw: tuple(meanings) for raw, meanings in custom.items()})
    return traits.lenses.get(field) or Lens({word: (word,) for word in CANONICAL_WORDS[field]})
