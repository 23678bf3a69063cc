"""Signs of life and results of this process keep their order, the one by the file or not."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

from lambda_workflow import (
    App,
    Context,
    RetryPolicy,
    Service,
    heartbeat,
    serve,
    task_info,
    workflow,
)
from lambda_workflow.local import Engine

AT_ONCE = RetryPolicy(attempts=2, initial=timedelta(0))
SIDE_BY_SIDE = 200  # few of them would keep their order by chance
WORK: Service[int, str] = Service(
    "work", int, str, heartbeat_timeout=timedelta(minutes=5), retry=AT_ONCE
)


@serve(WORK)
async def work(n: int) -> str:
    if task_info().attempt == 2:
        return str(task_info().details)
    await heartbeat("begun")
    await heartbeat("half done")
    raise LookupError(n)


@workflow
async def working(ctx: Context, n: int) -> str:
    return await ctx.call(WORK, n)


async def test_an_attempt_that_follows_at_once_knows_how_far_the_last_one_came() -> None:
    async with Engine(App("beats", workflows=[working], adapters=[work]), ":memory:") as engine:
        handles = [await engine.client.start(working, n) for n in range(SIDE_BY_SIDE)]
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert Counter(results) == {"half done": SIDE_BY_SIDE}
