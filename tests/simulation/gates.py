"""One gate for each connection: how much it may change in a while, and that nothing is written
there while it is stopped. Counted from what the stored histories and the vendors tell."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from issuebridge.domain.issue import CanonicalIssue, HistoryEntry, RemoteIssue
from tests.simulation.effects import WORKER_SECONDS
from tests.simulation.vendor import Broken
from tests.simulation.world import SimWorld

FINISHED = ("done", "closed")
CERTAIN = 5 / 6
"""The part of the window that counts in any case, as it moves on in steps."""
ALLOWED = timedelta(hours=1)


def heed(world: SimWorld, connection: str, seen: RemoteIssue) -> None:
    """Asked before each write: a worker that began after the gate was shut sends nothing."""
    shut_at = world.connections.shut_since.get(connection)
    began = world.effects.workers[-1].deadline - timedelta(seconds=WORKER_SECONDS)
    if shut_at and shut_at < began:
        raise Broken(f"gate: {seen.display_id} is written to, {connection} is stopped")


def gates(world: SimWorld) -> None:
    spread: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
    for issue in filter(None, map(world.store.load, world.store.issues)):
        for connection, sort, at in _spread(world, issue):
            spread[connection, sort].append(at)
    for connection, _, at in _rewritten(world):
        spread[connection, "rewritten"].append(at)
    for (connection, sort), times in spread.items():
        _within_limit(world, connection, sort, times)


def _within_limit(world: SimWorld, connection: str, sort: str, times: list[datetime]) -> None:
    breaker = world.config.connections[connection].breaker
    limit = max(breaker.count, int(breaker.share * len(world.vendors[connection].ids)))
    allowed = world.remembered.allowed[connection]
    counted = [at for at in times if not any(a <= at <= a + ALLOWED for a in allowed)]
    window = timedelta(minutes=breaker.window_minutes * CERTAIN)
    for begin in counted:
        end = min((a for a in allowed if a > begin), default=begin + window)
        within = [at for at in counted if begin <= at < min(end, begin + window)]
        if len(within) > limit:
            raise Broken(f"gate: {connection} has {sort} {len(within)} times, more than {limit}")


def _spread(world: SimWorld, issue: CanonicalIssue) -> Iterator[tuple[str, str, datetime]]:
    """What a copy said about an issue that had others, which all live to this day."""
    if len(issue.refs) < 2 or not all(ref.is_live for ref in issue.refs.values()):
        return
    linked = sorted(ref.linked_at for ref in issue.refs.values() if ref.linked_at)[1]
    for entry in world.store.history(issue.issue_id):
        if entry.by in issue.refs and entry.at > linked and (sort := _sort(entry)):
            yield entry.by, sort, entry.at


def _sort(entry: HistoryEntry) -> str | None:
    won = entry.outcome == "conflict" and (entry.detail or "").startswith("lost: ")
    if entry.outcome != "pulled" and not won:
        return None
    if entry.field != "status":
        return entry.field
    if (entry.old in FINISHED) == (entry.new in FINISHED):
        return "status"
    return "closed" if entry.new in FINISHED else "reopened"


def _rewritten(world: SimWorld) -> Iterator[tuple[str, str, datetime]]:
    """Writes to copies of issues that nobody has touched since another configuration came."""
    for begun, settled in world.remembered.configured:
        until = next((at for at, _ in world.configs if at > begun), world.clock.now())
        for issue_id in settled:
            issue = world.store.load(issue_id)
            entries = world.store.history(issue_id)
            for connection, ref in issue.refs.items() if issue else ():
                ids = (connection, ref.remote_id)
                yield from _writes(world, ids, entries, begun, until)


def _writes(
    world: SimWorld,
    ids: tuple[str, str],
    entries: Iterable[HistoryEntry],
    begun: datetime,
    until: datetime,
) -> Iterator[tuple[str, str, datetime]]:
    for write in world.vendors[ids[0]].upheaval.writes:
        if write.remote_id != ids[1] or write.field != "status" or not begun < write.at <= until:
            continue
        news = [e for e in entries if e.field == "status" and e.outcome != "pushed"]
        if not any(begun <= entry.at <= write.at for entry in news):
            yield *ids, write.at
