"""What a connection to Bland Triage is given, and what such a system can do."""

from typing import ClassVar, Literal

from issuebridge.domain.config import Connection
from issuebridge.domain.traits import Traits
from issuebridge.domain.words import SEVERITIES, STATUSES, Lens

TRAITS = Traits(
    lenses={
        "status": Lens({word: (word,) for word in STATUSES}),
        "severity": Lens({word: (word,) for word in SEVERITIES}),
    },
    capabilities={"status": "native", "severity": "native", "external_link": "read_only"},
    description_units_max=10_000,
    description_writable=True,
    comments=True,
    agent=True,
    unproven=frozenset({"external_link"}),
)


class BlandConnection(Connection):
    traits: ClassVar[Traits] = TRAITS
    kind: Literal["bland"]
