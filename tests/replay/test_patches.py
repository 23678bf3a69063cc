"""Patches: one code for executions from before a change and from after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    NonDeterminismError,
    Status,
    UnknownService,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for
from tests.replay.driving import DOUBLE, OTHER, Code, drive, flow, ids, replays, result, tools
from tests.runtime.conftest import MakeHost, make_host

__all__ = ["make_host"]


async def before(ctx: Context, n: int) -> int:
    first = await ctx.call(DOUBLE, n)
    return await ctx.call(DOUBLE, first)


async def patched(ctx: Context, n: int) -> int:
    first = await ctx.call(DOUBLE, n)
    if ctx.patched("other-service"):
        return await ctx.call(OTHER, first)
    return await ctx.call(DOUBLE, first)


async def deprecated(ctx: Context, n: int) -> int:
    first = await ctx.call(DOUBLE, n)
    ctx.deprecate_patch("other-service")
    return await ctx.call(OTHER, first)


async def after(ctx: Context, n: int) -> int:
    first = await ctx.call(DOUBLE, n)
    return await ctx.call(OTHER, first)


def patches(turns: Sequence[Turn]) -> list[str]:
    """The patches that a history recorded."""
    return [x.name for turn in turns for x in turn.commands if isinstance(x, c.Patch)]


def goes_on(old: Code, new: Code, *, length: int) -> tuple[c.Command, ...]:
    """What new code wants of the turn that follows a history of so many turns of old code."""
    turns = drive(flow(old))
    made = flow(new)
    return replay(made, "e", turns[:length], tools(made), events=turns[length].events).commands


def test_new_executions_go_the_new_way_and_record_it_once() -> None:
    turns = drive(flow(patched))
    assert patches(turns) == ["other-service"]
    assert [x.service for t in turns for x in t.commands if isinstance(x, c.ScheduleCall)] == [
        "double",
        "other",
    ]
    replays(flow(patched), turns)


def test_an_execution_that_has_passed_the_place_goes_the_old_way() -> None:
    turns = drive(flow(before))
    made = flow(patched)
    for length in range(2, len(turns)):
        decision = replay(made, "e", turns[:length], tools(made), events=turns[length].events)
        assert decision.commands == turns[length].commands


def test_an_execution_that_has_not_reached_the_place_goes_the_new_way() -> None:
    commands = goes_on(before, patched, length=1)
    assert [type(x) for x in commands] == [c.Patch, c.ScheduleCall]
    assert isinstance(commands[1], c.ScheduleCall)
    assert commands[1].service == "other"


@pytest.mark.parametrize("code", [patched, deprecated, after], ids=lambda code: code.__name__)
def test_a_history_with_the_patch_replays_with_every_later_code(code: Code) -> None:
    replays_alike = flow(code)
    turns = drive(flow(patched))
    assert replay(replays_alike, "e", turns, tools(replays_alike)).commands == ()


def test_once_the_old_half_is_gone_an_old_execution_is_refused_in_words() -> None:
    with pytest.raises(NonDeterminismError) as told:
        goes_on(before, deprecated, length=2)
    assert "'other-service' before it was made" in str(told.value)
    assert "restore the `if ctx.patched" in str(told.value)


async def loop_before(ctx: Context, n: int) -> int:
    for k in range(n):
        await ctx.call(DOUBLE, k)
        await asyncio.sleep(1)
    return n


async def loop_patched(ctx: Context, n: int) -> int:
    for k in range(n):
        await ctx.call(OTHER if ctx.patched("other-in-loop") else DOUBLE, k)
        await asyncio.sleep(1)
    return n


def test_in_a_loop_the_first_answer_holds_for_all_rounds() -> None:
    turns = drive(flow(loop_patched))
    assert patches(turns) == ["other-in-loop"]
    calls = [x.service for t in turns for x in t.commands if isinstance(x, c.ScheduleCall)]
    assert calls == ["other"] * 3
    replays(flow(loop_patched), turns)


def test_an_execution_amid_the_loop_goes_the_old_way_to_its_end() -> None:
    turns = drive(flow(loop_before))
    made = flow(loop_patched)
    for length in range(1, len(turns)):
        decision = replay(made, "e", turns[:length], tools(made), events=turns[length].events)
        assert decision.commands == turns[length].commands
    assert result(turns) == 3


async def two_changes(ctx: Context, n: int) -> int:
    first = await ctx.call(DOUBLE, n)
    if ctx.patched("one"):
        first = await ctx.call(OTHER, first)
    if ctx.patched("two"):
        first = await ctx.call(OTHER, first)
    if not ctx.patched("one"):
        first = await ctx.call(DOUBLE, first)
    return first


def test_changes_are_told_apart_by_their_names_and_asked_anywhere() -> None:
    turns = drive(flow(two_changes))
    assert patches(turns) == ["one", "two"]
    assert ids(turns) == ["1", "2", "3"]
    replays(flow(two_changes), turns)


async def in_tasks(ctx: Context, n: int) -> list[int]:
    async def task(k: int) -> int:
        await asyncio.sleep(k)
        return await ctx.call(OTHER if ctx.patched("in-tasks") else DOUBLE, k)

    return list(await asyncio.gather(*(task(k) for k in (1, 2, 3))))


def test_tasks_share_the_answer_and_one_of_them_records_it() -> None:
    turns = drive(flow(in_tasks))
    assert patches(turns) == ["in-tasks"]
    replays(flow(in_tasks), turns)


def test_a_service_that_is_gone_is_told_as_such_in_a_replay() -> None:
    turns = drive(flow(after))
    made = flow(after)
    fewer = tools_for(App("tests", workflows=[made], services=[DOUBLE]))
    with pytest.raises(UnknownService, match="calls service 'other', which its App does not list"):
        replay(made, "e", turns, fewer)


def app(code: Code) -> App:
    return App("tests", workflows=[workflow(name="flow")(code)], services=[DOUBLE, OTHER])


@pytest.mark.parametrize(
    "options", [{"check": True}, {"live_max": 0}, {"check": True, "guard": True}]
)
async def test_a_patch_deployed_under_a_running_execution(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    """The strict check of development replays every turn, the one that records the patch too."""
    host = make_host(app(before), **options)
    await host.start(flow(before), 3, execution_id="e")
    host.deploy(app(patched), **options)
    await host.answer("1", 6)
    await host.answer("2", 60)
    assert host.outcome() == 60
    assert [task.service for task in host.tasks()] == ["double", "other"]
    assert patches(host.history().turns) == ["other-service"]


async def test_an_execution_without_the_old_half_is_blocked_until_it_is_back(
    make_host: MakeHost,
) -> None:
    host = make_host(app(before))
    await host.start(flow(before), 3)
    await host.answer("1", 6)
    host.deploy(app(deprecated))
    await host.answer("2", 12)
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert reason.startswith(
        "NonDeterminismError: execution e went past the change 'other-service'"
    )
    host.deploy(app(patched))
    await host.redrive()
    assert (host.status(), host.outcome()) == (Status.COMPLETED, 12)
    assert patches(host.history().turns) == []


async def test_a_change_without_a_patch_is_blocked_and_the_words_name_the_way_out(
    make_host: MakeHost,
) -> None:
    host = make_host(app(before))
    await host.start(flow(before), 3)
    await host.answer("1", 6)
    host.deploy(app(after))
    await host.answer("2", 12)
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "calls `other`" in reason
    assert "`double`" in reason
    assert "ctx.patched" in reason
