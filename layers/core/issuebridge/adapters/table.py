"""The one DynamoDB table: its keys, and what its answers mean.

| pk               | sk                     | what                                        |
| ---------------- | ---------------------- | ------------------------------------------- |
| ISSUE#id         | ISSUE                  | canonical issue, marked while a copy lags   |
| ISSUE#id         | HISTORY#time#version#n | one change, until `expires_at`              |
| REF#connection#x | REF                    | the issue behind a remote id or short code  |
| ALIAS#connection#x | issue id             | the issue behind a short code, for people   |
| LINK#hash        | issue id               | an issue whose link was this address        |
| EFFECT#key       | EFFECT                 | ledger row, marked while open, or if a run  |
| CONNECTION#name  | STATE                  | lease, watermark, sweep                     |
| CONNECTION#name  | PAUSE                  | no call before this time                    |
| CONNECTION#name  | GATE                   | what it changed of late, and whether it may |
| CONNECTION#name  | PROOF                  | a probe has shown that it takes a link      |
| SEEN#connection#BUCKETS | N#n, H#x        | a bucket of fingerprints, by number or hash |
| SEEN#connection  | PUSHED#x               | that fingerprint no longer holds            |
| SWEPT#connection | sweep#generation       | what one round of a longer sweep saw        |
| WORKER#name      | TAKING                 | what it is at, should it die of it          |
| BUDGET#name      | day                    | what was spent of it                        |
| CONFIG           | CONFIG                 | the running configuration                   |

"Marked" rows have `pending` and `pending_at`, the keys of the sparse index.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.adapters.sizes import check_item, check_transaction
from issuebridge.domain.errors import LostRace, Misconfigured, Rejected, Transient

Item = dict[str, Any]
Key = tuple[str, str]

BATCH_MAX = 100
_PAUSES = [0.05 * 2**n for n in range(7)]
"""Seconds, between reads of what a batch has left out."""
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)
_LOST = {"ConditionalCheckFailed", "TransactionConflict"}
_SET_UP = {"AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException"}


def stamp(at: datetime) -> str:
    """Text that sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def text(value: str) -> Item:
    return {"S": value}


def number(value: int) -> Item:
    return {"N": str(value)}


def item_of(key: Key, **attributes: Item | None) -> Item:
    """A whole item; attributes that are None are left out, which is what makes an index sparse."""
    kept = {name: value for name, value in attributes.items() if value is not None}
    return {"pk": text(key[0]), "sk": text(key[1]), **kept}


