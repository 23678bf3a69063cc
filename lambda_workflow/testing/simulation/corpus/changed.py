"""Shapes whose code is changed while executions are under way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import DOUBLE, FLAKY, JOIN
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.shape import Shape, returns_one_of


@workflow(name="changed")
async def unchanged(ctx: Context, number: int) -> list[str]:
    await ctx.call(DOUBLE, number)
    await ctx.sleep(timedelta(minutes=number))
    charged = await ctx.call(DOUBLE, number + 1)
    await ctx.sleep(timedelta(minutes=number))
    return ["old", str(charged)]


@workflow
async def changed(ctx: Context, number: int) -> list[str]:
    """Now there is a check before the charge."""
    await ctx.call(DOUBLE, number)
    await ctx.sleep(timedelta(minutes=number))
    way = "old"
    if ctx.patched("check-first"):
        way = await ctx.call(JOIN, ["new"])
    charged = await ctx.call(DOUBLE, number + 1)
    await ctx.sleep(timedelta(minutes=number))
    return [way, str(charged)]


@workflow(name="changed_in_a_loop")
async def unchanged_loop(ctx: Context, number: int) -> list[str]:
    ways = []
    for round_ in range(4):
        await ctx.call(FLAKY, round_ % 2)
        await ctx.sleep(timedelta(minutes=1))
        ways.append("old")
    return ways


@workflow
async def changed_in_a_loop(ctx: Context, number: int) -> list[str]:
    """One answer for the whole execution, wherever it was when the code came."""
    ways = []
    for round_ in range(4):
        if ctx.patched("faster"):
            await asyncio.gather(ctx.call(FLAKY, round_ % 2), ctx.sleep(timedelta(minutes=1)))
            ways.append("new")
        else:
            await ctx.call(FLAKY, round_ % 2)
            await ctx.sleep(timedelta(minutes=1))
            ways.append("old")
    return ways


@workflow(name="changed_side_by_side")
async def unchanged_branches(ctx: Context, count: int) -> list[int]:
    async def branch(number: int) -> int:
        await ctx.sleep(timedelta(seconds=40 * number))
        return await ctx.call(DOUBLE, number)

    return list(await asyncio.gather(*(branch(number) for number in range(count))))


@workflow
async def changed_side_by_side(ctx: Context, count: int) -> list[int]:
    """Every branch by itself goes the old way or the new one."""

    async def branch(number: int) -> int:
        await ctx.sleep(timedelta(seconds=40 * number))
        if ctx.patched(f"again-{number}"):
            await ctx.call(DOUBLE, number)
        return await ctx.call(DOUBLE, number)

    return list(await asyncio.gather(*(branch(number) for number in range(count))))


SHAPES = (
    Shape(
        changed,
        few,
        returns_one_of(lambda n: [["old", str(2 * n + 2)], ["new", str(2 * n + 2)]]),
        earlier=unchanged,
    ),
    Shape(
        changed_in_a_loop,
        few,
        returns_one_of(lambda n: [["old"] * 4, ["new"] * 4]),
        earlier=unchanged_loop,
    ),
    Shape(
        changed_side_by_side,
        few,
        returns_one_of(lambda n: [[2 * i for i in range(n)]]),
        earlier=unchanged_branches,
    ),
)
