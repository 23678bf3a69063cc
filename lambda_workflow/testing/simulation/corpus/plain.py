"""Shapes without races: calls one after the other and side by side, results that are certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import BIG, DOUBLE, JOIN
from lambda_workflow.testing.simulation.shape import Shape, returns


@workflow
async def nothing(ctx: Context, number: int) -> int:
    return number


@workflow
async def sequential(ctx: Context, count: int) -> list[int]:
    return [await ctx.call(DOUBLE, number) for number in range(count)]


@workflow
async def chained(ctx: Context, count: int) -> int:
    number = 1
    for _ in range(count):
        number = await ctx.call(DOUBLE, number)
    return number


@workflow
async def gathered(ctx: Context, count: int) -> list[int]:
    return await asyncio.gather(*(ctx.call(DOUBLE, number) for number in range(count)))


@workflow
async def grouped(ctx: Context, count: int) -> int:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_double_twice(ctx, number)) for number in range(count)]
    return sum(task.result() for task in tasks)


async def _double_twice(ctx: Context, number: int) -> int:
    return await ctx.call(DOUBLE, await ctx.call(DOUBLE, number))


@workflow
async def started_first(ctx: Context, number: int) -> str:
    first = ctx.call(DOUBLE, number)
    second = ctx.call(JOIN, ["a", str(number)])
    third = ctx.call(DOUBLE, number + 1)
    return f"{await third} {await second} {await first}"


@workflow
async def awaited_backwards(ctx: Context, count: int) -> list[int]:
    calls = [ctx.call(DOUBLE, number) for number in range(count)]
    return [await call for call in reversed(calls)]


@workflow
async def nested(ctx: Context, depth: int) -> int:
    return await _tree(ctx, min(depth, 3))


async def _tree(ctx: Context, depth: int) -> int:
    if depth == 0:
        return await ctx.call(DOUBLE, 1)
    left, right = await asyncio.gather(_tree(ctx, depth - 1), _tree(ctx, depth - 1))
    return await ctx.call(DOUBLE, left + right)


def _tree_model(depth: int) -> int:
    return 2 if depth == 0 else 4 * _tree_model(depth - 1)


@workflow
async def wide(ctx: Context, count: int) -> int:
    return sum(await asyncio.gather(*(ctx.call(DOUBLE, n) for n in range(10 * count))))


@workflow
async def limited(ctx: Context, count: int) -> list[int]:
    semaphore = asyncio.Semaphore(2)

    async def one(number: int) -> int:
        async with semaphore:
            return await ctx.call(DOUBLE, number)

    return await asyncio.gather(*(one(number) for number in range(count)))


@workflow
async def queued(ctx: Context, count: int) -> list[int]:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    results: dict[int, int] = {}

    async def consume() -> None:
        while True:
            number = await queue.get()
            results[number] = await ctx.call(DOUBLE, number)
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    for number in range(count):
        await queue.put(number)
    await queue.join()
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    return [results[number] for number in range(count)]


@workflow
async def signalled(ctx: Context, number: int) -> list[int]:
    ready, lock, log = asyncio.Event(), asyncio.Lock(), [0]

    async def waiter(name: int) -> None:
        await ready.wait()
        async with lock:
            before = log[-1]
            answer = await ctx.call(DOUBLE, name)
            log.append(before + answer)

    async with asyncio.TaskGroup() as group:
        for name in (1, 2, 3):
            group.create_task(waiter(name))
        await ctx.call(DOUBLE, number)
        ready.set()
    return log


@workflow
async def generated(ctx: Context, count: int) -> list[int]:
    async def doubled() -> AsyncIterator[int]:
        for number in range(count):
            yield await ctx.call(DOUBLE, number)

    return [number async for number in doubled()]


@workflow
async def growing(ctx: Context, count: int) -> int:
    total = 0
    async with asyncio.TaskGroup() as group:

        async def one(level: int) -> None:
            nonlocal total
            answer = await ctx.call(DOUBLE, level)
            total += answer
            if level:
                group.create_task(one(level - 1))

        group.create_task(one(count))
    return total


@workflow
async def voluminous(ctx: Context, count: int) -> str:
    text = await ctx.call(BIG, "ü" * (count * 40_000))
    again = await ctx.call(BIG, text)
    return again


@workflow
async def cleaned_up(ctx: Context, number: int) -> int:
    try:
        result = await ctx.call(DOUBLE, number)
    finally:
        released = await ctx.call(JOIN, ["release", str(number)])
    return result + len(released)


@workflow
async def unawaited(ctx: Context, number: int) -> int:
    ctx.call(JOIN, ["fire", "and", "forget"])
    return await ctx.call(DOUBLE, number)


def few(rng: Random) -> int:
    """A small count."""
    return rng.randint(1, 5)


def doubles(count: int) -> list[int]:
    """What DOUBLE makes of 0, 1, 2, …"""
    return [2 * number for number in range(count)]


SHAPES = (
    Shape(nothing, few, returns(lambda n: n)),
    Shape(sequential, few, returns(doubles)),
    Shape(chained, few, returns(lambda n: 2**n)),
    Shape(gathered, few, returns(doubles)),
    Shape(grouped, few, returns(lambda n: 4 * sum(range(n)))),
    Shape(started_first, few, returns(lambda n: f"{2 * n + 2} a {n} {2 * n}")),
    Shape(awaited_backwards, few, returns(lambda n: doubles(n)[::-1])),
    Shape(nested, few, returns(lambda n: _tree_model(min(n, 3)))),
    Shape(wide, few, returns(lambda n: sum(doubles(10 * n)))),
    Shape(limited, few, returns(doubles)),
    Shape(queued, few, returns(doubles)),
    Shape(signalled, few, returns(lambda n: [0, 2, 6, 12])),
    Shape(generated, few, returns(doubles)),
    Shape(growing, few, returns(lambda n: n * (n + 1))),
    Shape(voluminous, few, returns(lambda n: "ü" * (n * 160_000)), weight=3),
    Shape(cleaned_up, few, returns(lambda n: 2 * n + len(f"release {n}"))),
    Shape(unawaited, few, returns(lambda n: 2 * n)),
)
