"""Every primitive of asyncio that has a place in a workflow: operations, outcome, replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambda_workflow import CallFailed, Context
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    Code,
    runs_and_replays,
)


async def in_time(ctx: Context, n: int) -> Any:
    async with asyncio.timeout(60) as limit:
        value = await ctx.call(DOUBLE, n)
    return [value, limit.expired()]


async def out_of_time(ctx: Context, n: int) -> Any:
    try:
        async with asyncio.timeout(60):
            await asyncio.sleep(61)
    except TimeoutError:
        return await ctx.call(DOUBLE, n)


async def until_a_moment(ctx: Context, n: int) -> Any:
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(now + 5) as limit:
            limit.reschedule(now + 7)
            await asyncio.Event().wait()
    except TimeoutError:
        return asyncio.get_running_loop().time() - now


async def nested_limits(ctx: Context, n: int) -> Any:
    log = []
    try:
        async with asyncio.timeout(10):
            try:
                async with asyncio.timeout(20):
                    await asyncio.sleep(30)
            except TimeoutError:
                log.append("inner")
    except TimeoutError:
        log.append("outer")
    return log


async def events(ctx: Context, n: int) -> Any:
    ready = asyncio.Event()
    seen = []

    async def waits(i: int) -> None:
        await ready.wait()
        seen.append(await ctx.call(DOUBLE, i))

    waiting = [asyncio.create_task(waits(i)) for i in range(n)]
    await ctx.call(OTHER, 0)
    ready.set()
    await asyncio.gather(*waiting)
    return seen


async def conditions(ctx: Context, n: int) -> Any:
    stock, condition, log = 0, asyncio.Condition(), []

    async def takes(i: int) -> None:
        nonlocal stock
        async with condition:
            await condition.wait_for(lambda: stock > 0)
            stock -= 1
        log.append(i)

    takers = [asyncio.create_task(takes(i)) for i in range(2)]
    for _ in takers:
        await ctx.call(DOUBLE, 1)
        async with condition:
            stock += 1
            condition.notify_all()
    await asyncio.gather(*takers)
    return log


async def locks(ctx: Context, n: int) -> Any:
    lock, log = asyncio.Lock(), []

    async def alone(i: int) -> None:
        async with lock:
            log.append(i)
            await ctx.call(DOUBLE, i)
            log.append(i)

    await asyncio.gather(*(alone(i) for i in range(n)))
    return log


async def barriers(ctx: Context, n: int) -> Any:
    barrier = asyncio.Barrier(n)

    async def meets(i: int) -> int:
        await ctx.call(DOUBLE, i)
        place = await barrier.wait()
        return await ctx.call(OTHER, place)

    return await asyncio.gather(*(meets(i) for i in range(n)))


async def semaphores(ctx: Context, n: int) -> Any:
    gate, inside, most = asyncio.BoundedSemaphore(2), 0, 0

    async def enters(i: int) -> None:
        nonlocal inside, most
        async with gate:
            inside += 1
            most = max(most, inside)
            await ctx.call(DOUBLE, i)
            inside -= 1

    await asyncio.gather(*(enters(i) for i in range(2 * n)))
    return most


async def queues(ctx: Context, n: int) -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    got: list[int] = []

    async def consumes() -> None:
        while True:
            got.append(await ctx.call(DOUBLE, await queue.get()))
            queue.task_done()

    consumer = asyncio.create_task(consumes())
    for i in range(n):
        await queue.put(i)
    await queue.join()
    consumer.cancel()
    return got


async def priorities(ctx: Context, n: int) -> Any:
    queue: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
    for i in (3, 1, 2):
        queue.put_nowait(await ctx.call(DOUBLE, i))
    return [await queue.get() for _ in range(3)]


async def shields(ctx: Context, n: int) -> Any:
    inner = asyncio.create_task(works(ctx, n))
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(inner)
    except TimeoutError:
        return ["kept", await inner]
    return ["in time"]


async def works(ctx: Context, n: int) -> int:
    await asyncio.sleep(5)
    return await ctx.call(DOUBLE, n)


async def first_of_tasks(ctx: Context, n: int) -> Any:
    async def naps(i: int) -> int:
        await asyncio.sleep(10 - i)
        return i

    tasks = [asyncio.create_task(naps(i)) for i in range(n)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    return [[task.result() for task in done], [task.cancelled() for task in pending]]


async def first_error(ctx: Context, n: int) -> Any:
    calls = [ctx.call(DOUBLE, 1), ctx.call(REFUSING, 2), ctx.call(DOUBLE, 3)]
    done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
    for call in pending:
        call.cancel()
    return [len(done), len(pending)]


async def waits_a_while(ctx: Context, n: int) -> Any:
    task = asyncio.create_task(asyncio.sleep(100))
    done, pending = await asyncio.wait([task], timeout=1)
    task.cancel()
    return [len(done), len(pending), await ctx.call(DOUBLE, n)]


async def failing_group(ctx: Context, n: int) -> Any:
    log: list[Any] = []

    async def doomed() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            log.append(await ctx.call(OTHER, 1))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(doomed())
            group.create_task(refused(ctx))
    except* CallFailed as failed:
        log.append([type(error).__name__ for error in failed.exceptions])
    return log


async def refused(ctx: Context) -> int:
    return await ctx.call(REFUSING, 1)


async def gathered_errors(ctx: Context, n: int) -> Any:
    got = await asyncio.gather(ctx.call(DOUBLE, 1), refused(ctx), return_exceptions=True)
    return [value if isinstance(value, int) else type(value).__name__ for value in got]


async def generators(ctx: Context, n: int) -> Any:
    log: list[Any] = []

    async def counts() -> AsyncIterator[int]:
        try:
            for i in range(100):
                yield await ctx.call(DOUBLE, i)
        finally:
            log.append(await ctx.call(OTHER, 0))

    numbers = counts()
    async for value in numbers:
        log.append(value)
        if value == 2:
            break
    await numbers.aclose()  # type: ignore[attr-defined]  # an async generator has it
    return log


async def left_generators(ctx: Context, n: int) -> Any:
    async def counts() -> AsyncIterator[int]:
        try:
            while True:
                yield await ctx.call(DOUBLE, n)
        finally:
            closed.set()

    closed = asyncio.Event()
    async for _ in counts():
        break
    await closed.wait()  # the loop closes what was left
    return "closed"


async def cancelled_call(ctx: Context, n: int) -> Any:
    first, call = ctx.call(OTHER, n), ctx.call(DOUBLE, n)
    await first
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return [call.cancelled(), await ctx.call(OTHER, n)]


async def cancelled_task(ctx: Context, n: int) -> Any:
    log = []

    async def stubborn() -> int:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            log.append("refused")
        return await ctx.call(DOUBLE, n)

    task = asyncio.create_task(stubborn())
    await ctx.call(OTHER, 0)
    task.cancel()
    return [await task, *log]


async def threads_of_time(ctx: Context, n: int) -> Any:
    loop = asyncio.get_running_loop()
    log: list[str] = []
    done = asyncio.Event()
    loop.call_later(2, log.append, "later")
    loop.call_at(loop.time() + 1, log.append, "at")
    loop.call_later(0, log.append, "now")
    loop.call_soon(log.append, "soon")
    given_up = loop.call_later(1, log.append, "never")
    given_up.cancel()
    loop.call_later(3, done.set)
    await done.wait()
    return log


async def calls_as_tasks(ctx: Context, n: int) -> Any:
    async with asyncio.TaskGroup() as group:
        first: Any = ctx.call(DOUBLE, n)  # Any: create_task's types want a coroutine
        tasks = [group.create_task(first), group.create_task(double(ctx, n + 1))]
    return [task.result() for task in tasks]


async def double(ctx: Context, n: int) -> Any:
    return await ctx.call(DOUBLE, n)


CASES: list[tuple[Code, list[str], Any]] = [
    (in_time, ["1t", "2"], [6, False]),
    (out_of_time, ["1t", "2t", "3"], 6),
    (until_a_moment, ["2t"], 7),
    (nested_limits, ["1t", "2t", "3t"], ["outer"]),
    (events, ["1", "1.1", "2.1", "3.1"], [0, 2, 4]),
    (conditions, ["1", "2"], [0, 1]),
    (locks, ["1.1", "2.1", "3.1"], [0, 0, 1, 1, 2, 2]),
    (barriers, ["1.1", "2.1", "3.1", "3.2", "1.2", "2.2"], [0, 2, 4]),
    (semaphores, ["1.1", "2.1", "3.1", "4.1", "5.1", "6.1"], 2),
    (queues, ["1.1", "1.2", "1.3"], [0, 2, 4]),
    (priorities, ["1", "2", "3"], [2, 4, 6]),
    (shields, ["1t", "1.1t", "1.2"], ["kept", 6]),
    (first_of_tasks, ["1.1t", "2.1t", "3.1t"], [[2], [True, True]]),
    (first_error, ["1", "2", "3"], [2, 1]),
    (waits_a_while, ["1t", "1.1t", "2"], [0, 1, 6]),
    (failing_group, ["1.1t", "2.1", "1.2"], [2, ["CallFailed"]]),
    (gathered_errors, ["1", "1.1"], [2, "CallFailed"]),
    (generators, ["1", "2", "3"], [0, 2, 0]),
    (left_generators, ["1"], "closed"),
    (cancelled_call, ["1", "2", "3"], [True, 6]),
    (cancelled_task, ["1", "1.1t", "1.2"], [6, "refused"]),
    (calls_as_tasks, ["1", "2.1"], [6, 8]),
    (threads_of_time, ["1t", "2t", "4t"], ["now", "soon", "at", "later"]),
]


@pytest.mark.parametrize(("code", "operations", "outcome"), CASES)
def test_it_runs_unmodified_and_replays(code: Code, operations: list[str], outcome: Any) -> None:
    runs_and_replays(code, operations, outcome)
