"""Every primitive of anyio that has a place in a workflow: operations, outcome, replay."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio._backends import _asyncio as backend
from anyio.abc import TaskStatus

from lambda_workflow import CallFailed, Context
from lambda_workflow.replay.execution import Execution
from tests.patience import patience
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    Code,
    drive,
    flow,
    runs_and_replays,
    tools,
)

ROOT = Path(__file__).resolve().parents[2]


async def fails_after(ctx: Context, n: int) -> Any:
    try:
        with anyio.fail_after(5):
            await anyio.sleep(6)
    except TimeoutError:
        return await ctx.call(DOUBLE, n)


async def in_time(ctx: Context, n: int) -> Any:
    with anyio.fail_after(5):
        value = await ctx.call(DOUBLE, n)
    with anyio.move_on_after(5) as scope:
        await ctx.call(OTHER, n)
    return [value, scope.cancelled_caught]


async def moves_on(ctx: Context, n: int) -> Any:
    with anyio.move_on_after(5) as scope:
        await anyio.sleep_forever()
    return [scope.cancelled_caught, await ctx.call(DOUBLE, n)]


async def moves_on_at(ctx: Context, n: int) -> Any:
    begun = anyio.current_time()
    with anyio.CancelScope(deadline=begun + 5) as scope:
        scope.deadline = begun + 8
        await anyio.sleep(100)
    return anyio.current_time() - begun


async def events(ctx: Context, n: int) -> Any:
    ready, seen = anyio.Event(), []

    async def waits(i: int) -> None:
        await ready.wait()
        seen.append(await ctx.call(DOUBLE, i))

    async with anyio.create_task_group() as group:
        for i in range(n):
            group.start_soon(waits, i)
        await ctx.call(OTHER, 0)
        ready.set()
    return seen


async def semaphores(ctx: Context, n: int) -> Any:
    gate, inside, most = anyio.Semaphore(2), 0, 0

    async def enters(i: int) -> None:
        nonlocal inside, most
        async with gate:
            inside += 1
            most = max(most, inside)
            await ctx.call(DOUBLE, i)
            inside -= 1

    async with anyio.create_task_group() as group:
        for i in range(2 * n):
            group.start_soon(enters, i)
    return most


async def limiters(ctx: Context, n: int) -> Any:
    limiter, log = anyio.CapacityLimiter(1), []

    async def enters(i: int) -> None:
        async with limiter:
            log.append(await ctx.call(DOUBLE, i))

    async with anyio.create_task_group() as group:
        for i in range(n):
            group.start_soon(enters, i)
    return log


async def locks_and_conditions(ctx: Context, n: int) -> Any:
    condition, stock, log = anyio.Condition(anyio.Lock()), 0, []

    async def takes(i: int) -> None:
        nonlocal stock
        async with condition:
            while not stock:
                await condition.wait()
            stock -= 1
        log.append(i)

    async with anyio.create_task_group() as group:
        for i in range(2):
            group.start_soon(takes, i)
        for _ in range(2):
            await ctx.call(DOUBLE, 1)
            async with condition:
                stock += 1
                condition.notify_all()
    return log


async def streams(ctx: Context, n: int) -> Any:
    send, receive = anyio.create_memory_object_stream[int](0)
    got: list[int] = []

    async def produces() -> None:
        async with send:
            for i in range(n):
                await send.send(await ctx.call(DOUBLE, i))

    async with anyio.create_task_group() as group:
        group.start_soon(produces)
        async with receive:
            got += [await ctx.call(OTHER, value) async for value in receive]
    return got


async def started(ctx: Context, n: int) -> Any:
    async def serves(*, task_status: TaskStatus[int]) -> None:
        task_status.started(await ctx.call(DOUBLE, n))
        await ctx.call(OTHER, n)

    async with anyio.create_task_group() as group:
        value: int = await group.start(serves)
        second = await ctx.call(DOUBLE, value)
    return [value, second]


async def cleans_up(ctx: Context, n: int) -> Any:
    log: list[Any] = []

    async def doomed() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                log.append(await ctx.call(OTHER, n))

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(doomed)
            await ctx.call(REFUSING, n)
    except* CallFailed:
        log.append("failed")
    return log


async def cleans_up_in_time(ctx: Context, n: int) -> Any:
    log: list[Any] = []
    with anyio.move_on_after(1):
        try:
            await anyio.sleep(10)
        finally:
            with anyio.move_on_after(2, shield=True) as cleanup:
                await anyio.sleep(20)
            log.append(cleanup.cancelled_caught)
    return log


async def cancels_all(ctx: Context, n: int) -> Any:
    log: list[int] = []

    async def waits(i: int) -> None:
        try:
            await anyio.sleep(100 + i)
        except anyio.get_cancelled_exc_class():
            log.append(i)
            raise

    async with anyio.create_task_group() as group:
        for i in range(2 * n):
            group.start_soon(waits, i)
        await ctx.call(DOUBLE, n)
        group.cancel_scope.cancel()
    return log


async def cleans_up_in_order(ctx: Context, n: int) -> Any:
    async def doomed(i: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await ctx.call(DOUBLE, i)

    async with anyio.create_task_group() as group:
        for i in range(4):
            group.start_soon(doomed, i)
        await ctx.call(OTHER, n)
        group.cancel_scope.cancel()
    return n


async def nests(ctx: Context, n: int) -> Any:
    log: list[int] = []

    async def inner(i: int) -> None:
        async with anyio.create_task_group() as group:
            for k in range(2):
                group.start_soon(leaf, 10 * i + k)

    async def leaf(i: int) -> None:
        log.append(await ctx.call(DOUBLE, i))

    async with anyio.create_task_group() as group:
        for i in range(2):
            group.start_soon(inner, i)
    return log


CASES: list[tuple[Code, list[str], Any]] = [
    (fails_after, ["1t", "2t", "3"], 6),
    (in_time, ["1t", "2", "3t", "4"], [6, False]),
    (moves_on, ["1t", "2"], [True, 6]),
    (moves_on_at, ["2t", "3t"], 8),
    (events, ["1", "1.1", "2.1", "3.1"], [0, 2, 4]),
    (semaphores, ["1.1", "2.1", "3.1", "4.1", "5.1", "6.1"], 2),
    (limiters, ["1.1", "2.1", "3.1"], [0, 2, 4]),
    (locks_and_conditions, ["1", "2"], [0, 1]),
    (streams, ["1.1", "1.2", "1", "2", "1.3", "3"], [0, 4, 8]),
    (started, ["1.1", "1.2", "1"], [6, 12]),
    (cleans_up, ["1", "1.1"], [6, "failed"]),
    (cleans_up_in_time, ["1t", "2t", "3t", "4t"], [True]),
    (cancels_all, ["1"] + [f"{i}.1t" for i in range(1, 7)], list(range(6))),
    (cleans_up_in_order, ["1", "1.1", "2.1", "3.1", "4.1"], 3),
    (nests, ["1.1.1", "1.2.1", "2.1.1", "2.2.1"], [0, 2, 20, 22]),
]


@pytest.mark.parametrize(("code", "operations", "outcome"), CASES)
def test_it_runs_unmodified_and_replays(code: Code, operations: list[str], outcome: Any) -> None:
    runs_and_replays(code, operations, outcome)


def test_anyio_holds_nothing_of_code_that_is_unwound() -> None:
    """At its end or before, whatever callbacks of its tasks have still to run."""
    gc.collect()
    before = set(backend._task_states)
    for code, _, _ in CASES:
        made = flow(code)
        turns = drive(made)
        for seen in range(1, len(turns) + 1):
            execution = Execution(made, "e", tools(made))
            execution.replay(turns[:seen])
            execution.close()
    assert set(backend._task_states) == before


FIRST_USE = """
import anyio
from tests.replay.driving import drive, flow

async def in_a_thread(ctx, n):
    return await anyio.to_thread.run_sync(int, n)

try:
    drive(flow(in_a_thread))
except Exception as error:
    print(error)
"""


def test_a_thread_is_refused_at_anyio_s_first_use_in_a_process() -> None:
    command = [sys.executable, "-c", FIRST_USE]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=True
    )
    assert "ctx.step" in ran.stdout
