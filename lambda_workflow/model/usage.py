"""Usage: the billed units that one execution has consumed, as the runtime counts them."""

from __future__ import annotations

from typing import Final, NamedTuple

WRITE_UNIT_BYTES: Final = 1024  # DynamoDB bills writes by started KB (AWS pricing)
READ_UNIT_BYTES: Final = 4096  # … and consistent reads by started 4 KB


class Usage(NamedTuple):
    """Counts since the execution began; whole requests, but for the units of reads and writes.

    A tuple, because a history of thousands of turns has one in each.

    Attributes:
        writes: write units of the table (indexes not included).
        reads: read units of the table, strongly consistent.
        sends: send requests (a batch of up to ten messages is one).
        receives: receive requests that brought this execution's messages.
        deletes: delete requests that acknowledged them.
        invocations: wake-ups of the workflow function.
        bytes: bytes of history written.
    """

    writes: int = 0
    reads: int = 0
    sends: int = 0
    receives: int = 0
    deletes: int = 0
    invocations: int = 0
    bytes: int = 0

    def __add__(  # type: ignore[override]  # of usages the sum, not one after the other
        self, other: Usage
    ) -> Usage:
        return Usage(*[mine + more for mine, more in zip(self, other, strict=True)])

    def to_json(self) -> list[int]:
        """The counts in the order of the attributes."""
        return list(self)


def write_units(item_bytes: int) -> int:
    """Units that one write of an item costs."""
    return max(1, -(-item_bytes // WRITE_UNIT_BYTES))


def read_units(item_bytes: int) -> int:
    """Units that one consistent query returning these bytes costs."""
    return max(1, -(-item_bytes // READ_UNIT_BYTES))
