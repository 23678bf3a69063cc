"""What the port suite needs of a backend besides its ports: to see what arrived, and to move time.

Laws
 1. A harness opens an empty backend, and leaves nothing running behind it.
 2. What `messages`, `tasks` and `responses` return is acknowledged: it is returned once.
 3. `advance` is over only when everything that fell due has been put where it can be seen.

Each backend has one module, `tests/ports/backends_<name>.py`, with one factory:

    @asynccontextmanager
    async def open_backend(tmp_path: Path) -> AsyncIterator[Harness]: ...
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Protocol

from lambda_workflow.model.messages import Message, Response, Task
from lambda_workflow.ports import Backend

BACKENDS: Final = ("memory", "sqlite", "aws")
SERVICES: Final = ("mail", "ledger")  # every harness has a queue for each of these


class Harness(Protocol):
    """An open backend, its response queue set up, its queues observable and its time in our hands.

    Attributes:
        backend: the ports under test; `backend.inbox_url` is the URL of the executions' own queue
            (it may be empty where a host has none).
        other_url: the URL of a second FIFO queue, for `SendMessage.queue_url`; empty where a host
            can reach no other queue.
        late_seconds: how late a timer may be on this host; the suite allows no more.
        deduplicates: whether a send repeated at once under the same `deduplication` arrives once;
            elsewhere it may arrive twice.
    """

    @property
    def backend(self) -> Backend: ...
    @property
    def other_url(self) -> str: ...
    @property
    def late_seconds(self) -> float: ...
    @property
    def deduplicates(self) -> bool: ...

    async def messages(self, queue_url: str = "") -> list[Message]:
        """Take all messages to executions that can be received now, parsed, oldest first.

        From the executions' own queue, or from `other_url`.
        """
        ...

    async def tasks(self, service: str) -> list[Task]:
        """Take all tasks of a service that can be received now."""
        ...

    async def responses(self) -> list[Response]:
        """Take all outcomes that the response queue holds."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass on `backend.clock` and everywhere else, and fire what timers are due."""
        ...


class Opener(Protocol):
    """A backend module's `open_backend`; `tmp_path` is an empty folder of this test's own."""

    def __call__(self, tmp_path: Path) -> AbstractAsyncContextManager[Harness]: ...
