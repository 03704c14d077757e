"""What one round over one connection did, for logs, metrics and people."""

from dataclasses import dataclass, field
from itertools import islice

from issuebridge.domain.round_state import Completeness

NAMED_MAX = 500


@dataclass
class PullReport:
    """What one round did, by the vendor's own issue names (T-1042); `stored` and `twins` give the
    canonical issue, `failed` the reason, `unread` what of a list could not be read, `marked` whose
    mark stands there; `twins` and `marked` are all that stand. `problem` says why it stopped early,
    `remedy_needed` that a person must act, `more` how many found no room in a list that is kept."""

    connection: str
    seen: int = 0
    stored: dict[str, str] = field(default_factory=dict)
    deferred: list[str] = field(default_factory=list)
    twins: dict[str, str] = field(default_factory=dict)
    marked: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    swept: bool = False
    problem: str | None = None
    remedy_needed: bool = False
    busy: bool = False
    completeness: Completeness | None = None
    more: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """For the log and the function's answer: no list longer than a person reads."""
        shown = {
            "stored": dict(islice(self.stored.items(), NAMED_MAX)),
            "deferred": self.deferred[:NAMED_MAX],
            "unread": self.unread[:NAMED_MAX],
            "twins": dict(islice(self.twins.items(), NAMED_MAX)),
            "marked": dict(islice(self.marked.items(), NAMED_MAX)),
            "failed": dict(islice(self.failed.items(), NAMED_MAX)),
            "more": self.more,
        }
        told: dict[str, object] = {name: value for name, value in shown.items() if value}
        if self.problem:
            flags = {"remedy_needed": self.remedy_needed, "busy": self.busy}
            told |= {"problem": self.problem, **{name: True for name, on in flags.items() if on}}
        if self.completeness and not self.completeness.closes:
            told["gap"] = self.completeness.model_dump(mode="json")
        counts = {"seen": self.seen, "stored_count": len(self.stored), "swept": self.swept}
        return {"connection": self.connection, **counts, **told}

    def metrics(self) -> dict[str, int]:
        """What an alarm watches: a person must act, the equation is open, issues are set aside."""
        gap = self.completeness is not None and not self.completeness.closes
        return {
            "RemedyNeeded": self.remedy_needed,
            "CompletenessGap": gap,
            "SetAside": len(self.failed) + len(self.unread),
            "Twins": len(self.twins),
            "Foreign": len(self.marked),
        }
