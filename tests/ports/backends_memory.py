"""The memory backend for the port suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lambda_workflow.model.messages import Message, Response, Task
from lambda_workflow.ports import Backend
from lambda_workflow.testing.memory import INBOX_URL, Memory, memory_backend
from tests.ports.harness import Harness


@dataclass(frozen=True, slots=True)
class MemoryHarness:
    """Law 2 of the harness is what MemoryQueue does by itself."""

    memory: Memory
    backend: Backend
    other_url: str = "memory://other"
    late_seconds: float = 0.0
    deduplicates: bool = True

    async def messages(self, queue_url: str = "") -> list[Message]:
        return self.memory.queue.take_messages(queue_url or INBOX_URL)

    async def tasks(self, service: str) -> list[Task]:
        return self.memory.queue.take_tasks(service)

    async def responses(self) -> list[Response]:
        return self.memory.queue.take_responses()

    async def advance(self, seconds: float) -> None:
        await self.memory.advance(seconds)


@asynccontextmanager
async def open_backend(tmp_path: Path) -> AsyncIterator[Harness]:
    """A new memory backend."""
    memory = memory_backend()
    yield MemoryHarness(memory, memory.backend)