class Table:
    """Reads are consistent; a failed condition is LostRace, whichever call it stopped."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - boto3 has no types
        self._client = client
        self._name = name

    def get(self, key: Key) -> Item | None:
        answer = self._call("get_item", {"Key": _key(key), "ConsistentRead": True})
        found: Item | None = answer.get("Item")
        return found

    def get_all(self, keys: Sequence[Key]) -> list[Item]:
        """Those that exist, in no order."""
        found: list[Item] = []
        for start in range(0, len(keys), BATCH_MAX):
            batch = [_key(key) for key in keys[start : start + BATCH_MAX]]
            wanted = {self._name: {"Keys": batch, "ConsistentRead": True}}
            for pause in _PAUSES:
                answer = self._send("batch_get_item", {"RequestItems": wanted})
                found += answer["Responses"].get(self._name, [])
                wanted = answer.get("UnprocessedKeys") or {}
                if not wanted:
                    break
                time.sleep(pause)
            else:
                raise Transient("DynamoDB batch_get_item: throttled, keys were left unread")
        return found

    def query(self, pk: str, begins_with: str | None = None) -> Iterator[Item]:
        """The items under one pk, in the order of their sk."""
        if begins_with is None:
            yield from self._under("pk = :pk", pk=pk)
        else:
            yield from self._under("pk = :pk AND begins_with(sk, :sk)", pk=pk, sk=begins_with)

    def between(self, pk: str, first: str, last: str) -> Iterator[Item]:
        """The items under one pk from this sk to that, both included."""
        condition = "pk = :pk AND sk BETWEEN :first AND :last"
        yield from self._under(condition, pk=pk, first=first, last=last)

    def _under(self, condition: str, **values: str) -> Iterator[Item]:
        yield from self._pages(
            KeyConditionExpression=condition,
            ExpressionAttributeValues={f":{name}": text(value) for name, value in values.items()},
            ConsistentRead=True,
        )

    def pending(
        self, kind: str, until: datetime | None = None, *, since: datetime | None = None
    ) -> Iterator[Key]:
        """Keys of the rows of this kind that are marked, the longest due first."""
        times = {":since": text(stamp(since or _BEGINNING)), ":until": text(stamp(until or _END))}
        for row in self._pages(
            IndexName="by_pending",
            KeyConditionExpression="pending = :kind AND pending_at BETWEEN :since AND :until",
            ExpressionAttributeValues={":kind": text(kind), **times},
        ):
            yield row["pk"]["S"], row["sk"]["S"]

    def scan(self, condition: str, **values: Item) -> Iterator[Item]:
        """Reads the whole table; for people, never for a function."""
        yield from self._pages(
            "scan", FilterExpression=condition, ExpressionAttributeValues=_named(values)
        )

    def _pages(self, operation: str = "query", /, **query: object) -> Iterator[Item]:
        start: Mapping[str, object] = {}
        while True:
            answer = self._call(operation, {**query, **start})
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def put(self, item: Item, condition: str | None = None, **values: Item) -> None:
        """One item. A retry after a lost answer finds our own token, and so knows it is stored."""
        check_item(item)
        token = text(uuid.uuid4().hex)
        call: dict[str, object] = {"Item": {**item, "token": token}}
        if condition:
            call["ConditionExpression"] = condition
            call["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            call["ExpressionAttributeValues"] = _named(values)
        try:
            self._call("put_item", call)
        except LostRace as lost:
            if _old_token(lost) != token:
                raise

    def update(self, key: Key, expression: str, condition: str, **values: Item) -> Item:
        """The item as it is afterwards."""
        check_item({**_key(key), **values})
        call = {
            "Key": _key(key),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": _named(values),
            "ReturnValues": "ALL_NEW",
        }
        answer = self._call("update_item", call)
        found: Item = answer["Attributes"]
        return found

    def delete(self, key: Key, condition: str, **values: Item) -> None:
        call = {
            "Key": _key(key),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": _named(values),
        }
        self._call("delete_item", call)

    def remove(self, key: Key) -> None:
        self._call("delete_item", {"Key": _key(key)})

    def write_all(self, puts: Sequence[Item]) -> None:
        """All of these puts or none. Each is `{"Item": …}` with its own condition, if any. One by
        itself needs no transaction, which costs twice as much."""
        if len(puts) == 1:
            (one,) = puts
            values = one.get("ExpressionAttributeValues", {}).items()
            named = {name.removeprefix(":"): value for name, value in values}
            self.put(one["Item"], one.get("ConditionExpression"), **named)
            return
        check_transaction([put["Item"] for put in puts])
        items = [{"Put": {"TableName": self._name, **put}} for put in puts]
        self._send("transact_write_items", {"TransactItems": items})

    def _call(self, operation: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        return self._send(operation, {"TableName": self._name, **arguments})

    def _send(self, operation: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _sorted(error, operation, self._name) from error
        except BotoCoreError as error:
            raise Transient(f"DynamoDB {operation}: {error}") from error


def _key(key: Key) -> Item:
    return {"pk": text(key[0]), "sk": text(key[1])}


def _named(values: Mapping[str, Item]) -> Item:
    return {f":{name}": value for name, value in values.items()}


def _old_token(lost: LostRace) -> object:
    response = getattr(lost.__cause__, "response", {})
    return response.get("Item", {}).get("token")


def _sorted(error: ClientError, operation: str, table: str) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    reasons = {r.get("Code") for r in error.response.get("CancellationReasons", [])}
    if code == "ConditionalCheckFailedException" or reasons & _LOST:
        return LostRace(f"DynamoDB {operation}: another worker committed first")
    if code == "ValidationException":
        return Rejected(f"DynamoDB {operation}: {error}")
    if code in _SET_UP:
        return Misconfigured(
            f"DynamoDB {operation} on table {table}: {code}: check TABLE_NAME and the role: {error}"
        )
    return Transient(f"DynamoDB {operation}: {error}")
