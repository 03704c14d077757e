"""What the polls keep of each connection between rounds, and the running configuration."""

import hashlib
import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from issuebridge.adapters.table import Item, Key, Table, item_of, number, stamp, text
from issuebridge.domain.config import Config
from issuebridge.domain.config_size import check_size
from issuebridge.domain.errors import LostRace, Misconfigured
from issuebridge.domain.gate import GateState
from issuebridge.domain.limits import SWEPT_IDS
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.taking import Taking
from issuebridge.ports import Seen

SWEPT_KEPT = timedelta(days=7)
"""Longer than any sweep takes; DynamoDB deletes the rows after it."""


@dataclass(frozen=True)
class DynamoDBConnectionStore:
    table: Table

    def acquire(
        self, connection: str, now: datetime, lease_seconds: float, taker: str | None = None
    ) -> ConnectionState:
        """A retry after a lost answer finds itself as the taker, and takes it again; so does
        whoever names itself as the `taker`."""
        item = self.table.update(
            (f"CONNECTION#{connection}", "STATE"),
            "SET former = if_not_exists(lease_until, :over), lease_until = :until, "
            "taker = :taker ADD generation :one",
            "attribute_not_exists(lease_until) OR lease_until <= :now OR taker = :taker",
            taker=text(taker or uuid.uuid4().hex),
            until=text(stamp(now + timedelta(seconds=lease_seconds))),
            now=text(stamp(now)),
            one=number(1),
            over=text(""),
        )
        state, died = self._parsed(connection, item), bool(item["former"]["S"])
        generation = int(item["generation"]["N"])
        return state.model_copy(update={"generation": generation, "former_died": died})

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

    def save_swept(self, state: ConnectionState, remote_ids: Iterable[str], now: datetime) -> None:
        until = now + SWEPT_KEPT
        for place, ids in enumerate(_chunks(sorted(remote_ids))):
            sk = f"{state.sweep_number:08}#{state.generation:012}#{place:08}"
            packed = {"B": _packed(dict.fromkeys(ids, ""))}
            key = (f"SWEPT#{state.connection}", sk)
            self.table.put(item_of(key, ids=packed, expires_at=number(int(until.timestamp()))))

    def prove(self, connection: str, base_url: str) -> None:
        """Remember that the system at this address takes a link."""
        self.table.put(item_of((f"CONNECTION#{connection}", "PROOF"), base_url=text(base_url)))

    def is_proven(self, connection: str, base_url: str) -> bool:
        item = self.table.get((f"CONNECTION#{connection}", "PROOF"))
        return item is not None and item["base_url"]["S"] == base_url

    def taking(self, worker: str) -> Taking | None:
        item = self.table.get((f"WORKER#{worker}", "TAKING"))
        return Taking.model_validate_json(item["doc"]["S"]) if item else None

    def save_taking(self, worker: str, taking: Taking) -> None:
        doc = text(taking.model_dump_json())
        self.table.put(item_of((f"WORKER#{worker}", "TAKING"), doc=doc))

    def pause(self, connection: str, until: datetime) -> None:
        """The longest pause that was asked for holds."""
        at = text(stamp(until))
        item = item_of((f"CONNECTION#{connection}", "PAUSE"), paused_until=at)
        with suppress(LostRace):
            self.table.put(item, "attribute_not_exists(pk) OR paused_until < :at", at=at)

    def gate(self, connection: str) -> GateState:
        item = self.table.get((f"CONNECTION#{connection}", "GATE"))
        if item is None:  # as from before gates had a row of their own
            return GateState(connection=connection, shut=self.read(connection).tripped)
        return GateState.model_validate_json(item["doc"]["S"])

    def save_gate(self, state: GateState) -> GateState:
        new = state.model_copy(update={"version": state.version + 1})
        condition = "version = :seen" if state.version else "attribute_not_exists(pk)"
        values = {"seen": number(state.version)} if state.version else {}
        self.table.put(gate_item(new), condition, **values)
        return new

    def paused_until(self, connection: str) -> datetime | None:
        item = self.table.get((f"CONNECTION#{connection}", "PAUSE"))
        return datetime.fromisoformat(item["paused_until"]["S"]) if item else None


def gate_item(state: GateState) -> Item:
    key = (f"CONNECTION#{state.connection}", "GATE")
    return item_of(key, doc=text(state.model_dump_json()), version=number(state.version))


def _chunks(remote_ids: Iterable[str]) -> Iterator[list[str]]:
    """As many in one as an item holds, though nothing of them could be packed."""
    chunk: list[str] = []
    size = 0
    for remote_id in remote_ids:
        bytes_more = len(json.dumps(remote_id)) + len(': "", ')
        if size + bytes_more > SWEPT_IDS:
            yield chunk
            chunk, size = [], 0
        chunk.append(remote_id)
        size += bytes_more
    if chunk:
        yield chunk


def _shard(remote_id: str) -> str:
    return hashlib.sha256(remote_id.encode()).hexdigest()[0]


def _packed(digests: Mapping[str, str]) -> bytes:
    """A sixteenth of 100,000 issues is some 170 KB: well below an item's 400 KB."""
    return zlib.compress(json.dumps(dict(sorted(digests.items()))).encode())


def _unpacked(packed: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(zlib.decompress(bytes(packed)))
    return found


class Running(NamedTuple):
    """What the functions work by; `tag` is that of the installation, empty before it had one."""

    config: Config
    tag: str


@dataclass(frozen=True)
class DynamoDBConfigStore:
    """The running configuration; `read` makes it of the stored document."""

    table: Table
    read: Callable[[dict[str, Any]], Config]

    def load(self) -> Running:
        item = self.table.get(("CONFIG", "CONFIG"))
        if item is None:
            raise Misconfigured(
                "no configuration is stored yet: push one with `issuebridge push FILE`"
            )
        config = self.read(json.loads(item["doc"]["S"]))
        return Running(config, item["tag"]["S"] if "tag" in item else "")

    def save(self, config: Config, tag: str) -> None:
        """Misconfigured, and the running one stays, if it is more than is kept."""
        document = config.model_dump_json(by_alias=True)
        check_size(config, document)
        self.table.put(item_of(("CONFIG", "CONFIG"), doc=text(document), tag=text(tag)))
