"""Maps that are cut short from outside: timeouts, scopes, task groups, maps around them."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from lambda_workflow import CallFailed, Context
from lambda_workflow.model import commands as c
from lambda_workflow.model.turn import Turn
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    Code,
    drive,
    every_order,
    flow,
    replays,
    result,
)


def timers_first(asked: list[Any]) -> int:
    """The first timer, else the oldest call."""
    kinds = [isinstance(one, c.StartTimer) for one in asked]
    return kinds.index(True) if True in kinds else 0


def cleaned(turns: list[Turn]) -> list[Any]:
    """What was cleaned up, in order: the payloads of OTHER."""
    return [
        command.payload
        for turn in turns
        for command in turn.commands
        if isinstance(command, c.ScheduleCall) and command.service == "other"
    ]


async def careful(ctx: Context, n: int) -> int:
    """Cleans up with a call."""
    try:
        return await ctx.call(DOUBLE, n)
    except asyncio.CancelledError:
        await ctx.call(OTHER, n)
        raise


async def in_a_timeout(ctx: Context, n: int) -> Any:
    try:
        async with asyncio.timeout(60):
            await ctx.map(careful, range(3), limit=2)
    except TimeoutError:
        return "late"


async def in_an_anyio_scope(ctx: Context, n: int) -> Any:
    with anyio.move_on_after(60):
        await ctx.map(careful, range(3), limit=2)
    return "late"


async def in_a_map(ctx: Context, n: int) -> Any:
    async def row(ctx: Context, i: int) -> list[int]:
        return (await ctx.map(careful, [i, i + 1])).results()

    try:
        async with asyncio.timeout(60):
            await ctx.map(row, [0, 10])
    except TimeoutError:
        return "late"


async def beside_a_failure(ctx: Context, n: int) -> Any:
    async def fail() -> None:
        await asyncio.sleep(60)
        await ctx.call(REFUSING, 1)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.map(careful, range(2)))
            group.create_task(fail())
    except* CallFailed:
        pass
    return "late"


CASES = [(in_a_timeout, [0, 1]), (in_an_anyio_scope, [0, 1]), (in_a_map, [0, 1, 10, 11])]


@pytest.mark.parametrize(("code", "items"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_items_clean_up_before_the_code_goes_on(code: Code, items: list[int]) -> None:
    turns = drive(flow(code), timers_first)
    assert result(turns) == "late"
    assert cleaned(turns) == items
    replays(flow(code), turns)


def test_a_failing_sibling_cancels_a_map() -> None:
    shape = flow(beside_a_failure)
    seen = set()
    for turns in every_order(shape):
        assert result(turns) == "late"
        seen.add(tuple(cleaned(turns)))
        replays(shape, turns)
    assert seen == {(), (0,), (1,), (0, 1)}


def test_a_cancellation_that_comes_while_an_ended_map_cleans_up_is_not_lost() -> None:
    async def code(ctx: Context, n: int) -> Any:
        async def item(ctx: Context, i: int) -> int:
            return await careful(ctx, i) if i else await ctx.call(OTHER, 7)

        try:
            async with asyncio.timeout(60):
                await ctx.map(item, range(2), min_successful=1)
        except TimeoutError:
            return "late"

    def other_then_timer(asked: list[Any]) -> int:
        """The first item ends the map, the time is up while the second cleans up."""
        payloads = [getattr(one, "payload", None) for one in asked]
        return payloads.index(7) if 7 in payloads else timers_first(asked)

    turns = drive(flow(code), other_then_timer)
    assert result(turns) == "late"
    assert cleaned(turns) == [7, 1]
    replays(flow(code), turns)
