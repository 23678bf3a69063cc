"""The AWS handlers over the moto server: they get what the queues deliver as Lambda does it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lambda_workflow import App
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.handlers import AsyncHandler, task_handler, workflow_handler
from lambda_workflow.runtime.client import Client
from tests.aws.deployed import ShiftedClock, deploy, event_of, take
from tests.aws.server.process import shared_server
from tests.operations.host import Host, real_pause

VISIBILITY_SECONDS = 43_200  # the longest: time jumps under adapters at work
PAUSE_SECONDS = 0.02


class DelaysSeen(Aws):
    """The client, which remembers when the messages will be there that it sends with a delay."""

    def __init__(self, clock: ShiftedClock) -> None:
        super().__init__()
        self.clock = clock
        self.dues: list[int] = []

    async def call(self, service: str, operation: str, /, **fields: Any) -> dict[str, Any]:
        answer = await super().call(service, operation, **fields)
        if operation == "SendMessageBatch" and "/service-" in fields["QueueUrl"]:
            delays = (entry.get("DelaySeconds", 0) for entry in fields["Entries"])
            self.dues += [self.clock.now() + 1000 * delay for delay in delays if delay]
        return answer


class AwsHost(Host):
    """An event source mapping for each queue."""

    name = "aws"

    def __init__(self) -> None:
        super().__init__()
        self.clock: ShiftedClock = ShiftedClock()
        self._turning: set[asyncio.Task[None]] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._pumps: list[asyncio.Task[None]] = []
        self._looked: dict[str, float] = {}  # by queue, when a look began that found nothing
        self._events = 0
        self._held: set[tuple[str, str]] = set()  # queue and receipt of what is in flight

    @asynccontextmanager
    async def _running(self, app: App, options: dict[str, Any]) -> AsyncIterator[Client]:
        before = dict(os.environ)
        with shared_server() as self.server:
            os.environ.update(self.server.environment)
            self.server.reset()
            self._aws = DelaysSeen(self.clock)
            try:
                self.config = config = await deploy(app.services, visibility=VISIBILITY_SECONDS)
                backend = aws_backend(app, config, self._aws, clock=self.clock)
                self._app = app
                self._begin()
                yield Client(app, backend, wait=real_pause)
            finally:
                await self._break_off()
                await self._aws.close()
                os.environ.clear()
                os.environ.update(before)

    async def crash(self) -> Client:
        await self._break_off()
        for url, handle in self._held:
            await self._aws.call(
                "sqs",
                "ChangeMessageVisibility",
                QueueUrl=url,
                ReceiptHandle=handle,
                VisibilityTimeout=0,
            )
        self._held.clear()
        self._begin()
        return self.client

    def _begin(self) -> None:
        app, config, aws = self._app, self.config, self._aws
        turns = workflow_handler(app, config, aws, clock=self.clock, observer=self.notes)
        self._pump(config.queue_url, turns, self._turning)
        self._pump(config.delay_queue_url, turns, self._turning)
        for name, adapter in app.adapters.items():
            handler = task_handler(adapter, config=config, aws=aws, clock=self.clock)
            self._pump(config.service_queue_url(name), handler, self._working)

    async def _break_off(self) -> None:
        doomed = [*self._pumps, *self._turning, *self._working]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        self._pumps.clear()

    async def _look(self) -> tuple[bool, object]:
        for pump in self._pumps:
            if pump.done():
                pump.result()
        since, events = time.monotonic(), self._events
        while events == self._events and not self._turning:
            if all(looked > since for looked in self._looked.values()):
                return True, frozenset(self._working)
            await asyncio.sleep(PAUSE_SECONDS / 4)
        return False, None

    async def dead_letters(self) -> int:
        answer = await self._aws.call("sqs", "GetQueueUrl", QueueName="service-dead")
        found = [*await take(answer["QueueUrl"]), *await take(self.config.dlq_url)]
        return len(found)

    async def _move(self, milliseconds: int) -> None:
        self.clock.shift += milliseconds
        await asyncio.to_thread(self.server.advance, milliseconds / 1000)

    def _own_due(self) -> int | None:
        now = self.now()
        return min((due for due in self._aws.dues if due > now), default=None)

    def _pump(self, url: str, handle: AsyncHandler, running: set[asyncio.Task[None]]) -> None:
        self._looked[url] = 0
        self._pumps.append(asyncio.create_task(self._deliver(url, handle, running)))

    async def _deliver(
        self, url: str, handle: AsyncHandler, running: set[asyncio.Task[None]]
    ) -> None:
        while True:
            began = time.monotonic()
            answer = await self._aws.call(
                "sqs",
                "ReceiveMessage",
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0,
                AttributeNames=["All"],
            )
            if found := answer.get("Messages", []):
                self._events += 1
                batch = asyncio.create_task(self._batch(url, found, handle))
                running.add(batch)
                batch.add_done_callback(running.discard)
                continue
            self._looked[url] = began
            await asyncio.sleep(PAUSE_SECONDS)

    async def _batch(self, url: str, found: list[dict[str, Any]], handle: AsyncHandler) -> None:
        held = {(url, message["ReceiptHandle"]) for message in found}
        self._held |= held
        answer = await handle(event_of(url.rpartition("/")[2], found))
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(found)
            if message["MessageId"] not in failed
        ]
        if entries:
            await self._aws.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)
        self._held -= held
        self._events += 1
