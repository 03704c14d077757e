"""What a person decides: release what was set aside, try a link, let a copy go."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from issuebridge.domain.errors import Conflict, Gone, Rejected, Tripped
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    FieldNote,
    HistoryEntry,
    comment_key,
    with_ref,
)
from issuebridge.domain.lag import settle
from issuebridge.domain.mark import Installation, keys_of
from issuebridge.domain.reading import find_url
from issuebridge.domain.routing import Landscape
from issuebridge.domain.taking import SET_ASIDE
from issuebridge.domain.words import FIELDS, Field
from issuebridge.ports import Clock, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored

PROBE_LINKS = (
    "https://issuebridge.example/Probe?issue=T-1#top",
    "https://issuebridge.example/probe",
)

GIVEN_UP = "given up by a person"

DECIDED = ("held", "rolled_back", "fought")

Side = Literal["ours", "theirs"]


@dataclass(frozen=True)
class Release:
    """Try everything of an issue again, at once: what was refused, held, parked or waits."""

    store: IssueStore
    ledger: Ledger
    landscape: Landscape
    gate: Gate
    installation: Callable[[], Installation]
    clock: Clock

    def __call__(self, issue_id: str, take: Side, at: str | None = None) -> CanonicalIssue:
        """`take` decides what is held: for the value we hold, or for the copy's own; `at`: of what
        is held only that at this connection.

        LostRace if the issue keeps changing meanwhile; Tripped where what a copy says may not pass.
        """

        def step() -> CanonicalIssue:
            issue, now = stored(self.store, issue_id), self.clock.now()
            freed = settle(_freed(issue, take, now, at), self.landscape, now)
            self._ask_gates(issue, freed, take, at)
            for name in {*issue.parked, *issue.pending} - freed.parked.keys():
                self._replan(issue, name, now)
            return self.store.commit(freed, wake=bool(freed.pending))

        return until_won(issue_id, step)

    def _ask_gates(
        self, issue: CanonicalIssue, freed: CanonicalIssue, take: Side, at: str | None
    ) -> None:
        """What a copy says passes its gate, also if a person lets it."""
        theirs = [name for name in issue.refs if take == "theirs" and at in (None, name)]
        said = [name for name in theirs if held(issue, name)]
        if why := self.gate.shut(said):
            raise Tripped(why)
        for connection in said:
            self.gate.check(connection, issue, freed)

    def _replan(self, issue: CanonicalIssue, connection: str, now: datetime) -> None:
        """What was refused, or was set aside since it kills its worker."""
        ref = issue.refs.get(connection)
        keys = keys_of(issue, connection, self.installation())
        keys = [*keys, *([comment_key(issue.issue_id, connection, ref.posted)] if ref else [])]
        for effect in self.ledger.find(keys):
            if effect.state == "parked":
                self.ledger.put(effect.again(now))
            elif effect.is_open and effect.reason == SET_ASIDE:
                self.ledger.put(effect.model_copy(update={"due_at": now}))


def probe_link(system: IssueSystem, remote_id: str) -> bool:
    """Whether links written to this issue for tests stand just as written; it keeps the last."""
    seen = system.get(remote_id)
    if seen.raw.get("external_link") is not None:
        raise Rejected(f"{seen.display_id} has a link: name an issue for tests that has none")
    for link in PROBE_LINKS:
        try:
            seen = system.update(seen, {"external_link": link})
        except (Gone, Conflict):
            raise
        except Rejected:
            return False
        if find_url(seen.raw.get("external_link") or "") != link:
            return False
    return True


def unlink(
    store: IssueStore, landscape: Landscape, issue_id: str, connection: str, now: datetime
) -> CanonicalIssue:
    """Let this copy go: it is mirrored no more and not made anew, and our line leaves it."""

    def step() -> CanonicalIssue:
        issue = stored(store, issue_id)
        over = {"ended": True, "notes": {}, "sending": {}, "sending_at": None}
        ended = with_ref(issue, issue.refs[connection].model_copy(update=over))
        entry = HistoryEntry(at=now, field="external_link", outcome="unlinked", by=connection)
        return store.commit(settle(ended, landscape, now, renew=True), [entry], wake=True)

    return until_won(issue_id, step)


def give_up(
    store: IssueStore,
    ledger: Ledger,
    installation: Installation,
    issue_id: str,
    connection: str,
) -> CanonicalIssue:
    """No counterpart is made there, until `release` takes it up again. One that was made all the
    same is linked when it shows."""

    def step() -> CanonicalIssue:
        issue = stored(store, issue_id)
        if connection in issue.refs:
            raise Rejected(f"it has a copy at {connection}: `issuebridge unlink` lets that go")
        for effect in ledger.find(keys_of(issue, connection, installation)):
            if effect.is_open:
                ledger.put(effect.given_up(GIVEN_UP))
        pending = {name: mark for name, mark in issue.pending.items() if name != connection}
        parked = {**issue.parked, connection: GIVEN_UP}
        return store.commit(issue.model_copy(update={"pending": pending, "parked": parked}))

    return until_won(issue_id, step)


def _freed(issue: CanonicalIssue, take: Side, now: datetime, at: str | None) -> CanonicalIssue:
    """Without notes; a held edit becomes the base from which the side taken has moved."""
    parked = {name: why for name, why in issue.parked.items() if at not in (None, name)}
    freed = issue.model_copy(update={"parked": parked, "pending": {}, "asks": {}})
    for connection, ref in issue.refs.items():
        if at not in (None, connection):
            continue
        mine = held(issue, connection)
        baselines = dict(ref.baselines)
        for name, note in mine.items():
            baselines[name] = Baseline(value=note.value, raws=note.raws)
        notes = {name: note for name, note in ref.notes.items() if note.kind == "frozen"}
        seen_at = None if mine else ref.remote_updated_at
        update = {"baselines": baselines, "notes": notes, "writes": {}}
        update |= {"remote_updated_at": seen_at}
        refs = {**freed.refs, connection: ref.model_copy(update=update)}
        values: dict[str, object] = {name: note.value for name, note in mine.items()}
        edits = {**freed.edits, **dict.fromkeys(mine, Edit(by=connection, at=now))}
        theirs = {**values, "edits": edits}
        taken = theirs if take == "theirs" else {}
        freed = freed.model_copy(update={"refs": refs, **taken})
    return freed


def held(issue: CanonicalIssue, connection: str) -> dict[Field, FieldNote]:
    """What this copy says and a person decides about."""
    notes = issue.refs[connection].notes
    found = {name: notes[name] for name in FIELDS if name in notes}
    return {name: note for name, note in found.items() if note.kind in DECIDED}
