"""The invariants of the design, asked of a world at rest and of each poll. None of this asks the
engine: what holds is read from the vendors, the configuration and the stored issue."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from issuebridge.domain.config import Route
from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import CanonicalIssue, Draft, HistoryEntry, RemoteIssue
from issuebridge.domain.policy import Policy
from issuebridge.domain.reading import find_url
from issuebridge.domain.text import utf16_units
from issuebridge.domain.words import FIELDS, Field
from tests.simulation.clashes import MERGED, Clashes, won
from tests.simulation.outside import (
    config_at,
    excuses_of,
    history_of,
    is_anothers,
    is_fought_over,
    is_overtaken,
    is_pair,
    leads_nowhere,
    may_be_renumbered,
    outside,
    taken_over_by,
)
from tests.simulation.people import (
    KEYS,
    HumanEdit,
    in_line,
    lines_of,
    marks_in,
    our_line,
    words_of,
)
from tests.simulation.vendor import Broken, wakes_norm
from tests.simulation.world import SimWorld


@dataclass
class Oracle:
    world: SimWorld
    marks: dict[str, datetime] = field(default_factory=dict)

    # 5: the watermark

    def polled(self, connection: str) -> None:
        """It never goes back, and never passes an issue that is not stored."""
        if self.world.remembered.lost:
            return
        mark = self.world.connections.read(connection).watermark
        before = self.marks.get(connection)
        if before and (mark is None or mark < before):
            raise Broken(f"watermark: {connection} went from {before} back to {mark}")
        if mark is None:
            return
        self.marks[connection] = mark
        vendor = self.world.vendors[connection]
        covered = mark - timedelta(seconds=vendor.habits.list_lag)
        for remote_id in vendor.ids:
            remote = vendor.now(remote_id)
            if vendor.upheaval.is_restored(remote):
                continue
            if remote.activity_at and remote.activity_at <= covered and not remote.deleted:
                self._is_stored(connection, remote, mark)

    def _is_stored(self, connection: str, remote: RemoteIssue, mark: datetime) -> None:
        issue = self._issue(connection, remote.remote_id)
        if self._is_unstored(connection, remote):
            return
        if issue is None:
            raise Broken(f"watermark: {connection} {mark} passes {remote.display_id}, not stored")
        ref = issue.refs[connection]
        if ref.ended or ref.remote_id != remote.remote_id:
            return
        known = [ref.baselines.get("status"), ref.sending.get("status")]
        note = ref.notes.get("status")
        shown = [k.raws[0] for k in known if k] + ([note.value, *note.raws] if note else [])
        if remote.raw["status"] not in shown:
            raise Broken(
                f"watermark: {connection} {mark} passes {remote.display_id}, stored as {shown}"
            )

    def _is_unstored(self, connection: str, remote: RemoteIssue) -> bool:
        """Whether it is rightly no issue of ours: a copy, another installation's, or one that may
        yet turn out to be a known one under a new id."""
        vendor = self.world.vendors[connection]
        is_theirs = self.world.neighbour is not None and bool(marks_in(remote.description))
        is_new_id = remote.remote_id in vendor.upheaval.replaced.values()
        return remote.remote_id in vendor.copies or is_theirs or is_new_id

    def _issue(self, connection: str, remote_id: str) -> CanonicalIssue | None:
        issue_id = self.world.store.find(connection, remote_id)
        return self.world.store.load(issue_id) if issue_id else None

    # at rest

    def at_rest(self) -> None:
        issues = [self.world.store.load(issue_id) for issue_id in self.world.store.issues]
        self._counterparts([issue for issue in issues if issue])
        self._equations()
        for issue in issues:
            assert issue
            if issue.joined:
                continue
            self._routes(issue)
            self._rules(issue)
            self._winners(issue)
            for name in MERGED if not is_fought_over(self.world, issue) else ():
                Clashes(self.world, issue, name).check()
            self._deletions(issue)
            self._unlinked(issue)
            for connection in issue.refs:
                self._copy(issue, connection)
            self._echoes(issue)
        self._edits()
        self._effects()
        outside(self.world)

    # 3: once

    def _counterparts(self, issues: list[CanonicalIssue]) -> None:
        """What was deleted before anybody met it counts for nothing."""
        filed = 0
        for connection, vendor in self.world.vendors.items():
            for remote_id, draft in vendor.born_of.items():
                issue = self._issue(connection, remote_id)
                if remote_id in vendor.upheaval.replaced:
                    continue
                if remote_id in vendor.copies:
                    if not may_be_renumbered(self.world, connection, remote_id):
                        self._is_left_alone(issue, remote_id)
                elif issue or not vendor.now(remote_id).deleted:
                    self._belongs(connection, remote_id, draft, issue)
                    filed += draft is None
        if len(issues) != filed:
            raise Broken(f"twins: {len(issues)} issues are stored, people filed {filed}")

    def _belongs(
        self, connection: str, remote_id: str, draft: Draft | None, issue: CanonicalIssue | None
    ) -> None:
        if issue is None:
            if is_overtaken(self.world, connection, remote_id):
                return
            raise Broken(f"unlinked: {remote_id} of {draft} belongs to no issue")
        if draft and draft.reference != mark_of(issue, connection):
            raise Broken(f"twins: {remote_id} of {draft} is linked to {issue.issue_id}")
        if not draft and issue.origin != connection and not is_pair(self.world, issue, connection):
            raise Broken(f"twins: {remote_id} is a person's, yet no issue's origin")

    def _is_left_alone(self, issue: CanonicalIssue | None, remote_id: str) -> None:
        if issue is not None:
            raise Broken(f"twins: the copy {remote_id} became {issue.issue_id}")

    def _lives(self, issue: CanonicalIssue, connection: str) -> bool:
        """Whether this copy is mirrored: it is still there, and nobody let it go."""
        ref = issue.refs[connection]
        return not ref.ended and not self.world.vendors[connection].now(ref.remote_id).deleted

    def _equations(self) -> None:
        """5: at rest every row of a list is accounted for, and nothing known is missing."""
        for connection in self.world.vendors:
            told = self.world.connections.read(connection).completeness
            if told is None or not told.closes:
                raise Broken(f"equation: {connection} {told}")

    def _routes(self, issue: CanonicalIssue) -> None:
        for route in self.world.config.routes:
            origin = self.world.vendors[issue.origin]
            remote = origin.now(issue.refs[issue.origin].remote_id)
            shown = {"status": issue.status, "severity": issue.severity}
            rules = route.filter_or_default
            taken = [
                route.source == issue.origin,
                self._lives(issue, issue.origin),
                not is_anothers(remote, mark_of(issue, issue.origin), self.world.installation.tag),
                remote.created_at and remote.created_at - origin.skew >= route.since_at,
                shown["status"] in rules.status,
                rules.severity is None or shown["severity"] in rules.severity,
            ]
            if leads_nowhere(self.world, issue, route.target):
                continue
            if all(taken) and route.target not in issue.refs:
                raise Broken(
                    f"counterpart: {issue.issue_id} has none at {route.target}: "
                    f"pending {issue.pending} parked {issue.parked}"
                )

    def _rules(self, issue: CanonicalIssue) -> None:
        """None has a cool-down: each asks once, whatever the issue shows by now."""
        for rule in self.world.landscape.rules:
            asked = [e for e in self._effects_of(issue) if e.rule == rule.name]
            if len(asked) > 1:
                raise Broken(f"rules: {rule.name} asked {len(asked)} times about {issue.issue_id}")
            due_at = issue.asks.get(rule.name)
            if due_at and (asked or due_at <= self.world.clock.now()):
                raise Broken(f"rules: {rule.name} still asks about {issue.issue_id}")
            fits = [
                rule.at in issue.refs and self._lives(issue, rule.at),
                not (rule.at in issue.refs and self._is_anothers(issue, rule.at)),
                issue.created_at and issue.created_at >= rule.since_at,
                issue.status in rule.when.status,
                rule.when.severity is None or issue.severity in rule.when.severity,
                rule.when.origin is None or issue.origin in rule.when.origin,
                due_at is None,  # else the budget of this day is used up
            ]
            if all(fits) and not asked:
                raise Broken(f"rules: {rule.name} never asked about {issue.issue_id}")

    def _effects_of(self, issue: CanonicalIssue) -> list[Effect]:
        effects = [self.world.ledger.get(key) for key in self.world.ledger.effects]
        known = {issue.issue_id, *taken_over_by(self.world, issue)}
        return [effect for effect in effects if effect and effect.issue_id in known]

    # 4: who wins is configured

    def _winners(self, issue: CanonicalIssue) -> None:
        """An edit that says the same in another word is told as lost too, and was no conflict. No
        history tells what a copy was born with, which is what it says until it is first moved."""
        standing: dict[Field, datetime] = {}
        shown: set[tuple[Field, str | None]] = set()
        moved: set[tuple[str, Field]] = set()
        for entry in self.world.store.history(issue.issue_id):
            overruled, lost = won(entry), entry.detail == "this edit lost"
            unmoved = lost and (entry.by, entry.field) not in moved
            reworded = (entry.field, entry.old) in shown or (
                unmoved and entry.old in self._born_as(issue, entry.by, entry.field)
            )
            if overruled or (lost and not reworded):
                rule = self.world.landscape.policies[entry.by].conflict[entry.field]
                loser = (entry.detail or "").rpartition(" of ")[2] if overruled else entry.by
                before = standing.get(entry.field)
                is_late = overruled and before and entry.edited_at and entry.edited_at <= before
                if rule in ("hold", f"prefer:{loser}") or (rule == "latest" and is_late):
                    raise Broken(f"winner: {issue.issue_id} has {rule} at {entry.by}, yet {entry}")
            closed = entry.outcome == "deleted" and entry.new is not None
            if overruled or closed or entry.outcome == "pulled":
                standing[entry.field] = entry.edited_at or entry.at
            if entry.outcome in ("pulled", "pushed", "conflict"):
                moved.add((entry.by, entry.field))
            shown |= {(entry.field, entry.old), (entry.field, entry.new)}

    def _deletions(self, issue: CanonicalIssue) -> None:
        """Only what a person did is told as one, and closes the other side if a route says so."""
        for entry in self.world.store.history(issue.issue_id):
            if entry.outcome != "deleted":
                continue
            if not self.world.vendors[entry.by].was_deleted(issue.refs[entry.by].remote_id):
                raise Broken(f"deleted: nobody did {entry}")
            others = [o for o, ref in issue.refs.items() if ref.linked_at <= entry.at]
            says = [
                route.on_delete == "close"
                for route in config_at(self.world, entry.at).routes
                for other in others
                if issue.origin in (entry.by, other) and {entry.by, other} == _ends(route)
            ]
            if any(says) != (entry.new == "closed"):
                raise Broken(f"deleted: {issue.issue_id} at {entry.by} has {says}, yet {entry}")

    def _unlinked(self, issue: CanonicalIssue) -> None:
        """From then on nothing that happens there moves our side."""
        let_go: set[str] = set()
        for entry in self.world.store.history(issue.issue_id):
            if entry.by in let_go and entry.outcome in ("pulled", "conflict", "held"):
                raise Broken(f"unlinked: {issue.issue_id} still takes in {entry}")
            if entry.outcome == "unlinked":
                let_go.add(entry.by)

    # 1: carried

    def _copy(self, issue: CanonicalIssue, connection: str) -> None:
        policy, vendor = self.world.landscape.policies[connection], self.world.vendors[connection]
        ref = issue.refs[connection]
        remote = vendor.now(ref.remote_id)
        if ref.deleted != remote.deleted:
            raise Broken(f"tombstone: {remote.display_id} deleted {remote.deleted}, ref {ref}")
        if remote.deleted:
            return
        if words_of(remote.description) != vendor.words[remote.remote_id]:
            raise Broken(f"words: {remote.display_id} shows {remote.description!r}")
        refused = [note.due_at for ref in issue.refs.values() for note in ref.notes.values()]
        lags = {
            name: mark
            for name, mark in issue.pending.items()
            if not leads_nowhere(self.world, issue, name)
        }
        if any(mark.due_at not in refused for mark in lags.values()):
            raise Broken(f"pending: {issue.issue_id} still lags: {issue.pending}")
        if not policy.may_write:
            return
        self._line(issue, policy, remote)
        for name in FIELDS if not ref.ended else ():
            self._field(issue, policy, remote, name)

    def _is_anothers(self, issue: CanonicalIssue, connection: str) -> bool:
        remote = self.world.vendors[connection].now(issue.refs[connection].remote_id)
        return is_anothers(remote, mark_of(issue, connection), self.world.installation.tag)

    def _is_lined(self, issue: CanonicalIssue, connection: str) -> bool:
        others = issue.refs.keys() - {connection}
        return self._lives(issue, connection) and any(self._lives(issue, o) for o in others)

    def _line(self, issue: CanonicalIssue, policy: Policy, remote: RemoteIssue) -> None:
        """It has left a description where its link has ended, or cannot leave it."""
        reference = mark_of(issue, policy.connection)
        stands = [line for line in lines_of(remote.description) if line["ref"] == reference]
        noted = issue.refs[policy.connection].notes.get("line")
        kept = noted is not None and self._must_stay(policy, remote, noted.kind)
        kept |= self._is_anothers(issue, policy.connection)
        ended = not self._is_lined(issue, policy.connection)
        if stands and ended and policy.description_writable and not kept:
            raise Broken(f"line: {remote.display_id} keeps {stands}, note {noted}")

    def _must_stay(self, policy: Policy, remote: RemoteIssue, kind: str) -> bool:
        if kind == "rejected":
            return self.world.vendors[policy.connection].habits.ignores == "description"
        too_long = utf16_units(remote.description) > policy.description_units_max
        return too_long or wakes_norm(remote.description) or not words_of(remote.description)

    def _field(
        self, issue: CanonicalIssue, policy: Policy, remote: RemoteIssue, name: Field
    ) -> None:
        value = self._wanted(issue, policy.connection, name)
        lined = policy.fields[name].carrier == "managed_line"
        if lined and not self._is_lined(issue, policy.connection):
            return
        if value is None or self._carried(issue, policy, remote, name, value):
            return
        if self._is_anothers(issue, policy.connection):
            return
        note = issue.refs[policy.connection].notes.get(name)
        if note is None or not self._is_true(note.kind, policy, remote, name, issue):
            raise Broken(
                f"carried: {name} of {remote.display_id} is {remote.raw.get(name)!r} "
                f"{remote.description!r}, canonical {value!r}, note {note}"
            )

    def _wanted(self, issue: CanonicalIssue, connection: str, name: Field) -> str | None:
        value = issue.value(name)
        if name != "external_link" or value is not None:
            return value
        across = sorted(issue.refs) if connection == issue.origin else [issue.origin]
        settings = self.world.config.connections
        urls = [
            (settings[other].issue_url or "").format(id=issue.refs[other].remote_id)
            for other in across
            if other != connection and self._lives(issue, other)
        ]
        return next((url for url in urls if url), None)

    def _carried(
        self, issue: CanonicalIssue, policy: Policy, remote: RemoteIssue, name: Field, value: str
    ) -> bool:
        how, raw = policy.fields[name], remote.raw.get(name)
        reference = mark_of(issue, policy.connection)
        if how.carrier == "managed_line" and in_line(name, remote.description, reference) == value:
            return True
        if how.lens:
            return value in how.lens.words.get(raw or "", ())
        vendor = self.world.vendors[policy.connection]
        source = vendor.upheaval.copied.get(remote.remote_id, remote.remote_id)
        told = vendor.posted.get(remote.remote_id) or vendor.posted.get(source) or []
        if how.carrier == "comment" and told and told[-1].endswith(f" {value}"):
            return True
        return raw is not None and find_url(raw) == value

    def _is_true(
        self, kind: str, policy: Policy, remote: RemoteIssue, name: Field, issue: CanonicalIssue
    ) -> bool:
        """A note may excuse a field only where the world really is so."""
        how, habits = policy.fields[name], self.world.vendors[policy.connection].habits
        raw = remote.raw.get(name)
        line = in_line(name, remote.description, mark_of(issue, policy.connection))
        lens = how.lens
        strange = raw is not None and (raw not in lens.words if lens else find_url(raw) is None)
        odd_line = line is not None and not _can_stand(name, line)
        full = len(remote.description) > policy.description_units_max - 300
        mention = wakes_norm(remote.description)
        excuses = {
            "frozen": strange or odd_line,
            "held": policy.conflict[name] == "hold",
            "rejected": habits.ignores in (name, "description"),
            "unsupported": how.carrier == "hub" or full or mention,
            **excuses_of(self.world, issue, policy.connection, name),
        }
        return excuses[kind]

    # 4: no human edit is lost

    def _edits(self) -> None:
        for vendor in self.world.vendors.values():
            for edit in vendor.edits:
                counts = edit.fate is None and self._is_mirrored(edit)
                if counts and not self._stands(edit) and not self._is_told(edit):
                    raise Broken(f"lost: {edit} stands nowhere and is in no history")

    def _is_mirrored(self, edit: HumanEdit) -> bool:
        fields = self.world.landscape.policies[edit.connection].fields
        place, _, name = edit.field.rpartition(".")
        return not place or fields[name].carrier == "managed_line"  # type: ignore[index]

    def _stands(self, edit: HumanEdit) -> bool:
        remote = self.world.vendors[edit.connection].now(edit.remote_id)
        if not edit.field.startswith("line."):
            return remote.raw.get(edit.field) == edit.raw
        issue = self._issue(edit.connection, edit.remote_id)
        assert issue
        reference = mark_of(issue, edit.connection)
        name = edit.field.removeprefix("line.")
        return in_line(name, remote.description, reference) == edit.raw

    def _is_told(self, edit: HumanEdit) -> bool:
        """In the history, by its own value, at or after the edit; or as what was held there when a
        person decided about it."""
        issue = self._issue(edit.connection, edit.remote_id)
        assert issue
        name = edit.field.removeprefix("line.")
        values = set(self._meanings(edit, name))
        for entry in history_of(self.world, issue):
            is_decided = entry.outcome == "held" and issue.issue_id in self.world.remembered.touched
            in_time = entry.at >= edit.at or (is_decided and entry.by == edit.connection)
            if entry.field == name and in_time and values & set(_said(entry)):
                return True
        return bool(values & {issue.value(name)})  # type: ignore[arg-type]

    def _echoes(self, issue: CanonicalIssue) -> None:
        """2: what is told as an edit of a copy was one, and each edit is told no more than once."""
        told: Counter[tuple[str, Field, str | None]] = Counter()
        for entry in self.world.store.history(issue.issue_id):
            at_first = (entry.detail or "").startswith("before it was linked")
            if entry.outcome in ("pulled", "conflict") and entry.by in issue.refs and not at_first:
                told[entry.by, entry.field, _theirs(entry)] += 1
        for (connection, name, value), times in told.items():
            habits = self.world.vendors[connection].habits
            if issue.refs[connection].remote_id in self.world.vendors[connection].copies:
                continue  # in place of what is gone: people gave it those values at its birth
            if habits.list_lag and self.world.topology.kinds[connection] == "antimetal":
                continue  # rows without a time of their own cannot be told from older ones
            made = self._times_made(issue, connection, name, value)
            if times > made:
                raise Broken(
                    f"echo: {issue.issue_id} tells {times} times that {name} became {value} at "
                    f"{connection}, people did it {made} times"
                )

    def _times_made(
        self, issue: CanonicalIssue, connection: str, name: Field, value: str | None
    ) -> int:
        remote_id, vendor = issue.refs[connection].remote_id, self.world.vendors[connection]
        ids = {remote_id} | {
            new.new_id
            for new in self.world.remembered.renumbered
            if (new.connection, new.mark) == (connection, mark_of(issue, connection))
        }
        edits = [e for e in vendor.edits if e.remote_id in ids and e.field.endswith(name)]
        made = sum(value in set(self._meanings(edit, name)) for edit in edits)
        back = [
            HumanEdit(connection, remote_id, name, raw, self.world.clock.now())
            for state in vendor.upheaval.restored.get(remote_id, ())
            for raw in (state.raw.get(name), our_line(state.description).get(KEYS.get(name, name)))
        ]  # edited before anybody read it, it has a new time
        made += sum(value in set(self._meanings(edit, name)) for edit in back)
        return made + (value in self._born_as(issue, connection, name))

    def _born_as(self, issue: CanonicalIssue, connection: str, name: Field) -> set[str | None]:
        """All that the first word of this copy may mean."""
        remote_id, vendor = issue.refs[connection].remote_id, self.world.vendors[connection]
        first = vendor.history[remote_id][0][1].raw.get(name)
        born = HumanEdit(connection, remote_id, name, first, self.world.clock.now())
        return set() if first is None else set(self._meanings(born, name))

    def _meanings(self, edit: HumanEdit, name: str) -> Iterator[str | None]:
        yield edit.raw
        policy = self.world.landscape.policies[edit.connection].fields[name]  # type: ignore[index]
        if edit.raw is not None and policy.lens and not edit.field.startswith("line."):
            for words in self.world.lenses[edit.connection, name]:
                yield from words.get(edit.raw, ())
        if edit.raw is not None and not policy.lens:
            yield find_url(edit.raw)

    # 3: effects came to their end

    def _effects(self) -> None:
        for stored in self.world.ledger.effects:
            effect = self.world.ledger.get(stored)
            assert effect
            if effect.state in ("sending", "unknown"):
                raise Broken(f"effect: nobody ends {effect}")
            if effect.kind == "prompt" and effect.is_open:
                raise Broken(f"effect: nobody sends {effect}")
        for norm in self.world.norms.values():
            for run in norm.runs:
                issue = self._issue(self._at(norm), run.remote_id)
                effect = self.world.ledger.get(run.key)
                if self._was_deleted(norm, run.remote_id):
                    continue
                if not effect or (effect.state != "done" and effect.kind == "prompt"):
                    raise Broken(f"runs: {run} is not recorded: {effect}")
                assert issue
        self._recorded_runs()

    def _at(self, norm: object) -> str:
        return next(name for name, n in self.world.norms.items() if n is norm)

    def _was_deleted(self, norm: object, remote_id: str) -> bool:
        """Norm's sessions go with their issue, so nobody can tell any more what became of them."""
        return self.world.vendors[self._at(norm)].was_deleted(remote_id)

    def _recorded_runs(self) -> None:
        """Each of them once, and to its end; of a deleted issue nobody can tell what came of it."""
        issues = [self.world.store.load(issue_id) for issue_id in self.world.store.issues]
        told = [run for issue in issues if issue for run in issue.runs]
        ran = {
            run.key: self._was_deleted(norm, run.remote_id)
            for norm in self.world.norms.values()
            for run in norm.runs
        }
        keys = [run.key for run in told]
        lost = {key for key, is_lost in ran.items() if is_lost}
        if len(keys) != len({*keys}) or {*keys} - lost != ran.keys() - lost:
            raise Broken(f"runs: Norm ran {ran}, the issues tell of {keys}")
        ends = {run.key: run.outcome for run in told}
        odd = [key for key, outcome in ends.items() if outcome != "complete" and key not in lost]
        if odd or "running" in ends.values():
            raise Broken(f"runs: all of them are over, yet the issues tell of {ends}")


def mark_of(issue: CanonicalIssue, connection: str) -> str:
    """No table here is as old as the old form, which a stranger may still write."""
    return issue.refs[connection].reference or ""


def _ends(route: Route) -> set[str]:
    return {route.source, route.target}


def _can_stand(name: Field, line: str) -> bool:
    """Whether our line may carry this, as people can write there what they like."""
    if name == "severity":
        return line in ("critical", "high", "medium", "low")
    return line.startswith(("http://", "https://"))


def _theirs(entry: HistoryEntry) -> str | None:
    """The value the copy showed: the new one if it was taken, else the one that lost."""
    taken = entry.outcome == "pulled" or (entry.detail or "").startswith("lost:")
    return entry.new if taken else entry.old


def _said(entry: HistoryEntry) -> Iterator[str | None]:
    yield entry.old
    yield entry.new
    if entry.detail:
        yield from (word.strip(":;,") for word in entry.detail.split())
