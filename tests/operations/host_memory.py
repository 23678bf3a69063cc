"""The host in memory: queues that a loop empties."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from lambda_workflow import App
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Heartbeat, Message, Task
from lambda_workflow.ports import SendMessage, SendTask
from lambda_workflow.runtime.attend import Postponed
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import Turns
from lambda_workflow.runtime.workshop import Unheard, Workshop
from lambda_workflow.testing.clock import VirtualClock
from lambda_workflow.testing.memory import memory_backend
from tests.operations.host import Host, real_pause

DELIVERIES_MAX: Final = 5  # of a task whose adapter fails the host; then it is a dead letter


class MemoryHost(Host):
    """A worker over the ports of `lambda_workflow.testing.memory`."""

    name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.memory = memory_backend(observer=self.notes)
        self.clock: VirtualClock = self.memory.clock
        self.dead: list[Task] = []
        self._turning: dict[str, asyncio.Task[None]] = {}
        self._boxes: dict[str, list[Message]] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._interrupted: list[Task] = []
        self._returning: set[asyncio.Task[None]] = set()  # tasks that are to come back later

    @asynccontextmanager
    async def _running(self, app: App, options: dict[str, Any]) -> AsyncIterator[Client]:
        backend = self.memory.backend
        self._shop = Workshop(lambda: backend.blobs, self._beat, self.clock.now)
        self._app, self._options = app, options
        self._turns = self._worker()
        pump = asyncio.create_task(self._pump())
        try:
            yield Client(app, backend, wait=real_pause)
        finally:
            doomed = [pump, *self._turning.values(), *self._working, *self._returning]
            for task in doomed:
                task.cancel()
            await asyncio.gather(*doomed, return_exceptions=True)
            self._turns.close()

    async def _look(self) -> tuple[bool, object]:
        for _ in range(3):
            await asyncio.sleep(0)
        self._begin()
        return not self._turning, frozenset(self._working)

    async def _move(self, milliseconds: int) -> None:
        await self.memory.advance(milliseconds / 1000)

    async def crash(self) -> Client:
        self._turns.close()
        self._turns = self._worker()
        doomed = [*self._turning.values(), *self._working]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        return self.client

    def _worker(self) -> Turns:
        return Turns(self._app, self.memory.backend, **{"check": True, **self._options})

    async def dead_letters(self) -> int:
        return len(self.dead)

    async def _pump(self) -> None:
        while True:
            self._begin()
            await asyncio.sleep(0.001)

    def _begin(self) -> None:
        for message in self.memory.queue.take_messages():
            self._boxes.setdefault(message.execution_id, []).append(message)
        for id_ in self._boxes:
            if id_ not in self._turning:
                self._turning[id_] = asyncio.create_task(self._turn(id_))
        for adapter in self._app.adapters:
            for task in self.memory.queue.take_tasks(adapter):
                work = asyncio.create_task(self._work(task))
                self._working.add(work)
                work.add_done_callback(self._working.discard)

    async def _turn(self, execution_id: str) -> None:
        try:
            while box := self._boxes.pop(execution_id, None):
                try:
                    await self._turns.run(execution_id, [Arrival(message) for message in box])
                except asyncio.CancelledError:
                    self._boxes[execution_id] = box + self._boxes.get(execution_id, [])
                    raise
        finally:
            del self._turning[execution_id]

    async def _work(self, task: Task) -> None:
        adapter, queue = self._app.adapters[task.service], self.memory.queue
        for delivery in range(1, DELIVERIES_MAX + 1):
            try:
                is_repeat = task in self._interrupted or delivery > 1
                update = await self._shop.do(adapter, task, is_repeat=is_repeat)
            except asyncio.CancelledError:
                self._interrupted.append(task)
                again = SendTask(task, "")
                await self.memory.queue.send_tasks([again])
                raise
            except Unheard as failed:
                if failed.is_final or delivery == DELIVERIES_MAX:
                    self.dead.append(task)
                    return
                continue
            if isinstance(update, Postponed):
                returning = asyncio.create_task(self._return(update))
                self._returning.add(returning)
                returning.add_done_callback(self._returning.discard)
            elif update is not None:
                dedup = deduplication_id(task.task_id, task.attempt, "result")
                await queue.send_messages([SendMessage(update, dedup)])
            return

    async def _return(self, postponed: Postponed) -> None:
        while (left := postponed.due - self.clock.now()) > 0:
            await self.clock.sleep(left / 1000)
        await self.memory.queue.send_tasks([SendTask(postponed.task, "")])

    def _own_due(self) -> int | None:
        due = self.clock.next_due
        return None if due is None else self.now() + round((due - self.clock.elapsed) * 1000)

    async def _beat(self, task: Task, message: Heartbeat) -> None:
        await self.memory.queue.send_messages([SendMessage(message, secrets.token_hex(8))])
