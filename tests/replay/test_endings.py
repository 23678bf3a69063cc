"""However the code ends, the execution ends with it, and ends so again on replay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lambda_workflow import Context
from lambda_workflow.model import commands as c
from tests.replay.driving import DOUBLE, Code, drive, flow, ids, replays, result


class Unusual(BaseException):
    """Not an Exception."""


async def exits(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    raise SystemExit(n)


async def exits_in_a_branch(ctx: Context, n: int) -> Any:
    async def branch() -> None:
        await exits(ctx, n)

    await asyncio.gather(branch())


async def is_cancelled(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    raise asyncio.CancelledError("enough")


async def cancels_itself(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    task = asyncio.current_task()
    assert task is not None
    task.cancel("enough")
    await ctx.call(DOUBLE, n)


async def stops_iterating(ctx: Context, n: int) -> Any:
    raise StopIteration


async def raises_what_is_no_exception(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    raise Unusual("odd")


async def raises_several(ctx: Context, n: int) -> Any:
    async def fails() -> None:
        raise ValueError("bad")

    await ctx.call(DOUBLE, n)
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())


CASES: list[Any] = [
    (exits, "SystemExit", "3"),
    (exits_in_a_branch, "SystemExit", "3"),
    (is_cancelled, "asyncio.exceptions.CancelledError", "enough"),
    (cancels_itself, "asyncio.exceptions.CancelledError", "enough"),
    (stops_iterating, "RuntimeError", "coroutine raised StopIteration"),
    (raises_what_is_no_exception, "tests.replay.test_endings.Unusual", "odd"),
    (raises_several, "ExceptionGroup", "1 error in a TaskGroup: ValueError: bad"),
]


@pytest.mark.parametrize(("code", "kind", "message"), CASES)
def test_whatever_is_raised_is_the_failure(code: Code, kind: str, message: str) -> None:
    made = flow(code)
    turns = drive(made)
    last = turns[-1].commands[-1]
    assert isinstance(last, c.Fail)
    assert (last.failure.type, last.failure.message) == (kind, message)
    replays(made, turns)


async def leaves_a_task(ctx: Context, n: int) -> Any:
    async def behind() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(behind())
    value = await ctx.call(DOUBLE, n)
    return [value, task.done()]


async def awaits_twice(ctx: Context, n: int) -> Any:
    call = ctx.call(DOUBLE, n)
    return [await call, await call]


async def calls_from_a_callback(ctx: Context, n: int) -> Any:
    calls: list[Any] = []
    asyncio.get_running_loop().call_later(1, lambda: calls.append(ctx.call(DOUBLE, n)))
    await asyncio.sleep(2)
    return await calls[0]


async def returns_at_once(ctx: Context, n: int) -> Any:
    return n


@pytest.mark.parametrize(
    ("code", "operations", "outcome"),
    [
        (leaves_a_task, ["1", "1.1t"], [6, False]),
        (awaits_twice, ["1"], [6, 6]),
        (calls_from_a_callback, ["1t", "2t", "_.1"], 6),
        (returns_at_once, [], 3),
    ],
)
def test_what_it_returns_is_the_result(code: Code, operations: list[str], outcome: Any) -> None:
    made = flow(code)
    turns = drive(made)
    assert (ids(turns), result(turns)) == (operations, outcome)
    replays(made, turns)
