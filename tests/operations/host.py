"""A host that runs an App for a test: its workflows, its adapters, and time in the test's hands.

Laws
 1. Messages, tasks and results travel by themselves, as in production; time moves only in
    `advance` and `result` (on AWS it flows with the machine's as well).
 2. Time moves from due moment to due moment, and not before everything that can be done is done.
    An adapter that waits for the test holds nothing up.
 3. Leaving a host stops all its work, whatever state that is in.

    async def test_it(host: Host) -> None:
        async with host(app) as client:
            handle = await client.start(flow, 1)
            await host.settle()               # all is done that can be done without time
            await host.advance(30)            # seconds
            assert await host.result(handle) == 2   # lets time pass until there is one
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from lambda_workflow import App
from lambda_workflow.model import commands as c
from lambda_workflow.ports import Clock
from lambda_workflow.runtime.client import Client, Handle
from tests.notes import Notes

Out = TypeVar("Out")

PATIENCE_SECONDS: Final = 0.15  # for an adapter to show that it waits for something
SETTLE_SECONDS: Final = 60.0  # of the machine's time; then something is wrong
LATE_MAX: Final = 5  # seconds that a timer is waited for
DAYS_MAX: Final = 2000  # that `result` lets pass


class Host(ABC):
    """See the module. Each backend has one: `host.name` says which.

    Attributes:
        notes: what the workers told their observer.
        clock: the time that the workers go by.
    """

    name: str
    clock: Clock
    client: Client

    def __init__(self) -> None:
        self.notes = Notes()

    @asynccontextmanager
    async def __call__(self, app: App, **options: Any) -> AsyncIterator[Client]:
        """Run an App; `options` are those of `Turns` that the host knows (`check`, `guard`)."""
        async with self._running(app, options) as client:
            self.client = client
            yield client

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.clock.now()

    async def settle(self) -> None:
        """Wait until nothing is left to do but to wait: for time, for an answer, for an adapter."""
        deadline = time.monotonic() + SETTLE_SECONDS
        since, seen = time.monotonic(), None
        while True:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: it does not come to rest")
            is_quiet, working = await self._look()
            if not is_quiet or working != seen:
                since, seen = time.monotonic(), working
            elif not working or time.monotonic() - since > PATIENCE_SECONDS:
                return
            await asyncio.sleep(0.001)

    async def advance(self, seconds: float) -> None:
        """Let time pass; everything that is due meanwhile happens at its moment."""
        await self.settle()
        end, late = self.now() + round(seconds * 1000), 0
        while (due := await self.next_due()) is not None and due <= end and late < LATE_MAX:
            late += due <= self.now()
            await self._move_to(due)
        if end > self.now():
            await self._move(end - self.now())
        await self.settle()

    async def result(self, handle: Handle[Out]) -> Out:
        """The result of an execution; time passes until there is one."""
        ended = asyncio.ensure_future(handle.result())
        last, looks = self.now() + DAYS_MAX * 86_400_000, 0
        try:
            while not ended.done():
                await self.settle()
                await asyncio.wait([ended], timeout=0.05)
                header = await self.client.backend.store.header(handle.execution_id)
                if ended.done() or (header is not None and header.status.closed):
                    break
                due = await self.next_due()
                if due is not None and due <= last:
                    await self._move_to(due)
                elif (looks := looks + 1) == LATE_MAX:  # something may happen between two looks
                    raise AssertionError(f"nothing will ever end it: {header}")
            return await ended
        finally:
            ended.cancel()

    async def next_due(self) -> int | None:
        """When the next timer of any execution is due; None if there is none."""
        dues = [self._own_due()]
        async for header in self.client.list_all():
            if not header.status.closed and not header.status.stalled:
                history = await self.client.history(header.execution_id)
                dues += [o.due for o in history.open.values() if isinstance(o, c.StartTimer)]
        return min((due for due in dues if due is not None), default=None)

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait, without moving time, until something is so."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not check():
            assert time.monotonic() < deadline, f"{self.name}: it never came about"
            await asyncio.sleep(0.001)

    async def _move_to(self, due: int) -> None:
        """A timer that is due and has not fired is late, as the host allows: a second more."""
        left = due - self.now()
        await self._move(left if left > 0 else 1000)
        await self.settle()

    # what each backend has of its own

    @abstractmethod
    def _running(self, app: App, options: dict[str, Any]) -> Any:
        """The context in which an App runs."""

    @abstractmethod
    async def _look(self) -> tuple[bool, object]:
        """Whether nothing but adapters is at work, and which adapters are (falsy if none)."""

    @abstractmethod
    async def _move(self, milliseconds: int) -> None:
        """Move the clock, and set off what is due."""

    @abstractmethod
    async def crash(self) -> Client:
        """The worker dies: what it was at is broken off and comes again, to another worker.

        Returns the client to use from now on.
        """

    @abstractmethod
    async def dead_letters(self) -> int:
        """How many messages nobody could do anything with."""

    def _own_due(self) -> int | None:
        """A due moment that is in no history, such as a waiting retry of the host's own."""
        return None


async def real_pause(execution_id: str, seconds: float) -> None:
    """What a client does between two looks for a result, where the host's clock stands still."""
    await asyncio.sleep(min(seconds, 0.02))
