"""What a person decides: let a stopped connection go on, release what was set aside."""

from datetime import datetime, timedelta
from typing import Literal

from issuebridge.domain.issue import Baseline, CanonicalIssue, Edit, reference_for
from issuebridge.domain.lag import Landscape, settle
from issuebridge.ports import ConnectionStore, IssueStore, Ledger
from issuebridge.use_cases.races import until_won

ALLOWED = timedelta(hours=1)

Side = Literal["ours", "theirs"]


def allow(connections: ConnectionStore, connection: str, now: datetime) -> None:
    """For the next hour the breaker lets this connection do what it stopped at."""
    state = connections.acquire(connection, now, lease_seconds=10)
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
        issue = store.load(issue_id)
        assert issue is not None, "the caller has found it"
        for name in issue.parked:
            _replan(ledger, reference_for(issue_id, name), now)
        freed = settle(_freed(issue, take, now), landscape, now)
        return store.commit(freed, wake=bool(freed.pending))

    return until_won(issue_id, step)


def _freed(issue: CanonicalIssue, take: Side, now: datetime) -> CanonicalIssue:
    """Without notes; a held edit becomes the base from which the side taken has moved."""
    freed = issue.model_copy(update={"parked": {}, "pending": {}})
    for connection, ref in issue.refs.items():
        held = {name: note for name, note in ref.notes.items() if note.kind == "held"}
        bases = {name: Baseline(value=note.value, raws=note.raws) for name, note in held.items()}
        notes = {name: note for name, note in ref.notes.items() if note.kind == "frozen"}
        update = {"baselines": {**ref.baselines, **bases}, "notes": notes}
        refs = {**freed.refs, connection: ref.model_copy(update=update)}
        edits = {name: Edit(by=connection, at=now) for name in held}
        theirs: dict[str, object] = {name: note.value for name, note in held.items()}
        theirs["edits"] = {**freed.edits, **edits}
        taken = theirs if take == "theirs" else {}
        freed = freed.model_copy(update={"refs": refs, **taken})
    return freed


def _replan(ledger: Ledger, key: str, now: datetime) -> None:
    effect = ledger.get(key)
    if effect and effect.state == "parked":
        again = effect.planned(now)
        sent = again.model_copy(update={"state": "unknown", "looks": 0})
        ledger.put(sent if effect.sends else again)
