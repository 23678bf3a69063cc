"""Schedules on every backend: due times, overlaps, orders, and a worker that dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import App, Client, Context, Schedule, Status, workflow
from tests.operations.host import Host

HOUR = timedelta(hours=1)


@workflow
async def report(ctx: Context, minutes: int) -> int:
    await ctx.sleep(timedelta(minutes=minutes))
    return minutes


def start_of(host: Host) -> datetime:
    """An hour from now, to the second."""
    return datetime.fromtimestamp(host.now() // 1000, UTC) + HOUR


def app(start: datetime, minutes: int, **options: Any) -> App:
    """Due three times."""
    hourly = Schedule(
        "s", report, minutes, every=HOUR, start=start, end=start + 2.5 * HOUR, **options
    )
    return App("tests", workflows=[report], schedules=[hourly])


async def runs(client: Client) -> dict[str, Status]:
    return {one.execution_id: one.status async for one in client.list_all("report")}


def named(*dues: datetime) -> dict[str, Status]:
    return {f"s:{due:%FT%T}Z": Status.COMPLETED for due in dues}


@pytest.mark.parametrize(
    ("overlap", "hours", "skipped"),
    [("skip", [0, 2], 1), ("queue", [0, 1, 2], 0), ("allow", [0, 1, 2], 0)],
)
async def test_what_is_due_is_started_by_the_policy(
    host: Host, overlap: Any, hours: list[int], skipped: int
) -> None:
    start = start_of(host)
    options = {"jitter": HOUR / 12, "catch_up": 24 * HOUR, "pause_on_failure": overlap != "allow"}
    async with host(app(start, 90, overlap=overlap, **options)) as client:
        assert await client.schedules.apply() == {"s": "created"}
        await host.advance(8 * 3600)
        assert await runs(client) == named(*(start + hour * HOUR for hour in hours))
        info = await client.schedules.describe("s")
        assert (info.started, info.skipped, info.failed, info.missed) == (len(hours), skipped, 0, 0)
        assert (info.jitter, info.catch_up) == (HOUR / 12, 24 * HOUR)
        assert await client.schedules.apply() == {"s": "unchanged"}


async def test_orders_are_obeyed(host: Host) -> None:
    start = start_of(host)
    async with host(app(start, 5)) as client:
        schedules = client.schedules
        await schedules.apply()
        await schedules.pause("s", "holidays")
        await host.advance(1.5 * 3600)
        assert await runs(client) == {}
        await schedules.trigger("s")
        await schedules.resume("s")
        await host.advance(2 * 3600)
        expected = {"s:trigger1": Status.COMPLETED, **named(start + HOUR, start + 2 * HOUR)}
        assert await runs(client) == expected
        assert await schedules.backfill("s", start, start + 2 * HOUR) == 2
        await host.advance(3600)
        filled = [one for one in await runs(client) if one.endswith(":backfill2")]
        assert sorted(filled) == [f"s:{start + n * HOUR:%FT%T}Z:backfill2" for n in (0, 1)]
        assert [(info.name, info.started) async for info in schedules.list()] == [("s", 5)]
        await schedules.delete("s")
        await host.settle()
        assert [info async for info in schedules.list()] == []


async def test_a_worker_that_dies_starts_nothing_twice(host: Host) -> None:
    start = start_of(host)
    async with host(app(start, 90, overlap="queue")) as client:
        await client.schedules.apply()
        for _ in range(4):
            await host.advance(2 * 3600)
            client = await host.crash()
        await host.settle()
        assert await runs(client) == named(start, start + HOUR, start + 2 * HOUR)
        assert (await client.schedules.describe("s")).started == 3
