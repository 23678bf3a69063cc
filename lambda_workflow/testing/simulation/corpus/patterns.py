"""Shapes made of calls, steps and timers: maps, branches, polls, sagas, retried blocks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.errors import CallFailed, PollTimedOut, SagaFailed
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import (
    DOUBLE,
    FLAKY,
    HOPELESS,
    JOIN,
    REFUSING,
    SILENT,
    SLOW,
)
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.shape import Shape, fails_with, returns

MINUTE = timedelta(minutes=1)
AT_ONCE = RetryPolicy(attempts=2, initial=timedelta(0))


@workflow
async def map_services(ctx: Context, count: int) -> list[int]:
    return (await ctx.map(FLAKY, range(count), limit=2)).results()


@workflow
async def map_functions(ctx: Context, count: int) -> list[str]:
    async def one(ctx: Context, number: int) -> int:
        await ctx.sleep(timedelta(seconds=number))
        return await ctx.call(REFUSING if number % 2 else DOUBLE, number)

    batch = await ctx.map(one, range(count), limit=3)
    return [item.status.value if item.error else str(item.value) for item in batch]


@workflow
async def map_in_map(ctx: Context, count: int) -> list[list[int]]:
    async def row(ctx: Context, first: int) -> list[int]:
        return (await ctx.map(DOUBLE, range(first, first + 2), limit=1)).results()

    return (await ctx.map(row, range(count), limit=2)).results()


@workflow
async def map_enough(ctx: Context, count: int) -> str:
    batch = await ctx.map(SLOW, range(1, count + 4), limit=3, min_successful=2)
    return batch.reason.value if len(batch.results()) >= 2 else "too few"


@workflow
async def map_intolerant(ctx: Context, count: int) -> str:
    async def one(ctx: Context, number: int) -> int:
        try:
            return await ctx.call(REFUSING if number == count else SILENT, number)
        finally:
            if number != count:
                await ctx.call(DOUBLE, number)  # cleaning up

    batch = await ctx.map(one, range(count + 1), tolerated_failures=0)
    return " ".join([batch.reason.value, *(item.status.value for item in batch)])


@workflow
async def map_too_late(ctx: Context, count: int) -> str:
    try:
        async with asyncio.timeout(60):
            await ctx.map(SILENT, range(count + 1))
    except TimeoutError:
        return await ctx.call(JOIN, ["too", "late"])
    return "in time"


@workflow
async def branches(ctx: Context, number: int) -> dict[str, int]:
    async def twice(ctx: Context) -> int:
        return await ctx.call(DOUBLE, await ctx.call(DOUBLE, number))

    batch = await ctx.parallel({"once": lambda ctx: ctx.call(DOUBLE, number), "twice": twice})
    batch.raise_if_failed()
    return {item.name: item.value or 0 for item in batch}


@workflow
async def poll_until(ctx: Context, number: int) -> int:
    return await ctx.poll(DOUBLE, number + 1, until=lambda state: state > 20, every=MINUTE)


@workflow
async def poll_by_step(ctx: Context, number: int) -> int:
    return await ctx.poll(_one_more, 0, until=lambda state: state > number, every=MINUTE)


def _one_more(state: int) -> int:
    return state + 1


@workflow
async def poll_too_long(ctx: Context, number: int) -> int:
    try:
        await ctx.poll(SILENT, number, until=bool, every=MINUTE, timeout=3 * MINUTE)
    except PollTimedOut as late:
        return late.checks
    return -1


@workflow
async def block_again(ctx: Context, number: int) -> list[str]:
    log = []

    async def block(ctx: Context) -> None:
        log.append(str(await ctx.call(DOUBLE, number)))
        await asyncio.gather(ctx.call(REFUSING, number), ctx.call(SILENT, number))

    try:
        await ctx.retry(block, policy=AT_ONCE)
    except CallFailed as failed:
        log.append(failed.type)
    return log


async def _undo(ctx: Context, log: list[int], number: int) -> None:
    log.append(await ctx.call(DOUBLE, number))


@workflow
async def saga_refused(ctx: Context, number: int) -> list[int]:
    log: list[int] = []
    try:
        async with ctx.saga() as saga:
            for done in range(3):
                saga.on_rollback(_undo, log, await ctx.call(DOUBLE, done))
            await ctx.call(REFUSING, number)
    except CallFailed:
        log.append(-1)
    return log


@workflow
async def saga_done(ctx: Context, number: int) -> int:
    async with ctx.saga() as saga:
        saga.on_rollback(REFUSING, number)
        return await ctx.call(DOUBLE, number)


@workflow
async def saga_in_time(ctx: Context, number: int) -> list[int]:
    log: list[int] = []
    try:
        async with asyncio.timeout(60), ctx.saga(parallel=True) as saga:
            for done in range(3):
                saga.on_rollback(_undo, log, done)
            await ctx.call(SILENT, number)
    except TimeoutError:
        log.append(-1)
    return sorted(log)


@workflow
async def saga_stuck(ctx: Context, number: int) -> list[str]:
    log: list[int] = []
    try:
        async with ctx.saga() as saga:
            saga.on_rollback(_undo, log, 1)
            saga.on_rollback(HOPELESS, number)
            saga.on_rollback(_undo, log, 2)
            await ctx.call(REFUSING, number)
    except SagaFailed as failed:
        return [*map(str, log), *(type(one).__name__ for one in failed.failures)]
    return []


@workflow
async def saga_told(ctx: Context, number: int) -> None:
    async with ctx.saga() as saga:
        saga.on_rollback(REFUSING, number)
        raise ValueError("no seats")


def _shown(count: int) -> list[str]:
    return ["FAILED" if number % 2 else str(2 * number) for number in range(count)]


SHAPES = (
    Shape(map_services, few, returns(lambda n: list(range(n)))),
    Shape(map_functions, few, returns(_shown)),
    Shape(map_in_map, few, returns(lambda n: [[2 * i, 2 * i + 2] for i in range(n)])),
    Shape(map_enough, few, returns(lambda n: "MIN_SUCCESSFUL_REACHED")),
    Shape(
        map_intolerant,
        few,
        returns(lambda n: " ".join(["FAILURE_TOLERANCE_EXCEEDED", *["CANCELLED"] * n, "FAILED"])),
    ),
    Shape(map_too_late, few, returns(lambda n: "too late")),
    Shape(branches, few, returns(lambda n: {"once": 2 * n, "twice": 4 * n})),
    Shape(poll_until, few, returns(lambda n: next(x for x in _doubles(n + 1) if x > 20))),
    Shape(poll_by_step, few, returns(lambda n: n + 1)),
    Shape(poll_too_long, few, returns(lambda n: 0)),
    Shape(block_again, few, returns(lambda n: [str(2 * n), str(2 * n), "Refused"])),
    Shape(saga_refused, few, returns(lambda n: [8, 4, 0, -1])),
    Shape(saga_done, few, returns(lambda n: 2 * n)),
    Shape(saga_in_time, few, returns(lambda n: [-1, 0, 2, 4])),
    Shape(saga_stuck, few, returns(lambda n: ["4", "2", "CallFailed"])),
    Shape(saga_told, few, fails_with("SagaFailed")),
)


def _doubles(number: int) -> list[int]:
    return [number * 2**power for power in range(1, 6)]
