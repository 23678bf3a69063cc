"""`start_timeout` in the embedded engine: a task that waits its turn for too long is dropped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from lambda_workflow import App, Context, RetryPolicy, Service, StartTimedOut, Task, serve, workflow
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.testing.clock import VirtualClock

MINUTE = timedelta(minutes=1)
BUSY: Service[int, int] = Service(
    "busy", int, int, start_timeout=MINUTE, retry=RetryPolicy(attempts=4, initial=MINUTE)
)


async def test_what_waited_too_long_for_its_turn_is_dropped_and_tried_again(
    tmp_path: Path,
) -> None:
    clock, first, go = VirtualClock(), asyncio.Event(), asyncio.Event()
    begun: list[tuple[int, int]] = []

    @serve(BUSY)
    async def busy(number: int, task: Task) -> int:
        begun.append((number, task.attempt))
        first.set()
        await go.wait()
        return number

    @workflow
    async def both(ctx: Context, n: int) -> list[int]:
        return list(await asyncio.gather(ctx.call(BUSY, 1), ctx.call(BUSY, 2)))

    app = App("starts", workflows=[both], adapters=[busy])
    engine = Engine(app, tmp_path / "db", clock=clock, service_concurrency=1, check=True)
    async with engine:
        handle = await engine.client.start(both, 1)
        await first.wait()
        for _ in range(13):  # a quarter of a minute each
            clock.jump(clock.elapsed + 15)
            await asyncio.sleep(0.02)
        assert begun == [(1, 1)]
        go.set()
        result = asyncio.ensure_future(handle.result())
        while not result.done():
            await asyncio.sleep(0.01)
            clock.jump(clock.elapsed + 1)
        assert await result == [1, 2]
    numbers = [attempt for number, attempt in begun if number == 2]
    assert numbers[0] > 1, "its first task waited for more than two minutes"


async def test_a_service_without_an_engine_fails_in_time(tmp_path: Path) -> None:
    @workflow
    async def call(ctx: Context, n: int) -> str:
        try:
            return str(await ctx.call(BUSY, n))
        except StartTimedOut as late:
            return f"{late.service} {late.type} {late.attempts}"

    app = App("starts", workflows=[call], services=[BUSY])
    async with Engine(app, tmp_path / "db", clock=SkippingClock()) as engine:
        assert await (await engine.client.start(call, 1)).result() == "busy StartTimedOut 4"
