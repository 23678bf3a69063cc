"""Workflows of another App, on queues of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    ExecutionCancelled,
    RemoteWorkflow,
    Service,
    serve,
    workflow,
)
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, app_variable_of, read_config, variable_of
from lambda_workflow.aws.dynamodb import table_definition
from tests.aws.deployed import SOON, create_queue, deploy, until, working
from tests.aws.server.process import Server

ENVIRONMENT = {
    "LAMBDA_WORKFLOW_TABLE": "state",
    "LAMBDA_WORKFLOW_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/in.fifo",
}


def test_an_apps_queue_is_named_by_a_variable() -> None:
    variable = app_variable_of("card-billing")
    assert variable == "LAMBDA_WORKFLOW_APP_CARD_BILLING_QUEUE_URL"
    config = read_config(
        {**ENVIRONMENT, variable: " https://sqs.us-east-1.amazonaws.com/1/billing.fifo "}
    )
    assert (
        config.inbox_url("app:card-billing") == "https://sqs.us-east-1.amazonaws.com/1/billing.fifo"
    )
    assert config.inbox_url("") == "https://sqs.us-east-1.amazonaws.com/1/in.fifo"
    assert (
        config.inbox_url("https://sqs.us-east-1.amazonaws.com/1/other.fifo")
        == "https://sqs.us-east-1.amazonaws.com/1/other.fifo"
    )


def test_an_app_without_a_queue_is_told_with_the_variable_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set LAMBDA_WORKFLOW_APP_BILLING_QUEUE_URL"):
        AwsConfig("state", "https://sqs.us-east-1.amazonaws.com/1/in.fifo").inbox_url("app:billing")


CHARGE: Service[int, str] = Service("charge", int, str)
REMOTE: RemoteWorkflow[int, str] = RemoteWorkflow("bill", int, str, app="billing")


@serve(CHARGE)
async def charge(amount: int) -> str:
    return f"{amount} charged"


@workflow
async def bill(ctx: Context, amount: int) -> str:
    if amount > 100:
        await ctx.sleep(timedelta(days=1))
    return await ctx.call(CHARGE, amount)


@workflow
async def order(ctx: Context, amount: int) -> str:
    return await ctx.call(REMOTE, amount, id=f"bill-{amount}")


shop = App("shop", workflows=[order])
billing = App("billing", workflows=[bill], adapters=[charge])


async def test_two_apps_with_queues_and_tables_of_their_own_call_each_other(
    server: Server,
) -> None:
    first = await deploy(())
    aws = Aws()
    await aws.call("dynamodb", "CreateTable", **table_definition("billing-state"))
    second = replace(
        first,
        table="billing-state",
        queue_url=await create_queue(aws, "billing.fifo"),
        delay_queue_url=await create_queue(aws, "billing-delay"),
        scheduler_group="",
        service_queue_urls={variable_of("charge"): await create_queue(aws, "service-charge")},
    )
    first = replace(first, app_queue_urls={app_variable_of("billing"): second.queue_url})
    await aws.close()
    async with working(shop, first) as client, working(billing, second) as other:
        assert await (await client.start(order, 7)).result(timeout=SOON) == "7 charged"
        assert await other.result("bill-7") == "7 charged"
        handle = await client.start(order, 700)

        async def has_begun() -> bool:
            return await other.backend.store.header("bill-700") is not None

        await until(has_begun)
        await handle.cancel("too much")
        with pytest.raises(ExecutionCancelled, match="too much"):
            await handle.result(timeout=SOON)
        with pytest.raises(ExecutionCancelled, match=r"its parent .* gave it up or ended"):
            await other.result("bill-700", timeout=SOON)
