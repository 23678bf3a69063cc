"""The outside world of the cases: services that note what they do under a case's key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lambda_workflow import RetryPolicy, Service, ServiceError, Task, serve
from tests.peers.family import LOG


@dataclass(frozen=True)
class Note:
    """Something to note under a key."""

    key: str
    text: str = ""


@dataclass(frozen=True)
class Try:
    """Something that fails so often before it succeeds."""

    key: str
    failures: int
    error: str = "Unstable"
    details: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """When a batch ends, as a request of a workflow; see `ctx.map`."""

    limit: int | None = 1
    min_successful: int | None = None
    tolerated_failures: int | None = None
    tolerated_failure_percentage: float | None = None


NOTE: Service[Note, str] = Service("note", Note, str)
TRY: Service[Try, int] = Service(
    "try", Try, int, retry=RetryPolicy(attempts=3, initial=timedelta(seconds=30), jitter=0)
)


@serve(NOTE)
async def note(said: Note) -> str:
    """Notes a text, and gives it back in capitals."""
    LOG[said.key].append(said.text)
    return said.text.upper()


@serve(TRY)
async def tries(asked: Try, task: Task) -> int:
    """Gives the number of the attempt that succeeded."""
    LOG[asked.key].append(task.attempt)
    if task.attempt <= asked.failures:
        raise ServiceError(f"attempt {task.attempt}", type=asked.error, details=asked.details)
    return task.attempt


ADAPTERS: tuple[Any, ...] = (note, tries)
