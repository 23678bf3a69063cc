"""Ports whose next operation fails, on each host in its own way.

- memory: at the gate of the simulation, before the effect or after it.
- sqlite: the statement is interrupted in SQLite, at its first instruction or later.
- aws: the server refuses the request, or loses its answer; each request is sent once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from lambda_workflow import App
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.model.messages import Message, Task, Timer
from lambda_workflow.model.wire import parse, parse_task
from lambda_workflow.ports import Backend
from lambda_workflow.testing.simulation.faults import Fate, OnePoint
from lambda_workflow.testing.simulation.gate import Gate
from lambda_workflow.testing.simulation.queues import SimulatedQueue
from lambda_workflow.testing.simulation.worker_ports import WorkerClock, ports_of
from lambda_workflow.testing.simulation.world import SimulationLoop, World
from tests.ports import backends_aws, backends_sqlite
from tests.ports.backends_aws import LISTED, AwsHarness
from tests.ports.backends_sqlite import SqliteHarness
from tests.ports.harness import Harness

BUCKET: Final = "payloads"
DEPTHS: Final = (1, 6)  # instructions of SQLite's machine before the interruption


class Faulty(Protocol):
    """An open backend whose next operation can be made to fail."""

    ways: Sequence[str]  # in which an operation fails here: before its effect, after it, in part

    @property
    def backend(self) -> Backend: ...

    async def fail(self, operation: str, way: int) -> None:
        """Let the next call of an operation fail, and none after it."""
        ...

    async def mend(self) -> None:
        """Let no call fail any more."""
        ...

    def words(self, operation: str) -> str:
        """What the error must say, beside what AWS or SQLite say."""
        ...

    async def messages(self) -> list[Message]: ...
    async def tasks(self) -> list[Task]: ...
    async def responses(self) -> int: ...
    async def timers(self, seconds: float) -> list[Message]:
        """What fires within so many seconds."""
        ...


@dataclass
class FaultyMemory:
    """The kit's ports behind a gate."""

    world: World
    gate: Gate
    backend: Backend
    ways: Sequence[str] = ("before", "part")

    async def fail(self, operation: str, way: int) -> None:
        self.world.plan = OnePoint(0, (Fate.REFUSE, Fate.LOSE)[way])

    async def mend(self) -> None:
        self.world.plan.silence()

    def words(self, operation: str) -> str:
        return GATE_NAMES.get(operation, operation.partition(".")[2])

    async def messages(self) -> list[Message]:
        return [parse(body) for body in _drain(self.world.inbox)]

    async def tasks(self) -> list[Task]:
        return [parse_task(body) for body in _drain(self.world.tasks)]

    async def responses(self) -> int:
        count, self.world.responses = len(self.world.responses), []
        return count

    async def timers(self, seconds: float) -> list[Message]:
        """They are seen where they wait: this world's time stands still."""
        return [parse(body) for body in _drain(self.world.delays)]


GATE_NAMES: Final = {"Blobs.put": "put_blob", "Blobs.get": "get_blob"}


def _drain(queue: SimulatedQueue) -> list[str]:
    bodies = [message.body for message in queue.messages]
    queue.messages.clear()
    return bodies


@dataclass
class FaultySqlite:
    """A file whose statements are interrupted."""

    file: SqliteFile
    harness: SqliteHarness
    ways: Sequence[str] = ("before",) * len(DEPTHS)

    @property
    def backend(self) -> Backend:
        return self.file.backend

    async def fail(self, operation: str, way: int) -> None:
        for worker in {self.file.writer, self.file.reader}:
            await worker.call(_interrupting(DEPTHS[way]))

    async def mend(self) -> None:
        for worker in {self.file.writer, self.file.reader}:
            await worker.call(lambda connection: connection.set_progress_handler(None, 0))

    def words(self, operation: str) -> str:
        return self.file.path

    async def messages(self) -> list[Message]:
        return await self.harness.messages()

    async def tasks(self) -> list[Task]:
        return await self.harness.tasks("mail")

    async def responses(self) -> int:
        return len(await self.harness.responses())

    async def timers(self, seconds: float) -> list[Message]:
        await self.harness.advance(seconds)
        return await self.harness.messages()


def _interrupting(depth: int) -> Callable[[sqlite3.Connection], None]:
    """Interrupt the first statement that comes so far, and the rest of its transaction with it."""
    calls = 0

    def interrupt() -> bool:
        nonlocal calls
        calls += 1
        return calls == depth

    return lambda connection: connection.set_progress_handler(interrupt, 1)


