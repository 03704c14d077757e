"""How one connection treats each field: what its system can do, and what is configured."""

from collections.abc import Mapping
from dataclasses import dataclass

from issuebridge.domain.config import Carrier, Connection, Prefer
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.limits import WRITES_MAX
from issuebridge.domain.traits import Capability
from issuebridge.domain.words import CANONICAL_WORDS, FIELDS, Field, Lens


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


def resolve(name: str, connection: Connection) -> Policy:
    """Join its system's traits and the configuration; Misconfigured where they don't fit."""
    traits = connection.traits
    return Policy(
        connection=name,
        fields={field: _field_policy(name, field, connection) for field in FIELDS},
        conflict={field: _rule(connection, field) for field in FIELDS},
        may_read=connection.mode != "paused",
        may_write=connection.mode == "mirror",
        issue_url=connection.issue_url,
        description_units_max=traits.description_units_max,
        description_writable=traits.description_writable,
        wakes_agent=traits.agent,
        writes_per_hour=min(connection.writes_per_hour, WRITES_MAX),
    )


def _rule(connection: Connection, field: Field) -> str:
    rule = connection.conflict.get(field, "latest")
    return f"prefer:{rule.prefer}" if isinstance(rule, Prefer) else rule


def _field_policy(name: str, field: Field, connection: Connection) -> FieldPolicy:
    traits = connection.traits
    capability = traits.capabilities[field]
    default: Carrier = "native" if capability == "native" else "hub"
    carrier = connection.carriers.get(field, default)
    place = f"connections.{name}.carriers.{field}"
    if carrier == "native" and capability != "native" and field not in traits.unproven:
        raise Misconfigured(f"{place}: {connection.kind} cannot write it; use managed_line or hub")
    if carrier == "comment" and (field != "external_link" or not traits.comments):
        raise Misconfigured(f"{place}: no comment carries it at {connection.kind}; use hub")
    if carrier == "managed_line" and (field == "status" or not traits.description_writable):
        raise Misconfigured(f"{place}: {connection.kind} has no managed line for it; use hub")
    lens = _lens(field, connection)
    return FieldPolicy(lens=lens, capability=capability, carrier=carrier)


def _lens(field: Field, connection: Connection) -> Lens | None:
    if field == "external_link":
        return None
    custom = connection.maps.get(field)
    if custom:
        return Lens({raw: tuple(meanings) for raw, meanings in custom.items()})
    return connection.traits.lenses.get(field) or Lens(
        {word: (word,) for word in CANONICAL_WORDS[field]}
    )
