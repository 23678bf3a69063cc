"""Holding executions and letting them go on, on every backend."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    Context,
    ExecutionCancelled,
    ExecutionTerminated,
    ExecutionTimedOut,
    ResultTimeout,
    Service,
    Signal,
    Status,
    serve,
    workflow,
)
from tests.operations.host import Host
from tests.operations.timers import armed

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WORK: Service[str, str] = Service("work", str, str)
WORD: Signal[str] = Signal("word", str)
done: list[str] = []
opened: list[bool] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    done.clear()
    opened.clear()


async def gate() -> None:
    """Wait until a test opens it."""
    while not opened:  # noqa: ASYNC110  # an event would belong to one test's loop
        await asyncio.sleep(0.01)


@serve(WORK)
async def work(line: str) -> str:
    """Waits for the gate."""
    if line != "quick":
        await gate()
    done.append(line)
    return line


@workflow
async def one_by_one(ctx: Context, n: int) -> list[str]:
    """What the workflow was told, in the order in which it was."""
    heard: list[str] = []

    async def listen() -> None:
        async for word in ctx.signals(WORD):
            heard.append(word)
            if word == "second":
                return

    async def call() -> None:
        heard.append(await ctx.call(WORK, "result"))
        heard.append(await ctx.call(WORK, "after"))

    async def sleep() -> None:
        await ctx.sleep(HOUR)
        heard.append("slept")

    await asyncio.gather(listen(), call(), sleep())
    return heard


@workflow
async def sleeps(ctx: Context, n: int) -> str:
    try:
        await ctx.sleep(DAY)
    finally:
        await ctx.call(WORK, "quick")
    return "slept"


@workflow
async def steps(ctx: Context, n: int) -> str:
    async def step() -> str:
        done.append("begun")
        await gate()
        return "stepped"

    found = await ctx.step(step)
    return await ctx.call(WORK, found)


APP = App("held", workflows=[one_by_one, sleeps, steps], adapters=[work])


async def test_what_arrives_is_kept_and_takes_effect_in_order(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(one_by_one, 1)
        await host.settle()
        await handle.pause("maintenance")
        await host.settle()
        header = await handle.describe()
        assert [header.status, header.reason] == [Status.PAUSED, "maintenance"]
        await client.signal(handle.execution_id, WORD, "first")
        await host.settle()
        opened.append(True)
        await host.settle()
        await client.signal(handle.execution_id, WORD, "second")
        await host.advance(3700)
        assert (await handle.describe()).status is Status.PAUSED
        assert done == ["result"]
        await handle.resume()
        await host.settle()
        assert await handle.result() == ["first", "result", "second", "slept", "after"]


async def test_a_paused_execution_is_waited_for(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, 1)
        await host.settle()
        await handle.pause()
        await host.settle()
        with pytest.raises(ResultTimeout, match=r"is PAUSED after .* `resume` it"):
            await handle.result(timedelta(0))


async def test_pause_and_resume_again_and_again(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, 1)
        for _ in range(3):
            await handle.pause()
            await host.settle()
            assert (await handle.describe()).status is Status.PAUSED
            await handle.pause("twice")
            await handle.resume()
            await host.settle()
            assert (await handle.describe()).status is Status.RUNNING
            await handle.resume()
        assert await host.result(handle) == "slept"


async def test_a_paused_execution_is_terminated_at_once(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, 1)
        await handle.pause()
        await host.settle()
        await handle.terminate("fire")
        await host.settle()
        with pytest.raises(ExecutionTerminated):
            await handle.result()
        assert done == []
        assert await armed(host) == 0


async def test_the_execution_timeout_goes_on_while_paused(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, 1, execution_timeout=HOUR)
        await host.settle()
        await handle.pause()
        await host.advance(3700)
        with pytest.raises(ExecutionTimedOut, match="was timed out"):
            await handle.result()
        assert await armed(host) == 0


async def test_a_cancellation_waits_for_resume_and_leaves_time_to_clean_up(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, 1)
        await handle.pause()
        await host.settle()
        await handle.cancel("stop", grace=timedelta(minutes=1))
        await host.advance(3600)
        assert (await handle.describe()).status is Status.PAUSED
        await handle.resume()
        await host.settle()
        with pytest.raises(ExecutionCancelled, match=r"stop$"):
            await handle.result()
        assert done == ["quick"]


async def test_a_pause_while_a_step_is_at_work_takes_effect_after_it(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(steps, 1)
        await host.until(lambda: done == ["begun"])
        await handle.pause()
        await asyncio.sleep(0.1)
        opened.append(True)
        await host.settle()
        assert (await handle.describe()).status is Status.PAUSED
        assert done == ["begun", "stepped"]
        await handle.resume()
        await host.settle()
        assert await handle.result() == "stepped"
        assert done.count("begun") == 1
