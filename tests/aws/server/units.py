"""What DynamoDB bills: item sizes, write units of table and indexes, read units."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

WRITE_BYTES: Final = 1024
READ_BYTES: Final = 4096

Item = Mapping[str, Mapping[str, Any]]


def item_bytes(item: Item) -> int:
    """An item's size: its attributes' names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def write_units(before: Item | None, after: Item | None) -> int:
    """Units of a write of the table, also of one whose condition failed (`after` is `before`)."""
    largest = max(item_bytes(before or {}), item_bytes(after or {}))
    return max(1, -(-largest // WRITE_BYTES))


def index_units(index: Any, before: Item | None, after: Item | None) -> int:
    """Units of what a write causes in one global index of moto's."""
    old, new = _projected(index, before), _projected(index, after)
    if old == new:
        return 0
    keys = [part["AttributeName"] for part in index.schema]
    if old and new and [old[k] for k in keys] == [new[k] for k in keys]:
        return write_units(old, new)
    return sum(write_units(item, item) for item in (old, new) if item)


def read_units(size: int, consistent: bool) -> float:
    """Units of one read that touched `size` bytes."""
    whole = max(1, -(-size // READ_BYTES))
    return whole if consistent else whole / 2


def _projected(index: Any, item: Item | None) -> Item | None:
    keys = [part["AttributeName"] for part in index.schema]
    if item is None or not all(key in item for key in keys):
        return None
    if index.projection["ProjectionType"] == "ALL":
        return item
    kept = {*keys, *index.table_key_attrs, *index.projection.get("NonKeyAttributes", ())}
    return {name: value for name, value in item.items() if name in kept}


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return 1 + -(-len(content.strip("-").replace(".", "").strip("0")) // 2)
        case "B":
            return len(base64.b64decode(content) if isinstance(content, str) else content)
        case "M":
            return 3 + sum(len(k.encode()) + 1 + _value_bytes(v) for k, v in content.items())
        case "L":
            return 3 + sum(1 + _value_bytes(v) for v in content)
        case "SS" | "NS" | "BS":
            return sum(_value_bytes({kind[0]: each}) for each in content)
        case _:
            return 1
