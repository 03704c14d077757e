"""Issues and the ledger, kept in the one table (its layout: `table.py`)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from issuebridge.adapters.table import Item, Table, item_of, number, stamp, text
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import LostRace
from issuebridge.domain.issue import CanonicalIssue, ExternalRef, HistoryEntry

_DUE_MAX = 200
BUDGET_KEPT = timedelta(days=60)
"""After its day, for people; DynamoDB deletes it then."""


def _effect_item(effect: Effect) -> Item:
    """What is open is listed by when it is due; what is not, by when it was sent."""
    shelf = text(f"{effect.shelf}#{effect.connection}") if effect.shelf else None
    at = effect.due_at if effect.is_open else effect.sent_at or effect.planned_at
    return item_of(
        (f"EFFECT#{effect.key}", "EFFECT"),
        doc=text(effect.model_dump_json()),
        version=number(effect.version),
        pending=shelf,
        pending_at=text(stamp(at)) if shelf else None,
    )


def _stored(effect: Effect) -> Effect:
    return effect.model_copy(update={"version": effect.version + 1})


@dataclass(frozen=True)
class DynamoDBIssueStore:
    """`history_days`: how long a history row lives."""

    table: Table
    history_days: int

    def load(self, issue_id: str) -> CanonicalIssue | None:
        item = self.table.get((f"ISSUE#{issue_id}", "ISSUE"))
        return CanonicalIssue.model_validate_json(item["doc"]["S"]) if item else None

    def find(self, connection: str, remote_id: str) -> str | None:
        item = self.table.get((f"REF#{connection}#{remote_id}", "REF"))
        return str(item["issue_id"]["S"]) if item else None

    def named(self, connection: str, name: str) -> Sequence[str]:
        exact = self.find(connection, name)
        rows = () if exact else self.table.query(f"ALIAS#{connection}#{name}")
        return [exact] if exact else [*{str(row["issue_id"]["S"]): None for row in rows}]

    def pointing(self, url: str) -> Sequence[str]:
        return [str(row["sk"]["S"]) for row in self.table.query(_link_pk(url))]

    def all(self) -> list[CanonicalIssue]:
        """Every canonical issue: a scan of the whole table, for a person who asks."""
        items = self.table.scan("sk = :issue", issue=text("ISSUE"))
        return [CanonicalIssue.model_validate_json(item["doc"]["S"]) for item in items]

    def history(self, issue_id: str) -> list[HistoryEntry]:
        rows = self.table.query(f"ISSUE#{issue_id}", "HISTORY#")
        return [HistoryEntry.model_validate_json(row["doc"]["S"]) for row in rows]

    def commit(
        self,
        issue: CanonicalIssue,
        history: Sequence[HistoryEntry] = (),
        *,
        wake: bool = False,
        done: Effect | Sequence[Effect] = (),
        linked: str | Sequence[str] = (),
        pushing: str | None = None,
        points_at: str | None = None,
    ) -> CanonicalIssue:
        new = issue.model_copy(update={"version": issue.version + 1})
        names = [linked] if isinstance(linked, str) else linked
        puts = [
            _guarded(_issue_item(new, wake=wake), issue.version),
            *(self._history_put(new, n, entry) for n, entry in enumerate(history)),
            *(put for name in names for put in _ref_puts(new, new.refs[name])),
        ]
        for effect in [done] if isinstance(done, Effect) else done:
            puts.append(_guarded(_effect_item(_stored(effect)), effect.version))
        if pushing:
            puts.append({"Item": _pushed(pushing, new.refs[pushing].remote_id, new.version)})
        if points_at:
            puts.append({"Item": item_of((_link_pk(points_at), new.issue_id))})
        self.table.write_all(puts)
        return new

    def join(
        self,
        kept: CanonicalIssue,
        other: CanonicalIssue,
        connection: str,
        history: Sequence[HistoryEntry] = (),
    ) -> CanonicalIssue:
        new, emptied = (i.model_copy(update={"version": i.version + 1}) for i in (kept, other))
        taken, alias = _ref_puts(new, new.refs[connection])
        theirs = {
            "ConditionExpression": "issue_id = :other",
            "ExpressionAttributeValues": {":other": text(other.issue_id)},
        }
        self.table.write_all(
            [
                _guarded(_issue_item(new, wake=True), kept.version),
                _guarded(_issue_item(emptied, wake=False), other.version),
                *(self._history_put(new, n, entry) for n, entry in enumerate(history)),
                {"Item": taken["Item"], **theirs},
                alias,
                {"Item": {**alias["Item"], "sk": text(other.issue_id)}},
            ]
        )
        return new

    def _history_put(self, issue: CanonicalIssue, place: int, entry: HistoryEntry) -> Item:
        days = self.history_days
        return {"Item": history_item(issue.issue_id, issue.version, place, entry, days)}

    def due(self, now: datetime) -> Sequence[str]:
        found = []
        for pk, _ in self.table.pending("issue", now):
            found.append(pk.removeprefix("ISSUE#"))
            if len(found) == _DUE_MAX:
                break
        return found


def history_item(issue_id: str, version: int, place: int, entry: HistoryEntry, days: int) -> Item:
    until = entry.at + timedelta(days=days)
    return item_of(
        (f"ISSUE#{issue_id}", f"HISTORY#{stamp(entry.at)}#{version:08}#{place:02}"),
        doc=text(entry.model_dump_json()),
        expires_at=number(int(until.timestamp())),
    )


def _ref_puts(issue: CanonicalIssue, ref: ExternalRef) -> list[Item]:
    """A ref can be taken once: that is what keeps one remote out of two issues. A short code is
    for people, and no vendor promises that it is unique: each issue has a row of it."""
    taken = text(issue.issue_id)
    return [
        {
            "Item": item_of((f"REF#{ref.connection}#{ref.remote_id}", "REF"), issue_id=taken),
            "ConditionExpression": "attribute_not_exists(pk)",
        },
        {
            "Item": item_of(
                (f"ALIAS#{ref.connection}#{ref.display_id}", issue.issue_id), issue_id=taken
            )
        },
    ]


def _link_pk(url: str) -> str:
    return f"LINK#{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def _issue_item(issue: CanonicalIssue, *, wake: bool) -> Item:
    marks = [mark.due_at for mark in issue.pending.values()]
    due = min([*marks, *issue.asks.values()], default=None)
    return item_of(
        (f"ISSUE#{issue.issue_id}", "ISSUE"),
        doc=text(issue.model_dump_json()),
        version=number(issue.version),
        pending=text("issue") if due else None,
        pending_at=text(stamp(due)) if due else None,
        wake=text(str(issue.version)) if wake else None,
    )


def _guarded(item: Item, seen: int) -> Item:
    if seen == 0:
        return {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "Item": item,
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": number(seen)},
    }


def _pushed(connection: str, remote_id: str, version: int) -> Item:
    key = (f"SEEN#{connection}", f"PUSHED#{remote_id}")
    return item_of(key, version=number(version))


@dataclass(frozen=True)
class DynamoDBLedger:
    table: Table

    def get(self, key: str) -> Effect | None:
        item = self.table.get((f"EFFECT#{key}", "EFFECT"))
        return Effect.model_validate_json(item["doc"]["S"]) if item else None

    def find(self, keys: Sequence[str]) -> Sequence[Effect]:
        items = self.table.get_all([(f"EFFECT#{key}", "EFFECT") for key in dict.fromkeys(keys)])
        return [Effect.model_validate_json(item["doc"]["S"]) for item in items]

    def put(self, effect: Effect) -> Effect:
        new = _stored(effect)
        condition = "version = :seen" if effect.version else "attribute_not_exists(pk)"
        values = {"seen": number(effect.version)} if effect.version else {}
        self.table.put(_effect_item(new), condition, **values)
        return new

    def open(self, kind: str, connection: str) -> Sequence[Effect]:
        keys = [pk.removeprefix("EFFECT#") for pk, _ in self.table.pending(f"{kind}#{connection}")]
        return [effect for effect in map(self.get, keys) if effect and effect.is_open]

    def runs(self, connection: str) -> Sequence[Effect]:
        return [effect for effect in self.listed("run", connection) if effect.shelf == "run"]

    def listed(self, shelf: str, connection: str, since: datetime | None = None) -> list[Effect]:
        """Rows by their `shelf`, oldest first."""
        found = self.table.pending(f"{shelf}#{connection}", since=since)
        effects = [self.get(pk.removeprefix("EFFECT#")) for pk, _ in found]
        return [effect for effect in effects if effect]

    def spend(self, budget: str, day: str, limit: int) -> bool:
        until = datetime.fromisoformat(day).replace(tzinfo=UTC) + BUDGET_KEPT
        try:
            self.table.update(
                (f"BUDGET#{budget}", day),
                "SET expires_at = :until ADD used :one",
                "attribute_not_exists(used) OR used < :limit",
                one=number(1),
                limit=number(limit),
                until=number(int(until.timestamp())),
            )
        except LostRace:
            return False
        return True
