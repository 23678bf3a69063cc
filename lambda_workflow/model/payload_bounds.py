"""How large and how deep a payload may be: looked at where it is handed over.

Law: the check depends on the value alone, so that a replay refuses what was refused before.
"""

from __future__ import annotations

from typing import Final

from lambda_workflow.errors import PayloadTooLarge
from lambda_workflow.model.limits import DEPTH_MAX, PAYLOAD_BYTES_MAX
from lambda_workflow.model.payload import Json, dumps

SIZED: Final = frozenset({str, dict, list})  # values of other types are never too large
_CHARACTER_BYTES = 6  # of a control character's escape; no other character takes more
_SCALAR_BYTES = 660  # of the longest int, and more than any float, with what stands around it


def bounded(payload: Json, where: str) -> Json:
    """The payload itself, if it keeps to the limits.

    Args:
        where: what the payload is called in an error.

    Raises:
        PayloadTooLarge: its JSON text is over 16 MiB, or it nests more than 200 levels deep.
    """
    kind = type(payload)
    if kind not in SIZED:
        return payload
    size = len(payload) * _CHARACTER_BYTES if kind is str else _size_at_most(payload, where)
    if size > PAYLOAD_BYTES_MAX and (exact := len(dumps(payload).encode())) > PAYLOAD_BYTES_MAX:
        raise too_large(exact, where)
    return payload


def too_large(size: int, where: str) -> PayloadTooLarge:
    """The error of a payload of so many bytes."""
    return PayloadTooLarge(
        f"{where}: {size:,} bytes of JSON, and the limit is {PAYLOAD_BYTES_MAX:,} (16 MiB): store "
        "the value yourself, in a bucket for one, and pass its address"
    )


def _size_at_most(payload: Json, where: str) -> int:
    """More bytes than the payload's text has, level by level: it may nest deeper than a stack."""
    size, level = 0, [payload]
    for _ in range(DEPTH_MAX):
        below: list[Json] = []
        for outer in level:
            if type(outer) is dict:
                for key in outer:
                    size += len(key) * _CHARACTER_BYTES
                outer = outer.values()
            size += len(outer) * _SCALAR_BYTES
            for inner in outer:
                kind = type(inner)
                if kind is str:
                    size += len(inner) * _CHARACTER_BYTES
                elif kind is dict or kind is list:
                    below.append(inner)
        if not below:
            return size
        level = below
    raise PayloadTooLarge(
        f"{where}: nests more than {DEPTH_MAX} levels deep, which not every version of Python "
        "reads: make it flatter, or pass it as text"
    )
