"""Events: the facts of an execution. A fact is recorded once and never changed.

`at` is when the host took it in, in milliseconds since the epoch; it never goes back within one
execution. `operation` is the id of the operation that the fact is about.

CallSucceeded, ScheduleCall and Turn have `Final` fields instead of being frozen: the same to a type
checker, and a third of the time to make, which a replay of thousands of them is mostly made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.model.payload import Json


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Stands for a payload over the inline limit; its content is in the blob store.

    `digest` is the payload's fingerprint, so that replay can compare without fetching; `bytes` is
    the length of its JSON text in UTF-8.
    """

    key: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of an error after it crossed a wall: names and words, no object."""

    type: str
    message: str
    retryable: bool = True
    details: Json = None
    stack: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The wire form; what is absent or usual is left out."""
        out: dict[str, Any] = {"type": self.type, "message": self.message}
        if not self.retryable:
            out["retryable"] = False
        if self.details is not None:
            out["details"] = self.details
        if self.stack is not None:
            out["stack"] = self.stack
        return out

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Failure:
        """The error of the wire form; adapters in other languages may leave out all but `type`."""
        stack = data.get("stack")
        return cls(
            str(data.get("type") or "Error"),
            str(data.get("message") or ""),
            data.get("retryable") is not False,
            data.get("details"),
            None if stack is None else str(stack),
        )


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the outcome of an execution is owed as a result: it was called like a service."""

    queue_url: str
    execution_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of every history.

    `semantics` is the engine-semantics version: replay keeps to the rules the history began under.
    `version` is the code version that the App gives the workflow.
    """

    at: int
    workflow: str
    request: Json | BlobRef
    semantics: int
    version: str = ""
    attempt: int = 1
    callback: Callback | None = None


@dataclass(slots=True, unsafe_hash=True)
class CallSucceeded:
    """A service answered."""

    at: Final[int]
    operation: Final[str]
    payload: Final[Json | BlobRef]


@dataclass(frozen=True, slots=True)
class CallErrored:
    """One attempt of a call ended in an error; whether it is retried is a command, not a fact."""

    at: int
    operation: str
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer's time has come."""

    at: int
    operation: str


@dataclass(frozen=True, slots=True)
class StepSucceeded:
    """Inline work is done."""

    at: int
    operation: str
    payload: Json | BlobRef


@dataclass(frozen=True, slots=True)
class StepErrored:
    """One attempt of inline work raised."""

    at: int
    operation: str
    attempt: int
    failure: Failure


Event = Started | CallSucceeded | CallErrored | TimerFired | StepSucceeded | StepErrored
