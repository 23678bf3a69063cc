"""An execution that is cancelled while a pattern waits undoes what it did, on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from lambda_workflow import App, Context, RetryPolicy, Service, serve, workflow
from tests.ports.harness import Harness
from tests.ports.whole import finish

DAY = timedelta(days=1)
LEDGER: Service[str, str] = Service("ledger", str, str)
Wait = Callable[[Context], Awaitable[None]]
WAITS: dict[str, Wait] = {}
book: list[str] = []


@serve(LEDGER)
async def ledger(line: str) -> str:
    """Keeps a book, and refuses blots."""
    if line == "blot":
        raise ValueError("illegible")
    book.append(line)
    return line


def waits(function: Wait) -> Wait:
    """One more way to wait for a day."""
    WAITS[getattr(function, "__name__", "")] = function
    return function


async def item(ctx: Context, n: int) -> None:
    async with ctx.saga() as saga:
        saga.on_rollback(LEDGER, f"undo {n}")
        await ctx.sleep(DAY)


@waits
async def in_gather(ctx: Context) -> None:
    await asyncio.gather(item(ctx, 1), ctx.sleep(DAY))


@waits
async def in_a_task_group(ctx: Context) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(item(ctx, 1))
        group.create_task(ctx.sleep(DAY))


@waits
async def in_a_map(ctx: Context) -> None:
    await ctx.map(item, [1, 2], limit=1)


@waits
async def in_a_map_in_parallel(ctx: Context) -> None:
    await ctx.parallel([in_a_map, lambda ctx: ctx.sleep(DAY)])


@waits
async def in_a_poll(ctx: Context) -> None:
    async def look(ctx: Context, seen: int) -> int:
        await item(ctx, 1)
        return seen

    await ctx.poll(look, 0, until=bool, every=DAY, timeout=9 * DAY)


@waits
async def in_a_pause_between_attempts(ctx: Context) -> None:
    async def refused(ctx: Context) -> None:
        async with ctx.saga() as saga:
            saga.on_rollback(LEDGER, "undo 1")
            await ctx.call(LEDGER, "blot", retry=RetryPolicy(attempts=1))

    await ctx.retry(refused, policy=RetryPolicy(attempts=9, initial=DAY, cap=DAY))


@workflow
async def waiting(ctx: Context, way: str) -> str:
    try:
        async with ctx.saga() as saga:
            saga.on_rollback(LEDGER, "undo all")
            await WAITS[way](ctx)
    finally:
        await ctx.call(LEDGER, "close")
    return "done"


app = App("patterns", workflows=[waiting], adapters=[ledger])


@pytest.mark.parametrize("way", WAITS)
async def test_what_it_did_is_undone_before_it_ends(harness: Harness, way: str) -> None:
    book.clear()
    outcome = await finish(harness, app, waiting, way, cancel=True)
    assert outcome.status == "CANCELLED"
    assert book == ["undo 1", "undo all", "close"]
