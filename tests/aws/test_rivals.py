"""Two workers hold one execution: the visibility of its messages expired while one was at work."""

from __future__ import annotations

import asyncio

from lambda_workflow import App, Context, Service, workflow
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.handlers import workflow_handler
from lambda_workflow.model.events import CallSucceeded
from lambda_workflow.model.wire import parse_task, render
from tests.aws.apps import ADD, CALLS, add
from tests.aws.deployed import SOON, deploy, event_of, lease, put, take, until_left, working
from tests.aws.server.process import Server

VISIBILITY_SECONDS = 20
EXECUTIONS = 6
ASK: Service[int, int] = Service("ask", int, int)


@workflow
async def both(ctx: Context, request: int) -> int:
    one, two = ctx.call(ASK, request), ctx.call(ASK, request + 1)
    return await one + await two


app = App("rivals", workflows=[both], services=[ASK])


async def test_a_worker_that_comes_late_takes_nothing_back(server: Server) -> None:
    config = await deploy(["ask"], visibility=VISIBILITY_SECONDS)
    client = client_for(app, config)
    await client.start(both, 1, execution_id="e")
    slow, quick = workflow_handler(app, config), workflow_handler(app, config)
    async with lease(config.queue_url) as (messages, delete):
        await slow(event_of("in.fifo", messages))
        await delete(messages)
    tasks = [parse_task(m["Body"]) for m in await take(config.service_queue_url("ask"))]
    await put(config.queue_url, render(tasks[0].update(10)), "e")
    async with lease(config.queue_url) as (early, _):
        assert len(early) == 1
    await put(config.queue_url, render(tasks[1].update(100)), "e")
    server.advance(VISIBILITY_SECONDS + 1)
    async with lease(config.queue_url) as (messages, delete):
        assert len(messages) == 2
        await quick(event_of("in.fifo", messages))
        await delete(messages)
    assert await slow(event_of("in.fifo", early)) == {"batchItemFailures": []}
    assert await client.result("e", timeout=SOON) == 110
    facts = [event for turn in (await client.history("e")).turns for event in turn.events]
    results = [event.payload for event in facts if isinstance(event, CallSucceeded)]
    assert sorted(map(str, results)) == ["10", "100"]
    refused = [r.failed for r in server.requests("dynamodb", "PutItem") if r.failed]
    assert refused == ["ConditionalCheckFailedException"]


async def test_visibility_that_expires_time_and_again_harms_nothing(server: Server) -> None:
    """It expires in the middle of a turn, which the other worker then begins as well.

    The turn itself moves the clock, so that no machine is too fast or too slow for it.
    """
    jumped: set[tuple[int, int]] = set()

    async def jump(start: int, total: int) -> None:
        if total % 2 == 0 and (start, total) not in jumped:
            jumped.add((start, total))
            await asyncio.to_thread(server.advance, VISIBILITY_SECONDS + 1)

    @workflow
    async def hurried(ctx: Context, start: int) -> int:
        total = start
        for _ in range(CALLS):
            total = await ctx.call(ADD, total)
            await ctx.step(jump, start, total)
        return total

    app = App("hurried", workflows=[hurried], adapters=[add])
    config = await deploy(app.adapters, visibility=VISIBILITY_SECONDS, receives=1000)
    async with working(app, config) as client, working(app, config):
        for n in range(EXECUTIONS):
            await client.start(hurried, n, execution_id=f"e{n}")
        for n in range(EXECUTIONS):
            assert await client.result(f"e{n}", timeout=SOON) == n + CALLS
        server.advance(VISIBILITY_SECONDS + 1)
        await until_left(config.queue_url, 0)
        for n in range(EXECUTIONS):
            turns = (await client.history(f"e{n}")).turns
            facts = [event for turn in turns for event in turn.events]
            results = [event.operation for event in facts if isinstance(event, CallSucceeded)]
            assert len(results) == len(set(results)) == CALLS
    assert len(jumped) == EXECUTIONS * CALLS // 2
    inbox = server.requests("sqs", "DeleteMessageBatch", "in.fifo")
    assert any(request.failed_entries for request in inbox), "no handle expired: nothing was tried"
