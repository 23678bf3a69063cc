"""A line of the request log, as the server writes and a test reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Request:
    """One API request.

    Attributes:
        name: of the queue, table, schedule or bucket.
        entries: of a batch; 1 elsewhere; of a receive or query, what it returned.
        failed: AWS's name of the error, "dropped", or empty.
        failed_entries: of a batch.
        bytes: of the item written, or of the items read; elsewhere of the request's body.
        fault: whether a fault that the test ordered hit it.
    """

    service: str
    operation: str
    name: str
    entries: int = 1
    failed: str = ""
    failed_entries: int = 0
    bytes: int = 0
    write_units: int = 0
    index_units: int = 0
    read_units: float = 0
    fault: bool = False
