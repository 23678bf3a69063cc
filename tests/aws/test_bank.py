"""The bank transaction, retries and poison through `aws/worker`, with real queues and a table."""

from __future__ import annotations

import json
from decimal import Decimal

from examples.bank_transaction.app import app as bank
from examples.bank_transaction.workflow import Receipt, Transfer, transfer
from lambda_workflow import Status
from lambda_workflow.aws.client import Aws
from tests.aws.apps import app, stubborn, ten
from tests.aws.deployed import SOON, deploy, take, working
from tests.aws.server.process import Server


async def test_the_bank_transaction_runs_through_queues_and_table(server: Server) -> None:
    config = await deploy(bank.adapters)
    async with working(bank, config) as client:
        order = Transfer(source="alice", target="bob", amount=Decimal("12.50"))
        handle = await client.start(transfer, order, execution_id="t1")
        receipt = await handle.result(SOON)
        assert receipt == Receipt(transaction="t1/3", amount=Decimal("12.50"))
        page = await client.list("transfer", status=Status.COMPLETED)
        assert [header.execution_id for header in page.headers] == ["t1"]
    (response,) = await take(config.response_queue_url, wait=5)
    assert json.loads(response["Body"])["status"] == "COMPLETED"


async def test_a_service_that_fails_twice_is_tried_again(server: Server) -> None:
    config = await deploy(app.adapters)
    async with working(app, config) as client:
        good = await client.start(stubborn, 2, execution_id="good")
        bad = await client.start(stubborn, 3, execution_id="bad")
        assert await good.result(SOON) == "3"
        assert await bad.result(SOON) == "NotYet after 3"


async def test_a_poison_message_is_moved_away_and_its_group_goes_on(server: Server) -> None:
    config = await deploy(app.adapters)
    poison = {"MessageGroupId": "p1", "MessageBody": "{no json"}
    await Aws().call("sqs", "SendMessage", QueueUrl=config.queue_url, **poison)
    async with working(app, config) as client:
        same_group = await client.start(ten, 5, execution_id="p1")
        other = await client.start(ten, 6, execution_id="p2")
        assert await same_group.result(SOON) == 15
        assert await other.result(SOON) == 16
    (dead,) = await take(config.dlq_url, wait=5)
    assert dead["Body"] == "{no json"
    assert dead["Attributes"]["MessageGroupId"] == "p1"
    assert "not JSON" in dead["MessageAttributes"]["reason"]["StringValue"]
