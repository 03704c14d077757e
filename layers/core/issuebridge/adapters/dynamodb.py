"""The stores of the core, kept in the one table (its layout: `table.py`)."""

import hashlib
import json
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from issuebridge.adapters.table import Item, Key, Table, item_of, number, stamp, text
from issuebridge.domain.config import Config, parse_config
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import LostRace, Misconfigured
from issuebridge.domain.issue import CanonicalIssue, ExternalRef, HistoryEntry
from issuebridge.domain.round_state import ConnectionState
from issuebridge.ports import Seen

_DUE_MAX = 200
SWEPT_IDS_MAX = 5000
SWEPT_KEPT = timedelta(days=7)
"""Longer than any sweep takes; DynamoDB deletes the rows after it."""


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

    def named(self, connection: str, name: str) -> str | None:
        item = self.table.get((f"ALIAS#{connection}#{name}", "ALIAS"))
        return self.find(connection, name) or (str(item["issue_id"]["S"]) if item else None)

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
        done: Effect | None = None,
        linked: str | None = None,
        pushing: str | None = None,
    ) -> CanonicalIssue:
        new = issue.model_copy(update={"version": issue.version + 1})
        puts = [
            _guarded(_issue_item(new, wake=wake), issue.version),
            *(self._history_put(new, n, entry) for n, entry in enumerate(history)),
            *(_ref_puts(new, new.refs[linked]) if linked else ()),
        ]
        if done:
            puts.append(_guarded(_effect_item(_stored(done)), done.version))
        if pushing:
            puts.append({"Item": _pushed(pushing, new.refs[pushing].remote_id, new.version)})
        self.table.write_all(puts)
        return new

    def _history_put(self, issue: CanonicalIssue, place: int, entry: HistoryEntry) -> Item:
        sk = f"HISTORY#{stamp(entry.at)}#{issue.version:08}#{place:02}"
        until = entry.at + timedelta(days=self.history_days)
        item = item_of(
            (f"ISSUE#{issue.issue_id}", sk),
            doc=text(entry.model_dump_json()),
            expires_at=number(int(until.timestamp())),
        )
        return {"Item": item}

    def due(self, now: datetime) -> Sequence[str]:
        found = []
        for pk, _ in self.table.pending("issue", now):
            found.append(pk.removeprefix("ISSUE#"))
            if len(found) == _DUE_MAX:
                break
        return found


def _ref_puts(issue: CanonicalIssue, ref: ExternalRef) -> list[Item]:
    """A ref can be taken once: that is what keeps one remote out of two issues. A short code is
    for people, and no vendor promises that it is unique: the latest has it."""
    taken = text(issue.issue_id)
    return [
        {
            "Item": item_of((f"REF#{ref.connection}#{ref.remote_id}", "REF"), issue_id=taken),
            "ConditionExpression": "attribute_not_exists(pk)",
        },
        {"Item": item_of((f"ALIAS#{ref.connection}#{ref.display_id}", "ALIAS"), issue_id=taken)},
    ]


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
        try:
            self.table.update(
                (f"BUDGET#{budget}", day),
                "ADD used :one",
                "attribute_not_exists(used) OR used < :limit",
                one=number(1),
                limit=number(limit),
            )
        except LostRace:
            return False
        return True


