"""Pair two issues that a person has linked already: one's link is the other's address.

Both are known here, each by itself. The copy of one joins the other, which keeps its id: the one
of the side where a route leaves from, whose values come first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from issuebridge.domain.converge import link, observe
from issuebridge.domain.errors import Rejected
from issuebridge.domain.issue import CanonicalIssue
from issuebridge.domain.lag import settle
from issuebridge.domain.limits import REFS_MAX
from issuebridge.domain.mark import Installation, keys_of
from issuebridge.domain.routing import LEADS, Landscape, points_across
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.once import Step
from issuebridge.use_cases.prompt_line import last_runs
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored

NOT_YET = timedelta(seconds=60)
NOT_KNOWN_PAUSE_MAX = timedelta(hours=6)
EMPTY: dict[str, object] = {
    "refs": {},
    "pending": {},
    "asks": {},
    "parked": {},
    "runs": (),
    "fired": {},
}
"""What is left of an issue whose only copy another one took over."""


@dataclass(frozen=True)
class PairLinked:
    store: IssueStore
    ledger: Ledger
    system: Callable[[str], IssueSystem]
    landscape: Landscape
    gate: Gate
    installation: Callable[[], Installation]
    clock: Clock

    def __call__(self, issue: CanonicalIssue, connection: str) -> Step | None:
        """None where no link leads across: it may be created there."""
        leads = [a for a in points_across(issue, self.landscape) if a.connection == connection]
        pointing = () if leads else self._pointing_at(issue, connection)
        if not leads and not pointing:
            return None
        if self.is_under_way(issue, connection):
            return None
        ends = (connection, issue.origin)
        if why := next(filter(None, map(self.gate.hinders_creating, ends)), None):
            return Step("waiting", why, self.clock.now() + NOT_YET)
        if leads:
            return self._to(issue, connection, leads[0].name)
        return self._from(issue, connection, pointing)

    def is_under_way(self, issue: CanonicalIssue, connection: str) -> bool:
        """A counterpart was asked for before the link was there: its answer comes first."""
        rows = self.ledger.find(keys_of(issue, connection, self.installation()))
        return any(effect.is_open and effect.sends > 0 for effect in rows)

    def _to(self, issue: CanonicalIssue, connection: str, name: str) -> Step:
        found = [self._alone(i, connection) for i in self.store.named(connection, name)]
        free = [other for other in found if other]
        if not found:
            return self._not_known(issue, f"{LEADS}{name}, which is not known there")
        if len(free) != 1 or len(found) != 1:
            return self._park(issue, connection, f"{LEADS}{name}, which is linked already, or gone")
        if self.is_under_way(free[0], issue.origin):
            return Step("waiting", "its counterpart is being created", self.clock.now() + NOT_YET)
        back = self._pointing_at(free[0], issue.origin)
        if any(other.issue_id != issue.issue_id for other in back):
            return self._park(issue, connection, f"{LEADS}{name}, and so do others'")
        return self._joined(issue, free[0])

    def _not_known(self, issue: CanonicalIssue, why: str) -> Step:
        """Its connection may not have been polled since: it is looked for again, each time after
        as long as it has been missed already."""
        now, edit = self.clock.now(), issue.edits.get("external_link")
        missed = now - edit.at if edit else NOT_YET
        return Step("waiting", why, now + min(max(missed, NOT_YET), NOT_KNOWN_PAUSE_MAX))

    def _from(
        self, issue: CanonicalIssue, connection: str, pointing: Sequence[CanonicalIssue]
    ) -> Step:
        if len(pointing) > 1:
            names = ", ".join(other.refs[connection].display_id for other in pointing)
            return self._park(issue, connection, f"{names} all have a link to it: leave one")
        return self._joined(pointing[0], issue)

    def _joined(self, pointing: CanonicalIssue, pointed_at: CanonicalIssue) -> Step:
        kept, other = (pointed_at, pointing)
        ends = (pointing.origin, pointed_at.origin)
        routes = {(route.source, route.target) for route in self.landscape.routes}
        if ends in routes and ends[::-1] not in routes:
            kept, other = pointing, pointed_at
        if any(kept.value(name) != other.value(name) for name in ("status", "severity")):
            self.gate.count(other.origin, ["paired"])
        joined = self.join(kept.issue_id, other.issue_id)
        return Step("done", joined.refs[other.origin].display_id)

    def _pointing_at(self, issue: CanonicalIssue, connection: str) -> list[CanonicalIssue]:
        """Issues of that connection, not linked yet, whose link is this one's address."""
        url = issue.refs[issue.origin].url if issue.origin in issue.refs else None
        if (
            url is None
            or not self.landscape.policies[connection].fields["external_link"].reads_native
        ):
            return []
        found = (self.store.load(issue_id) for issue_id in self.store.pointing(url))
        return [
            other
            for other in found
            if other
            and other.external_link == url
            and other.origin == connection
            and _lives_only(other, connection)
        ]

    def _alone(self, issue_id: str, connection: str) -> CanonicalIssue | None:
        issue = self.store.load(issue_id)
        return issue if issue and _lives_only(issue, connection) else None

    def join(self, kept_id: str, other_id: str, *, reference: str | None = None) -> CanonicalIssue:
        """The only copy of the other issue becomes one of the kept issue's, whose values come
        first; what it said differently is told. Rejected where that cannot be. `reference`: our
        mark that stands in it already."""

        def step() -> CanonicalIssue:
            kept, other = stored(self.store, kept_id), stored(self.store, other_id)
            connection = _only_copy(kept, other)
            policy, now = self.landscape.policies[connection], self.clock.now()
            remote = self.system(connection).get(other.refs[connection].remote_id)
            linked = link(kept, remote, policy, now, reference=reference)
            skew = self.system(connection).skew
            seen = observe(linked, remote, self.landscape, connection, now=now, skew=skew)
            norm = {
                "runs": last_runs((*kept.runs, *other.runs)),
                "fired": {**other.fired, **kept.fired},
            }
            after = settle(seen.issue.model_copy(update=norm), self.landscape, now, renew=True)
            self.gate.check(connection, kept, after)
            emptied = other.model_copy(update={**EMPTY, "joined": kept_id})
            return self.store.join(after, emptied, connection, seen.history)

        return until_won(f"{kept_id} and {other_id}", step)

    def _park(self, issue: CanonicalIssue, connection: str, reason: str) -> Step:
        def step() -> Step:
            now = stored(self.store, issue.issue_id)
            parked = {**now.parked, connection: reason}
            pending = {name: mark for name, mark in now.pending.items() if name != connection}
            self.store.commit(now.model_copy(update={"parked": parked, "pending": pending}))
            return Step("parked", reason)

        return until_won(issue.issue_id, step)


def _lives_only(issue: CanonicalIssue, connection: str) -> bool:
    return [*issue.refs] == [connection] and issue.refs[connection].is_live


def _only_copy(kept: CanonicalIssue, other: CanonicalIssue) -> str:
    """The connection of the other issue's copy."""
    live = [name for name, ref in other.refs.items() if ref.is_live]
    if kept.issue_id == other.issue_id or len(live) != 1 or len(other.refs) != 1:
        raise Rejected(f"{other.title}: it has more than one copy, or none: unlink it first")
    if live[0] in kept.refs:
        raise Rejected(f"{kept.title} has a copy at {live[0]} already: unlink it first")
    if len(kept.refs) >= REFS_MAX:
        raise Rejected(f"{kept.title} has {REFS_MAX} copies already, and no more are kept")
    if other.prompts or any(run.outcome == "running" for run in other.runs):
        raise Rejected(f"{other.title}: Norm works on it: try again when it has ended")
    return live[0]
