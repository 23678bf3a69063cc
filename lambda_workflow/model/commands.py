"""Commands: what the workflow wants done. Committed with their facts, then dispatched.

A command's `operation` is unique within its execution; `key` names the command itself, so that a
command and its withdrawal within one turn cancel out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.payload import Json


@dataclass(slots=True, unsafe_hash=True)
class ScheduleCall:
    """Send the first attempt of a call to a service."""

    operation: Final[str]
    service: Final[str]
    payload: Final[Json | BlobRef]
    name: Final[str] = ""


@dataclass(frozen=True, slots=True)
class RetryCall:
    """Send a further attempt of a call; its payload stands in its ScheduleCall."""

    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class CancelCall:
    """The workflow no longer wants this call's result."""

    operation: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Wake the execution at `due` (milliseconds since the epoch).

    The id of a timer that belongs to a call or step has a suffix: `3:timeout`, `3:retry1`.
    """

    operation: str
    due: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The workflow no longer waits for this timer."""

    operation: str


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run inline work; a step that is done within the turn is recorded as well."""

    operation: str
    name: str


@dataclass(frozen=True, slots=True)
class Complete:
    """End the execution with a result."""

    payload: Json | BlobRef


@dataclass(frozen=True, slots=True)
class Fail:
    """End the execution with an error."""

    failure: Failure


Command = (
    ScheduleCall | RetryCall | CancelCall | StartTimer | CancelTimer | RunStep | Complete | Fail
)


def owner_of(operation: str) -> str:
    """The operation that a timer serves: `3` for `3:timeout`, itself for a plain one."""
    return operation.partition(":")[0]
