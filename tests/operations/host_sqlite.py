"""The embedded engine on a file, its time moved by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lambda_workflow import App
from lambda_workflow.local.engine import Engine
from lambda_workflow.runtime.client import Client
from lambda_workflow.testing.clock import VirtualClock
from tests.operations.host import Host

ROUNDS = 20  # of the event loop, for a timer that has fired to reach the engine


class SqliteHost(Host):
    """An Engine as users run it."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "operations.db"
        self.clock: VirtualClock = VirtualClock()

    @asynccontextmanager
    async def _running(self, app: App, options: dict[str, Any]) -> AsyncIterator[Client]:
        self._make = partial(
            Engine, app, self.path, clock=self.clock, observer=self.notes,
            **{"check": True, "grace_seconds": 0.2, **options},
        )  # fmt: skip
        async with AsyncExitStack() as self._stack:
            self.engine = await self._stack.enter_async_context(self._make())
            yield self.engine.client

    async def crash(self) -> Client:
        await self._stack.aclose()
        self.engine = await self._stack.enter_async_context(self._make(grace_seconds=0.2))
        self.client = self.engine.client
        return self.client

    async def _look(self) -> tuple[bool, object]:
        for _ in range(3):
            await asyncio.sleep(0)
        engine = self.engine
        waiting = engine._inbox._boxes.keys() - engine._inbox._backing_off
        crew = engine._crew
        is_quiet = not (waiting or engine._scout.busy or crew._waiting or crew._releasing)
        return is_quiet, frozenset(crew._working)

    async def _move(self, milliseconds: int) -> None:
        self.clock.jump(self.clock.elapsed + milliseconds / 1000)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)

    async def dead_letters(self) -> int:
        select = "SELECT count(*) FROM dead_letters"
        count: int = await self.engine._file.reader.call(lambda c: c.execute(select).fetchone()[0])
        return count

    def _own_due(self) -> int | None:
        due = self.clock.next_due
        return None if due is None else self.now() + round((due - self.clock.elapsed) * 1000)
