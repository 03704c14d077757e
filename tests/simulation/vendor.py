"""One vendor in memory, with the bad habits the documentation does not rule out."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from issuebridge.adapters.identity import about, carries_line
from issuebridge.domain.errors import AccessRefused, Gone, Rejected
from issuebridge.domain.issue import Draft, RemoteIssue
from issuebridge.domain.reading import find_url
from issuebridge.domain.words import FIELDS
from issuebridge.ports import Changes, Lane, Page
from tests.fakes import FakeClock
from tests.simulation.people import KEYS, Fate, HumanEdit, lines_of, our_line, words_of
from tests.simulation.upheaval import Upheaval

OPEN_WORDS = {
    "antimetal": ("investigating", "ready_to_fix"),
    "zylon": ("NotReviewed", "InReview"),
}
BIRTH = {
    "bland": {"status": "todo", "severity": "medium"},
    "antimetal": {"status": "investigating", "severity": "medium"},
    "zylon": {"status": "NotReviewed"},
}
WRITABLE = {
    "bland": {"status", "severity", "description", "external_link"},
    "antimetal": {"status"},
    "zylon": {"status", "description"},
}
SOFT = {"zylon"}
"""A deleted issue stays in the list, marked with a word of its own; elsewhere it is gone."""
DELETED_WORD = "Deleted"
TITLE_MAX = 200
COMMENT_MAX = 4000
DESCRIPTION_MAX = {"bland": 10_000, "antimetal": 20_000, "zylon": 20_000}


class Broken(BaseException):
    """An invariant does not hold; the first word names it. The engine must not catch it, as it does
    with a defect at one issue of many."""


def wakes_norm(text: str) -> bool:
    """Whether any reading of the text has a mention of Norm in it."""
    plain = unicodedata.normalize("NFKD", text)
    shown = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Zl", "Zp"))
    return re.search(r"@n[o0\u043e\u03bf]rm", shown.casefold()) is not None


@dataclass(frozen=True)
class Habits:
    """`list_lag`: rows show what was true so long ago. `search_lag`: so long a new issue is not
    found. `rewrites`: the line of a created issue is lost. `ignores`: writes of it do nothing.
    `hides`: a GET of what is only marked as deleted answers 404. `revives`: a write brings it back.
    `code`: how a short code is made of the number.
    """

    page_size: int = 3
    skew: int = 0
    skew_measured: bool = True
    list_lag: int = 0
    search_lag: int = 0
    rewrites: bool = False
    ignores: str | None = None
    hides: bool = False
    revives: bool = False
    code: str = "{}"


@dataclass
class Vendor:
    """`history` has every state of every issue with our time of it; `born_of` whose create it was;
    `excuse` tells why an edit is no news to anybody; `ours` is what we left last; `guard` is asked
    before each write."""

    name: str
    kind: str
    clock: FakeClock
    habits: Habits = Habits()
    history: dict[str, list[tuple[datetime, RemoteIssue]]] = field(default_factory=dict)
    born_of: dict[str, Draft | None] = field(default_factory=dict)
    copies: set[str] = field(default_factory=set)
    posted: dict[str, list[str]] = field(default_factory=dict)
    marks: list[tuple[str, str]] = field(default_factory=list)
    edits: list[HumanEdit] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    excuse: Callable[[str, str, str | None], Fate] = lambda remote_id, place, raw: None
    is_linked: Callable[[str], bool] = lambda remote_id: False
    ours: dict[str, RemoteIssue] = field(default_factory=dict)
    anchors: dict[str, tuple[float, int]] = field(default_factory=dict)
    windows: int = 0
    blank_until: datetime | None = None
    upheaval: Upheaval = field(default_factory=Upheaval)
    guard: Callable[[RemoteIssue], None] = lambda seen: None

    @property
    def skew(self) -> timedelta:
        return timedelta(seconds=self.habits.skew if self.habits.skew_measured else 0)

    @property
    def ids(self) -> list[str]:
        return list(self.history)

    @property
    def living(self) -> list[str]:
        return [remote_id for remote_id in self.ids if not self.now(remote_id).deleted]

    def now(self, remote_id: str) -> RemoteIssue:
        return self.history[remote_id][-1][1]

    def was_deleted(self, remote_id: str) -> bool:
        """At any time."""
        return any(state.deleted for _, state in self.history[remote_id])

    def _store(self, issue: RemoteIssue) -> RemoteIssue:
        at = self.clock.now()
        theirs = at + timedelta(seconds=self.habits.skew)
        active = theirs if self.kind == "bland" else None
        issue = replace(issue, updated_at=theirs, activity_at=active)
        self.history.setdefault(issue.remote_id, []).append((at, issue))
        return issue

    def _file(
        self, title: str, text: str, raw: dict[str, str | None], of: Draft | None
    ) -> RemoteIssue:
        number = 1001 + len(self.history)
        remote_id = f"{self.name}-{number}"
        issue = RemoteIssue(
            remote_id=remote_id,
            display_id=f"{self.name[0].upper()}{self.name[-1]}-{self.habits.code.format(number)}",
            number=number,
            title=title,
            description=text,
            category="" if self.kind == "antimetal" else "Bug",
            environment=of.environment if of else None,
            raw={**dict.fromkeys(FIELDS), **raw},
            created_at=self.clock.now() + timedelta(seconds=self.habits.skew),
            payload={"triggered_at": of.triggered_at if of else self.clock.now()},
        )
        self.born_of[remote_id] = of
        return self._store(issue)

    # what people do: each edit is remembered, and ends the one that stood there before

    def file(self, title: str, words: str, raw: dict[str, str | None]) -> RemoteIssue:
        self.clock.advance(0.1)
        issue = self._file(title, words, {**BIRTH[self.kind], **raw}, None)
        self.words[issue.remote_id] = words_of(words)
        return issue

    def edit(self, remote_id: str, name: str, raw: str | None) -> None:
        self.clock.advance(0.1)
        old = self.now(remote_id)
        if old.deleted or old.raw.get(name) == raw:
            return
        self._store(replace(old, raw={**old.raw, name: raw}))
        self._end(remote_id, name, old.raw.get(name), "by a person")
        self._remember(remote_id, name, raw)

    def describe(self, remote_id: str, text: str) -> None:
        self.clock.advance(0.1)
        old = self.now(remote_id)
        if old.deleted:
            return
        self._store(replace(old, description=text))
        self.words[remote_id] = words_of(text)
        before, after = our_line(old.description), our_line(text)
        for name, key in (("line.severity", "severity"), ("line.external_link", "link")):
            if before and before.get(key) != after.get(key):
                self._end(remote_id, name, before.get(key), "by a person")
            if before and after and before.get(key) != after.get(key):
                self._remember(remote_id, name, after.get(key))

    def delete(self, remote_id: str) -> None:
        self.clock.advance(0.1)
        old = self.now(remote_id)
        if old.deleted:
            return
        word = {"status": DELETED_WORD} if self.kind in SOFT else {}
        self._store(replace(old, raw={**old.raw, **word}, deleted=True))
        self.let_go(old, "with its issue")

    def restore(self, remote_id: str) -> None:
        self.clock.advance(0.1)
        old = self.now(remote_id)
        if not old.deleted or remote_id in self.upheaval.vanished:
            return
        word = {"status": BIRTH[self.kind]["status"]} if self.kind in SOFT else {}
        back = self._store(replace(old, raw={**old.raw, **word}, deleted=False))
        self._remember(remote_id, "status", back.raw["status"])

    def let_go(self, issue: RemoteIssue, fate: str) -> None:
        """What stands there now is mirrored no more."""
        line = our_line(issue.description)
        lined = {f"line.{name}": line.get(KEYS.get(name, name)) for name in FIELDS}
        for place, standing in {**issue.raw, **lined}.items():
            self._end(issue.remote_id, place, standing, fate)

    def _remember(self, remote_id: str, name: str, raw: str | None) -> None:
        fate = self.excuse(remote_id, name, raw)
        self.edits.append(HumanEdit(self.name, remote_id, name, raw, self.clock.now(), fate))

    def _end(self, remote_id: str, name: str, standing: str | None, fate: str) -> None:
        """The edit that still stood was overwritten by somebody who knew, or could not know."""
        mine = [e for e in self.edits if (e.remote_id, e.field) == (remote_id, name)]
        if mine and mine[-1].raw == standing:
            mine[-1].fate = mine[-1].fate or fate

    # the port

    def page(self, lane: Lane, cursor: str | None) -> Page:
        self.asked["page"] += 1
        if self.is_blank:
            return Page([], None)
        shown_at = self.clock.now() - timedelta(seconds=self.habits.list_lag)
        listed = [i for i in self.ids if self.upheaval.lists(i, shown_at)]
        known = [row for row in (self.as_of(i, shown_at) for i in listed) if row]
        rows = [row for row in known if self.kind in SOFT or not row.deleted]
        if lane == "hot" and self.kind in OPEN_WORDS:
            rows = [row for row in rows if row.raw["status"] in OPEN_WORDS[self.kind]]
        rows.sort(key=lambda row: self._place(lane, row))
        begin = self.anchors[cursor] if cursor else None
        rest = [row for row in rows if begin is None or self._place(lane, row) > begin]
        shown, size = rest[: self.habits.page_size], self.habits.page_size
        if len(rest) <= size:
            return Page([self._row(row) for row in shown], None)
        following = f"{lane}{len(self.anchors)}"
        self.anchors[following] = self._place(lane, shown[-1])
        return Page([self._row(row) for row in shown], following)

    def _place(self, lane: Lane, row: RemoteIssue) -> tuple[float, int]:
        """Where a row stands in a list; a cursor is the place of the last one shown."""
        if lane == "hot" and self.kind == "bland":
            assert row.activity_at
            return -row.activity_at.timestamp(), -row.number
        return 0, row.number

    def as_of(self, remote_id: str, at: datetime) -> RemoteIssue | None:
        return next((state for t, state in reversed(self.history[remote_id]) if t <= at), None)

    def _row(self, issue: RemoteIssue) -> RemoteIssue:
        """The lists of bland and zylon show all that is mirrored, antimetal's no times."""
        if self.kind != "antimetal":
            return issue
        return replace(issue, created_at=None, updated_at=None, is_row=True)

    def get(self, remote_id: str) -> RemoteIssue:
        self.asked["get"] += 1
        if into := self.upheaval.merged.get(remote_id):
            return about(self.name, remote_id, self.get(into))
        self._demand(remote_id)
        return self.now(remote_id)

    @property
    def is_blank(self) -> bool:
        return self.blank_until is not None and self.blank_until > self.clock.now()

    def _demand_access(self) -> None:
        if self.is_blank:
            raise AccessRefused("401")

    def _demand(self, remote_id: str) -> None:
        is_gone = self.now(remote_id).deleted and (self.kind not in SOFT or self.habits.hides)
        if is_gone or self.is_blank or remote_id in self.upheaval.vanished:
            raise Gone(remote_id)

    def create(self, draft: Draft) -> RemoteIssue:
        self.asked["create"] += 1
        self._demand_access()
        self._check_text("title", draft.title, TITLE_MAX)
        self._check_text("description", draft.description, DESCRIPTION_MAX[self.kind])
        made = [i for i, of in self.born_of.items() if of and of.reference == draft.reference]
        if any(not self.now(i).deleted or self.is_linked(i) for i in made):
            raise Broken(f"twins: {draft.reference} is created again at {self.name}")
        text = words_of(draft.description) if self.habits.rewrites else draft.description
        given = {"status": draft.status, "severity": draft.severity} if self.kind == "bland" else {}
        if self.kind == "antimetal":
            given = {"severity": draft.severity}
        kept = {name: raw for name, raw in given.items() if raw is not None}
        issue = self._file(draft.title, text, {**BIRTH[self.kind], **kept}, draft)
        self.words[issue.remote_id] = words_of(text)
        return issue

    def find_created(self, draft: Draft, since: datetime) -> Sequence[RemoteIssue]:
        """By our line; antimetal and zylon also by what else they show of a draft."""
        self.asked["find_created"] += 1
        self._demand_access()
        by = self.clock.now() - timedelta(seconds=self.habits.search_lag)
        shown = [i for i in self.ids if self.upheaval.lists(i, by)]
        shown = [i for i in shown if self.kind in SOFT or not self.now(i).deleted]
        known = [self.now(i) for i in shown if self.history[i][0][0] <= by]
        young = [issue for issue in known if issue.created_at and issue.created_at >= since]
        found = [issue for issue in young if carries_line(issue.description, draft.reference)]
        return found or [issue for issue in known if self._could_be(issue, draft)]

    def _could_be(self, issue: RemoteIssue, draft: Draft) -> bool:
        if self.kind == "antimetal":
            return issue.payload["triggered_at"] == draft.triggered_at
        same = issue.description.strip() == words_of(draft.description)
        on_our_turn = self.born_of[issue.remote_id] is not None
        return self.kind == "zylon" and on_our_turn and same

    def update(self, seen: RemoteIssue, changes: Changes) -> RemoteIssue:
        """Zylon's PUT writes the whole of what was read; the others only the changes."""
        self.asked["update"] += 1
        self.guard(seen)
        if extra := set(changes) - WRITABLE[self.kind]:
            raise Broken(f"undocumented: {self.kind} has no way to write {extra}")
        self._check_changes(seen, changes)
        last = self.ours.get(seen.remote_id)
        late = last and last.updated_at and seen.updated_at and seen.updated_at < last.updated_at
        if late and not self.upheaval.shared:
            raise Broken(f"twice: two workers write to {seen.remote_id} at once")
        old = self._written_to(seen.remote_id)
        whole = {"status": seen.raw["status"], "description": seen.description}
        written = {**(whole if self.kind == "zylon" else {}), **changes}
        kept = {name: raw for name, raw in written.items() if name != self.habits.ignores}
        self._end_in_window(seen, old, kept)
        if "external_link" in kept:
            kept["external_link"] = f'{{"provider":"link","url":"{kept["external_link"]}"}}'
        text = kept.pop("description", old.description)
        after = replace(old, raw={**old.raw, **kept}, description=text)
        reply = self.ours[seen.remote_id] = self._write(seen, changes, after)
        self.upheaval.wrote(seen.remote_id, changes, self.clock.now())
        if word := self.upheaval.insists.get(seen.remote_id):
            self.edit(seen.remote_id, "status", word)
        return reply

    def _write(self, seen: RemoteIssue, changes: Changes, after: RemoteIssue) -> RemoteIssue:
        return self._store(after)

    def _written_to(self, remote_id: str) -> RemoteIssue:
        """What a write finds; nobody says what one does to an issue that is marked as deleted."""
        self._demand(remote_id)
        old = self.now(remote_id)
        if old.deleted and not self.habits.revives:
            raise Rejected("400: it is deleted")
        return replace(old, deleted=False)

    def post(self, remote_id: str, text: str) -> None:
        self.asked["post"] += 1
        self._demand(remote_id)
        told = self.posted.setdefault(remote_id, [])
        value = text.split("] ")[1]
        self._check_text("comment", text, COMMENT_MAX)
        if told and told[-1] == value:
            raise Broken(f"twins: {remote_id} is told {value!r} again")
        told.append(value)
        self.marks.append((remote_id, text))
        self._store(self.now(remote_id))

    def stands(self, remote_id: str, mark: str, since: datetime) -> bool:
        self.asked["stands"] += 1
        self._demand(remote_id)
        return any(mark in text for at, text in self.marks if at == remote_id)

    def _check_changes(self, seen: RemoteIssue, changes: Changes) -> None:
        if "refused" in changes.values():
            raise Rejected("400: no such word")
        link = find_url(seen.raw.get("external_link") or "")
        now = {**seen.raw, "description": seen.description, "external_link": link}
        if "external_link" in changes and len(changes) > 1:
            raise Broken(f"alone: a link is written together with {set(changes)}")
        if all(now.get(name) == raw for name, raw in changes.items()):
            raise Broken(f"needless: {seen.remote_id} shows {dict(changes)} already")
        text = changes.get("description")
        if text is None:
            return
        refs = Counter(line["ref"] for line in lines_of(text))
        before = Counter(line["ref"] for line in lines_of(seen.description))
        if any(n > max(1, before[ref]) for ref, n in refs.items()):
            raise Broken(f"line: {seen.remote_id} gets our line twice: {text!r}")
        strange = {r for r in before if r.startswith("ibnot") or r in self.upheaval.forged}
        if lost := strange - set(refs):
            raise Broken(f"line: {seen.remote_id} loses {lost}, which is not ours")
        self._check_text("description", text, DESCRIPTION_MAX[self.kind])
        if words_of(text) != words_of(seen.description):
            raise Broken(f"words: {seen.description!r} became {text!r}")

    def _check_text(self, place: str, text: str, units_max: int) -> None:
        if wakes_norm(text):
            raise Broken(f"mention: @norm in a {place} at {self.name}: {text!r}")
        if not text or len(text.encode("utf-16-le")) // 2 > units_max:
            raise Broken(f"undocumented: a {place} of {len(text)} characters")

    def _end_in_window(self, seen: RemoteIssue, old: RemoteIssue, written: dict[str, str]) -> None:
        """An edit that came between the read and the write is lost: the documented window."""
        windowed = {
            name: old.raw.get(name)
            for name in written
            if name != "description" and seen.raw.get(name) != old.raw.get(name)
        }
        if "description" in written and seen.description != old.description:
            line = our_line(old.description)
            windowed |= {
                "line.severity": line.get("severity"),
                "line.external_link": line.get("link"),
            }
            self.words[seen.remote_id] = words_of(written["description"])
        self.windows += len(windowed)
        for name, standing in windowed.items():
            self._end(seen.remote_id, name, standing, "in the window")
