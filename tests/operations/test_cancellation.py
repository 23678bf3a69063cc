"""Cancelling executions from outside, on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from lambda_workflow import (
    App,
    Context,
    ExecutionCancelled,
    ExecutionClosed,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionTerminated,
    RetryPolicy,
    Service,
    ServiceError,
    Status,
    serve,
    workflow,
)
from tests.operations.host import Host
from tests.operations.timers import armed

DAY = timedelta(days=1)
LOG: Service[str, str] = Service("log", str, str)
BUSY: Service[str, str] = Service(
    "busy", str, str, retry=RetryPolicy(attempts=10, initial=DAY, cap=DAY, jitter=0)
)
logged: list[str] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    logged.clear()


@serve(LOG)
async def log(line: str) -> str:
    """Remembers."""
    logged.append(line)
    return line


@serve(BUSY)
async def busy(line: str) -> str:
    """Never today."""
    raise ServiceError("busy")


@workflow
async def sleeps(ctx: Context, line: str) -> str:
    try:
        await ctx.sleep(DAY)
    finally:
        await ctx.call(LOG, f"{line} is over")
    return line


async def in_sleep(ctx: Context) -> None:
    await ctx.sleep(DAY)


async def in_asyncio_sleep(ctx: Context) -> None:
    await asyncio.sleep(86_400)


async def in_gather(ctx: Context) -> None:
    await asyncio.gather(ctx.sleep(DAY), ctx.call(BUSY, "a"), tidy(ctx, "gathered"))


async def in_group(ctx: Context) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ctx.sleep(DAY))
        group.create_task(tidy(ctx, "grouped"))


async def in_map(ctx: Context) -> None:
    async def item(ctx: Context, line: str) -> None:
        await tidy(ctx, line)

    await ctx.map(item, ["a", "b"])


async def in_child(ctx: Context) -> None:
    await ctx.call(sleeps, "child", id="child")


async def in_back_off(ctx: Context) -> None:
    await ctx.call(BUSY, "a")


async def in_timeout(ctx: Context) -> None:
    async with asyncio.timeout(172_800):
        await ctx.sleep(DAY)


async def in_callback(ctx: Context) -> None:
    await ctx.callback(str, timeout=DAY)


async def in_condition(ctx: Context) -> None:
    await ctx.wait_until(lambda: False)


async def in_anyio_scope(ctx: Context) -> None:
    with anyio.fail_after(172_800):
        try:
            await anyio.sleep(86_400)
        finally:
            with anyio.CancelScope(shield=True):
                await ctx.call(LOG, "shielded")


async def in_saga(ctx: Context) -> None:
    async with ctx.saga() as saga:
        saga.on_rollback(LOG, "undo first")
        saga.on_rollback(LOG, "undo second")
        await ctx.sleep(DAY)


async def tidy(ctx: Context, line: str) -> None:
    try:
        await ctx.sleep(DAY)
    finally:
        await ctx.call(LOG, line)


PLACES: dict[str, tuple[Callable[[Context], Awaitable[None]], list[str]]] = {
    "sleep": (in_sleep, []),
    "asyncio.sleep": (in_asyncio_sleep, []),
    "gather": (in_gather, ["gathered"]),
    "TaskGroup": (in_group, ["grouped"]),
    "map": (in_map, ["a", "b"]),
    "child": (in_child, ["child is over"]),
    "back-off": (in_back_off, []),
    "asyncio.timeout": (in_timeout, []),
    "callback": (in_callback, []),
    "condition": (in_condition, []),
    "anyio": (in_anyio_scope, ["shielded"]),
    "saga": (in_saga, ["undo second", "undo first"]),
}


@workflow
async def anywhere(ctx: Context, place: str) -> str:
    try:
        await PLACES[place][0](ctx)
    except asyncio.CancelledError as cancelled:
        await ctx.call(LOG, f"cancelled: {' '.join(map(str, cancelled.args))}")
        raise
    finally:
        await ctx.call(LOG, "cleaned up")
    return "never"


@workflow
async def stubborn(ctx: Context, n: int) -> str:
    try:
        await ctx.sleep(DAY)
    except asyncio.CancelledError:
        await ctx.sleep(timedelta(minutes=1))
    return "would not stop"


@workflow
async def slow_to_end(ctx: Context, n: int) -> str:
    try:
        await ctx.sleep(DAY)
    finally:
        await ctx.call(LOG, "begun")
        await ctx.sleep(timedelta(hours=1))
        await ctx.call(LOG, "never")
    return "never"


@workflow
async def breaks(ctx: Context, n: int) -> str:
    try:
        await ctx.sleep(DAY)
    finally:
        raise ValueError("in the cleanup")


APP = App("ends", workflows=[sleeps, anywhere, stubborn, slow_to_end, breaks], adapters=[log, busy])


@pytest.mark.parametrize("place", PLACES)
async def test_the_code_is_cancelled_where_it_waits_and_cleans_up(host: Host, place: str) -> None:
    async with host(APP) as client:
        handle = await client.start(anywhere, place)
        await host.settle()
        await client.cancel(handle.execution_id, "no longer wanted")
        await host.settle()
        with pytest.raises(ExecutionCancelled) as raised:
            await handle.result()
        assert raised.value.message == "no longer wanted"
        expected = PLACES[place][1]
        if place == "child":  # it is told, and ends in its own time
            assert sorted(logged) == sorted(
                [*expected, "cancelled: no longer wanted", "cleaned up"]
            )
            assert (await client.describe("child")).status is Status.CANCELLED
        else:
            ours = len(expected)
            assert sorted(logged[:ours]) == sorted(expected)
            assert logged[ours:] == ["cancelled: no longer wanted", "cleaned up"]
        assert await armed(host) == 0


async def test_the_cleanup_of_a_saga_runs_in_reverse(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(anywhere, "saga")
        await host.settle()
        await handle.cancel()
        await host.settle()
        assert logged[:2] == ["undo second", "undo first"]


async def test_code_that_does_not_let_the_error_pass_goes_on(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(stubborn, 1)
        await host.settle()
        await handle.cancel()
        assert await host.result(handle) == "would not stop"


async def test_a_cleanup_longer_than_the_grace_period_is_cut(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(slow_to_end, 1)
        await host.settle()
        await handle.cancel("hurry", grace=timedelta(minutes=10))
        await host.advance(590)
        assert (await handle.describe()).status is Status.RUNNING
        with pytest.raises(ExecutionCancelled, match=r"hurry \(its cleanup did not end within"):
            await host.result(handle)
        assert logged == ["begun"]
        await host.advance(3700)
        assert logged == ["begun"]


async def test_an_error_in_the_cleanup_is_how_it_ends(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(breaks, 1)
        await host.settle()
        await handle.cancel()
        with pytest.raises(ExecutionFailed, match="in the cleanup") as raised:
            await host.result(handle)
        assert type(raised.value) is ExecutionFailed


async def test_a_second_order_changes_nothing(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(slow_to_end, 1)
        await host.settle()
        await handle.cancel("first", grace=timedelta(hours=2))
        await host.settle()
        await handle.cancel("second", grace=timedelta(0))
        with pytest.raises(ExecutionCancelled, match="first"):
            await host.result(handle)
        assert logged == ["begun", "never"]


async def test_an_execution_is_cancelled_before_its_first_turn(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, "early")
        await handle.cancel("at once")
        with pytest.raises(ExecutionCancelled, match="at once"):
            await host.result(handle)


async def test_a_delayed_execution_is_cancelled_before_it_begins(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(sleeps, "late", delay=timedelta(days=3))
        await host.settle()
        await handle.cancel("never mind")
        await host.settle()
        with pytest.raises(ExecutionCancelled, match="never mind"):
            await handle.result()
        assert logged == []
        assert await armed(host) == 0


async def test_what_has_ended_takes_no_order(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(stubborn, 1)
        await host.result(handle)
        for order in ("cancel", "terminate", "pause", "resume"):
            with pytest.raises(ExecutionClosed, match=rf"COMPLETED.*{order}"):
                await getattr(client, order)(handle.execution_id)
            with pytest.raises(ExecutionNotFound, match="nobody"):
                await getattr(client, order)("nobody")


async def test_termination_asks_nobody(host: Host) -> None:
    async with host(APP) as client:
        handle: Any = await client.start(sleeps, "quiet")
        await host.settle()
        await handle.terminate("fire")
        await host.settle()
        with pytest.raises(ExecutionTerminated, match="was terminated: fire"):
            await handle.result()
        assert logged == []
        assert await armed(host) == 0
