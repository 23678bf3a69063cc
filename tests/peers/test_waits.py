"""Waits: Durable Functions' `wait`, Step Functions' Wait, Temporal's and Azure's durable timers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from lambda_workflow import Context, Status
from tests.peers.family import Family, World
from tests.peers.services import ADAPTERS, NOTE, Note

family = Family("waits", *ADAPTERS)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))
LATE = 75.0  # seconds that a timer may be late on AWS, where the machine's own time passes too


@family.workflow
async def waits(ctx: Context, seconds: list[int]) -> list[float]:
    """How long each wait took, by the workflow's own clock."""
    took = []
    for duration in seconds:
        before = ctx.now()
        await ctx.sleep(timedelta(seconds=duration))
        took.append((ctx.now() - before).total_seconds())
    return took


@family.case
async def test_waits_follow_each_other(world: World) -> None:
    """Durable 2-1, 2-3: each suspends and resumes the execution, and lasts its time."""
    took = await world.run(waits, [2, 2, 120])
    assert [2 <= took[0] < LATE, 2 <= took[1] < LATE, 120 <= took[2] < 120 + LATE] == [True] * 3


@family.case
async def test_a_wait_may_last_an_hour_a_day_or_a_year(world: World) -> None:
    """Durable 2-4, 2-5, Azure's timers beyond six days: one timer to the author."""
    took = await world.run(waits, [3600, 86_400, 30_000_000])
    assert [round(t) // 60 for t in took[:1]] == [60]
    assert 30_000_000 <= took[2] < 30_000_000 + LATE


@family.case
async def test_a_wait_of_no_time_or_less_ends_at_once(world: World) -> None:
    """Temporal's `sleep` of zero or less and Step Functions' past timestamps do not wait."""
    assert await world.run(waits, [0, -5]) == [0, 0]


@family.workflow
async def waits_until(ctx: Context, moment: datetime) -> datetime:
    await ctx.sleep(moment)
    return ctx.now()


@family.case
async def test_a_wait_may_last_until_a_moment(world: World) -> None:
    """Step Functions' Timestamp, Azure's create_timer(fire_at): not before it."""
    moment = datetime.fromtimestamp(world.host.now() / 1000, UTC) + 3 * HOUR
    moment = moment.replace(microsecond=0)
    assert moment <= await world.run(waits_until, moment) < moment + timedelta(seconds=LATE)


@family.case
async def test_a_wait_until_a_moment_that_is_over_ends_at_once(world: World) -> None:
    """Step Functions' Timestamp in the past."""
    now = datetime.fromtimestamp(world.host.now() / 1000, UTC)
    ended = await world.run(waits_until, now - DAY)
    assert ended < now + timedelta(seconds=LATE)


@family.workflow
async def waits_side_by_side(ctx: Context, minutes: list[int]) -> float:
    before = ctx.now()
    await asyncio.gather(*(ctx.sleep(n * MINUTE) for n in minutes))
    return (ctx.now() - before) / MINUTE


@family.case
async def test_waits_side_by_side_last_as_long_as_the_longest(world: World) -> None:
    """Temporal's concurrent timers."""
    assert 60 <= await world.run(waits_side_by_side, [10, 60, 30]) < 62


@family.workflow
async def first_of(ctx: Context, key: str) -> list[str]:
    """Azure's human-interaction timer: whichever comes first, the other is cancelled."""
    timer = asyncio.ensure_future(ctx.sleep(300 * DAY))
    work = ctx.call(NOTE, Note(key, "work"))
    both: list[asyncio.Future[Any]] = [timer, work]
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [await work, f"{len(done)} done, {len(pending)} pending"]


@family.case
async def test_a_cancelled_timer_keeps_nobody_waiting(world: World) -> None:
    """Azure: an uncancelled timer keeps an orchestration open; cancelled, it ends at once."""
    handle = await world.begin(first_of, world.key)
    assert await world.result(handle) == ["WORK", "1 done, 1 pending"]
    header = await world.header(handle)
    assert header.closed_at is not None
    assert header.closed_at - header.started_at < DAY / timedelta(milliseconds=1)


@family.workflow
async def in_time(ctx: Context, minutes: int) -> str:
    try:
        async with asyncio.timeout(5 * 60):
            await ctx.sleep(minutes * MINUTE)
    except TimeoutError:
        return "too long"
    return "in time"


@family.case
async def test_a_timeout_ends_what_lasts_too_long(world: World) -> None:
    """Temporal's asyncio.timeout in workflow code."""
    assert await world.run(in_time, 30) == "too long"


@family.case
async def test_a_timeout_leaves_alone_what_is_in_time(world: World) -> None:
    """Temporal's asyncio.timeout in workflow code."""
    assert await world.run(in_time, 2) == "in time"


@family.workflow
async def moves_on(ctx: Context, key: str) -> list[bool]:
    with anyio.move_on_after(60) as late:
        await ctx.sleep(HOUR)
    with anyio.move_on_after(7200) as early:
        await ctx.call(NOTE, Note(key, "quick"))
    return [late.cancelled_caught, early.cancelled_caught]


@family.case
async def test_anyios_deadlines_are_durable(world: World) -> None:
    """Python's own structured concurrency, which no peer but Temporal lets pass."""
    assert await world.run(moves_on, world.key) == [True, False]


@family.workflow
async def not_a_moment(ctx: Context, _: None) -> None:
    await ctx.sleep(datetime(2030, 1, 1))  # noqa: DTZ001  # that is the mistake


@family.case
async def test_a_moment_without_a_time_zone_is_refused(world: World) -> None:
    """Step Functions' Timestamp must be RFC 3339, with a zone."""
    assert "time zone" in await world.blocked(not_a_moment, None)


@family.case
async def test_a_wait_of_more_than_a_year_is_refused_in_words(world: World) -> None:
    """Durable Functions' and Step Functions' limit of a year is told, not cut short."""
    error = await world.fails(waits, [400 * 86_400])
    assert "366" in error.message


@family.workflow
async def ticks(ctx: Context, key: str) -> int:
    for _ in range(3):
        await asyncio.sleep(3600)
        await ctx.call(NOTE, Note(key, f"{ctx.now():%H}"))
    return 3


@family.case
async def test_nothing_runs_while_a_workflow_waits(world: World) -> None:
    """All peers: an execution that waits is RUNNING and does nothing until its time."""
    handle = await world.start(ticks, world.key)
    await world.at(30 * MINUTE)
    assert (await world.header(handle)).status is Status.RUNNING
    assert world.log == []
    assert await world.result(handle) == 3
    assert len(world.log) == 3


@family.workflow
async def sub_second(ctx: Context, waits: int) -> int:
    before = ctx.now()
    for _ in range(waits):
        await asyncio.sleep(0.05)
    return round((ctx.now() - before).total_seconds() * 1000)


@family.case
async def test_waits_of_milliseconds_add_up(world: World) -> None:
    """Durable and Step Functions wait for a second at least; here it is a millisecond."""
    took = await world.run(sub_second, 4)
    assert took >= 200
    if world.host.name != "aws":
        assert took == 200
