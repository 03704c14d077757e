"""What a connection to Antimetal is given, and what a route into it must say."""

from typing import ClassVar, Literal

from pydantic import Field as Setting

from issuebridge.domain.config import Connection, HeaderText, Route
from issuebridge.domain.traits import Traits
from issuebridge.domain.words import Lens

TRAITS = Traits(
    lenses={
        "status": Lens(
            {
                "investigating": ("in_progress", "todo"),
                "ready_to_fix": ("in_review",),
                "resolved": ("done", "closed"),
                "muted": ("backlog",),
            }
        ),
        "severity": Lens({"high": ("high", "critical"), "medium": ("medium",), "low": ("low",)}),
    },
    capabilities={"status": "native", "severity": "create_only", "external_link": "none"},
    description_units_max=20_000,
    description_writable=False,
)


class AntimetalConnection(Connection):
    traits: ClassVar[Traits] = TRAITS
    kind: Literal["antimetal"]
    environment: str = Setting(default="production", min_length=1)
    api_version: HeaderText = "2026-03-17"

    def lacks(self, route: Route) -> str | None:
        if route.filter and route.daily_budget:
            return None
        return "creating at antimetal may start a paid investigation: set filter and daily_budget"
