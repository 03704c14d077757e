"""What a person decides: let a stopped connection go on, release what was set aside."""

from datetime import datetime, timedelta
from typing import Literal

from issuebridge.domain.errors import Conflict, Gone, LostRace, Rejected
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    HistoryEntry,
    reference_for,
    with_ref,
)
from issuebridge.domain.lag import Landscape, settle
from issuebridge.domain.reading import find_url
from issuebridge.domain.words import FIELDS
from issuebridge.ports import ConnectionStore, IssueStore, IssueSystem, Ledger
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.stored import stored

ALLOWED = timedelta(hours=1)
PROBE_LINKS = (
    "https://issuebridge.example/Probe?issue=T-1#top",
    "https://issuebridge.example/probe",
)

Side = Literal["ours", "theirs"]


def allow(connections: ConnectionStore, connection: str, now: datetime) -> None:
    """For the next hour the breaker lets this connection do what it stopped at."""
    try:
        state = connections.acquire(connection, now, lease_seconds=10)
    except LostRace as error:
        raise LostRace(f"{connection}: a round is under way; try again in a minute") from error
    update = {"tripped": None, "problem": None, "allowed_until": now + ALLOWED}
    connections.save(state.model_copy(update=update))


def release(
    store: IssueStore,
    ledger: Ledger,
    landscape: Landscape,
    issue_id: str,
    *,
    take: Side,
    now: datetime,
) -> CanonicalIssue:
    """Try everything of this issue again, at once: what was refused, held, parked or waits.

    `take` decides held conflicts: for the value we hold, or for the copy's own.
    LostRace if the issue keeps changing meanwhile.
    """

    def step() -> CanonicalIssue:
        issue = stored(store, issue_id)
        for name in issue.parked:
            _replan(ledger, reference_for(issue_id, name), now)
        freed = settle(_freed(issue, take, now), landscape, now)
        return store.commit(freed, wake=bool(freed.pending))

    return until_won(issue_id, step)


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


def _freed(issue: CanonicalIssue, take: Side, now: datetime) -> CanonicalIssue:
    """Without notes; a held edit becomes the base from which the side taken has moved."""
    freed = issue.model_copy(update={"parked": {}, "pending": {}})
    for connection, ref in issue.refs.items():
        noted = ((name, ref.notes.get(name)) for name in FIELDS)
        held = {name: note for name, note in noted if note and note.kind == "held"}
        baselines = dict(ref.baselines)
        for name, note in held.items():
            baselines[name] = Baseline(value=note.value, raws=note.raws)
        notes = {name: note for name, note in ref.notes.items() if note.kind == "frozen"}
        update = {"baselines": baselines, "notes": notes}
        refs = {**freed.refs, connection: ref.model_copy(update=update)}
        values: dict[str, object] = {name: note.value for name, note in held.items()}
        edits = {**freed.edits, **dict.fromkeys(held, Edit(by=connection, at=now))}
        theirs = {**values, "edits": edits}
        taken = theirs if take == "theirs" else {}
        freed = freed.model_copy(update={"refs": refs, **taken})
    return freed


def _replan(ledger: Ledger, key: str, now: datetime) -> None:
    effect = ledger.get(key)
    if effect and effect.state == "parked":
        ledger.put(effect.again(now))
