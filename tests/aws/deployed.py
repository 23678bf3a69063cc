"""Deploys an App's table and queues on the server, as its template would, and runs workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from lambda_workflow import App
from lambda_workflow.aws.backend import SystemClock, client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX, AwsConfig, variable_of
from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.aws.worker import run_worker
from lambda_workflow.runtime.client import Client
from tests.aws.server.process import Server
from tests.patience import patient

ARN: Final = "arn:aws:sqs:us-east-1:123456789012:"
ROLE: Final = "arn:aws:iam::123456789012:role/scheduler"
VISIBILITY_SECONDS: Final = 30
RECEIVES_MAX: Final = 5
SOON: Final = patient(120)


class ShiftedClock(SystemClock):
    """The machine's clock, and as much as the server's was moved."""

    def __init__(self) -> None:
        self.shift = 0

    def now(self) -> int:
        return super().now() + self.shift


class ServerClock(SystemClock):
    """The server's clock, which `Server.advance` moves."""

    def now(self) -> int:
        return super().now() + Server.moved_ms


async def create_queue(aws: Aws, name: str, **attributes: str) -> str:
    """A queue, FIFO by its name; its URL."""
    if name.endswith(".fifo"):
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
    made = await aws.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes)
    return str(made["QueueUrl"])


async def deploy(
    services: Iterable[str],
    *,
    visibility: int = VISIBILITY_SECONDS,
    receives: int = RECEIVES_MAX,
    scheduler: bool = True,
    bucket: str = "",
    deduplicate: bool = False,
    client: Aws | None = None,
) -> AwsConfig:
    """The table, the queues with their dead-letter queues, a schedule group and a bucket."""
    aws = client or Aws()
    await aws.call("dynamodb", "CreateTable", **table_definition("state"))
    if scheduler:
        await aws.call("scheduler", "CreateScheduleGroup", Name="timers")
    if bucket:
        await aws.call("s3", "CreateBucket", Bucket=bucket)
    dead = await create_queue(aws, "dead.fifo")
    await create_queue(aws, "service-dead")
    fifo = _redriven("dead.fifo", visibility, receives)
    standard = _redriven("service-dead", visibility, receives)
    config = AwsConfig(
        "state",
        await create_queue(aws, "in.fifo", **fifo),
        dead,
        await create_queue(aws, "delay", **standard),
        await create_queue(aws, "out"),
        *(("timers", ROLE, f"{ARN}in.fifo") if scheduler else ("", "", "")),
        bucket,
        deduplicate=deduplicate,
        service_queue_urls={
            variable_of(name): await create_queue(aws, f"service-{name}", **standard)
            for name in services
        },
    )
    if client is None:
        await aws.close()
    return config


def _redriven(to: str, visibility: int, receives: int) -> dict[str, str]:
    policy = {"deadLetterTargetArn": ARN + to, "maxReceiveCount": receives}
    return {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": str(visibility)}


def environment(config: AwsConfig) -> dict[str, str]:
    """The variables that configure a function or a worker like this."""
    plain = {
        "TABLE": config.table,
        "QUEUE_URL": config.queue_url,
        "DLQ_URL": config.dlq_url,
        "DELAY_QUEUE_URL": config.delay_queue_url,
        "RESPONSE_QUEUE_URL": config.response_queue_url,
        "SCHEDULER_GROUP": config.scheduler_group,
        "SCHEDULER_ROLE_ARN": config.scheduler_role_arn,
        "SCHEDULER_DLQ_ARN": config.scheduler_dlq_arn,
        "QUEUE_ARN": config.queue_arn,
        "BUCKET": config.bucket,
        "DEDUPLICATE": "1" if config.deduplicate else "",
    }
    return {**{PREFIX + name: value for name, value in plain.items()}, **config.service_queue_urls}


@asynccontextmanager
async def working(app: App, config: AwsConfig) -> AsyncIterator[Client]:
    """A worker of an App in this process, and a client."""
    worker = asyncio.create_task(run_worker(app, config, wait_seconds=1, clock=ServerClock()))
    client = client_for(app, config)
    try:
        yield client
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def take(url: str, *, wait: int = 0) -> list[dict[str, Any]]:
    """Receive and delete what a queue holds now, or gets within `wait` seconds."""
    aws = Aws()
    taken: list[dict[str, Any]] = []
    try:
        while True:
            answer = await aws.call(
                "sqs",
                "ReceiveMessage",
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0 if taken else wait,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            found = answer.get("Messages", [])
            if not found:
                return taken
            for message in found:
                handle = message["ReceiptHandle"]
                await aws.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
            taken += found
    finally:
        await aws.close()


async def put(url: str, body: str, group: str = "", deduplication: str = "") -> None:
    """Send one message; on a FIFO queue its content is its deduplication id if none is given."""
    aws = Aws()
    fields = {"MessageGroupId": group} if group else {}
    if deduplication:
        fields["MessageDeduplicationId"] = deduplication
    await aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody=body, **fields)
    await aws.close()


async def until(check: Callable[[], bool | Awaitable[bool]]) -> None:
    """Look again and again until something is so, SOON at the latest.

    Raises:
        TimeoutError: it did not come about.
    """
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            found = check()
            if found is True or (not isinstance(found, bool) and await found):
                return
            await asyncio.sleep(0.05)


Delete = Callable[[list[dict[str, Any]]], Awaitable[None]]


@asynccontextmanager
async def lease(url: str) -> AsyncIterator[tuple[list[dict[str, Any]], Delete]]:
    """Receive a batch of up to ten messages; the visibility of those not deleted will expire."""
    aws = Aws()

    async def delete(messages: list[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ]
        if entries:
            answer = await aws.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)
            assert not answer.get("Failed")

    answer = await aws.call(
        "sqs",
        "ReceiveMessage",
        QueueUrl=url,
        MaxNumberOfMessages=10,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    try:
        yield list(answer.get("Messages", [])), delete
    finally:
        await aws.close()


def event_of(queue: str, messages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The event that Lambda makes of received messages."""
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN + queue,
            "awsRegion": "us-east-1",
        }
        for message in messages
    ]
    return {"Records": records}


async def until_left(url: str, count: int) -> None:
    """Wait until a queue has that many messages, those in flight included."""
    aws = Aws()
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    async def as_many() -> bool:
        answer = await aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=names)
        return sum(map(int, answer["Attributes"].values())) == count

    try:
        await until(as_many)
    finally:
        await aws.close()
