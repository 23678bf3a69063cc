"""Shapes whose result depends on what comes first: races, timeouts, cancellation."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.errors import CallTimedOut
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import (
    DOUBLE,
    JOIN,
    SILENT,
    SLOW,
)
from lambda_workflow.testing.simulation.corpus.plain import doubles, few
from lambda_workflow.testing.simulation.shape import (
    Shape,
    either,
    fails_with,
    returns,
    returns_one_of,
)


@workflow
async def first_of_two(ctx: Context, number: int) -> int:
    calls = [asyncio.ensure_future(ctx.call(DOUBLE, number + n)) for n in (0, 1)]
    done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in pending:
        call.cancel()
    winner = min(call.result() for call in done)
    return await ctx.call(DOUBLE, winner)


@workflow
async def as_they_come(ctx: Context, count: int) -> list[int]:
    results = []
    for earliest in asyncio.as_completed([ctx.call(DOUBLE, n) for n in range(count)]):
        results.append(await earliest)
        await ctx.call(DOUBLE, results[-1])
    return sorted(results)


@workflow
async def in_time(ctx: Context, number: int) -> int:
    try:
        async with asyncio.timeout(timedelta(days=3).total_seconds()):
            return await ctx.call(DOUBLE, number)
    except TimeoutError:
        return -1


@workflow
async def too_late(ctx: Context, number: int) -> str:
    try:
        async with asyncio.timeout(60 * number):
            await ctx.call(SILENT, number)
    except TimeoutError:
        return await ctx.call(JOIN, ["too", "late"])
    return "in time"


@workflow
async def waited_for(ctx: Context, number: int) -> int:
    try:
        return await asyncio.wait_for(ctx.call(SLOW, 60 * number), 120)
    except TimeoutError:
        return await ctx.call(DOUBLE, -1)


@workflow
async def waited_for_task(ctx: Context, number: int) -> int:
    async def twice() -> int:
        return await ctx.call(DOUBLE, await ctx.call(SLOW, 30 * number))

    try:
        return await asyncio.wait_for(twice(), 90)
    except TimeoutError:
        return -1


@workflow
async def call_timed_out(ctx: Context, number: int) -> str:
    try:
        await ctx.call(SILENT, number, timeout=timedelta(minutes=10))
    except CallTimedOut as error:
        return await ctx.call(JOIN, [error.service, "timed", "out"])
    return "answered"


@workflow
async def nested_timeouts(ctx: Context, number: int) -> list[str]:
    log = []
    try:
        async with asyncio.timeout(3600):
            try:
                async with asyncio.timeout(60):
                    await ctx.call(SILENT, number)
            except TimeoutError:
                log.append("inner")
            await ctx.call(SILENT, number)
    except TimeoutError:
        log.append("outer")
    return log


@workflow
async def hedged(ctx: Context, number: int) -> int:
    first = asyncio.ensure_future(ctx.call(SLOW, 100 * number))
    done, _ = await asyncio.wait([first], timeout=150)
    if done:
        return first.result()
    second = asyncio.ensure_future(ctx.call(DOUBLE, number))
    done, pending = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
    for call in pending:
        call.cancel()
    return first.result() if first in done else second.result()


@workflow
async def cancelled_branch(ctx: Context, number: int) -> list[str]:
    log = []

    async def branch() -> None:
        try:
            await ctx.call(SILENT, number)
        except asyncio.CancelledError:
            log.append(await ctx.call(JOIN, ["cleaned", "up"]))
            raise

    task = asyncio.create_task(branch())
    await ctx.call(DOUBLE, number)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log.append("cancelled")
    return log


@workflow
async def shielded(ctx: Context, number: int) -> int:
    inner = asyncio.ensure_future(ctx.call(SLOW, 300))
    try:
        async with asyncio.timeout(60):
            await asyncio.shield(inner)
    except TimeoutError:
        return await inner + number
    return number


@workflow
async def polled(ctx: Context, number: int) -> int:
    task = asyncio.create_task(_slowly(ctx, number))
    rounds = 0
    while not task.done() and rounds < 50:
        await asyncio.sleep(20)
        rounds += 1
    return await task


async def _slowly(ctx: Context, number: int) -> int:
    return await ctx.call(SLOW, 45 * number)


@workflow
async def many_deadlines(ctx: Context, count: int) -> list[int]:
    results = []
    for number in range(count):
        async with asyncio.timeout(timedelta(days=30).total_seconds()):
            results.append(await ctx.call(DOUBLE, number))
    return results


SHAPES = (
    Shape(first_of_two, few, returns_one_of(lambda n: [4 * n, 4 * n + 4])),
    Shape(as_they_come, few, returns(doubles)),
    Shape(in_time, few, returns_one_of(lambda n: [2 * n, -1])),
    Shape(too_late, few, returns(lambda n: "too late")),
    Shape(waited_for, few, returns_one_of(lambda n: [60 * n, -2])),
    Shape(waited_for_task, few, returns_one_of(lambda n: [60 * n, -1])),
    Shape(call_timed_out, few, returns(lambda n: "silent timed out")),
    Shape(nested_timeouts, few, returns_one_of(lambda n: [["inner", "outer"], ["outer"]])),
    Shape(hedged, few, returns_one_of(lambda n: [100 * n, 2 * n])),
    Shape(cancelled_branch, few, returns(lambda n: ["cleaned up", "cancelled"])),
    Shape(shielded, few, returns_one_of(lambda n: [300 + n, n])),
    Shape(polled, few, returns(lambda n: 45 * n)),
    Shape(many_deadlines, few, either(returns(doubles), fails_with("TimeoutError"))),
)
