"""What leaves an Engine's block leaves it as it was raised."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, Context, ExecutionNotFound, workflow
from lambda_workflow.local import Engine


@workflow
async def same(ctx: Context, n: int) -> int:
    return n


APP = App("door", workflows=[same])


async def test_an_error_of_the_block_is_not_wrapped_in_a_group() -> None:
    with pytest.raises(ExecutionNotFound, match="nobody"):
        async with Engine(APP, ":memory:") as engine:
            await engine.client.describe("nobody")


async def test_a_cancelled_block_is_cancelled() -> None:
    entered = asyncio.Event()

    async def hold() -> None:
        async with Engine(APP, ":memory:"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_timeout_round_the_block_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), Engine(APP, ":memory:"):
            await asyncio.Event().wait()
