"""Adapters with variables, rights, a table, a page and events."""

from __future__ import annotations

import os
from datetime import timedelta

from lambda_workflow import App, BusEvent, Context, Later, Service, Signal, Task, serve, workflow
from lambda_workflow.aws.handlers import lambda_handler, service_handler
from lambda_workflow.aws.present import aws_client
from lambda_workflow.model.payload import dumps

ASK = Service("ask", str, str, timeout=timedelta(days=1))
HURRY = Signal("hurry", str)
PRICES = Service("prices", str, str)


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


@serve(PRICES)
async def prices(query: str) -> str:
    return query


@prices.on_event
async def moved(event: BusEvent) -> None:
    """Tells what a price is now."""
    print("a price:", dumps(event.detail), "in", os.environ["PRICES_SHOP"])


app = App("needy", workflows=[buy], adapters=[ask, prices])
handler = lambda_handler(app)
services_handler = service_handler(ask, prices)
