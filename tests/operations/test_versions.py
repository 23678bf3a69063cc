"""Several versions of a workflow: each execution keeps to its own, whatever is deployed."""

from __future__ import annotations

from typing import Any

from lambda_workflow import App, Context, Service, Signal, Status, Workflow, serve, workflow
from tests.operations.host import Host
from tests.operations.redeploying import redeploy

GO = Signal("go", str)
ECHO: Service[str, str] = Service("echo", str, str)


@workflow(name="flow")
async def before(ctx: Context, text: str) -> str:
    go = await ctx.wait_signal(GO)
    return f"none: {text} {go}"


@workflow(name="flow", version="1")
async def first(ctx: Context, text: str) -> list[str]:
    return ["1", text, await ctx.wait_signal(GO)]


@workflow(name="flow", version="2")
async def second(ctx: Context, text: str) -> dict[str, str]:
    return {"echo": await ctx.call(ECHO, text), "go": await ctx.wait_signal(GO)}


@serve(ECHO)
async def echo(text: str) -> str:
    return text


def app(*workflows: Workflow[Any, Any]) -> App:
    return App("tests", workflows=workflows, adapters=[echo])


async def test_three_generations_run_side_by_side_and_keep_their_types(host: Host) -> None:
    async with host(app(before)) as client:
        await client.start(before, "a", execution_id="a")
        await host.settle()
        client = await redeploy(host, app(before, first))
        await client.start(first, "b", execution_id="b")
        await host.settle()
        client = await redeploy(host, app(before, first, second))
        await client.start(second, "c", execution_id="c")
        await host.settle()
        for execution_id in "abc":
            await client.signal(execution_id, GO, "on")
        assert await client.result("a") == "none: a on"
        assert await client.result("b") == ["1", "b", "on"]
        assert await client.result("c") == {"echo": "c", "go": "on"}


async def test_a_version_taken_out_too_early_blocks_until_it_is_back(host: Host) -> None:
    async with host(app(first)) as client:
        await client.start(first, "b", execution_id="b")
        await host.settle()
        client = await redeploy(host, app(second))
        await client.signal("b", GO, "on")
        await host.settle()
        header = await client.describe("b")
        assert header.status is Status.BLOCKED
        assert "began with version '1', and App has version '2' only" in header.reason
        client = await redeploy(host, app(first, second))
        await client.redrive("b")
        await host.settle()
        assert await client.result("b") == ["1", "b", "on"]
