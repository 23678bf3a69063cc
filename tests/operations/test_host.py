"""The hosts themselves: time moves as a test says, and work goes on by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow import App, Context, Service, Status, serve, workflow
from tests.operations.host import Host

STUCK: Service[int, int] = Service("stuck", int, int, timeout=timedelta(seconds=30))
QUICK: Service[int, int] = Service("quick", int, int)


@serve(STUCK)
async def stuck(number: int) -> int:
    """Never answers."""
    await asyncio.Event().wait()
    return number


@serve(QUICK)
def quick(number: int) -> int:
    """In a thread."""
    return number + 1


@workflow
async def waits(ctx: Context, n: int) -> str:
    await ctx.sleep(timedelta(days=3))
    try:
        await ctx.call(STUCK, await ctx.call(QUICK, n))
    except TimeoutError:
        return "late"
    return "never"


app = App("hosts", workflows=[waits], adapters=[stuck, quick])


async def test_a_result_comes_as_soon_as_time_may_pass(host: Host) -> None:
    async with host(app) as client:
        before = host.now()
        handle = await client.start(waits, 1)
        assert await host.result(handle) == "late"
        assert 259_230_000 <= host.now() - before < 259_330_000


async def test_time_moves_from_due_moment_to_due_moment(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(waits, 1)
        await host.advance(259_200 - 60)
        assert (await client.history(handle.execution_id)).facts == 1
        await host.advance(65)
        assert (await client.describe(handle.execution_id)).status is Status.RUNNING
        await host.advance(60)
        assert (await client.describe(handle.execution_id)).status is Status.COMPLETED
