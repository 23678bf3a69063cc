"""lambda_invoke and delay in the stack of an App: with what the stack says, and no more rights."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lambda_workflow_services.delay import DELAY, Delay
from lambda_workflow_services.delay.adapter import delay
from lambda_workflow_services.lambda_invoke import LAMBDA, Invocation
from lambda_workflow_services.lambda_invoke.adapter import lambda_invoke
from lambda_workflow_services.lambda_invoke.settings import settings

from lambda_workflow import App, Client, Context, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.handlers import lambda_handler, service_handler
from lambda_workflow.aws.synth.options import parse_options
from lambda_workflow.aws.synth.template import synthesise
from tests.aws.deployed import SOON, until
from tests.aws.server.process import Server
from tests.services.lambda_invoke.conftest import ARN, lambdas, lambdas_of_session
from tests.services.lambda_invoke.lambdas import Lambdas
from tests.synth.comparing import refused
from tests.synth.stack import at_work, create
from tests.synth.test_deployed import client_config, jump

__all__ = ["lambdas", "lambdas_of_session"]

FUNCTIONS = [f"{ARN}resize", f"{ARN}crop:live"]


@workflow
async def poster(ctx: Context, picture: str) -> Any:
    await ctx.call(DELAY, Delay(seconds=1000))
    return (await ctx.call(LAMBDA, Invocation(function="crop:live", payload=picture))).payload


app = App("posters", workflows=[poster], adapters=[lambda_invoke, delay])
workflow_function = lambda_handler(app)
service_functions = service_handler(lambda_invoke, delay)


def stack() -> str:
    handlers = {
        "workflow": {"handler": f"{__name__}.workflow_function"},
        "services": {"handler": f"{__name__}.service_functions"},
    }
    return synthesise(app, f"{__name__}:app", parse_options(handlers, "synth.toml"))


async def test_an_app_that_lists_the_adapters_has_them_at_work_in_its_stack(
    server: Server, lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_LAMBDA")  # moto makes the functions …
    aws = Aws()
    deployed = await create(aws, stack(), LambdaInvokeFunctions=",".join(FUNCTIONS))
    invoking, delaying = "posters-service-lambda_invoke", "posters-service-delay"
    for name, value in deployed.environments[invoking].items():
        if not name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", lambdas.url)  # … and this invokes them
    settings.cache_clear()
    lambdas.functions["crop:live"] = lambda event, context: f"{event}, cropped"
    client = Client(app, aws_backend(app, client_config(deployed), aws), close=aws.close)
    try:
        async with at_work(app, deployed) as run:
            handle = await client.start(poster, "cat.png")
            result = asyncio.create_task(handle.result(SOON))
            await until(lambda: sent(server, delaying) >= 2)  # the call's own, and the first hop
            await jump(server, run, 900)
            await until(lambda: sent(server, delaying) >= 3)
            while not result.done():  # what time jumps over while it is at work comes twice
                await jump(server, run, 102)
                await asyncio.wait([result], timeout=0.2)
            assert await result == "cat.png, cropped"
    finally:
        await client.close()
    for name in (invoking, delaying):
        assert refused(deployed.rights[name], run.calls[name]) == set(), name
    granted = [one for one in deployed.rights[invoking] if "lambda:InvokeFunction" in one["Action"]]
    assert [(one["Action"], one["Resource"]) for one in granted] == [
        (["lambda:InvokeFunction"], FUNCTIONS)
    ]


def sent(server: Server, queue: str) -> int:
    """How often a task was put onto a queue."""
    return len(server.requests("sqs", "SendMessageBatch", queue))
