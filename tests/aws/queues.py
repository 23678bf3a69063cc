"""Queues by one client: a test that makes a client for each message spends its time on that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.handlers import AsyncHandler
from tests.aws.deployed import event_of
from tests.aws.server.process import Server


@dataclass(frozen=True, slots=True)
class Queues:
    """What is put on queues, handled and taken off."""

    aws: Aws

    async def put(self, url: str, body: str) -> None:
        """Send one message."""
        await self.aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody=body)

    async def handled(self, url: str, handle: AsyncHandler) -> list[str]:
        """Give a handler a batch, and take what it has done off the queue; the failures."""
        messages = await self._received(url)
        answer = await handle(event_of(url.rpartition("/")[2], messages))
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        await self._delete(url, [m for m in messages if m["MessageId"] not in failed])
        return failed

    async def take(self, url: str) -> list[dict[str, Any]]:
        """All that is on a queue, which is empty then."""
        found: list[dict[str, Any]] = []
        while messages := await self._received(url):
            found += messages
            await self._delete(url, messages)
        return found

    async def _received(self, url: str) -> list[dict[str, Any]]:
        answer = await self.aws.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def _delete(self, url: str, messages: list[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
        ]
        if entries:
            await self.aws.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)


@asynccontextmanager
async def lasting_client(server: Server, attempts_max: int) -> AsyncIterator[Aws]:
    """A client for all tests of a module: botocore pauses for seconds before a third attempt."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setenv("AWS_MAX_ATTEMPTS", str(attempts_max))
        made = Aws()
        yield made
        await made.close()
