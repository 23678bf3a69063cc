"""Shapes written with anyio: task groups, scopes, limiters, streams."""

from __future__ import annotations

from datetime import timedelta

import anyio
from anyio.abc import TaskStatus

from lambda_workflow.errors import CallFailed
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import DOUBLE, JOIN, REFUSING, SILENT
from lambda_workflow.testing.simulation.corpus.plain import doubles, few
from lambda_workflow.testing.simulation.shape import Shape, returns, returns_one_of


@workflow
async def anyio_group(ctx: Context, count: int) -> list[int]:
    results: dict[int, int] = {}

    async def one(number: int) -> None:
        results[number] = await ctx.call(DOUBLE, number)

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(one, number)
    return [results[number] for number in range(count)]


@workflow
async def anyio_move_on(ctx: Context, number: int) -> str:
    with anyio.move_on_after(60 * number) as scope:
        await ctx.call(SILENT, number)
    return await ctx.call(JOIN, ["cancelled" if scope.cancelled_caught else "answered"])


@workflow
async def anyio_fail_after(ctx: Context, number: int) -> int:
    try:
        with anyio.fail_after(timedelta(days=3).total_seconds()):
            return await ctx.call(DOUBLE, number)
    except TimeoutError:
        return -1


@workflow
async def anyio_race(ctx: Context, number: int) -> int:
    winners: list[int] = []

    async def run(value: int) -> None:
        winners.append(await ctx.call(DOUBLE, value))
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run, number)
        group.start_soon(run, number + 1)
    return winners[0]


@workflow
async def anyio_branch_fails(ctx: Context, number: int) -> list[str]:
    log = []

    async def doomed() -> None:
        try:
            await ctx.call(SILENT, number)
        finally:
            with anyio.CancelScope(shield=True):
                log.append(await ctx.call(JOIN, ["cleaned", "up"]))

    async def refuse() -> None:
        await ctx.call(REFUSING, number)

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(doomed)
            group.start_soon(refuse)
    except* CallFailed:
        log.append("failed")
    return log


@workflow
async def anyio_stream(ctx: Context, count: int) -> list[int]:
    send, receive = anyio.create_memory_object_stream[int](1)
    results: list[int] = []

    async def produce() -> None:
        async with send:
            for number in range(count):
                await send.send(await ctx.call(DOUBLE, number))

    async with anyio.create_task_group() as group, receive:
        group.start_soon(produce)
        results += [await ctx.call(DOUBLE, number) async for number in receive]
    return results


@workflow
async def anyio_limited(ctx: Context, count: int) -> int:
    limiter, total = anyio.CapacityLimiter(2), 0

    async def one(number: int) -> None:
        nonlocal total
        async with limiter:
            answer = await ctx.call(DOUBLE, number)
            total += answer

    async with anyio.create_task_group() as group:
        for number in range(2 * count):
            group.start_soon(one, number)
    return total


@workflow
async def anyio_started(ctx: Context, number: int) -> int:
    async def serve(*, task_status: TaskStatus[int]) -> None:
        task_status.started(await ctx.call(DOUBLE, number))
        await anyio.sleep(3600)

    async with anyio.create_task_group() as group:
        value: int = await group.start(serve)
    return value


SHAPES = (
    Shape(anyio_group, few, returns(doubles)),
    Shape(anyio_move_on, few, returns(lambda n: "cancelled")),
    Shape(anyio_fail_after, few, returns_one_of(lambda n: [2 * n, -1])),
    Shape(anyio_race, few, returns_one_of(lambda n: [2 * n, 2 * n + 2])),
    Shape(anyio_branch_fails, few, returns(lambda n: ["cleaned up", "failed"])),
    Shape(anyio_stream, few, returns(lambda n: [4 * i for i in range(n)])),
    Shape(anyio_limited, few, returns(lambda n: sum(doubles(2 * n)))),
    Shape(anyio_started, few, returns(lambda n: 2 * n)),
)
