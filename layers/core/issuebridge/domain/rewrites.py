"""What a new configuration would have written anew, though nobody has edited anything."""

import re
from collections.abc import Iterator
from datetime import datetime

from issuebridge.domain.issue import CanonicalIssue, ExternalRef, with_ref
from issuebridge.domain.lag import lagging, settle
from issuebridge.domain.managed_line import line_safe
from issuebridge.domain.policy import Policy
from issuebridge.domain.routing import Landscape
from issuebridge.domain.words import Part


def rewrites(
    issue: CanonicalIssue, running: Landscape, pushed: Landscape, now: datetime
) -> Iterator[tuple[str, Part]]:
    """The connections and parts where this issue lags under the one, and not under the other."""
    before, after = _lags(issue, running, now), _lags(issue, pushed, now)
    for connection, parts in after.items():
        yield from ((connection, part) for part in parts - before.get(connection, set()))


def _lags(issue: CanonicalIssue, landscape: Landscape, now: datetime) -> dict[str, set[Part]]:
    known = [policy for name, policy in landscape.policies.items() if name in issue.refs]
    for policy in known:
        issue = _with_address(issue, policy)
    settled = settle(issue, landscape, now)
    return {policy.connection: {*lagging(settled, policy)} for policy in known}


def _with_address(issue: CanonicalIssue, policy: Policy) -> CanonicalIssue:
    """The deep link as the next read of this copy will have it."""
    ref = issue.refs[policy.connection]
    return with_ref(issue, ref.model_copy(update={"url": _address(ref, policy)}))


def _address(ref: ExternalRef, policy: Policy) -> str | None:
    """Every short code ends in the number."""
    if policy.issue_url is None:
        return None
    number = re.search(r"\d+$", ref.display_id)
    return line_safe(
        policy.issue_url.format(
            id=ref.remote_id, number=number[0] if number else "", display_id=ref.display_id
        )
    )
