"""The AWS backend for the port suite, on the moto server of tests/aws/server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_workflow import App, Context, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.timers import AwsTimers
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.messages import Message, Response, Task, Timer
from lambda_workflow.model.payload import loads
from lambda_workflow.model.wire import parse, parse_task
from lambda_workflow.ports import Backend
from tests.aws.deployed import ShiftedClock, create_queue, deploy, take
from tests.aws.server.process import Server, shared_server
from tests.ports.harness import SERVICES, Harness


@dataclass(frozen=True, slots=True)
class AwsHarness:
    """Receives and deletes what the queues hold.

    The FIFO queues drop a repetition for five minutes; what they got once is remembered by the
    server although it was deleted.
    """

    server: Server
    config: AwsConfig
    aws: Aws
    clock: ShiftedClock
    backend: Backend
    other_url: str
    late_seconds: float = 60.0  # Scheduler's precision, as far as AWS states one
    deduplicates: bool = True

    async def messages(self, queue_url: str = "") -> list[Message]:
        return [parse(body) for body in await _bodies(queue_url or self.config.queue_url)]

    async def tasks(self, service: str) -> list[Task]:
        url = self.config.service_queue_url(service)
        return [parse_task(body) for body in await _bodies(url)]

    async def responses(self) -> list[Response]:
        return [_response(body) for body in await _bodies(self.config.response_queue_url)]

    async def advance(self, seconds: float) -> None:
        """Move both clocks; the workflow function forwards what the delay queue delivers."""
        self.clock.shift += round(seconds * 1000)
        self.server.advance(seconds)
        timers = AwsTimers(self.aws, self.config, self.clock)
        while bodies := await _bodies(self.config.delay_queue_url):
            delivered = [parse(body) for body in bodies]
            await timers.forward([timer for timer in delivered if isinstance(timer, Timer)])


async def _bodies(url: str) -> list[str]:
    return [message["Body"] for message in await take(url)]


def _response(body: str) -> Response:
    data: Any = loads(body)
    ref = data.get("result_ref")
    result = BlobRef(ref["key"], ref["digest"], ref["bytes"]) if ref else data.get("result")
    failure = Failure.from_json(data["error"]) if "error" in data else None
    return Response(data["execution_id"], data["workflow"], data["status"], result, failure)


async def same(ctx: Context, request: int) -> int:
    return request


LISTED = [workflow(name=name)(same) for name in ("flow", "pay", "ship")]


@asynccontextmanager
async def open_backend(tmp_path: Path) -> AsyncIterator[Harness]:
    """The emptied server with the table and the queues."""
    before = dict(os.environ)
    with shared_server() as server:
        os.environ.update(server.environment)
        server.reset()
        aws = Aws()
        try:
            config = await deploy(SERVICES)
            clock = ShiftedClock()
            backend = aws_backend(App("ports", workflows=LISTED), config, aws, clock=clock)
            other = await create_queue(aws, "other.fifo")
            yield AwsHarness(server, config, aws, clock, backend, other)
        finally:
            await aws.close()
            os.environ.clear()
            os.environ.update(before)
