"""The life of an execution, as a table; the diagram in the docs is drawn from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an execution stands."""

    RUNNING = "RUNNING"
    BLOCKED = "BLOCKED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def closed(self) -> bool:
        """Whether it has ended for good."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.RUNNING: frozenset({Status.RUNNING, Status.BLOCKED, Status.COMPLETED, Status.FAILED}),
    Status.BLOCKED: frozenset({Status.BLOCKED, Status.RUNNING, Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
}


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> RUNNING"]
    for status, following in TRANSITIONS.items():
        lines += [f"    {status} --> {next_}" for next_ in sorted(following) if next_ != status]
        if not following:
            lines.append(f"    {status} --> [*]")
    return "\n".join(lines)