@dataclass
class FaultyAws:
    """The server of tests/aws, in front of a client that tries once."""

    harness: AwsHarness
    backend: Backend
    requests: dict[str, tuple[str, str, str]]  # service, what the server calls it, the words
    ways: Sequence[str] = ("before", "before", "after")
    _ways: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"kind": "deny"},
            {"kind": "error"},
            {"kind": "drop", "after": True},
        ]
    )

    async def fail(self, operation: str, way: int) -> None:
        service, request, _ = self.requests[operation]
        self.harness.server.fault(service, request, **self._ways[way])

    async def mend(self) -> None:
        """It hits one request."""

    def words(self, operation: str) -> str:
        return self.requests[operation][2]

    async def messages(self) -> list[Message]:
        return await self.harness.messages()

    async def tasks(self) -> list[Task]:
        return await self.harness.tasks("mail")

    async def responses(self) -> int:
        return len(await self.harness.responses())

    async def timers(self, seconds: float) -> list[Message]:
        await self.harness.advance(seconds)
        return await self.harness.messages()


REQUESTS: Final = {
    "Store.load": ("dynamodb", "Query", "Query"),
    "Store.commit": ("dynamodb", "PutItem", "PutItem"),
    "Store.put_header": ("dynamodb", "UpdateItem", "UpdateItem"),
    "Store.header": ("dynamodb", "GetItem", "GetItem"),
    "Store.list": ("dynamodb", "Query", "Query"),
    "Queue.send_tasks": ("sqs", "SendMessageBatch", "SendMessageBatch"),
    "Queue.send_messages": ("sqs", "SendMessageBatch", "SendMessageBatch"),
    "Queue.send_responses": ("sqs", "SendMessageBatch", "SendMessageBatch"),
    "Timers.arm": ("sqs", "SendMessageBatch", "SendMessageBatch"),
    "Timers.disarm": ("scheduler", "DELETE", "DeleteSchedule"),
    "Blobs.put": ("dynamodb", "PutItem", "PutItem"),
    "Blobs.get": ("dynamodb", "GetItem", "GetItem"),
}
S3_REQUESTS: Final = {"Blobs.put": ("s3", "PUT", "PutObject"), "Blobs.get": ("s3", "GET", "key")}


@asynccontextmanager
async def open_memory(tmp_path: Path) -> AsyncIterator[Faulty]:
    loop = SimulationLoop()
    world = World.create(loop, Random(0), OnePoint(0, Fate.GO), max_receives=10)
    gate = Gate(world, "worker", 1.0)
    clock = WorkerClock(gate)
    yield FaultyMemory(world, gate, ports_of(gate, clock, transactional=False))
    loop.close()


@asynccontextmanager
async def open_sqlite(tmp_path: Path) -> AsyncIterator[Faulty]:
    async with backends_sqlite.open_backend(tmp_path) as harness:
        assert isinstance(harness, SqliteHarness)
        yield FaultySqlite(harness.file, harness)


@asynccontextmanager
async def open_aws(tmp_path: Path) -> AsyncIterator[Faulty]:
    async with _sending_once(tmp_path) as harness:
        yield FaultyAws(harness, harness.backend, REQUESTS)


@asynccontextmanager
async def open_s3(tmp_path: Path) -> AsyncIterator[Faulty]:
    async with _sending_once(tmp_path) as harness:
        await harness.aws.call("s3", "CreateBucket", Bucket=BUCKET)
        config = replace(harness.config, bucket=BUCKET)
        app = App("ports", workflows=LISTED)
        backend = aws_backend(app, config, harness.aws, clock=harness.clock)
        yield FaultyAws(harness, backend, S3_REQUESTS)


@asynccontextmanager
async def _sending_once(tmp_path: Path) -> AsyncIterator[AwsHarness]:
    before = os.environ.get("AWS_MAX_ATTEMPTS")
    os.environ["AWS_MAX_ATTEMPTS"] = "1"
    try:
        async with backends_aws.open_backend(tmp_path) as harness:
            yield _as_aws(harness)
    finally:
        if before is None:
            os.environ.pop("AWS_MAX_ATTEMPTS", None)
        else:
            os.environ["AWS_MAX_ATTEMPTS"] = before


def _as_aws(harness: Harness) -> AwsHarness:
    assert isinstance(harness, AwsHarness)
    return harness


OPENERS: Final = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "aws": open_aws,
    "s3": open_s3,
}


def timers_of(messages: list[Message]) -> set[tuple[str, str]]:
    """Which timers these are."""
    return {(m.execution_id, m.operation) for m in messages if isinstance(m, Timer)}
