"""Two installations on the same vendors, and one whose table was lost: nothing is bred, nobody
writes to what carries only another's mark, both say so, and it comes to rest."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import CanonicalIssue, RemoteIssue, issue_id_for
from tests.simulation.outside import TAG
from tests.simulation.people import marks_in
from tests.simulation.vendor import Broken, Vendor
from tests.simulation.world import ROUND_SECONDS, SimWorld

SETTLING, GROWING, RESTING = 14, 6, 4
SLOW_SECONDS = 700
"""Past leases, pauses and looks for what got no answer."""


def keep_apart(world: SimWorld) -> None:
    for vendor in world.vendors.values():
        vendor.guard = partial(_guard, vendor)


def _guard(vendor: Vendor, seen: RemoteIssue) -> None:
    tags = _tags(seen)
    if tags and vendor.upheaval.writer not in tags:
        raise Broken(f"foreign: {vendor.upheaval.writer} writes to {seen.description!r}")


def rest_together(world: SimWorld) -> None:
    _rounds(world, SETTLING)
    _bred(world)
    _late_comers(world)
    _both_say_so(world)
    before = Counter(_made(world))
    stopped = {(w.installation.tag, v.name) for w, v in _meetings(world)}
    for vendor in world.vendors.values():
        vendor.file("one more", "It does not work either.", {})
    _rounds(world, GROWING)
    for tag, name in stopped:
        if _made(world)[tag, name] > before[tag, name]:
            raise Broken(f"foreign: {tag} goes on creating at {name}")
    _bred(world)
    _is_quiet(world)


def _rounds(world: SimWorld, count: int) -> None:
    """In turns; the last ones slowly."""
    for n in range(count):
        worlds = [world, world.neighbour] if world.neighbour else [world]
        for each in worlds[:: 1 if n % 2 else -1]:
            each.round()
        world.clock.advance(ROUND_SECONDS if n < count - 4 else SLOW_SECONDS)


def _is_quiet(world: SimWorld) -> None:
    """Nothing is sent to a vendor any more."""
    before = _sent(world)
    _rounds(world, RESTING)
    moved = {name for name, n in _sent(world).items() if n != before[name]}
    if moved:
        raise Broken(f"quiet: idle rounds of two installations moved {sorted(moved)}")


def _sent(world: SimWorld) -> dict[str, int]:
    calls = ("create", "update", "post")
    return {f"{n}.{c}": v.asked[c] for n, v in world.vendors.items() for c in calls}


def _worlds(world: SimWorld) -> list[SimWorld]:
    return [world, *([world.neighbour] if world.neighbour else [])]


def _creates(world: SimWorld) -> Iterator[tuple[SimWorld, Vendor, str, Effect]]:
    """Each issue that was created for somebody, whose it is, and the row that asked for it."""
    ledgers = [(w, w.ledger) for w in _worlds(world)]
    ledgers += [(world, lost.ledger) for lost in world.remembered.lost]
    for vendor in world.vendors.values():
        for remote_id, draft in vendor.born_of.items():
            rows = ((w, ledger.get(draft.reference)) for w, ledger in ledgers if draft)
            for owner, effect in rows:
                if effect:
                    yield owner, vendor, remote_id, effect
                    break


def _late_comers(world: SimWorld) -> None:
    """Who begins where marks of another one stand creates nothing there."""
    for owner, vendor, remote_id, _ in _creates(world):
        began = vendor.upheaval.met_at.get(owner.installation.tag)
        for other, at, first_id, _ in _creates(world):
            first = at.history[first_id][0][0]
            stands = set(_tags(at.now(first_id))) == {other.installation.tag}
            before = began and first + timedelta(seconds=at.habits.list_lag) < began
            if other is not owner and at is vendor and stands and before:
                raise Broken(f"foreign: {remote_id} is created where {first_id} stood before")


def _tags(remote: RemoteIssue) -> set[str]:
    return {mark[TAG] for mark in marks_in(remote.description)}


def _made(world: SimWorld) -> Counter[tuple[str, str]]:
    return Counter((owner.installation.tag, v.name) for owner, v, _, _ in _creates(world))


def _bred(world: SimWorld) -> None:
    """One counterpart at most for each issue, place and installation, and none of a counterpart."""
    people = _filed(world)
    seen: Counter[tuple[str, str, str]] = Counter()
    for owner, vendor, remote_id, effect in _creates(world):
        if (owner.installation.tag, effect.issue_id) not in people:
            raise Broken(f"bred: {remote_id} was made for {effect.issue_id}, which nobody filed")
        key = (owner.installation.tag, effect.issue_id, vendor.name)
        seen[key] += 1
        if seen[key] > 1:
            raise Broken(f"bred: {key} has {seen[key]} counterparts")


def _filed(world: SimWorld) -> set[tuple[str, str]]:
    """What people's issues are called by each installation."""
    return {
        (w.installation.tag, issue_id_for(name, remote_id))
        for w in _worlds(world)
        for name, vendor in w.vendors.items()
        for remote_id, draft in vendor.born_of.items()
        if draft is None
    }