@dataclass(frozen=True)
class DynamoDBConnectionStore:
    table: Table

    def acquire(self, connection: str, now: datetime, lease_seconds: float) -> ConnectionState:
        """A retry after a lost answer finds itself as the taker, and takes it again."""
        item = self.table.update(
            (f"CONNECTION#{connection}", "STATE"),
            "SET lease_until = :until, taker = :taker ADD generation :one",
            "attribute_not_exists(lease_until) OR lease_until <= :now OR taker = :taker",
            taker=text(uuid.uuid4().hex),
            until=text(stamp(now + timedelta(seconds=lease_seconds))),
            now=text(stamp(now)),
            one=number(1),
        )
        state = self._parsed(connection, item)
        return state.model_copy(update={"generation": int(item["generation"]["N"])})

    def _parsed(self, connection: str, item: Item) -> ConnectionState:
        if "doc" not in item:
            return ConnectionState(connection=connection)
        return ConnectionState.model_validate_json(item["doc"]["S"])

    def read(self, connection: str) -> ConnectionState:
        """Without the lease: for people."""
        item = self.table.get((f"CONNECTION#{connection}", "STATE"))
        return self._parsed(connection, item or {})

    def save(self, state: ConnectionState) -> None:
        self.table.update(
            (f"CONNECTION#{state.connection}", "STATE"),
            "SET doc = :doc, lease_until = :over",
            "generation = :mine",
            doc=text(state.model_dump_json()),
            over=text(""),
            mine=number(state.generation),
        )

    def seen(self, connection: str) -> Seen:
        digests: dict[str, str] = {}
        pushed: dict[str, int] = {}
        for row in self.table.query(f"SEEN#{connection}"):
            if "digests" in row:
                digests |= _unpacked(row["digests"]["B"])
            else:
                pushed[row["sk"]["S"].removeprefix("PUSHED#")] = int(row["version"]["N"])
        return Seen(digests, pushed)

    def save_seen(
        self, state: ConnectionState, changed: Mapping[str, str | None], pushed: Mapping[str, int]
    ) -> None:
        pk = f"SEEN#{state.connection}"
        shards: dict[str, dict[str, str | None]] = {}
        for remote_id, digest in changed.items():
            shards.setdefault(_shard(remote_id), {})[remote_id] = digest
        for shard, mine in shards.items():
            self._save_shard((pk, f"DIGESTS#{shard}"), state.generation, mine)
        for remote_id, version in pushed.items():
            with suppress(LostRace):
                key = (pk, f"PUSHED#{remote_id}")
                self.table.delete(key, "version = :seen", seen=number(version))

    def _save_shard(self, key: Key, generation: int, mine: Mapping[str, str | None]) -> None:
        item = self.table.get(key)
        digests = {**(_unpacked(item["digests"]["B"]) if item else {}), **mine}
        packed = _packed({k: v for k, v in digests.items() if v is not None})
        self.table.put(
            item_of(key, digests={"B": packed}, generation=number(generation)),
            "attribute_not_exists(pk) OR generation <= :mine",
            mine=number(generation),
        )

    def swept(self, connection: str, sweep_number: int) -> set[str]:
        rows = self.table.query(f"SWEPT#{connection}", f"{sweep_number:08}#")
        return {remote_id for row in rows for remote_id in _unpacked(row["ids"]["B"])}

    def save_swept(self, state: ConnectionState, remote_ids: Iterable[str]) -> None:
        ids, until = sorted(remote_ids), datetime.now(UTC) + SWEPT_KEPT
        for start in range(0, len(ids), SWEPT_IDS_MAX):
            sk = f"{state.sweep_number:08}#{state.generation:012}#{start:08}"
            packed = {"B": _packed(dict.fromkeys(ids[start : start + SWEPT_IDS_MAX], ""))}
            key = (f"SWEPT#{state.connection}", sk)
            self.table.put(item_of(key, ids=packed, expires_at=number(int(until.timestamp()))))

    def pause(self, connection: str, until: datetime) -> None:
        """The longest pause that was asked for holds."""
        at = text(stamp(until))
        item = item_of((f"CONNECTION#{connection}", "PAUSE"), paused_until=at)
        with suppress(LostRace):
            self.table.put(item, "attribute_not_exists(pk) OR paused_until < :at", at=at)

    def paused_until(self, connection: str) -> datetime | None:
        item = self.table.get((f"CONNECTION#{connection}", "PAUSE"))
        return datetime.fromisoformat(item["paused_until"]["S"]) if item else None


def _shard(remote_id: str) -> str:
    return hashlib.sha256(remote_id.encode()).hexdigest()[0]


def _packed(digests: Mapping[str, str]) -> bytes:
    """A sixteenth of 100,000 issues is some 170 KB: well below an item's 400 KB."""
    return zlib.compress(json.dumps(dict(sorted(digests.items()))).encode())


def _unpacked(packed: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(zlib.decompress(bytes(packed)))
    return found


@dataclass(frozen=True)
class DynamoDBConfigStore:
    """The running configuration."""

    table: Table

    def load(self) -> Config:
        item = self.table.get(("CONFIG", "CONFIG"))
        if item is None:
            raise Misconfigured(
                "no configuration is stored yet: push one with `issuebridge push FILE`"
            )
        return parse_config(json.loads(item["doc"]["S"]), "stored configuration")

    def save(self, config: Config) -> None:
        doc = text(config.model_dump_json(by_alias=True))
        self.table.put(item_of(("CONFIG", "CONFIG"), doc=doc))
