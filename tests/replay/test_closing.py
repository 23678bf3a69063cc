"""Code that is taken down has no effect: not on its own execution, and not on another one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import Context, NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.events import SEMANTICS
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay import closing
from lambda_workflow.replay.execution import Execution
from tests.replay.driving import DOUBLE, OTHER, START, Code, drive, flow, ids, tools

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


kept_stubborn: list[list[int]] = []


def let_go() -> None:
    """Let end what refuses to."""
    for stubborn in kept_stubborn:
        stubborn.clear()
    for coro in closing.REFUSING:
        coro.close()
    closing.REFUSING.clear()


def begun(code: Code, semantics: int = SEMANTICS) -> Execution:
    made = flow(code)
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, semantics)])
    return execution


async def healthy(ctx: Context, n: int) -> Any:
    total = 0
    for _ in range(3):
        total += await ctx.call(DOUBLE, n)
        await asyncio.sleep(5)
    return total


async def awaits_as_it_ends(ctx: Context, n: int) -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    try:
        await ctx.call(OTHER, n)
    finally:
        try:
            await ctx.sleep(timedelta(days=1))
        finally:
            try:
                await asyncio.sleep(86_400)
            finally:
                await asyncio.wait_for(asyncio.Event().wait(), 99)


async def refuses_to_end(ctx: Context, n: int) -> Any:
    stubborn = [n]
    kept_stubborn.append(stubborn)
    while stubborn:
        with suppress(BaseException):  # the point of it
            await asyncio.sleep(86_400)


@pytest.fixture
def collecting() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(7, 1, 1)  # at nearly every allocation: within whatever runs then
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("code", [awaits_as_it_ends, refuses_to_end])
def test_a_replay_that_diverges_writes_into_no_other_execution(code: Code) -> None:
    expected = ids(drive(flow(healthy)))
    recorded = [Turn(1, START, (e.Started(START, "flow", 3, 1),), (c.ScheduleCall("1", "x", 3),))]
    for _ in range(30):
        made = flow(code)
        execution = Execution(made, "wrong", tools(made))
        with pytest.raises(NonDeterminismError):
            execution.replay(recorded)
        execution.close()
        assert execution.close() is None  # once more changes nothing
        del execution, made
        assert ids(drive(flow(healthy))) == expected
    let_go()


def test_code_that_refuses_to_end_is_told_and_never_collected() -> None:
    execution = begun(refuses_to_end)
    place = execution.close()
    assert place is not None
    assert place.startswith("test_closing.py:")
    assert len(closing.REFUSING) == 1
    let_go()


async def leaves_a_generator(ctx: Context, n: int) -> Any:
    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(n):
                yield number
        finally:
            ctx.set_status("closing")
            await ctx.call(OTHER, 1)
            await asyncio.sleep(60)

    async for number in numbers():
        if number == 1:
            break
    return await ctx.call(DOUBLE, n)


def test_a_generator_that_is_left_open_asks_for_nothing_and_is_told() -> None:
    execution = begun(leaves_a_generator)
    assert execution.ledger.settle() == (c.ScheduleCall("1", "double", 3),)
    (complaint,) = execution.complaints()
    assert "leaves_a_generator.<locals>.numbers" in complaint[0]
    assert "contextlib.aclosing" in complaint[0]
    execution.close()


def test_a_generator_of_an_earlier_execution_is_closed_in_a_task_of_its_own() -> None:
    execution = begun(leaves_a_generator, semantics=1)
    made = execution.ledger.settle()
    assert [getattr(x, "service", "") for x in made] == ["double", "", "other"]
    execution.close()


async def closes_a_generator(ctx: Context, n: int) -> Any:
    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await ctx.call(OTHER, 1)

    async with aclosing(numbers()) as listed:
        async for _ in listed:
            break
    return await ctx.call(DOUBLE, n)


def test_a_generator_that_is_closed_by_the_code_does_its_work() -> None:
    assert ids(drive(flow(closes_a_generator))) == ["1", "2"]


async def leaves_a_scope(ctx: Context, n: int) -> Any:
    async def scoped() -> AsyncIterator[int]:
        async with ctx.scope("inner"):
            yield 1

    kept = scoped()
    kept_alive.append(kept)
    await anext(kept)
    first = await ctx.call(DOUBLE, n)
    kept_alive.clear()
    if collects:
        del kept
        gc.collect()
    return first + await ctx.call(DOUBLE, n)


kept_alive: list[Any] = []
collects: list[int] = []


def test_when_the_collector_comes_shifts_no_number() -> None:
    collects.clear()
    kept = ids(drive(flow(leaves_a_scope)))
    collects.append(1)
    assert ids(drive(flow(leaves_a_scope))) == kept


async def reads_a_variable(ctx: Context, n: int) -> Any:
    seen = [VARIABLE.get()]
    VARIABLE.set("own")

    def holds() -> bool:
        seen.append(VARIABLE.get())
        return len(seen) > 2

    async def branch() -> str:
        return VARIABLE.get()

    await asyncio.gather(ctx.wait_until(holds), asyncio.sleep(1))
    return [*seen, await asyncio.create_task(branch())]


def test_what_the_host_keeps_in_variables_is_not_there() -> None:
    token = VARIABLE.set("the host's")
    try:
        turns = drive(flow(reads_a_variable))
    finally:
        VARIABLE.reset(token)
    (done,) = turns[-1].commands
    assert done == c.Complete(["unset", "own", "own", "own"])
