"""Timers, callbacks and groups are known by what started them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from lambda_workflow import Context, NonDeterminismError
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from tests.replay.changing import differs, goes_on, play
from tests.replay.driving import DOUBLE, START, Code, flow, tools

HOUR, TWO_DAYS = timedelta(hours=1), timedelta(hours=48)


def price(name: str) -> str:
    return f"price of {name}"


class Order(BaseModel):
    name: str


class LaterOrder(BaseModel):
    name: str
    currency: str = "EUR"


def branches(*waits: Any, first: int = 0) -> Code:
    async def later(duration: Any) -> None:
        if first:
            await ctx_of[0].step(price, str(first))
        await ctx_of[0].sleep(duration)

    async def code(ctx: Context, n: int) -> Any:
        ctx_of[:] = [ctx]
        await asyncio.gather(*(later(one) for one in waits))
        return await ctx.call(DOUBLE, n)

    return code


ctx_of: list[Context] = []


def seconds(*waits: int) -> Code:
    async def later(duration: int) -> None:
        await asyncio.sleep(duration)

    async def code(ctx: Context, n: int) -> Any:
        await asyncio.gather(*(later(one) for one in waits))

    return code


def in_turn(*waits: timedelta, then: int = 0) -> Code:
    async def code(ctx: Context, n: int) -> Any:
        for one in waits:
            await ctx.sleep(one)

    return code


def bare(*waits: timedelta) -> Code:
    async def code(ctx: Context, n: int) -> Any:
        await asyncio.gather(*(ctx.sleep(one) for one in waits))

    return code


@pytest.mark.parametrize("made", [branches, bare])
@pytest.mark.parametrize("answers", [0, 1])
def test_branches_that_change_places_are_told_by_their_timers(made: Any, answers: int) -> None:
    reason = differs(made(HOUR, TWO_DAYS), made(TWO_DAYS, HOUR), answers)
    assert "branches of the code have changed places" in reason
    assert "3600 s in the history, 172800 s in the code" in reason


def test_branches_in_seconds_that_change_places_are_told_too() -> None:
    differs(seconds(3600, 172_800), seconds(172_800, 3600), 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (branches(HOUR, TWO_DAYS), branches(2 * HOUR, TWO_DAYS)),
        (seconds(3600, 172_800), seconds(7200, 172_800)),
        (in_turn(HOUR, 2 * HOUR, 4 * HOUR), in_turn(2 * HOUR, 4 * HOUR, 8 * HOUR)),
    ],
)
@pytest.mark.parametrize("answers", [0, 1, 2])
def test_another_duration_keeps_the_recorded_deadline(
    before: Code, after: Code, answers: int
) -> None:
    goes_on(before, after, answers)


def test_branches_that_change_places_are_told_where_one_timer_is_recorded() -> None:
    async def before(ctx: Context, n: int) -> Any:
        async def later(duration: timedelta) -> None:
            await ctx.sleep(duration)

        first = asyncio.create_task(later(HOUR))
        await ctx.step(price, "x")
        await asyncio.gather(first, later(TWO_DAYS))

    async def after(ctx: Context, n: int) -> Any:
        async def later(duration: timedelta) -> None:
            await ctx.sleep(duration)

        first = asyncio.create_task(later(TWO_DAYS))
        await ctx.step(price, "x")
        await asyncio.gather(first, later(HOUR))

    turns = play(before, 0)
    events = [e.StepSucceeded(START + 10, "1", "x")]
    with pytest.raises(NonDeterminismError, match="have changed places"):
        replay(flow(after), "e", turns, tools(flow(after)), events=events)
    replay(flow(before), "e", turns, tools(flow(before)), events=events)


async def with_a_timeout(ctx: Context, n: int) -> Any:
    async with asyncio.timeout(60):
        await asyncio.Event().wait()


def test_a_sleep_is_no_timeout() -> None:
    reason = differs(in_turn(timedelta(seconds=60)), with_a_timeout, 0)
    assert "waits by: sleep in the history, timeout in the code" in reason


def asks(answer: Any, *names: str) -> Code:
    async def ask(ctx: Context, name: str) -> Any:
        return await ctx.callback(answer)

    async def code(ctx: Context, n: int) -> Any:
        return await asyncio.gather(*(ask(ctx, name) for name in names))

    return code


def test_callbacks_are_told_apart_by_type_and_branch() -> None:
    goes_on(asks(bool, "ann", "bob"), asks(bool, "ann", "bob"), 0)
    assert "branch: ask/" in differs(asks(bool, "ann", "bob"), asks(bool, "bob", "ann"), 0)
    reason = differs(asks(Order, "ann"), asks(LaterOrder, "ann"), 0)
    assert "answer: Order in the history, LaterOrder in the code" in reason


def test_groups_are_told_apart_by_kind() -> None:
    async def mapped(ctx: Context, n: int) -> Any:
        return await ctx.map(DOUBLE, [n], name="all")

    async def scoped(ctx: Context, n: int) -> Any:
        async with ctx.scope("all"):
            return await ctx.call(DOUBLE, n)

    made = flow(mapped)
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, 2)])
    started = e.Started(START, "flow", 3, 2)
    turns = [Turn(1, START, (started,), execution.ledger.settle())]
    execution.close()
    with pytest.raises(NonDeterminismError, match="kind: map in the history, scope in the code"):
        replay(flow(scoped), "e", turns, tools(flow(scoped)))
