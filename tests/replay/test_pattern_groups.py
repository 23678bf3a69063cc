"""Patterns stand in the history under their names, end with the run, and are not for queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import ConfigurationError, Context, WorkflowError, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.replay.execution import Execution
from tests.replay.driving import DOUBLE, OTHER, REFUSING, Code, drive, flow, replays, result, tools

MINUTE = timedelta(minutes=1)


async def one(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n)


async def branch(ctx: Context) -> int:
    return await ctx.call(DOUBLE, 1)


async def named_map(ctx: Context, n: int) -> Any:
    return (await ctx.map(DOUBLE, [1, 2], limit=1, name="all")).results()


async def named_parallel(ctx: Context, n: int) -> Any:
    return (await ctx.parallel([branch], name="all")).results()


async def named_poll(ctx: Context, n: int) -> Any:
    return await ctx.poll(DOUBLE, n, until=bool, every=MINUTE, name="all")


async def named_retry(ctx: Context, n: int) -> Any:
    return await ctx.retry(one, n, name="all")


@pytest.mark.parametrize(
    "code", [named_map, named_parallel, named_poll, named_retry], ids=lambda code: code.__name__
)
def test_a_name_is_the_groups_and_costs_one_command(code: Code) -> None:
    shape = flow(code)
    turns = drive(shape)
    named = [x for turn in turns for x in turn.commands if isinstance(x, c.OpenScope)]
    assert named == [c.OpenScope("1.", "all", code.__name__.removeprefix("named_"))]
    calls = [x for turn in turns for x in turn.commands if isinstance(x, c.ScheduleCall)]
    assert all(call.operation.startswith("1.") and not call.name for call in calls)
    replays(shape, turns)


def test_a_retry_whose_name_is_no_text_is_refused_at_the_call() -> None:
    async def code(ctx: Context, n: int) -> Any:
        no_text: Any = 7
        with pytest.raises(ConfigurationError, match="retry name is 7: give text"):
            _ = ctx.retry(one, n, name=no_text)
        return "refused"

    assert result(drive(flow(code))) == "refused"


async def begin_again(ctx: Context, n: int) -> int:
    if n == 1:
        ctx.continue_as_new(7)
    return await ctx.call(OTHER, n)


async def again_in_a_saga(ctx: Context, n: int) -> Any:
    async with ctx.saga() as saga:
        saga.on_rollback(OTHER, 1)
        await ctx.call(DOUBLE, 1)
        ctx.continue_as_new(7)


async def again_in_a_map(ctx: Context, n: int) -> Any:
    await ctx.map(begin_again, range(3))


async def again_in_a_block(ctx: Context, n: int) -> Any:
    await ctx.retry(begin_again, 1)


@pytest.mark.parametrize(
    "code", [again_in_a_saga, again_in_a_map, again_in_a_block], ids=lambda code: code.__name__
)
def test_the_next_run_begins_from_within_a_pattern_and_nothing_is_undone(code: Code) -> None:
    shape = flow(code)
    turns = drive(shape)
    last = turns[-1].commands[-1]
    assert isinstance(last, c.ContinueAsNew)
    assert last.payload == 7
    called = [x.service for t in turns for x in t.commands if isinstance(x, c.ScheduleCall)]
    assert called.count("other") == 0
    replays(shape, turns)


PATTERNS: list[Callable[[Context], object]] = [
    lambda ctx: ctx.map(DOUBLE, [1]),
    lambda ctx: ctx.parallel([branch]),
    lambda ctx: ctx.poll(DOUBLE, 1, until=bool, every=MINUTE),
    lambda ctx: ctx.retry(branch),
    lambda ctx: ctx.saga(),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_query_is_refused_at_the_call(pattern: Callable[[Context], object]) -> None:
    held: list[Context] = []

    @workflow(name="flow")
    async def waits(ctx: Context, n: int) -> int:
        held.append(ctx)
        return await ctx.call(REFUSING, n)

    turns = drive(waits)
    execution = Execution(waits, "e", tools(waits))
    execution.replay(turns[:1])
    execution.read_only = True
    with pytest.raises(WorkflowError, match="a query can change nothing"):
        pattern(held[-1])
    execution.read_only = False
    execution.close()
