"""ctx.retry: a block of operations is done again as a whole."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import CallFailed, ConfigurationError, Context, RetryPolicy, workflow
from lambda_workflow.model import commands as c
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    Code,
    drive,
    every_order,
    flow,
    ids,
    replays,
    result,
)

THRICE = RetryPolicy(attempts=3, initial=timedelta(seconds=10), jitter=0)


async def third_time(ctx: Context, n: int) -> Any:
    attempts = 0

    async def block(ctx: Context, m: int) -> int:
        nonlocal attempts
        attempts += 1
        value = await ctx.call(DOUBLE, m)
        return await ctx.call(REFUSING if attempts < 3 else OTHER, value)

    value = await ctx.retry(block, n, policy=THRICE)
    return [attempts, value, await ctx.call(DOUBLE, 0)]


async def side_by_side(ctx: Context, n: int) -> Any:
    async def block(ctx: Context) -> Any:
        return await asyncio.gather(ctx.call(DOUBLE, 1), ctx.call(REFUSING, 2), later(ctx))

    async def later(ctx: Context) -> int:
        await asyncio.sleep(5)
        return await ctx.call(OTHER, 3)

    try:
        await ctx.retry(block, policy=RetryPolicy(attempts=2, initial=timedelta(0)))
    except CallFailed as failed:
        return failed.__notes__


SHAPES = [third_time, side_by_side]


@pytest.mark.parametrize("code", SHAPES, ids=lambda code: code.__name__)
def test_it_replays_alike_in_whatever_order_the_facts_came(code: Code) -> None:
    shape = flow(code)
    for number, turns in enumerate(every_order(shape)):
        replays(shape, turns)
        if number == 100:
            break


def test_the_whole_block_is_done_again_after_a_durable_pause() -> None:
    turns = drive(flow(third_time), n=2)
    assert result(turns) == [3, 8, 0]
    assert ids(turns) == [
        "1.1.1", "1.1.2", "1.1t", "1.2.1", "1.2.2", "1.2t", "1.3.1", "1.3.2", "1",
    ]  # fmt: skip
    timers = [x.due for turn in turns for x in turn.commands if isinstance(x, c.StartTimer)]
    assert timers[1] - timers[0] == 20_000 + 20  # and two calls


def test_what_a_failed_attempt_left_running_is_cancelled() -> None:
    def refused_first(asked: list[Any]) -> int:
        services = [getattr(one, "service", "") for one in asked]
        return services.index("refusing") if "refusing" in services else 0

    turns = drive(flow(side_by_side), refused_first)
    assert result(turns) == ["this was attempt 2 of a block that is retried"]
    first = turns[1].commands
    assert c.CancelCall("1.1.1") in first
    assert c.CancelTimer("1.1.1.1") in first
    assert [x for x in first if isinstance(x, c.ScheduleCall)] == [
        c.ScheduleCall("1.2.1", "double", 1), c.ScheduleCall("1.2.2", "refusing", 2),
    ]  # fmt: skip


def attempts_of(error: Exception, policy: RetryPolicy) -> int:
    made = 0

    async def block(ctx: Context) -> None:
        nonlocal made
        made += 1
        raise error

    async def code(ctx: Context, n: int) -> Any:
        nonlocal made
        made = 0
        with pytest.raises(type(error)):
            await ctx.retry(block, policy=policy)
        return made

    return int(result(drive(flow(code))))


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ValueError("no"), 3),
        (TimeoutError(), 3),
        (KeyError("never again"), 1),
        (CallFailed("declined", type="CardDeclined"), 1),
        (CallFailed("busy", type="Busy"), 3),
        (ConfigurationError("the deployment"), 1),
    ],
)
def test_what_no_attempt_can_mend_is_not_retried(error: Exception, attempts: int) -> None:
    policy = RetryPolicy(attempts=3, non_retryable=(KeyError, "CardDeclined"))
    assert attempts_of(error, policy) == attempts


def test_a_cancelled_block_is_not_retried() -> None:
    async def code(ctx: Context, n: int) -> Any:
        made = []

        async def block(ctx: Context) -> None:
            made.append(1)
            await ctx.sleep(timedelta(days=1))

        try:
            async with asyncio.timeout(60):
                await ctx.retry(block, policy=THRICE)
        except TimeoutError:
            return len(made)

    assert result(drive(flow(code))) == 1


def test_a_pause_can_be_cancelled() -> None:
    async def block(ctx: Context) -> None:
        await ctx.call(REFUSING, 1)

    async def code(ctx: Context, n: int) -> Any:
        try:
            async with asyncio.timeout(5):
                await ctx.retry(block, policy=THRICE)
        except TimeoutError:
            return "late"

    shape = flow(code)
    turns = drive(shape)
    assert result(turns) == "late"
    replays(shape, turns)


@workflow
async def inner(ctx: Context, n: int) -> int:
    """A workflow that is run as a part of another."""
    return await ctx.call(DOUBLE, n)


def test_a_workflow_is_run_inline() -> None:
    async def code(ctx: Context, n: int) -> Any:
        return await ctx.retry(inner, n)

    assert result(drive(flow(code))) == 6


def test_retries_within_retries_keep_their_ids_apart() -> None:
    async def block(ctx: Context) -> int:
        return await ctx.retry(refused, policy=RetryPolicy(attempts=2))

    async def refused(ctx: Context) -> int:
        return await ctx.call(REFUSING, 1)

    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(CallFailed):
            await ctx.retry(block, policy=RetryPolicy(attempts=2))
        return "failed"

    shape = flow(code)
    turns = drive(shape)
    assert ids(turns) == [
        "1.1.1.1.1", "1.1.1.1t", "1.1.1.2.1", "1.1t", "1.2.1.1.1", "1.2.1.1t", "1.2.1.2.1",
    ]  # fmt: skip
    replays(shape, turns)
