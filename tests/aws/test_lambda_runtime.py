"""The functions under Lambda's own runtime interface client, cold and warm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from examples.bank_transaction.app import app
from examples.bank_transaction.workflow import Receipt, Transfer, transfer
from lambda_workflow import Status
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, variable_of
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.messages import Request
from lambda_workflow.model.references import key_of
from lambda_workflow.model.wire import render
from tests.aws.deployed import ARN, deploy, environment, take
from tests.aws.lambda_runtime import Environment, FunctionError, event_of, function
from tests.aws.server.process import Server

ORDER = Transfer(source="alice", target="bob", amount=Decimal("12.50"))
WORKFLOWS = "examples.bank_transaction.lambda_function.handler"
SERVICES = "examples.bank_transaction.lambda_services.handler"


@dataclass(frozen=True, slots=True)
class Deployed:
    """The bank on the server, and its two functions, cold."""

    aws: Aws
    config: AwsConfig
    workflows: Environment
    services: Environment

    async def receive(self, url: str) -> list[dict[str, Any]]:
        answer = await self.aws.call(
            "sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0,
            AttributeNames=["All"],
        )  # fmt: skip
        return list(answer.get("Messages", []))

    async def invoke(self, url: str, messages: list[dict[str, Any]]) -> set[str]:
        """Play the event source mapping for a batch; the bodies that failed."""
        target = self.workflows if url == self.config.queue_url else self.services
        event = event_of(messages, ARN + url.rpartition("/")[2])
        answer = await asyncio.to_thread(target.invoke, event)
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                await self.aws.call(
                    "sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )
        return {message["Body"] for message in messages if message["MessageId"] in failed}

    async def run_dry(self) -> int:
        """Play the event source mappings until no queue has anything; the invocations it took."""
        urls = [self.config.queue_url, *self.config.service_queue_urls.values()]
        invocations = 0
        while True:
            found = [(url, batch) for url in urls if (batch := await self.receive(url))]
            if not found:
                return invocations
            for url, batch in found:
                assert await self.invoke(url, batch) == set()
                invocations += 1


@pytest.fixture
async def bank(server: Server) -> AsyncIterator[Deployed]:
    config = await deploy(app.adapters)
    variables = {**server.environment, **environment(config)}
    aws = Aws()
    with ExitStack() as running:
        workflows = running.enter_context(function(WORKFLOWS, variables))
        services = running.enter_context(function(SERVICES, variables))
        yield Deployed(aws, config, workflows, services)
    await aws.close()


async def test_the_bank_transaction_runs_cold_and_warm(bank: Deployed, server: Server) -> None:
    client = client_for(app, bank.config)
    cold = await client.start(transfer, ORDER, execution_id="cold")
    await bank.run_dry()
    assert await cold.result(timedelta(0)) == Receipt(transaction="cold/3", amount=ORDER.amount)
    warm = [await client.start(transfer, ORDER, execution_id=f"warm{n}") for n in range(3)]
    before = len(server.requests("dynamodb", "Query"))
    await bank.run_dry()
    loads = len(server.requests("dynamodb", "Query")) - before
    assert loads == 3  # each when it starts, none for the turns after
    for n, handle in enumerate(warm):
        receipt = await handle.result(timedelta(0))
        assert receipt == Receipt(transaction=f"warm{n}/3", amount=ORDER.amount)
    responses = [json.loads(m["Body"]) for m in await take(bank.config.response_queue_url)]
    assert {r["execution_id"] for r in responses} == {"cold", "warm0", "warm1", "warm2"}


async def test_of_several_groups_in_an_event_one_fails_alone(bank: Deployed) -> None:
    client = client_for(app, bank.config)
    missing = render(
        Request("bad", "transfer", BlobRef(key_of("client", "bad", b"x"), "x", 400_000))
    )
    for n, body in enumerate((missing, render(Request("bad", "transfer", {})))):
        await bank.aws.call(
            "sqs", "SendMessage", QueueUrl=bank.config.queue_url, MessageBody=body,
            MessageGroupId="bad", MessageDeduplicationId=f"bad{n}",
        )  # fmt: skip
    for name in ("good1", "good2"):
        await client.start(transfer, ORDER, execution_id=name)
    messages = await bank.receive(bank.config.queue_url)
    assert len(messages) == 4
    assert await bank.invoke(bank.config.queue_url, messages) == {
        missing,
        render(Request("bad", "transfer", {})),
    }
    assert (await client.describe("good1")).status is Status.RUNNING
    assert (await client.describe("good2")).status is Status.RUNNING


async def test_an_unreadable_record_is_moved_away_with_its_reason(bank: Deployed) -> None:
    for n, body in enumerate(("{no json", render(Request("e", "transfer", {"source": 1})))):
        await bank.aws.call(
            "sqs", "SendMessage", QueueUrl=bank.config.queue_url, MessageBody=body,
            MessageGroupId="e", MessageDeduplicationId=str(n),
        )  # fmt: skip
    messages = await bank.receive(bank.config.queue_url)
    assert await bank.invoke(bank.config.queue_url, messages) == set()
    (dead,) = await take(bank.config.dlq_url)
    assert dead["Body"] == "{no json"
    assert "not JSON" in dead["MessageAttributes"]["reason"]["StringValue"]
    described = await client_for(app, bank.config).describe("e")
    assert described.status is Status.BLOCKED  # its request is not a Transfer


async def test_a_missing_variable_is_named_by_the_function(server: Server) -> None:
    with function(WORKFLOWS, server.environment) as environment:
        event = event_of([], ARN + "in.fifo")
        with pytest.raises(FunctionError, match="LAMBDA_WORKFLOW_TABLE is not set"):
            await asyncio.to_thread(environment.invoke, event)


async def test_a_turn_that_outlasts_the_function_is_reported_in_time(server: Server) -> None:
    config = await deploy(["slow"])
    variables = {**server.environment, **environment(config)}
    slow = "tests.aws.lambda_slow.handler"
    aws = Aws()
    body = json.dumps(
        {
            "execution_id": "e", "task_id": "e/1", "service": "slow", "payload": 60,
            "attempt": 1, "callback_queue_url": config.queue_url,
        }
    )  # fmt: skip
    url = config.service_queue_urls[variable_of("slow")]
    for text in (body, body.replace('"payload": 60', '"payload": 0').replace("e/1", "e/2")):
        await aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody=text)
    with function(slow, variables, timeout_seconds=5) as environment_:
        bank = Deployed(aws, config, environment_, environment_)
        messages = await bank.receive(url)
        assert len(messages) == 2
        assert await bank.invoke(url, messages) == {body}
    (result,) = await take(config.queue_url)
    assert json.loads(result["Body"])["task_id"] == "e/2"
    await aws.close()
