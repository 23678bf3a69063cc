"""The SQLite backend for the port suite: the rows as an engine on the file would find them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lambda_workflow.local import registry
from lambda_workflow.local.alarm import FIRST
from lambda_workflow.local.registry import Claimant
from lambda_workflow.local.sqlite import SqliteFile, task_receipt
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.messages import Message, Response, Task, Timer
from lambda_workflow.model.payload import loads
from lambda_workflow.ports import Backend
from lambda_workflow.testing.clock import VirtualClock
from tests.ports.harness import SERVICES, Harness


@dataclass(frozen=True, slots=True)
class SqliteHarness:
    """Takes rows as the engine `claimant` does, and deletes them."""

    file: SqliteFile
    clock: VirtualClock
    claimant: Claimant
    fired: list[Message]
    other_url: str = ""
    late_seconds: float = 0.0
    deduplicates: bool = False

    @property
    def backend(self) -> Backend:
        return self.file.backend

    async def messages(self, queue_url: str = "") -> list[Message]:
        work = partial(registry.take_messages, self.claimant, 0, self.clock.now())
        found = await self.file.writer.call(work)
        assert found.buried == []
        await self.file.drop([receipt for _, receipt in found.messages])
        messages = self.fired + [message for message, _ in found.messages]
        self.fired.clear()
        return messages

    async def tasks(self, service: str) -> list[Task]:
        claimant = Claimant(self.claimant.id, self.claimant.workflows, {service})
        work = partial(registry.take_tasks, claimant, registry.PAGE, self.clock.now())
        found = await self.file.writer.call(work)
        assert found.buried == []
        await self.file.drop([task_receipt(task) for task in found.tasks])
        return found.tasks

    async def responses(self) -> list[Response]:
        found = await self.file.receive_responses()
        await self.file.drop([receipt for receipt, _ in found])
        return [_response(body) for _, body in found]

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        work = partial(registry.take_timers, self.claimant, FIRST)
        now = self.clock.now()
        for message, receipt in (await self.file.writer.call(work)).messages:
            if isinstance(message, Timer) and message.due <= now:
                self.fired.append(message)
                await self.file.drop([receipt])


@asynccontextmanager
async def open_backend(tmp_path: Path) -> AsyncIterator[Harness]:
    """An empty file, with the row of an engine in it that knows no workflow and no service."""
    clock = VirtualClock()
    file = SqliteFile(tmp_path / "ports.db", clock=clock, responses=True)
    try:
        engine = await file.writer.call(partial(registry.register, (), SERVICES))
        yield SqliteHarness(file, clock, Claimant(engine, (), SERVICES), [])
    finally:
        await file.aclose()


def _response(body: str) -> Response:
    data = loads(body)
    assert isinstance(data, dict)
    assert data["type"] == "Response"
    ref = data.get("result_ref")
    error = data.get("error")
    return Response(
        data["execution_id"],
        data["workflow"],
        data["status"],
        BlobRef(**ref) if ref else data.get("result"),
        Failure.from_json(error) if error else None,
    )
