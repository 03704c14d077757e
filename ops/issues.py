"""Which issue a person means by a name."""

from collections.abc import Sequence

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.wiring import Wiring


def find_issues(wiring: Wiring, name: str, connections: Sequence[str] = ()) -> list[CanonicalIssue]:
    """Every issue of that id, or of that id or short code at one of these connections, by default
    all; `connection:name` says at which."""
    at, _, rest = name.partition(":")
    if at in wiring.config.connections and rest:
        connections, name = [at], rest
    places = connections or wiring.config.connections
    ids = {issue_id for place in places for issue_id in wiring.store.named(place, name)}
    issues = map(wiring.store.load, sorted(ids) or [name])
    return [issue for issue in issues if issue]
