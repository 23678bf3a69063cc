"""The life of an execution, as a table; the diagram in the docs is drawn from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an execution stands."""

    RUNNING = "RUNNING"
    BLOCKED = "BLOCKED"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TERMINATED = "TERMINATED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def closed(self) -> bool:
        """Whether it has ended for good."""
        return not TRANSITIONS[self]

    @property
    def stalled(self) -> bool:
        """Whether facts are kept without effect."""
        return self is Status.BLOCKED or self is Status.PAUSED

    @property
    def forced(self) -> bool:
        """Whether a turn came to it without asking the code."""
        return self in _FORCED


_OPEN: Final = (Status.RUNNING, Status.BLOCKED, Status.PAUSED)
_FORCED: Final = frozenset({Status.BLOCKED, Status.PAUSED, Status.TERMINATED, Status.TIMED_OUT})

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    status: frozenset(Status) if status in _OPEN else frozenset() for status in Status
}
"""What may follow. A closed execution stays closed; a replacement under its id is a new run."""


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> RUNNING"]
    for status, following in TRANSITIONS.items():
        lines += [f"    {status} --> {next_}" for next_ in sorted(following) if next_ != status]
        if not following:
            lines.append(f"    {status} --> [*]")
    return "\n".join(lines)
