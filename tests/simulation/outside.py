"""What must hold when something comes from outside: a restored vendor, a renumbered issue, a fight,
a stranger's mark, a link that points across. Read from the vendors and the stored issues."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from issuebridge.domain.config import Config
from issuebridge.domain.issue import CanonicalIssue, HistoryEntry, RemoteIssue
from tests.simulation.deeds import Renumbered, Restored
from tests.simulation.people import marks_in
from tests.simulation.vendor import Broken
from tests.simulation.world import SimWorld

TAG = slice(2, 7)
HOUR = timedelta(hours=1)
BLOWS = ("fail", "garbage", "crash", "pause", "killed at its time limit")
AT_ONCE = 1
"""So many writes may pass beyond the limit, where two workers see the same count."""


def outside(world: SimWorld) -> None:
    for restored in world.remembered.restored:
        _is_told(world, restored)
        _spreads_nothing(world, restored)
    _renumbered(world)
    _fights(world)
    _pairs(world)
    _marked_copies(world)


# what other oracles need to know of it


def config_at(world: SimWorld, at: datetime) -> Config:
    return next(config for since, config in reversed(world.configs) if since <= at)


def history_of(world: SimWorld, issue: CanonicalIssue) -> Iterator[HistoryEntry]:
    """Its own, and that of the issue whose only copy it took over."""
    for issue_id in (issue.issue_id, *taken_over_by(world, issue)):
        yield from world.store.history(issue_id)


def taken_over_by(world: SimWorld, issue: CanonicalIssue) -> Iterator[str]:
    if world.remembered.pointed:
        known = filter(None, map(world.store.load, world.store.issues))
        yield from (other.issue_id for other in known if other.joined == issue.issue_id)


def is_anothers(remote: RemoteIssue, own: str, tag: str) -> bool:
    """Whether somebody's mark stands there that cannot be ours: nothing is written there."""
    return any(
        mark != own and not mark.startswith(f"ib{tag}") for mark in marks_in(remote.description)
    )


def excuses_of(
    world: SimWorld, issue: CanonicalIssue, connection: str, name: str
) -> dict[str, bool]:
    """When a note of these kinds is true. Where others fight, who only looks on is written to as
    often."""
    vendor = world.vendors[connection]
    remote = vendor.now(issue.refs[connection].remote_id)
    return {
        "rolled_back": vendor.upheaval.came_back(remote, name),
        "fought": is_fought_over(world, issue) or _is_much_written(world, remote, connection, name),
    }


def _is_much_written(world: SimWorld, remote: RemoteIssue, connection: str, name: str) -> bool:
    """Whether so many edits within an hour came from elsewhere that the brake holds."""
    limit = world.config.connections[connection].writes_per_hour
    counted = world.vendors[connection].upheaval.most_written(HOUR)
    return any((i, n) == (remote.remote_id, name) and most >= limit for i, n, most in counted)


def is_fought_over(world: SimWorld, issue: CanonicalIssue) -> bool:
    """Whether an automation answers each of our writes to one of its copies with an edit."""
    insists = (world.vendors[n].upheaval.insists for n in issue.refs)
    insisting = {remote_id for known in insists for remote_id in known}
    return any(ref.remote_id in insisting for ref in issue.refs.values())


def may_be_renumbered(world: SimWorld, connection: str, copy_id: str) -> bool:
    """Whether what this one is a copy of is gone, so that nobody can tell it from a new id."""
    vendor = world.vendors[connection]
    source = vendor.upheaval.copied.get(copy_id)
    return source is not None and vendor.was_deleted(source)


def is_overtaken(world: SimWorld, connection: str, new_id: str) -> bool:
    """Whether a person's copy was linked in place of this one, which is told as a second."""
    upheaval = world.vendors[connection].upheaval
    sources = {old for old, new in upheaval.replaced.items() if new == new_id}
    return bool(sources & {*upheaval.copied.values()}) and new_id in (
        world.connections.read(connection).twins
    )


def is_pair(world: SimWorld, issue: CanonicalIssue, connection: str) -> bool:
    """Whether this copy was a person's own issue, whose link the oracle knows of."""
    ends = {(name, ref.remote_id) for name, ref in issue.refs.items()}
    return any(connection in (a[0], b[0]) and {a, b} <= ends for a, b in world.remembered.pointed)


def leads_nowhere(world: SimWorld, issue: CanonicalIssue, connection: str) -> bool:
    """Whether its link has the form of an address there: it waits for that one, or is set aside
    with the reason, if none is there, or it has a copy already."""
    template = world.config.connections[connection].issue_url
    if template is None or not issue.external_link or connection in issue.refs:
        return False
    begin, _, end = template.partition("{id}")
    named = issue.external_link.removeprefix(begin).removesuffix(end)
    has_form = issue.external_link == f"{begin}{named}{end}"
    return has_form and (connection in issue.parked or connection in issue.pending)


# a vendor restored from a backup


def _is_told(world: SimWorld, restored: Restored) -> None:
    """For each field that went back: a note, or an entry of it in the history; or nothing of the
    issue is taken in, as the connection is stopped."""
    issue, connection = world.store.load(restored.issue_id), restored.connection
    if issue is None or not issue.refs[connection].is_live:
        return
    entries = [e for e in world.store.history(issue.issue_id) if e.at >= restored.at]
    told = {e.field for e in entries if e.by == connection or connection not in issue.refs}
    fields = world.landscape.policies[connection].fields
    vendor = world.vendors[connection]
    remote = vendor.now(issue.refs[connection].remote_id)
    for name in restored.changed - told:
        reads = fields[name].reads_native  # type: ignore[index]
        means_another = not _agrees(world, issue, connection, remote, name)
        if reads and means_another and vendor.upheaval.came_back(remote, name):
            raise Broken(f"restored: {name} of {issue.issue_id} at {connection} is told nowhere")


