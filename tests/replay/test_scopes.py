"""Scopes: names over groups of operations, which change nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from lambda_workflow import CallFailed, ConfigurationError, Context
from lambda_workflow.cli.progress import history_rows
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    START,
    Code,
    drive,
    every_order,
    flow,
    ids,
    replays,
    result,
    tools,
)


def scopes(turns: list[Turn]) -> list[tuple[str, str]]:
    """The prefix of each scope's operations, and its name."""
    commands = [command for turn in turns for command in turn.commands]
    return [(x.operation, x.name) for x in commands if isinstance(x, c.OpenScope)]


async def nests(ctx: Context, n: int) -> int:
    before = await ctx.call(DOUBLE, n)
    async with ctx.scope("outer"):
        await ctx.call(DOUBLE, n)
        async with ctx.scope("inner"):
            await ctx.call(DOUBLE, n)
            await asyncio.sleep(1)
        await ctx.call(DOUBLE, n)
    async with ctx.scope("second"):
        await ctx.call(DOUBLE, n)
    return before + await ctx.call(DOUBLE, n)


def test_operations_are_numbered_under_their_scope() -> None:
    turns = drive(flow(nests))
    assert ids(turns) == ["1", "1.1", "1.1.1", "1.1.2t", "1.2", "2.1", "2"]
    assert scopes(turns) == [("1.", "outer"), ("1.1.", "inner"), ("2.", "second")]
    replays(flow(nests), turns)


def test_a_scope_takes_no_number_of_its_tasks_operations() -> None:
    async def changed(ctx: Context, n: int) -> int:
        async with ctx.scope("some"):
            for _ in range(n):
                await ctx.call(DOUBLE, 1)
        return await ctx.call(OTHER, 1)

    few, many = drive(flow(changed), n=1), drive(flow(changed), n=9)
    assert (ids(few)[-1], ids(many)[-1]) == ("1", "1")


async def tasks_inside(ctx: Context, n: int) -> list[int]:
    async def branch(k: int) -> int:
        async with ctx.scope(f"branch-{k}"):
            return await ctx.call(DOUBLE, await ctx.call(DOUBLE, k))

    async with ctx.scope("all"), asyncio.TaskGroup() as group:
        tasks = [group.create_task(branch(k)) for k in (1, 2)]
        alone = ctx.call(OTHER, n)
    return [*(task.result() for task in tasks), await alone]


def test_tasks_of_a_scope_are_numbered_under_it_in_every_order_of_answers() -> None:
    shape = flow(tasks_inside)
    seen = set()
    for turns in every_order(shape):
        replays(shape, turns)
        assert result(turns) == [4, 8, 6]
        assert scopes(turns)[0] == ("1.", "all")
        assert all(found.startswith("1.") for found in ids(turns))
        seen.add(tuple(sorted(ids(turns))))
    assert len(seen) == 1


async def task_outlives(ctx: Context, n: int) -> int:
    async def slow() -> int:
        await asyncio.sleep(60)
        return await ctx.call(DOUBLE, n)

    async with ctx.scope("starts"):
        task = asyncio.ensure_future(slow())
    await ctx.call(OTHER, n)
    return await task


def test_a_task_that_outlives_its_scope_stays_under_it() -> None:
    shape = flow(task_outlives)
    turns = drive(shape)
    assert ids(turns)[0] == "1"
    assert all(found.startswith("1.") for found in ids(turns)[1:])
    replays(shape, turns)


async def raises(ctx: Context, n: int) -> str:
    told = ""
    with suppress(ValueError):
        async with ctx.scope("code"):
            raise ValueError(n)
    try:
        async with ctx.scope("call"):
            await ctx.call(REFUSING, n)
    except CallFailed as error:
        told = error.type
    await ctx.call(OTHER, n)
    return told


def test_an_error_leaves_the_scope_and_the_numbers_go_on_outside() -> None:
    shape = flow(raises)
    turns = drive(shape)
    assert (result(turns), ids(turns)) == ("Refused", ["2.1", "1"])
    assert scopes(turns) == [("1.", "code"), ("2.", "call")]
    replays(shape, turns)


async def renamed(ctx: Context, n: int) -> int:
    async with ctx.scope("other"):
        return await ctx.call(DOUBLE, n)


async def named(ctx: Context, n: int) -> int:
    async with ctx.scope("one"):
        return await ctx.call(DOUBLE, n)


async def without(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n)


@pytest.mark.parametrize("code", [renamed, without], ids=lambda code: code.__name__)
def test_another_scope_is_a_difference_that_names_the_scopes(code: Code) -> None:
    turns = drive(flow(named))
    shape = flow(code)
    with pytest.raises(Exception, match="scope") as told:
        replay(shape, "e", turns, tools(shape))
    assert "scope 1. one" in str(told.value)


@pytest.mark.parametrize("name", ["", 7, None])
def test_a_name_that_is_none_is_refused_at_the_scope(name: Any) -> None:
    async def code(ctx: Context, n: int) -> str:
        try:
            async with ctx.scope(name):
                return "entered"
        except ConfigurationError as error:
            return str(error)

    assert "scope" in result(drive(flow(code)))


def test_a_suspension_in_a_scope_leaves_no_mark() -> None:
    entered: list[str] = []

    async def code(ctx: Context, n: int) -> int:
        async with ctx.scope("waits"):
            try:
                return await ctx.call(DOUBLE, n)
            finally:
                async with ctx.scope("tidies"):
                    entered.append("tidied")

    shape = flow(code)
    execution = Execution(shape, "e", tools(shape))
    execution.advance([e.Started(START, "flow", 3, 1)])
    assert [type(x) for x in execution.ledger.settle()] == [c.OpenScope, c.ScheduleCall]
    execution.close()
    assert execution.ledger.settle() == ()
    assert entered == ["tidied"]  # the code ran, and nothing came of it
    turns = drive(shape)
    assert scopes(turns) == [("1.", "waits"), ("1.1.", "tidies")]


def test_the_history_of_the_command_line_shows_scopes() -> None:
    rows = history_rows(History("e", drive(flow(nests))))
    words = [row[-1] for row in rows]
    assert [word for word in words if word.startswith("▸")] == ["▸ outer", "▸ inner", "▸ second"]
    assert [row[-2] for row in rows if row[-1].startswith("▸")] == ["1.", "1.1.", "2."]


def test_scopes_stack_a_hundred_deep() -> None:
    async def code(ctx: Context, n: int) -> Any:
        async def down(left: int) -> int:
            async with ctx.scope("level"):
                return await down(left - 1) if left else await ctx.call(DOUBLE, n)

        return await down(99)

    turns = drive(flow(code))
    assert result(turns) == 6
    assert ids(turns) == ["1." * 100 + "1"]
    replays(flow(code), turns)
