"""The table in memory, with what DynamoDB would charge: `adapters.table.Table` as adapters use it.

Units by the documented rules: a write by the 1 KB of the larger of before and after, a strong read
by the 4 KB, a range by the sum of its items, everything twice in a transaction, and the index when
its keys change. Items and transactions are held to their limits.
"""

import re
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from issuebridge.adapters.sizes import check_item, check_transaction, item_bytes
from issuebridge.adapters.table import Item, Key, number, stamp, text
from issuebridge.domain.errors import LostRace

TOKEN = {"token": text("0" * 32)}
_TERM = re.compile(r"attribute_not_exists\((\w+)\)|(\w+) (=|<|<=) (:\w+)")
_SET = re.compile(r"(\w+) = (if_not_exists\((\w+), (:\w+)\)|:\w+)")
_ADD = re.compile(r"ADD (\w+) (:\w+)")


class CountingTable:
    """`written` and `read` are units by kind of item, `calls` by operation; `woken`: the issues for
    which the stream would wake mirror."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Item]] = defaultdict(dict)
        self.order: dict[str, list[str]] = defaultdict(list)
        self.marked: dict[Key, tuple[str, str]] = {}
        self.woken: list[str] = []
        self.written: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def reset(self) -> None:
        for counter in (self.written, self.read, self.calls):
            counter.clear()

    # reads

    def get(self, key: Key) -> Item | None:
        self.calls["get"] += 1
        return self._charged(key)

    def get_all(self, keys: Sequence[Key]) -> list[Item]:
        self.calls["get_all"] += ceil(len(keys) / 100)
        return [item for key in keys if (item := self._charged(key))]

    def _charged(self, key: Key) -> Item | None:
        item = self.items[key[0]].get(key[1])
        self.read[_kind(key)] += max(1, ceil(item_bytes(item) / 4096)) if item else 1
        return dict(item) if item else None

    def query(self, pk: str, begins_with: str | None = None) -> Iterator[Item]:
        first = begins_with or ""
        yield from self._range(pk, first, first + chr(0x10FFFF))

    def between(self, pk: str, first: str, last: str) -> Iterator[Item]:
        yield from self._range(pk, first, last)

    def _range(self, pk: str, first: str, last: str) -> Iterator[Item]:
        order = self.order[pk]
        names = order[bisect_left(order, first) : bisect_left(order, last + "\0")]
        size = sum(item_bytes(self.items[pk][name]) for name in names)
        self.calls["query"] += 1
        self.read[_kind((pk, first or "*"))] += max(1, ceil(size / 4096))
        for name in names:
            yield dict(self.items[pk][name])

    def pending(
        self, kind: str, until: datetime | None = None, *, since: datetime | None = None
    ) -> Iterator[Key]:
        self.calls["query"] += 1
        first, last = stamp(since) if since else "", stamp(until) if until else "9999"
        due = sorted((at, key) for key, (of, at) in self.marked.items() if of == kind)
        found = [key for at, key in due if first <= at <= last]
        self.read["index"] += max(1, ceil(len(found) * 200 / 8192))
        yield from found

    def scan(self, condition: str, **values: Item) -> Iterator[Item]:
        ((_, wanted),) = values.items()
        name = condition.split(" ", maxsplit=1)[0]
        for rows in [*self.items.values()]:
            yield from (dict(row) for row in [*rows.values()] if row.get(name) == wanted)

    # writes

    def put(self, item: Item, condition: str | None = None, **values: Item) -> None:
        self.calls["put"] += 1
        key = item["pk"]["S"], item["sk"]["S"]
        check_item(item)
        self._check(key, condition, {f":{name}": value for name, value in values.items()})
        self._store(key, {**item, **TOKEN}, 1)

    def update(self, key: Key, expression: str, condition: str, **given: Item) -> Item:
        self.calls["update"] += 1
        values = {f":{name}": value for name, value in given.items()}
        self._check(key, condition, values)
        before = self.items[key[0]].get(key[1], {"pk": text(key[0]), "sk": text(key[1])})
        item = dict(before)
        for name, value, old, default in _SET.findall(expression):
            item[name] = before.get(old, values[default]) if old else values[value]
        for name, value in _ADD.findall(expression):
            item[name] = number(int(before.get(name, number(0))["N"]) + int(values[value]["N"]))
        check_item(item)
        self._store(key, item, 1)
        return dict(item)

    def delete(self, key: Key, condition: str, **values: Item) -> None:
        self.calls["delete"] += 1
        self._check(key, condition, {f":{name}": value for name, value in values.items()})
        self._drop(key)

    def remove(self, key: Key) -> None:
        self.calls["delete"] += 1
        self._drop(key)

    def write_all(self, puts: Sequence[Item]) -> None:
        if len(puts) == 1:
            (put,) = puts
            values = {n.removeprefix(":"): v for n, v in _values(put).items()}
            self.put(put["Item"], put.get("ConditionExpression"), **values)
            return
        self.calls["transaction"] += 1
        check_transaction([put["Item"] for put in puts])
        keys = [(put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]) for put in puts]
        assert len({*keys}) == len(keys), "a transaction writes each item once"
        for key, put in zip(keys, puts, strict=True):
            self._check(key, put.get("ConditionExpression"), _values(put))
        for key, put in zip(keys, puts, strict=True):
            self._store(key, put["Item"], 2)

    def _check(self, key: Key, condition: str | None, values: Mapping[str, Any]) -> None:
        item = self.items[key[0]].get(key[1], {})
        if condition and not any(_holds(t, item, values) for t in condition.split(" OR ")):
            self.written[_kind(key)] += 1
            raise LostRace(f"{key[0]} {key[1]}: another worker committed first")

    def _store(self, key: Key, item: Item, times: int) -> None:
        rows = self.items[key[0]]
        size = max(item_bytes(item), item_bytes(rows.get(key[1], {})))
        self.written[_kind(key)] += times * ceil(size / 1024)
        if key[1] not in rows:
            insort(self.order[key[0]], key[1])
        rows[key[1]] = item
        if "wake" in item:
            self.woken.append(key[0].removeprefix("ISSUE#"))
        at = (item["pending"]["S"], item["pending_at"]["S"]) if "pending" in item else None
        before = self.marked.pop(key, None)
        if at:
            self.marked[key] = at
        if at != before:
            self.written["index"] += (at is not None) + (before is not None)

    def _drop(self, key: Key) -> None:
        item = self.items[key[0]].pop(key[1], None)
        self.written[_kind(key)] += ceil(item_bytes(item) / 1024) if item else 1
        if item:
            self.order[key[0]].remove(key[1])
            self.written["index"] += self.marked.pop(key, None) is not None


def _kind(key: Key) -> str:
    """As `adapters.table` lists them: `SEEN N`, `ISSUE HISTORY`."""
    pk, sk = key[0].split("#")[0], key[1].split("#")[0]
    return pk if pk in ("SWEPT", "ALIAS", "LINK", "BUDGET", "REF", "EFFECT") else f"{pk} {sk}"


def _values(put: Item) -> dict[str, Any]:
    return dict(put.get("ExpressionAttributeValues", {}))


def _holds(term: str, item: Item, values: Mapping[str, Any]) -> bool:
    found = _TERM.fullmatch(term)
    assert found, f"a condition that this table does not know: {term}"
    if found[1]:
        return found[1] not in item
    if found[2] not in item:
        return False
    (kind, have), (_, want) = *item[found[2]].items(), *values[found[4]].items()
    left, right = (int(have), int(want)) if kind == "N" else (have, want)
    return {"=": left == right, "<": left < right, "<=": left <= right}[found[3]]
