"""Child contexts: Durable Functions' `run_in_child_context`, which is `ctx.scope` here."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from lambda_workflow import CallFailed, Context, RetryPolicy
from lambda_workflow.model import commands as c
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Note, Try

family = Family("contexts", *ADAPTERS)
MINUTE = timedelta(minutes=1)


def say(key: str, text: str) -> str:
    LOG[key].append(text)
    return text


def unsteady(key: str, failures: int) -> str:
    LOG[key].append("attempt")
    if len(LOG[key]) <= failures:
        raise ValueError(f"no {len(LOG[key])}")
    return "steady"


async def scopes_of(world: World, execution_id: str) -> dict[str, str]:
    """The names of an execution's scopes, by the id that their operations begin with."""
    history = await world.client.history(execution_id)
    commands = [command for turn in history.turns for command in turn.commands]
    return {x.operation: x.name for x in commands if isinstance(x, c.OpenScope)}


@family.workflow
async def step_inside(ctx: Context, key: str) -> str:
    async with ctx.scope("payment"):
        first = await ctx.step(say, key, "inside")
        result = await ctx.step(say, key, first)
    return result


@family.case
async def test_a_step_inside_belongs_to_the_scope(world: World) -> None:
    """Durable 3-1 to 3-3: the steps' parent is the context, which has a name."""
    handle = await world.begin(step_inside, world.key)
    assert await world.result(handle) == "inside"
    ((scope, name),) = (await scopes_of(world, handle.execution_id)).items()
    assert name == "payment"
    history = await world.client.history(handle.execution_id)
    steps = [x for turn in history.turns for x in turn.commands if isinstance(x, c.RunStep)]
    assert [step.operation for step in steps] == [f"{scope}1", f"{scope}2"]


@family.workflow
async def error_inside(ctx: Context, key: str) -> list[str]:
    try:
        async with ctx.scope("shaky"):
            await ctx.call(TRY, Try(key, 9), retry=RetryPolicy(attempts=1))
    except CallFailed as error:
        return [error.type, await ctx.step(say, key, "recovered")]
    return []


@family.case
async def test_an_error_inside_is_caught_outside(world: World) -> None:
    """Durable 3-5: the code outside goes on with a step of its own."""
    assert await world.run(error_inside, world.key) == ["Unstable", "recovered"]


@family.workflow
async def raises_inside(ctx: Context, _: None) -> None:
    async with ctx.scope("empty"):
        raise ValueError("nothing was called")


@family.case
async def test_an_error_of_the_code_itself_ends_the_execution(world: World) -> None:
    """Durable 3-15: raised in the context without any operation."""
    error = await world.fails(raises_inside, None)
    assert (error.type, error.message) == ("ValueError", "nothing was called")


@family.workflow
async def retried_inside(ctx: Context, request: list[Any]) -> str:
    key, failures = request
    async with ctx.scope("shaky"):
        policy = RetryPolicy(attempts=2, initial=MINUTE, jitter=0)
        return await ctx.step(unsteady, key, failures, retry=policy)


@family.case
async def test_a_step_inside_is_retried(world: World) -> None:
    """Durable 3-7."""
    assert await world.run(retried_inside, [world.key, 1]) == "steady"


@family.case
async def test_a_step_inside_may_use_up_its_attempts(world: World) -> None:
    """Durable 3-4, 3-8: then the error leaves the scope as its own class."""
    error = await world.fails(retried_inside, [world.key, 9])
    assert (error.type, error.message) == ("ValueError", "no 2")


@family.workflow
async def scope_then_wait(ctx: Context, key: str) -> str:
    async with ctx.scope("first"):
        result = await ctx.step(say, key, "once")
        large = result * 70_000
    await ctx.sleep(MINUTE)
    return f"{result} {len(large)}"


@family.case
async def test_a_replay_does_not_do_a_scopes_work_again(world: World) -> None:
    """Durable 3-9, 3-11, 3-17: its step is not run again, however large what it made of it."""
    assert await world.run(scope_then_wait, world.key) == "once 280000"
    assert world.log == ["once"]


@family.workflow
async def wait_inside(ctx: Context, key: str) -> list[str]:
    async with ctx.scope("inner"):
        inner = await ctx.step(say, key, "inner")
        await ctx.sleep(MINUTE)
    outer = await ctx.step(say, key, "outer")
    await ctx.sleep(MINUTE)
    return [inner, outer]


@family.case
async def test_waits_inside_and_after_a_scope(world: World) -> None:
    """Durable 3-10, 3-13, 3-18: across three replays each step runs once."""
    assert await world.run(wait_inside, world.key) == ["inner", "outer"]
    assert world.log == ["inner", "outer"]


async def nest(ctx: Context, key: str, depth: int) -> int:
    async with ctx.scope(f"level-{depth}"):
        await ctx.step(say, key, f"down {depth}")
        below = await nest(ctx, key, depth - 1) if depth > 1 else 0
        await ctx.sleep(MINUTE)
    return below + 1


@family.workflow
async def nested(ctx: Context, key: str) -> int:
    return await nest(ctx, key, 5)


@family.case
async def test_scopes_nest(world: World) -> None:
    """Durable 3-6: contexts in contexts, each with its own numbers."""
    handle = await world.begin(nested, world.key)
    assert await world.result(handle) == 5
    scopes = await scopes_of(world, handle.execution_id)
    assert list(scopes.values()) == [f"level-{n}" for n in (5, 4, 3, 2, 1)]
    assert [scope.count(".") for scope in scopes] == sorted(scope.count(".") for scope in scopes)


@family.workflow
async def scopes_side_by_side(ctx: Context, key: str) -> list[str]:
    async def one(name: str) -> str:
        async with ctx.scope(name):
            await ctx.sleep(MINUTE)
            return await ctx.call(NOTE, Note(key, name))

    return list(await asyncio.gather(one("left"), one("right")))


@family.case
async def test_scopes_side_by_side_do_not_mix(world: World) -> None:
    """What threads are to Durable's contexts: they run at the same time."""
    handle = await world.begin(scopes_side_by_side, world.key)
    assert await world.result(handle) == ["LEFT", "RIGHT"]
    assert sorted((await scopes_of(world, handle.execution_id)).values()) == ["left", "right"]
