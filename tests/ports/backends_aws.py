"""The AWS backend for the port suite, on the moto server.

moto keeps real time and fires no schedule, so what needs `advance` is skipped here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from lambda_workflow import App, Context, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, variable_of
from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.messages import Message, Response, Task, parse, parse_task
from lambda_workflow.model.payload import loads
from lambda_workflow.ports import Backend
from tests.ports.harness import SERVICES, Harness

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class AwsHarness:
    """Receives and deletes what the queues hold."""

    aws: Aws
    config: AwsConfig
    backend: Backend
    other_url: str
    late_seconds: float = 60.0
    deduplicates: bool = False  # standard queues do not

    async def messages(self, queue_url: str = "") -> list[Message]:
        return [parse(body) for body in await self._take(queue_url or self.config.queue_url)]

    async def tasks(self, service: str) -> list[Task]:
        url = self.config.service_queue_url(service)
        return [parse_task(body) for body in await self._take(url)]

    async def responses(self) -> list[Response]:
        return [_response(body) for body in await self._take(self.config.response_queue_url)]

    async def advance(self, seconds: float) -> None:
        pytest.skip("moto keeps real time and fires no schedule")

    async def _take(self, url: str) -> list[str]:
        bodies: list[str] = []
        while True:
            answer = await self.aws.call(
                "sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            )
            found: list[dict[str, Any]] = answer.get("Messages", [])
            if not found:
                return bodies
            for message in found:
                handle = message["ReceiptHandle"]
                await self.aws.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
                bodies.append(message["Body"])


def _reset(url: str) -> None:
    urlopen(Request(url, method="POST")).close()


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
    """A new moto server with the table and the queues."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    await asyncio.to_thread(_reset, f"http://{host}:{port}/moto-api/reset")
    aws = Aws(endpoint_url=f"http://{host}:{port}")
    try:
        await aws.call("dynamodb", "CreateTable", **table_definition("state"))

        async def queue(name: str) -> str:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            made = await aws.call("sqs", "CreateQueue", QueueName=name, Attributes=fifo)
            return str(made["QueueUrl"])

        config = AwsConfig(
            "state",
            await queue("in.fifo"),
            response_queue_url=await queue("out"),
            delay_queue_url=await queue("delay"),
            service_queue_urls={variable_of(name): await queue(name) for name in SERVICES},
        )
        backend = aws_backend(App("ports", workflows=LISTED), config, aws)
        yield AwsHarness(aws, config, backend, await queue("other.fifo"))
    finally:
        await aws.close()
        os.environ.clear()
        os.environ.update(before)
        server.stop()
