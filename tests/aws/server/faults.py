"""Faults that a test orders for the next calls of an operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["throttle", "refuse", "deny", "error", "drop", "entries"]

CODES: Final = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "sqs": "RequestThrottled",
}


@dataclass(slots=True)
class Fault:
    """What happens to the next `count` calls that it fits.

    Attributes:
        kind: `throttle` and `refuse` (HTTP 400), `deny` (HTTP 403), `error` (HTTP 500), `drop` (the
            connection ends without an answer), or `entries` (those at `positions` of a batch
            fail, the others do not).
        after: whether the request is applied first, so that only its answer is lost.
        skip: how many fitting calls go well before it begins.
        name: of the queue or table; empty: any.
    """

    service: str
    operation: str
    kind: Kind
    count: int = 1
    after: bool = False
    skip: int = 0
    name: str = ""
    positions: Sequence[int] = field(default=(0,))

    def fits(self, service: str, operation: str, name: str) -> bool:
        return (self.service, self.operation) == (service, operation) and (
            self.name in ("", name) and self.count > 0
        )

    def refusal(self) -> tuple[int, str]:
        """The HTTP status and AWS's code."""
        if self.kind == "throttle":
            return 400, CODES.get(self.service, "ThrottlingException")
        if self.kind == "refuse":
            return 400, "ValidationException"
        if self.kind == "deny":
            return 403, "AccessDenied"
        return 500, "InternalFailure"

    def split(self, entries: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The entries of a batch that go through, and those that fail."""
        fine = [entry for n, entry in enumerate(entries) if n not in self.positions]
        return fine, [entry for n, entry in enumerate(entries) if n in self.positions]


def next_fault(faults: Sequence[Fault], service: str, operation: str, name: str) -> Fault | None:
    """The fault that hits this call, counted down."""
    for fault in faults:
        if fault.fits(service, operation, name):
            if fault.skip:
                fault.skip -= 1
                return None
            fault.count -= 1
            return fault
    return None
