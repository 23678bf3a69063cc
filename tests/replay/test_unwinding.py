"""At a suspension the stack is unwound, and nothing that code does on the way has an effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from lambda_workflow import CallFailed, Context, Suspended
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.replay.execution import Execution
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    START,
    Code,
    drive,
    flow,
    replays,
    result,
    tools,
)


async def releases(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(DOUBLE, n)
    finally:
        await ctx.call(OTHER, n)
        await asyncio.sleep(1)
        await ctx.step(int, n)


async def swallows(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(DOUBLE, n)
    except BaseException:  # noqa: BLE001  # the point of it
        return "swallowed"


async def swallows_in_a_branch(ctx: Context, n: int) -> Any:
    return await asyncio.gather(swallows(ctx, n), swallows(ctx, n + 1))


async def gathers_errors(ctx: Context, n: int) -> Any:
    calls = (ctx.call(DOUBLE, n), ctx.call(DOUBLE, n + 1))
    got = await asyncio.gather(*calls, return_exceptions=True)
    if any(isinstance(one, BaseException) for one in got):
        await ctx.call(OTHER, 0)
    return got


async def compensates(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(DOUBLE, n)
    except (Exception, asyncio.CancelledError):
        await ctx.call(OTHER, n)
        raise


async def compensates_on_a_stack(ctx: Context, n: int) -> Any:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ctx.call, OTHER, n)
        value = await ctx.call(DOUBLE, n)
        stack.pop_all()
    return value


async def groups(ctx: Context, n: int) -> Any:
    async def branch(i: int) -> int:
        try:
            return await ctx.call(DOUBLE, i)
        finally:
            done.append(i)

    done: list[int] = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(branch(i)) for i in range(n)]
    return [task.result() for task in tasks]


async def shields(ctx: Context, n: int) -> Any:
    async with anyio.create_task_group() as group:
        try:
            value = await ctx.call(DOUBLE, n)
        finally:
            with anyio.CancelScope(shield=True):
                await ctx.call(OTHER, n)
        group.cancel_scope.cancel()
    return value


async def generates(ctx: Context, n: int) -> Any:
    async def values() -> AsyncIterator[int]:
        try:
            yield await ctx.call(DOUBLE, n)
            yield await ctx.call(DOUBLE, n + 1)
        finally:
            await ctx.call(OTHER, n)

    return [value async for value in values()]


async def starts_tasks(ctx: Context, n: int) -> Any:
    async def more() -> None:
        await ctx.call(OTHER, n)

    try:
        return await ctx.call(DOUBLE, n)
    finally:
        await asyncio.create_task(more())


CASES: list[tuple[Code, Any]] = [
    (swallows, 6),
    (swallows_in_a_branch, [6, 8]),
    (gathers_errors, [6, 8]),
    (compensates, 6),
    (compensates_on_a_stack, 6),
    (groups, [0, 2, 4]),
    (shields, 6),
    (generates, [6, 8]),
    (starts_tasks, 6),
]


@pytest.mark.parametrize("code", [*(case[0] for case in CASES), releases])
def test_unwinding_at_the_first_suspension_does_nothing(code: Code) -> None:
    made = flow(code)
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, 1)])
    commands = execution.ledger.settle()
    assert {type(command) for command in commands} == {c.ScheduleCall}
    assert all(getattr(command, "service", "") == "double" for command in commands)
    assert execution.close() is None
    assert execution.ledger.settle() == ()
    assert execution.outcome is None
    assert execution.close() is None  # once more changes nothing


@pytest.mark.parametrize(("code", "outcome"), CASES)
def test_it_does_its_work_at_the_real_end(code: Code, outcome: Any) -> None:
    made = flow(code)
    turns = drive(made)
    assert result(turns) == outcome
    replays(made, turns)  # which unwinds at every suspension


async def refused_and_released(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(REFUSING, n)
    except CallFailed:
        return await ctx.call(DOUBLE, n)
    finally:
        await ctx.call(OTHER, n)


def test_compensation_runs_once_and_for_a_real_error_only() -> None:
    made = flow(refused_and_released)
    turns = drive(made)
    asked = [x.service for t in turns for x in t.commands if isinstance(x, c.ScheduleCall)]
    assert (asked, result(turns)) == (["refusing", "double", "other"], 6)
    replays(made, turns)


def test_what_is_raised_teaches_what_it_is() -> None:
    seen: list[str] = []

    async def looks(ctx: Context, n: int) -> Any:
        try:
            return await ctx.call(DOUBLE, n)
        except Suspended as suspended:
            seen.append(str(suspended))
            raise

    made = flow(looks)
    drive(made)
    assert seen == []  # a live execution is not unwound between turns
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, 1)])
    execution.close()
    (text,) = seen
    assert "goes on from its history when the result arrives" in text


def test_nobody_else_can_raise_it() -> None:
    with pytest.raises(TypeError, match="cannot be raised by hand"):
        Suspended()


async def forgets(ctx: Context, n: int) -> Any:
    ctx.call(OTHER, n)
    ctx.step(int, n)
    return await ctx.call(DOUBLE, n)


def test_what_nobody_awaits_is_known_at_the_end() -> None:
    made = flow(forgets)
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, 1), e.CallSucceeded(START, "3", 6)])
    assert list(execution.ledger.unawaited) == ["1", "2"]
    assert execution.outcome == c.Complete(6)
    strict = Execution(made, "e", tools(made, strict=True))
    strict.advance([e.Started(START, "flow", 3, 1), e.CallSucceeded(START, "3", 6)])
    assert isinstance(strict.outcome, c.Fail)
    assert strict.outcome.failure.type == "UnawaitedCall"


@pytest.mark.parametrize("way", ["gather", "wait", "task", "shield", "callback", "cancel"])
def test_every_way_to_wait_counts_as_awaiting(way: str) -> None:
    async def waits(ctx: Context, n: int) -> Any:
        call = ctx.call(DOUBLE, n)
        match way:
            case "gather":
                await asyncio.gather(call)
            case "wait":
                await asyncio.wait([call])
            case "task":
                await asyncio.ensure_future(call)
            case "shield":
                await asyncio.shield(call)
            case "callback":
                done = asyncio.Event()
                call.add_done_callback(lambda _: done.set())
                await done.wait()
            case _:
                call.cancel()
        return n

    made = flow(waits)
    execution = Execution(made, "e", tools(made, strict=True))
    execution.advance([e.Started(START, "flow", 3, 1), e.CallSucceeded(START, "1", 6)])
    assert execution.outcome == c.Complete(3)
