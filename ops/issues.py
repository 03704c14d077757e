"""Which issue a person means by a name."""

from collections.abc import Sequence

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.wiring import Wiring
from ops.stack import StackError


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


def the_issue(wiring: Wiring, name: str) -> CanonicalIssue:
    """The only one of that name; StackError names them all if there are more."""
    found = find_issues(wiring, name)
    if len(found) > 1:
        told = "; ".join(f"{issue.issue_id} ({_places(issue)})" for issue in found)
        raise StackError(f"{name} is more than one issue; name one by its id: {told}")
    if not found:
        raise StackError(f"no issue is known as {name} at any connection")
    return found[0]


def _places(issue: CanonicalIssue) -> str:
    return ", ".join(f"{name} {ref.display_id}" for name, ref in issue.refs.items())
