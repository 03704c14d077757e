"""What a connection to Zylon Workspace is given, and what a route into it must say."""

from typing import ClassVar, Literal

from issuebridge.domain.config import Connection, HeaderText, Model, Route
from issuebridge.domain.traits import Traits
from issuebridge.domain.words import Lens

TRAITS = Traits(
    lenses={
        "status": Lens(
            {
                "NotReviewed": ("todo", "backlog"),
                "InReview": ("in_progress", "in_review"),
                "Closed": ("done", "closed"),
            }
        )
    },
    capabilities={"status": "native", "severity": "none", "external_link": "none"},
    description_units_max=20_000,  # ours: Zylon names no limit
    description_writable=True,
)


class Anchor(Model):
    """The reported chat turn that an issue created there hangs on."""

    project_id: str
    thread_id: str
    reported_interaction_id: str


class ZylonConnection(Connection):
    traits: ClassVar[Traits] = TRAITS
    kind: Literal["zylon"]
    org: HeaderText = "default"
    generation: Literal["current", "older"] = "current"
    anchor: Anchor | None = None

    @property
    def tenant(self) -> str:
        return self.org

    def lacks(self, route: Route) -> str | None:
        if self.anchor or self.generation == "older":
            return None
        return f"zylon hangs an issue on a chat turn: set connections.{route.target}.anchor"
