"""Adopt: after a lost table, link again what our own marks say belongs together.

Read every connection whole, believe the marks that we would make ourselves, and store each issue
with its counterparts in one commit, as made long ago. Nothing is created, and no line is touched.
A person runs it, once or again: what is linked already is left, and polls may go on meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

from issuebridge.domain.adoption import Findings, Marks, Pairing, Told, marks_anywhere
from issuebridge.domain.converge import link
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import Misconfigured, RateLimited, Transient
from issuebridge.domain.issue import (
    CanonicalIssue,
    Draft,
    Edit,
    HistoryEntry,
    RemoteIssue,
    with_ref,
)
from issuebridge.domain.lag import newly_pending, settle
from issuebridge.domain.managed_line import find_marks
from issuebridge.domain.mark import Installation
from issuebridge.domain.reading import find_url
from issuebridge.ports import ConnectionStore, IssueSystem
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.pair_linked import PairLinked
from issuebridge.use_cases.races import until_won
from issuebridge.use_cases.recall_comments import RecallComments
from issuebridge.use_cases.stored import stored
from issuebridge.use_cases.take_in import TakeIn
from issuebridge.use_cases.tell_adopted import TellAdopted

PAGES_MAX = 100_000
PAUSES_MAX = 30

What = Literal["linked", "joined", "already", "double", "elsewhere"]
T = TypeVar("T")


@dataclass
class Adopted:
    """What was done, or would be. `whats`: how often, by connection and what. `overruled`: fields
    that differ from the side where the issue was born, whose values come first."""

    whats: dict[str, list[What]] = field(default_factory=dict)
    overruled: dict[str, list[HistoryEntry]] = field(default_factory=dict)
    told: dict[str, list[Told]] = field(default_factory=dict)


@dataclass
class _Linking:
    """One issue with what is new about it; `owners`: the issues that the copies are now."""

    before: CanonicalIssue | None
    after: CanonicalIssue
    whats: dict[str, What]
    owners: dict[str, str]
    history: list[HistoryEntry] = field(default_factory=list)

    def those(self, *whats: What) -> list[str]:
        return [name for name, what in self.whats.items() if what in whats]


@dataclass(frozen=True)
class Adopt:
    """`pause` waits so many seconds, where a vendor or a poll asks for it."""

    take_in: TakeIn
    pair: PairLinked
    recall: RecallComments
    connections: ConnectionStore
    gate: Gate
    installation: Callable[[], Installation]
    pause: Callable[[float], None]

    def look(self, former: Mapping[str, Sequence[str]]) -> Findings:
        """Read everything there is; `former`: what a connection was called before."""
        policies = self.take_in.landscape.policies
        for name, policy in policies.items():
            if not policy.may_read:
                raise Misconfigured(f"connections.{name}.mode: paused: adopt must read it; resume")
        names = {name: [name, *former.get(name, ())] for name in policies}
        remotes = {name: self._whole(self.take_in.system(name), name) for name in names}
        marks = Marks(self.installation(), names, remotes)
        return Marks(self.installation(), names, remotes, self._hidden(marks)).findings()

    def _whole(self, system: IssueSystem, connection: str) -> dict[str, RemoteIssue]:
        rows: dict[str, RemoteIssue] = {}
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = self._asked(partial(system.page, "sweep", cursor))
            rows |= {remote.remote_id: remote for remote in page.issues}
            if page.cursor is None:
                return rows
            if not page.issues or page.cursor == cursor:
                break
            cursor = page.cursor
        raise Transient(f"{connection}: its list broke off before the end: run this again")

    def _asked(self, call: Callable[[], T]) -> T:
        for _ in range(PAUSES_MAX):
            try:
                return call()
            except RateLimited as error:
                self.pause(error.retry_after_seconds)
        return call()

    def _hidden(self, marks: Marks) -> dict[tuple[str, str], Sequence[str]]:
        """A vendor whose descriptions are not ours to write may rewrite them. What was sent to it
        stands elsewhere in the issue, so those that may be counterparts are read one by one."""
        known = {(p.connection, p.remote.remote_id) for p in marks.findings().pairings}
        return {
            (name, remote.remote_id): marks_anywhere(self._detail(name, remote).payload)
            for name in self._rewriting()
            for remote in marks.remotes[name].values()
            if (name, remote.remote_id) not in known and not find_marks(remote.description)
        }

    def _rewriting(self) -> Iterator[str]:
        landscape = self.take_in.landscape
        targets = {route.target for route in landscape.routes}
        return (n for n in targets if not landscape.policies[n].description_writable)

    def _detail(self, connection: str, remote: RemoteIssue) -> RemoteIssue:
        return self._asked(partial(self.take_in.system(connection).get, remote.remote_id))

    def plan(self, findings: Findings) -> Adopted:
        """What would be done; nothing is stored."""
        return self._each(findings, self._linking)

    def __call__(self, findings: Findings) -> Adopted:
        adopted = self._each(findings, self._adopt)
        tell = TellAdopted(self.connections, self.gate, self.pause)
        for connection in self.take_in.landscape.policies:
            tell(connection, findings.paired(connection), adopted.told.get(connection, ()))
        return adopted

    def _each(self, findings: Findings, step: Callable[[Pairing], _Linking]) -> Adopted:
        adopted = Adopted(told={name: [*told] for name, told in findings.told.items()})
        for pairing in findings.pairings:
            linking = until_won(pairing.remote.display_id, partial(step, pairing))
            for name, what in linking.whats.items():
                adopted.whats.setdefault(name, []).append(what)
                if what in ("double", "elsewhere"):
                    told = Told(what, *pairing.copies[name], linking.after.issue_id)
                    adopted.told.setdefault(name, []).append(told)
            for entry in linking.history:
                adopted.overruled.setdefault(entry.by, []).append(entry)
        return adopted

    def _linking(self, pairing: Pairing) -> _Linking:
        store = self.take_in.store
        issue_id = store.find(pairing.connection, pairing.remote.remote_id)
        before = stored(store, issue_id) if issue_id else None
        linking = _Linking(before, before or self._begun(pairing), {}, {})
        for name, (remote, _) in pairing.copies.items():
            linking.whats[name] = self._what(linking, pairing.connection, name, remote)
        linked = linking.those("linked")
        linking.after = self._with_bound_link(linking.after, pairing, linked)
        for name in linked:
            self._link(linking, name, *pairing.copies[name])
        if linked:
            linking.after = self._with_comments(linking.after, pairing)
        return linking

    def _with_comments(self, issue: CanonicalIssue, pairing: Pairing) -> CanonicalIssue:
        """A comment at the origin leads to the counterparts that are linked by now."""
        name, remote, policies = pairing.connection, pairing.remote, self.take_in.landscape.policies
        known = issue.refs[name].comments
        recalled = self.recall(issue, policies[name], remote, pairing.mark or "")
        if known or recalled == issue:
            return issue
        return self.take_in.observe(recalled, remote, name).issue

    def _begun(self, pairing: Pairing) -> CanonicalIssue:
        """The issue as its own copy tells it. A link to one of its counterparts is none that a
        person has bound, but the way across."""
        observed, _ = self.take_in.first_seen(pairing.connection, pairing.remote, pairing.mark)
        issue = observed.issue
        if issue.external_link not in self._urls(issue, pairing):
            return issue
        edits = {name: edit for name, edit in issue.edits.items() if name != "external_link"}
        return issue.model_copy(update={"external_link": None, "edits": edits})

    def _urls(self, issue: CanonicalIssue, pairing: Pairing | None = None) -> list[str]:
        """The addresses of its copies, and of those that it shall have."""
        policies, now = self.take_in.landscape.policies, self.take_in.clock.now()
        for name, (remote, _) in pairing.copies.items() if pairing else ():
            issue = link(issue, remote, policies[name], now)
        return [ref.url for ref in issue.refs.values() if ref.url]

    def _what(self, linking: _Linking, origin: str, connection: str, remote: RemoteIssue) -> What:
        issue, ref = linking.after, linking.after.refs.get(connection)
        if ref:
            return "already" if ref.remote_id == remote.remote_id else "double"
        owner = self.take_in.store.find(connection, remote.remote_id)
        if issue.origin != origin:
            return "elsewhere"
        if owner is None:
            return "linked"
        linking.owners[connection] = owner
        is_alone = [*stored(self.take_in.store, owner).refs] == [connection]
        return "joined" if is_alone else "elsewhere"

    def _with_bound_link(
        self, issue: CanonicalIssue, pairing: Pairing, linked: Sequence[str]
    ) -> CanonicalIssue:
        """Where the origin holds no link, that which a person has bound at a counterpart counts."""
        urls = self._urls(issue, pairing)
        for name in linked if issue.external_link is None else ():
            remote, now = pairing.copies[name][0], self.take_in.clock.now()
            url = find_url(remote.raw.get("external_link") or "")
            if url and url not in urls:
                edits = {**issue.edits, "external_link": Edit(by=name, at=remote.updated_at or now)}
                return issue.model_copy(update={"external_link": url, "edits": edits})
        return issue

    def _link(self, linking: _Linking, connection: str, remote: RemoteIssue, mark: str) -> None:
        """First values by the rule of a first meeting; what a person edited here and loses by it
        is told. One that is gone stays gone."""
        landscape, now = self.take_in.landscape, self.take_in.clock.now()
        policy = landscape.policies[connection]
        linked = link(linking.after, remote, policy, now, reference=mark)
        if remote.deleted:
            gone = linked.refs[connection].model_copy(update={"deleted": True})
            linking.after = settle(with_ref(linked, gone), landscape, now)
            return
        recalled = self.recall(linked, policy, remote, mark)
        observed = self.take_in.observe(recalled, remote, connection)
        linking.after = observed.issue
        urls = self._urls(observed.issue)
        linking.history += [e for e in observed.history if not _is_way_across(e, urls)]

    def _adopt(self, pairing: Pairing) -> _Linking:
        linking = self._linking(pairing)
        new, joined = linking.those("linked"), linking.those("joined")
        if new or (joined and linking.before is None):
            self._store(linking, pairing, new)
        for name in joined:
            (effect,) = self._done(linking.after.issue_id, pairing, [name])
            self.take_in.ledger.put(effect)
            mark = pairing.copies[name][1]
            self.pair.join(linking.after.issue_id, linking.owners[name], reference=mark)
        return linking

    def _store(self, linking: _Linking, pairing: Pairing, new: Sequence[str]) -> None:
        """Until all is linked nothing may be asked for: it would be created a second time."""
        before, after = linking.before, linking.after
        if linking.those("joined"):
            after = after.model_copy(update={"pending": {}, "asks": {}})
        self.take_in.store.commit(
            after,
            linking.history,
            wake=newly_pending(before, after),
            done=self._done(after.issue_id, pairing, new),
            linked=[*new, *([] if before else [pairing.connection])],
            points_at=self.take_in.points_at(after),
        )

    def _done(self, issue_id: str, pairing: Pairing, names: Sequence[str]) -> list[Effect]:
        """The ledger knows them as made, so that they never are again."""
        effects = []
        for name in names:
            remote, mark = pairing.copies[name]
            known = self.take_in.ledger.get(mark)
            effect = known or self._planned(issue_id, name, remote, mark)
            effects.append(effect.done(remote.remote_id))
        return effects

    def _planned(self, issue_id: str, connection: str, remote: RemoteIssue, mark: str) -> Effect:
        now = self.take_in.clock.now()
        draft = Draft(
            reference=mark,
            title=remote.title,
            description=remote.description,
            category=remote.category,
            triggered_at=now,
        )
        return Effect(
            key=mark,
            kind="create",
            issue_id=issue_id,
            connection=connection,
            request=draft.model_dump_json(),
            planned_at=now,
            due_at=now,
        )


def _is_way_across(entry: HistoryEntry, urls: Sequence[str]) -> bool:
    """Our own line leads to another copy until a person binds a link: that is nobody's edit."""
    return entry.field == "external_link" and entry.old in urls
