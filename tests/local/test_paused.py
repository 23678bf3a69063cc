"""An engine has nothing to do for a paused execution, and keeps it for the next one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from time import process_time

from lambda_workflow import App, Context, Status, workflow
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.ports import Happening

IDLE_SECONDS = 0.5  # in which a loop that spins would take nearly as much of the processor
IDLE_CPU_SECONDS_MAX = 0.15


class Watch:
    """An observer that counts turns, and tells of a pause."""

    def __init__(self) -> None:
        self.turns = 0
        self.paused = asyncio.Event()

    def notify(self, happening: Happening) -> None:
        """Take note."""
        if happening.turn is not None:
            self.turns += 1
            if happening.turn.status is Status.PAUSED:
                self.paused.set()


@workflow
async def sleeps(ctx: Context, n: int) -> int:
    await ctx.sleep(timedelta(minutes=n))
    return n


app = App("paused", workflows=[sleeps])


async def test_a_paused_execution_costs_an_engine_nothing(tmp_path: Path) -> None:
    watch = Watch()
    path = tmp_path / "paused.db"
    async with Engine(app, path, clock=SkippingClock(), observer=watch) as engine:
        handle = await engine.client.start(sleeps, 6)
        await handle.pause()
        await watch.paused.wait()
        await asyncio.sleep(0.1)
        turns, before = watch.turns, process_time()
        await asyncio.sleep(IDLE_SECONDS)
        assert watch.turns == turns
        assert process_time() - before < IDLE_CPU_SECONDS_MAX
    async with Engine(app, path, clock=SkippingClock(), observer=watch) as engine:
        assert (await engine.client.describe(handle.execution_id)).status is Status.PAUSED
        await engine.client.resume(handle.execution_id)
        assert await engine.client.result(handle.execution_id) == 6