def _agrees(
    world: SimWorld, issue: CanonicalIssue, connection: str, remote: RemoteIssue, name: str
) -> bool:
    lens = world.landscape.policies[connection].fields[name].lens  # type: ignore[index]
    value, raw = issue.value(name), remote.raw.get(name)  # type: ignore[arg-type]
    return value in lens.words.get(raw or "", ()) if lens else True


def _spreads_nothing(world: SimWorld, restored: Restored) -> None:
    """Unless a person did something about the issue since, its other copies are as they were."""
    issue = world.store.load(restored.issue_id)
    if issue is None or restored.issue_id in world.remembered.touched:
        return
    ids = {(n, ref.remote_id) for n, ref in issue.refs.items()}
    edited = any(
        (vendor.name, edit.remote_id) in ids and edit.at >= restored.at
        for vendor in world.vendors.values()
        for edit in vendor.edits
    )
    ended = any(vendor.was_deleted(i) for n, i in ids for vendor in [world.vendors[n]])
    moved_on = len(world.configs) > 1 or issue.runs or edited or ended
    if moved_on or len(ids) != 1 + len(restored.others):
        return
    for name, raw in restored.others.items():
        now = world.vendors[name].now(issue.refs[name].remote_id).raw
        if any(now.get(field) != raw.get(field) for field in restored.changed):
            raise Broken(f"restored: {restored} has spread to {name}, which shows {dict(now)}")


# moved and renumbered


def _renumbered(world: SimWorld) -> None:
    """It is the same copy under its new id, and no twin of it is told."""
    for found in world.remembered.renumbered:
        connection, reference, new_id = found.connection, found.mark, found.new_id
        vendor = world.vendors[connection]
        if new_id in vendor.upheaval.vanished or vendor.now(new_id).deleted:
            continue
        if reference not in marks_in(vendor.now(new_id).description):
            continue
        if is_overtaken(world, connection, new_id):
            continue
        issue = world.store.load(world.store.find(connection, new_id) or "")
        ref = issue.refs.get(connection) if issue else None
        if ref is None or ref.remote_id != new_id:
            raise Broken(f"renumbered: {new_id} with {reference} is not linked again")
        if new_id in world.connections.read(connection).twins:
            raise Broken(f"renumbered: {new_id} is told as a twin")
        _no_deletion_is_told(world, issue=issue, found=found)


def _no_deletion_is_told(world: SimWorld, issue: CanonicalIssue, found: Renumbered) -> None:
    """Where nothing struck: what cannot be read may seem gone."""
    was_struck = any(world.figures[kind] for kind in BLOWS)
    told = [
        entry
        for entry in world.store.history(issue.issue_id)
        if (entry.outcome, entry.by) == ("deleted", found.connection) and entry.at >= found.at
    ]
    once = sum(f.mark == found.mark for f in world.remembered.renumbered) == 1
    if told and once and not was_struck:
        raise Broken(f"renumbered: {found.new_id} is there, yet told as {told}")


# strangers' marks


def _marked_copies(world: SimWorld) -> None:
    """A linked copy that is written to no more is told of; but a poll that ends between its
    fingerprints and its state forgets what it had to tell, until the row changes."""
    if any(world.figures[kind] for kind in BLOWS):
        return
    for issue in filter(None, map(world.store.load, world.store.issues)):
        for name, ref in issue.refs.items():
            remote = world.vendors[name].now(ref.remote_id)
            own, told = ref.reference or "", world.connections.read(name).marked
            foreign = is_anothers(remote, own, world.installation.tag)
            if foreign and not remote.deleted and ref.remote_id not in told:
                raise Broken(f"foreign: {remote.display_id} is kept back, and nobody says so")


# automations


def _fights(world: SimWorld) -> None:
    """Whoever lets go on what was held may have as many writes again."""
    for connection, vendor in world.vendors.items():
        limit = world.config.connections[connection].writes_per_hour
        for remote_id, name, most in vendor.upheaval.most_written(HOUR):
            issue_id = world.store.find(connection, remote_id)
            if most > limit + AT_ONCE and issue_id not in world.remembered.touched:
                raise Broken(f"fight: {name} of {remote_id} is written {most} times in an hour")


# links that point across


def _pairs(world: SimWorld) -> None:
    """Both ends are copies of one issue, as long as both are there and the link leads across."""
    for one, other in world.remembered.pairs:
        gone = [world.vendors[n].was_deleted(i) for n, i in (one, other)]
        if any(gone) or not _still_leads(world, one, other):
            continue
        found = {world.store.find(*one), world.store.find(*other)}
        if len(found) != 1:
            raise Broken(f"pair: {one} points at {other}, yet they are {found}")


def _still_leads(world: SimWorld, one: tuple[str, str], other: tuple[str, str]) -> bool:
    link = world.vendors[one[0]].now(one[1]).raw.get("external_link") or ""
    return f'"{other[1]}"' in link.replace("/i/", '"')
