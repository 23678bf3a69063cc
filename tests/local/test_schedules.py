"""Schedules on the embedded engine: months of them in a moment, over two engines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lambda_workflow import App, Context, Status, workflow
from lambda_workflow.errors import ExecutionNotFound
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.schedules import ScheduleInfo
from tests.patience import patience

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


@workflow
async def report(ctx: Context, day: str) -> str:
    await ctx.sleep(timedelta(hours=36))
    return day


def app(count: int) -> App:
    daily = Schedule(
        "daily", report, lambda due: f"{due:%j}", every=DAY, overlap="queue",
        start=NOW + DAY, end=NOW + (count + 1) * DAY,
    )  # fmt: skip
    return App("tests", workflows=[report], schedules=[daily])


async def until_started(engine: Engine, count: int) -> ScheduleInfo:
    async with asyncio.timeout(patience(60)):
        while True:
            try:
                info = await engine.client.schedules.describe("daily")
            except ExecutionNotFound:
                info = None
            if (
                info is not None
                and info.recent
                and (info.started, info.recent[-1].outcome) == (count, "completed")
            ):
                return info
            await asyncio.sleep(0.02)


async def test_a_month_of_days_that_queue_is_run_to_the_last(tmp_path: Path) -> None:
    async with Engine(app(30), tmp_path / "db", clock=SkippingClock(), check=True) as engine:
        await engine.client.schedules.apply()
        info = await until_started(engine, 30)
        assert (info.skipped, info.failed) == (0, 0)
        assert info.next_times(1, info.recent[-1].due) == []
        runs = [one async for one in engine.client.list_all("report")]
    assert sorted(run.execution_id for run in runs) == [
        f"daily:{NOW + n * DAY:%FT%T}Z" for n in range(1, 31)
    ]
    assert {run.status for run in runs} == {Status.COMPLETED}


async def test_the_next_engine_goes_on_and_an_update_widens_the_schedule(tmp_path: Path) -> None:
    async with Engine(app(3), tmp_path / "db", clock=SkippingClock()) as engine:
        await engine.client.schedules.apply()
        await until_started(engine, 3)
    async with Engine(app(8), tmp_path / "db", clock=SkippingClock()) as engine:
        assert await engine.client.schedules.apply() == {"daily": "updated"}
        await engine.client.schedules.backfill("daily", NOW + DAY, NOW + 3 * DAY)
        info = await until_started(engine, 8)  # the third ended on day 5: days 6, 7 and 8, and two
        assert [info.name async for info in engine.client.schedules.list()] == ["daily"]
    assert info.failed == 0