def _meetings(world: SimWorld) -> Iterator[tuple[SimWorld, Vendor]]:
    """Where counterparts of the other one stand, which carry its mark and no other."""
    for owner, vendor, remote_id, _ in _creates(world):
        remote = vendor.now(remote_id)
        if remote.deleted or {mark[TAG] for mark in marks_in(remote.description)} != {
            owner.installation.tag
        }:
            continue
        for other in _worlds(world):
            if other is not owner:
                yield other, vendor


def _both_say_so(world: SimWorld) -> None:
    for other, vendor in _meetings(world):
        name = next(n for n, v in other.vendors.items() if v is vendor)
        told = other.connections.gate(name).foreign or other.connections.read(name).marked
        if not told:
            raise Broken(f"foreign: {other.installation.tag} says nothing of {name}")


# a table that was lost


def rest_after_loss(world: SimWorld) -> None:
    _rounds(world, SETTLING)
    _lines_stand(world)
    _bred(world)
    if world.figures["adopted"]:
        _are_linked_again(world)
        world.look_after()
        _rounds(world, SETTLING)
        _bred(world)
        _agree(world)
    _is_quiet(world)


def _lines_stand(world: SimWorld) -> None:
    """Nobody has taken away a line that the new table does not know."""
    for lost in world.remembered.lost:
        for (name, remote_id), marks in lost.marks.items():
            now = world.vendors[name].now(remote_id)
            if not now.deleted and set(marks) - set(marks_in(now.description)):
                raise Broken(f"lost table: {remote_id} had {marks}, it shows {now.description!r}")


def _are_linked_again(world: SimWorld) -> None:
    for lost in world.remembered.lost:
        for pair in lost.pairs:
            alive = [end for end in pair if not world.vendors[end[0]].now(end[1]).deleted]
            found = {world.store.find(*end) for end in alive}
            if len(alive) > 1 and (None in found or len(found) > 1):
                raise Broken(f"lost table: {pair} were one issue, now they are {found}")


def _agree(world: SimWorld) -> None:
    for stored in world.store.issues:
        issue = world.store.load(stored)
        assert issue
        for name, ref in issue.refs.items():
            if ref.is_live and world.landscape.policies[name].may_write:
                _shows_status(world, issue, name)


def _shows_status(world: SimWorld, issue: CanonicalIssue, name: str) -> None:
    ref, lens = issue.refs[name], world.landscape.policies[name].fields["status"].lens
    raw = world.vendors[name].now(ref.remote_id).raw["status"]
    told = ref.notes.get("status")
    means = issue.status is None or (lens and issue.status in lens.words.get(raw or "", ()))
    if not means and told is None:
        raise Broken(f"carried: {ref.remote_id} shows {raw}, the issue is {issue.status}")
