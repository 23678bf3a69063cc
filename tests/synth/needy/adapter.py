"""Adapters with variables, rights, a table, a page and events."""

from __future__ import annotations

import os
from datetime import timedelta

from lambda_workflow import App, BusEvent, Context, Later, Service, Signal, Task, serve, workflow
from lambda_workflow.aws.answers import parse_task, post_result, render_task
from lambda_workflow.aws.handlers import lambda_handler, service_handler
from lambda_workflow.aws.present import aws_client

ASK = Service("ask", str, str, timeout=timedelta(days=1))
HURRY = Signal("hurry", str)
PRICES = Service("prices", str, str, timeout=timedelta(days=1))
aside: dict[str, str] = {}  # in earnest a table: the next invocation may be another process


@workflow
async def buy(ctx: Context, what: str) -> str:
    ctx.state = what
    await ctx.call(ASK, "")
    return await ctx.call(ASK, what)


@buy.query
def wanted(ctx: Context) -> int:
    """How much is to be bought."""
    return len(ctx.state)


@serve(ASK)
async def ask(question: str, task: Task) -> str:
    """Keeps the question, and waits until the page has its answer."""
    if not question:
        return "nobody is asked " * 5000
    if task.state is None:
        for secret in filter(None, os.environ["ASK_SECRETS"].split(",")):
            await aws_client().call("secretsmanager", "GetSecretValue", SecretId=secret)
        name = f"{os.environ['ASK_PARAMETER']}/wording"
        wording = await aws_client().call("ssm", "GetParameter", Name=name)
        item = {
            "id": {"S": task.task_id},
            "question": {"S": wording["Parameter"]["Value"] + question},
            "by": {"S": os.environ["ASK_SENDER"]},
            "to": {"S": task.callback_queue_url},
            "execution": {"S": task.execution_id},
        }
        table = os.environ["ASK_TABLE"]
        await aws_client().call("dynamodb", "PutItem", TableName=table, Item=item)
    raise Later(timedelta(minutes=10), state={"asked": True})


@workflow
async def follow(ctx: Context, good: str) -> str:
    return await ctx.call(PRICES, f"{good} " * 20_000)


@serve(PRICES)
async def prices(good: str, task: Task) -> str:
    """Waits until an event has the price."""
    aside[good.split()[0]] = render_task(task)
    raise Later(timedelta(hours=12))


@prices.on_event
async def moved(event: BusEvent) -> None:
    """Tells who waits for it what a price is now, in many words."""
    for good, price in event.detail.items():
        told = f"{good} is {price} in {os.environ['PRICES_SHOP']}. "
        await post_result(PRICES, parse_task(aside[good]), told * 5000)


app = App("needy", workflows=[buy, follow], adapters=[ask, prices])
handler = lambda_handler(app)
services_handler = service_handler(ask, prices)
