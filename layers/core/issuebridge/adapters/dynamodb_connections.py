"""What the polls keep of each connection between rounds, and the running configuration."""

import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from issuebridge.adapters.table import Item, Key, Table, item_of, number, stamp, text
from issuebridge.domain.buckets import FAMILIES, Bucket, are_dense, is_numbered
from issuebridge.domain.config import Config
from issuebridge.domain.config_size import check_size
from issuebridge.domain.errors import LostRace, Misconfigured
from issuebridge.domain.fingerprint import DIGEST_HEX
from issuebridge.domain.gate import GateState
from issuebridge.domain.limits import SWEPT_IDS
from issuebridge.domain.round_state import ConnectionState
from issuebridge.domain.swept import Swept
from issuebridge.domain.taking import Taking

_AS_BYTES = b"\x01"
"""With which nothing begins that zlib has packed."""
_ENTRY_BYTES = 16 + DIGEST_HEX // 2
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

    def buckets(self, connection: str, places: Sequence[str]) -> dict[str, dict[str, str]]:
        """Neighbours by one range, of which only bytes count; others by their keys."""
        pk, found = _buckets_pk(connection), dict[str, dict[str, str]]()
        numbered = sorted(filter(is_numbered, places))
        keys = [*places]
        if are_dense(numbered):
            keys = [place for place in places if not is_numbered(place)]
            found |= _by_place(self.table.between(pk, numbered[0], numbered[-1]))
        found |= _by_place(self.table.get_all([(pk, place) for place in keys]))
        return {place: found.get(place, {}) for place in sorted(places)}

    def all_buckets(self, connection: str) -> Iterator[tuple[str, Bucket]]:
        for family in FAMILIES:
            for row in self.table.query(_buckets_pk(connection), family):
                yield row["sk"]["S"], _unpacked(row["digests"]["B"])

    def pushed(self, connection: str) -> Mapping[str, int]:
        rows = self.table.query(f"SEEN#{connection}", "PUSHED#")
        return {r["sk"]["S"].removeprefix("PUSHED#"): int(r["version"]["N"]) for r in rows}

    def save_seen(
        self, state: ConnectionState, buckets: Mapping[str, Bucket], pushed: Mapping[str, int]
    ) -> None:
        pk, mine = _buckets_pk(state.connection), number(state.generation)
        fence = "attribute_not_exists(pk) OR generation <= :mine"
        for place, bucket in buckets.items():
            if bucket:
                self.table.put(bucket_item((pk, place), bucket, state.generation), fence, mine=mine)
            else:
                self.table.delete((pk, place), fence, mine=mine)
        for remote_id, version in pushed.items():
            with suppress(LostRace):
                key = (f"SEEN#{state.connection}", f"PUSHED#{remote_id}")
                self.table.delete(key, "version = :seen", seen=number(version))

    def sixteenths(self, connection: str) -> Iterator[tuple[str, Bucket]]:
        for row in self.table.query(f"SEEN#{connection}", "DIGESTS#"):
            yield row["sk"]["S"], _unpacked(row["digests"]["B"])

    def drop_sixteenth(self, state: ConnectionState, part: str) -> None:
        mine = number(state.generation)
        self.table.delete((f"SEEN#{state.connection}", part), "generation <= :mine", mine=mine)

    def swept(self, connection: str, sweep_number: int) -> Swept:
        rows = self.table.query(f"SWEPT#{connection}", f"{sweep_number:08}#")
        return Swept.of((place, name) for row in rows for place, name in _rows(row["shown"]["B"]))

    def save_swept(self, state: ConnectionState, swept: Swept, now: datetime) -> None:
        until = now + SWEPT_KEPT
        for place, chunk in enumerate(_chunks(swept.rows())):
            sk = f"{state.sweep_number:08}#{state.generation:012}#{place:08}"
            shown = {"B": zlib.compress(chunk)}
            key = (f"SWEPT#{state.connection}", sk)
            self.table.put(item_of(key, shown=shown, expires_at=number(int(until.timestamp()))))

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


def _buckets_pk(connection: str) -> str:
    """Apart from what earlier versions read: one that is put back looks at all issues anew."""
    return f"SEEN#{connection}#BUCKETS"


def bucket_item(key: Key, bucket: Bucket, generation: int) -> Item:
    return item_of(key, digests={"B": _packed(bucket)}, generation=number(generation))


def gate_item(state: GateState) -> Item:
    key = (f"CONNECTION#{state.connection}", "GATE")
    return item_of(key, doc=text(state.model_dump_json()), version=number(state.version))


def _chunks(rows: Iterable[tuple[str, str | int]]) -> Iterator[bytes]:
    """As many in one as an item holds, though nothing of them could be packed."""
    chunk: list[tuple[str, str | int]] = []
    size = 0
    for row in rows:
        bytes_more = len(json.dumps(row)) + len(", ")
        if size + bytes_more > SWEPT_IDS:
            yield json.dumps(chunk).encode()
            chunk, size = [], 0
        chunk.append(row)
        size += bytes_more
    if chunk:
        yield json.dumps(chunk).encode()


def _rows(packed: bytes) -> list[tuple[str, str | int]]:
    found: list[tuple[str, str | int]] = json.loads(zlib.decompress(bytes(packed)))
    return found


def _by_place(rows: Iterable[Item]) -> dict[str, dict[str, str]]:
    return {row["sk"]["S"]: _unpacked(row["digests"]["B"]) for row in rows}


def _packed(bucket: Bucket) -> bytes:
    """UUIDs and their fingerprints as they are, since nothing packs them; anything else as JSON."""
    with suppress(ValueError):
        return _AS_BYTES + b"".join(_entry(*item) for item in sorted(bucket.items()))
    return zlib.compress(json.dumps(bucket).encode())


def _entry(remote_id: str, digest: str) -> bytes:
    """ValueError for what would not come back as it was."""
    name = UUID(remote_id)
    if str(name) != remote_id or len(digest) != DIGEST_HEX:
        raise ValueError
    return name.bytes + bytes.fromhex(digest)


def _unpacked(packed: bytes) -> dict[str, str]:
    packed = bytes(packed)
    if packed[:1] != _AS_BYTES:
        found: dict[str, str] = json.loads(zlib.decompress(packed))
        return found
    entries = (packed[at : at + _ENTRY_BYTES] for at in range(1, len(packed), _ENTRY_BYTES))
    return {str(UUID(bytes=entry[:16])): entry[16:].hex() for entry in entries}


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
