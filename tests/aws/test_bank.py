"""The bank transaction through `aws/worker`, over real HTTP against the moto server.

What moto cannot show: it is not atomic under parallel requests, forgets a deduplication id with its
message, and fires no schedule. The tests run one worker, and count what the server was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from examples.bank_transaction.app import app as bank
from examples.bank_transaction.workflow import Receipt, Transfer, transfer
from lambda_workflow import (
    App,
    CallFailed,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Status,
    Task,
    serve,
    workflow,
)
from lambda_workflow.aws.backend import aws_backend, client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, variable_of
from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.aws.worker import run_worker
from lambda_workflow.runtime.client import Client

ADD: Service[int, int] = Service("add", int, int)
FLAKY: Service[int, int] = Service(
    "flaky", int, int, retry=RetryPolicy(attempts=3, initial=timedelta(0), cap=timedelta(0))
)


@workflow
async def ten(ctx: Context, start: int) -> int:
    total = start
    for _ in range(10):
        total = await ctx.call(ADD, total)
    return total


@workflow
async def stubborn(ctx: Context, number: int) -> str:
    try:
        return str(await ctx.call(FLAKY, number))
    except CallFailed as failed:
        return f"{failed.type} after {failed.attempts}"


@serve(ADD)
async def add(number: int) -> int:
    return number + 1


@serve(FLAKY)
async def flake(number: int, task: Task) -> int:
    if task.attempt <= number:
        raise ServiceError("not yet", type="NotYet")
    return task.attempt


app = App("tests", workflows=[ten, stubborn], adapters=[add, flake])


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Any:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


async def deploy(deployed: App) -> AwsConfig:
    aws = Aws()
    await aws.call("dynamodb", "CreateTable", **table_definition("state"))
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "5"}

    async def queue(name: str, attributes: dict[str, str]) -> str:
        made = await aws.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes)
        return str(made["QueueUrl"])

    config = AwsConfig(
        "state",
        await queue("in.fifo", fifo),
        await queue("dead.fifo", fifo),
        await queue("delay", {}),
        await queue("out", {}),
        service_queue_urls={
            variable_of(name): await queue(f"service-{name}", {}) for name in deployed.adapters
        },
    )
    await aws.close()
    return config


@asynccontextmanager
async def working(deployed: App, config: AwsConfig) -> AsyncIterator[Client]:
    worker = asyncio.create_task(run_worker(deployed, config, wait_seconds=1))
    try:
        yield client_for(deployed, config)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def received(url: str) -> list[dict[str, Any]]:
    answer = await Aws().call(
        "sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
        MessageAttributeNames=["All"],
    )  # fmt: skip
    return list(answer.get("Messages", []))


async def test_the_bank_transaction_runs_through_queues_and_table(endpoint: str) -> None:
    config = await deploy(bank)
    async with working(bank, config) as client:
        order = Transfer(source="alice", target="bob", amount=Decimal("12.50"))
        handle = await client.start(transfer, order, execution_id="t1")
        receipt = await handle.result(timedelta(seconds=30))
        assert receipt == Receipt(transaction="t1/3", amount=Decimal("12.50"))
        page = await client.list("transfer", status=Status.COMPLETED)
        assert [header.execution_id for header in page.headers] == ["t1"]
    (response,) = await received(config.response_queue_url)
    assert json.loads(response["Body"])["status"] == "COMPLETED"


async def test_ten_calls_stay_within_their_price(endpoint: str) -> None:
    config = await deploy(app)
    async with working(app, config) as client:
        handle = await client.start(ten, 0, execution_id="ten")
        assert await handle.result(timedelta(seconds=60)) == 10
        await asyncio.sleep(0)
        usage = (await client.describe("ten")).usage
    assert usage.writes <= 13
    assert usage.reads <= 1  # the load of the first turn, which finds nothing
    assert usage.receives == usage.deletes == 11
    assert usage.sends == 10 + 1  # and the response


async def test_a_service_that_fails_twice_is_tried_again(endpoint: str) -> None:
    config = await deploy(app)
    async with working(app, config) as client:
        good = await client.start(stubborn, 2, execution_id="good")
        bad = await client.start(stubborn, 3, execution_id="bad")
        assert await good.result(timedelta(seconds=60)) == "3"
        assert await bad.result(timedelta(seconds=60)) == "NotYet after 3"


async def test_a_poison_message_is_moved_away_and_its_group_goes_on(endpoint: str) -> None:
    config = await deploy(app)
    backend = aws_backend(app, config, Aws())
    poison = {"QueueUrl": config.queue_url, "MessageGroupId": "p1"}
    await Aws().call("sqs", "SendMessage", MessageBody="{no json", **poison)
    client = Client(app, backend)
    handle = await client.start(ten, 5, execution_id="p1")
    async with working(app, config):
        assert await handle.result(timedelta(seconds=60)) == 15
    (dead,) = await received(config.dlq_url)
    assert dead["Body"] == "{no json"
    assert "not JSON" in dead["MessageAttributes"]["reason"]["StringValue"]
