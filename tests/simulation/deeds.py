"""How the steps of `strange` are played: what is done to the vendors, and what to remember."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from issuebridge.domain.issue import CanonicalIssue, RemoteIssue, issue_id_for, reference_for
from issuebridge.use_cases.gate import allow
from tests.simulation.adopting import adopt
from tests.simulation.people import marks_in, words_of
from tests.simulation.steps import Work
from tests.simulation.strange import (
    Adopt,
    Allow,
    Forge,
    Insist,
    Leave,
    LoseTable,
    Move,
    Point,
    Renumber,
    Return,
    RollBack,
)

if TYPE_CHECKING:
    from tests.simulation.vendor import Vendor
    from tests.simulation.world import SimWorld


DEPLOYING_SECONDS = 120
"""How long it takes at least until another table is there."""
Ends = tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Restored:
    """A vendor went back while this issue was settled: what its copies elsewhere showed then."""

    issue_id: str
    at: datetime
    connection: str
    changed: frozenset[str]
    others: dict[str, dict[str, str | None]]


@dataclass(frozen=True)
class Renumbered:
    """A copy with this mark got another id while it was linked."""

    connection: str
    mark: str
    new_id: str
    at: datetime


@dataclass(frozen=True)
class Lost:
    """What a lost table held: its ledger, the marks that stood at the vendors, the pairs."""

    ledger: Any
    marks: dict[tuple[str, str], list[str]]
    pairs: list[list[tuple[str, str]]]


@dataclass
class Remembered:
    """`pointed`: the two issues of a link that points across, by connection and id; `pairs`: those
    of them whose link was known before the other end was. `away`: what a connection had in the
    file. `touched`: when a person decided about an issue; `allowed`: or about a connection.
    `configured`: when a file was pushed, and what was settled."""

    restored: list[Restored] = field(default_factory=list)
    pointed: list[Ends] = field(default_factory=list)
    pairs: list[Ends] = field(default_factory=list)
    renumbered: list[Renumbered] = field(default_factory=list)
    away: dict[str, Any] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    touched: dict[str, datetime] = field(default_factory=dict)
    allowed: defaultdict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    configured: list[tuple[datetime, list[str]]] = field(default_factory=list)


def _nth(world: "SimWorld", connection: str, nth: int) -> "tuple[Vendor, str]":
    vendor = world.vendors[connection]
    return vendor, vendor.ids[nth % len(vendor.ids)] if vendor.ids else ""


# a vendor restored from a backup


def roll_back(world: "SimWorld", step: RollBack) -> None:
    vendor = world.vendors[step.connection]
    to = world.clock.now() - timedelta(seconds=step.seconds)
    chosen = vendor.ids if step.nth is None else [_nth(world, step.connection, step.nth)[1]]
    before = {i: vendor.now(i) for i in chosen if i and i not in vendor.upheaval.vanished}
    world.clock.advance(0.1)
    for remote_id in before:
        _put_back(vendor, remote_id, to)
    for shown in before.values():
        _remember_restored(world, vendor, shown)


def _put_back(vendor: "Vendor", remote_id: str, to: datetime) -> None:
    then = next((state for at, state in reversed(vendor.history[remote_id]) if at <= to), None)
    if then is None:
        vanish(vendor, remote_id)
        return
    if then == vendor.now(remote_id):
        return
    vendor.history[remote_id].append((vendor.clock.now(), then))
    vendor.words[remote_id] = words_of(then.description)
    vendor.ours.pop(remote_id, None)
    vendor.upheaval.restored.setdefault(remote_id, []).append(then)
    for edit in vendor.edits:
        if edit.remote_id == remote_id and edit.at > to:
            edit.fate = edit.fate or "its vendor was restored"


def _remember_restored(world: "SimWorld", vendor: "Vendor", shown: RemoteIssue) -> None:
    """For the oracle: only of an issue about which nobody had anything to do."""
    issue = world.store.load(world.store.find(vendor.name, shown.remote_id) or "")
    now = vendor.now(shown.remote_id)
    if issue is None or issue.pending or shown.deleted or not issue.refs[vendor.name].is_live:
        return
    ref = issue.refs[vendor.name]
    seen = ref.remote_updated_at == shown.updated_at and not ref.notes and not ref.sending
    changed = {name for name, raw in shown.raw.items() if now.raw.get(name) != raw}
    if not seen or now.deleted or not changed:
        return
    others = {
        name: dict(world.vendors[name].now(ref.remote_id).raw)
        for name, ref in issue.refs.items()
        if name != vendor.name and ref.is_live
    }
    world.remembered.restored.append(
        Restored(issue.issue_id, world.clock.now(), vendor.name, frozenset(changed), others)
    )


# issues that are moved, merged, renumbered


def vanish(vendor: "Vendor", remote_id: str) -> None:
    old = vendor.now(remote_id)
    vendor.upheaval.vanished[remote_id] = vendor.clock.now()
    if not old.deleted:
        vendor.history[remote_id].append((vendor.clock.now(), replace(old, deleted=True)))
        vendor.let_go(old, "with its issue")


def move(world: "SimWorld", step: Move) -> None:
    vendor, remote_id = _nth(world, step.connection, step.nth)
    world.clock.advance(0.1)
    if not remote_id or remote_id in vendor.upheaval.vanished:
        return
    vanish(vendor, remote_id)
    into = remote_id if step.into is None else _nth(world, step.connection, step.into)[1]
    if into not in vendor.upheaval.vanished:
        vendor.upheaval.merged[remote_id] = into


def renumber(world: "SimWorld", step: Renumber) -> None:
    vendor, old_id = _nth(world, step.connection, step.nth)
    issue = world.store.load(world.store.find(step.connection, old_id) or "")
    ref = issue.refs.get(step.connection) if issue else None
    if ref is None or ref.remote_id != old_id or not ref.is_live or vendor.now(old_id).deleted:
        return
    old = vendor.now(old_id)
    if ref.reference not in marks_in(old.description):
        return
    world.clock.advance(0.1)
    number = 1001 + len(vendor.history)
    new_id = f"{vendor.name}-{number}"
    _take_over(vendor, old_id, new_id, number)
    world.remembered.renumbered.append(
        Renumbered(step.connection, ref.reference or "", new_id, world.clock.now())
    )


def _take_over(vendor: "Vendor", old_id: str, new_id: str, number: int) -> None:
    code = vendor.habits.code.format(number)
    named = {"remote_id": new_id, "display_id": f"{vendor.name[0].upper()}-{code}"}
    vendor.history[new_id] = [
        (at, replace(state, number=number, **named)) for at, state in vendor.history[old_id]
    ]
    now = vendor.clock.now()
    vendor.upheaval.appeared[new_id] = vendor.upheaval.vanished[old_id] = now
    vendor.upheaval.replaced[old_id] = new_id
    for known in (vendor.born_of, vendor.words, vendor.posted, vendor.upheaval.insists):
        if old_id in known:
            known[new_id] = known[old_id]
    vendor.marks += [(new_id, text) for at, text in vendor.marks if at == old_id]
    if back := vendor.upheaval.restored.get(old_id):
        vendor.upheaval.restored[new_id] = [replace(s, number=number, **named) for s in back]
    for edit in vendor.edits:
        if edit.remote_id == old_id:
            edit.remote_id = new_id
    gone = replace(vendor.now(old_id), deleted=True)
    vendor.history[old_id].append((now, gone))


# automations and strangers


def insist(world: "SimWorld", step: Insist) -> None:
    vendor, remote_id = _nth(world, step.connection, step.nth)
    if remote_id:
        vendor.upheaval.insists[remote_id] = step.word
        vendor.edit(remote_id, "status", step.word)


def forge(world: "SimWorld", step: Forge) -> None:
    _, named = _nth(world, step.of, step.nth)
    text = _forged(world, step, named)
    vendor = world.vendors[step.connection]
    if not named or text is None:
        return
    if step.into is None:
        made = vendor.file("a stranger's", f"Look at this.\n{text}", {})
        if step.form == "line":
            vendor.copies.add(made.remote_id)
        return
    _, remote_id = _nth(world, step.connection, step.into)
    if world.store.find(step.connection, remote_id) and remote_id not in vendor.copies:
        vendor.describe(remote_id, f"{text}\n{vendor.now(remote_id).description}")


def _forged(world: "SimWorld", step: Forge, named: str) -> str | None:
    """With all that anybody can know: ids, names, the tag that stands in public, not the key."""
    issue_id = issue_id_for(step.of, named)
    seals = {"ours": world.installation.tag, "theirs": "other"}
    if step.mark == "older":
        mark = reference_for(issue_id, step.connection)
    elif step.mark == "guessed":
        mark = replace(world.installation, key="").reference(issue_id, step.connection)
    elif step.mark == "true":
        shown = marks_in(world.vendors[step.of].now(named).description) if named else []
        if not shown:
            return None
        mark = shown[-1]
    else:
        mark = f"ib{seals[step.mark]}{issue_id.removeprefix('is')}{'a' * 13}"
    if step.mark != "true":
        world.vendors[step.connection].upheaval.forged.add(mark)
    line = f"[issuebridge ref={mark} severity=low]"
    return {"line": line, "sentence": f"It says {line}, see?", "quote": f"> {line}"}[step.form]


# a link that points across


def point(world: "SimWorld", step: Point) -> None:
    here, there = world.vendors[step.here.connection], world.vendors[step.there.connection]
    template = world.config.connections[there.name].issue_url
    if template is None:
        return
    pointed_at = there.file(step.there.title, step.there.words, dict(step.there.raw))
    pointing = here.file(step.here.title, step.here.words, dict(step.here.raw))
    url = template.format(id=pointed_at.remote_id)
    here.edit(pointing.remote_id, "external_link", json.dumps({"url": url}))
    world.play(Work("poll", here.name))
    ends = ((here.name, pointing.remote_id), (there.name, pointed_at.remote_id))
    world.remembered.pointed.append(ends)
    both = {here.name, there.name}
    exchange = [r for r in world.config.routes if r.source in both]
    only = exchange and all(route.target in both for route in exchange)
    is_first = world.store.find(*ends[0]) and not world.store.find(*ends[1])
    modes = {world.config.connections[vendor.name].mode for vendor in (here, there)}
    if is_first and only and modes == {"mirror"}:
        world.remembered.pairs.append(ends)


# the operator's file, and the table


def allow_it(world: "SimWorld", step: Allow) -> None:
    world.figures["allowed by the operator"] += 1
    world.remembered.allowed[step.connection].append(world.clock.now())
    allow(world.connections, world.config, world.clock, step.connection)


def lose_table(world: "SimWorld", step: LoseTable) -> None:
    marks = {
        (name, remote_id): marks_in(vendor.now(remote_id).description)
        for name, vendor in world.vendors.items()
        for remote_id in vendor.living
    }
    issues = [world.store.load(issue_id) for issue_id in world.store.issues]
    pairs = [_marked_ends(issue, marks) for issue in issues if issue]
    world.remembered.lost.append(Lost(world.ledger, marks, [p for p in pairs if len(p) > 1]))
    world.empty_table()
    world.clock.advance(DEPLOYING_SECONDS)
    world.push_config(world.config.model_dump(by_alias=True))


def _marked_ends(
    issue: CanonicalIssue, marks: dict[tuple[str, str], list[str]]
) -> list[tuple[str, str]]:
    """The copies of an issue, if one that is not its origin shows whose it is."""
    ends = [(name, ref.remote_id) for name, ref in issue.refs.items() if ref.is_live]
    known = [
        end
        for end in ends
        if end[0] == issue.origin or issue.refs[end[0]].reference in marks.get(end, ())
    ]
    return known if any(end[0] == issue.origin for end in known) else []


def adopt_again(world: "SimWorld", step: Adopt) -> None:
    world.figures["adopted"] += adopt(world.pipeline, world.clock.advance)


def leave(world: "SimWorld", step: Leave) -> None:
    """Not where another connection's policy prefers this one: that file would be refused."""
    document = world.config.model_dump(by_alias=True)
    named, name = document["connections"], step.connection
    prefers = [rule for c in named.values() for rule in c["conflict"].values()]
    if name not in named or len(named) < 3 or {"prefer": name} in prefers:
        return
    routes = [r for r in document["routes"] if name in (r["from"], r["to"])]
    rules = [r for r in document["norm"]["rules"] if r["at"] == name]
    before = world.config.model_dump(by_alias=True)
    world.remembered.away[name] = (before, named.pop(name), routes, rules)
    document["routes"] = [r for r in document["routes"] if r not in routes]
    document["norm"]["rules"] = [r for r in document["norm"]["rules"] if r not in rules]
    world.push_config(document)
    world.left = world.config


def return_(world: "SimWorld", step: Return) -> None:
    if step.connection not in world.remembered.away:
        return
    document = world.config.model_dump(by_alias=True)
    before, settings, routes, rules = world.remembered.away.pop(step.connection)
    if world.left is world.config and not step.anew:
        world.push_config(before)  # the very file of before
        return
    document["connections"][step.connection] = settings
    begun = [{**r, "since": "now"} if step.anew else r for r in routes]
    document["routes"] = [*document["routes"], *begun]
    document["norm"]["rules"] = [*document["norm"]["rules"], *rules]
    world.push_config(document)


DEEDS: dict[type, Callable[["SimWorld", Any], None]] = {
    RollBack: roll_back,
    Move: move,
    Renumber: renumber,
    Insist: insist,
    Forge: forge,
    Point: point,
    Leave: leave,
    Allow: allow_it,
    Return: return_,
    LoseTable: lose_table,
    Adopt: adopt_again,
}
