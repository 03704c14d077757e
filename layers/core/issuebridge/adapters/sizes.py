"""How large an item, a transaction or a message may be: checked before it is sent, so that what is
too large is named, and an emulator that would take it refuses it too."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from issuebridge.domain.errors import Rejected

ITEM_BYTES_MAX = 400 * 1024
TRANSACTION_ITEMS_MAX = 100
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024
MESSAGE_BYTES_MAX = 256 * 1024
"""Body and attributes together. SQS takes more where a queue says so; ours does not."""

Item = Mapping[str, Any]


def item_bytes(item: Item) -> int:
    """As DynamoDB counts them: the names of the attributes, and their values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    held = value.get("S", value.get("N", value.get("B", b"")))
    return len(held.encode() if isinstance(held, str) else bytes(held))


def check_item(item: Item) -> int:
    """Its bytes. Rejected, naming it, if it is too large to be stored."""
    return check_size(f"{item['pk']['S']} {item['sk']['S']}", item_bytes(item))


def check_size(what: str, size: int) -> int:
    if size > ITEM_BYTES_MAX:
        raise Rejected(f"{what[:200]} has {size:,} bytes; an item may have {ITEM_BYTES_MAX:,}")
    return size


def check_transaction(items: Sequence[Item]) -> None:
    """Rejected if these items cannot be stored together."""
    check_sum(items[0]["pk"]["S"] if items else "", map(check_item, items))


def check_sum(what: str, sizes: Iterable[int]) -> None:
    counted = list(sizes)
    if len(counted) > TRANSACTION_ITEMS_MAX or sum(counted) > TRANSACTION_BYTES_MAX:
        raise Rejected(
            f"{what[:200]}: {len(counted)} items of {sum(counted):,} bytes at once; a transaction "
            f"may have {TRANSACTION_ITEMS_MAX} of {TRANSACTION_BYTES_MAX:,}"
        )
