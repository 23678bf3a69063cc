"""Semantics that peers get wrong: cancelling whatever waits, and nesting as deep as one likes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from lambda_workflow import Context, ExecutionCancelled, RetryPolicy
from tests.peers.family import Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Note, Try

YEAR = timedelta(days=365)
Wait = Callable[[Context, str], Awaitable[Any]]

family = Family("cancelling", *ADAPTERS)


def find(item: str) -> str:
    raise LookupError(f"no {item}")


# cancelling while suspended

WAITS: dict[str, Wait] = {}


def waits(function: Wait) -> Wait:
    """One more way to wait for a year."""
    WAITS[getattr(function, "__name__", "")] = function
    return function


async def held(ctx: Context, key: str) -> None:
    try:
        await ctx.sleep(YEAR)
    finally:
        await ctx.call(NOTE, Note(key, "let go"))


@waits
async def in_gather(ctx: Context, key: str) -> None:
    await asyncio.gather(held(ctx, key), held(ctx, key))


@waits
async def in_a_task_group(ctx: Context, key: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(held(ctx, key))
        group.create_task(held(ctx, key))


@waits
async def in_a_map(ctx: Context, key: str) -> None:
    await ctx.map(held, [key, key, key], limit=2)


@waits
async def in_nested_scopes(ctx: Context, key: str) -> None:
    async with ctx.scope("a"), ctx.scope("b"):
        await in_gather(ctx, key)


@waits
async def in_a_retrys_pause(ctx: Context, key: str) -> None:
    policy = RetryPolicy(attempts=9, initial=YEAR, cap=YEAR, jitter=0)
    try:
        await ctx.call(TRY, Try(f"{key}-tries", 9), retry=policy)
    finally:
        await ctx.call(NOTE, Note(key, "let go"))
        await ctx.call(NOTE, Note(key, "let go"))


@waits
async def in_a_steps_pause(ctx: Context, key: str) -> None:
    policy = RetryPolicy(attempts=9, initial=YEAR, cap=YEAR, jitter=0)
    try:
        await ctx.step(find, "lamp", retry=policy)
    finally:
        await ctx.call(NOTE, Note(key, "let go"))
        await ctx.call(NOTE, Note(key, "let go"))


@waits
async def in_a_childs_wait(ctx: Context, key: str) -> None:
    await asyncio.gather(ctx.call(holding, key), ctx.call(holding, key))


@family.workflow
async def holding(ctx: Context, key: str) -> None:
    await held(ctx, key)


@family.workflow
async def waiting(ctx: Context, request: list[str]) -> str:
    key, way = request
    try:
        await WAITS[way](ctx, key)
    finally:
        await ctx.call(NOTE, Note(key, "closed"))
    return "never"


async def cancelled(world: World, way: str) -> None:
    handle = await world.start(waiting, [world.key, way])
    await handle.cancel("enough")
    error = await world.failure(handle)
    assert isinstance(error, ExecutionCancelled)
    await world.settled()
    assert sorted(world.log) == ["closed", "let go", "let go"]


@family.case
async def test_cancelling_in_gather(world: World) -> None:
    """Every task cleans up, then the workflow does."""
    await cancelled(world, "in_gather")
    assert world.log[-1] == "closed"


@family.case
async def test_cancelling_in_a_task_group(world: World) -> None:
    """As in gather."""
    await cancelled(world, "in_a_task_group")
    assert world.log[-1] == "closed"


@family.case
async def test_cancelling_in_a_map(world: World) -> None:
    """The items under way clean up, the others are not started."""
    await cancelled(world, "in_a_map")
    assert world.log[-1] == "closed"


@family.case
async def test_cancelling_in_nested_scopes(world: World) -> None:
    """The cleanup's calls are numbered under the scopes they stand in."""
    await cancelled(world, "in_nested_scopes")


@family.case
async def test_cancelling_in_a_retrys_pause(world: World) -> None:
    """Between two attempts of a call nothing is under way but a timer."""
    await cancelled(world, "in_a_retrys_pause")


@family.case
async def test_cancelling_in_a_steps_pause(world: World) -> None:
    """Between two attempts of a step, too."""
    await cancelled(world, "in_a_steps_pause")


@family.case
async def test_cancelling_in_children(world: World) -> None:
    """The children are cancelled, and clean up themselves."""
    await cancelled(world, "in_a_childs_wait")


# depth


@family.workflow
async def deep(ctx: Context, key: str) -> list[Any]:
    async def level(ctx: Context, depth: int) -> Any:
        async with ctx.scope(f"at-{depth}"):
            if depth == 0:
                return await ctx.call(NOTE, Note(key, "ground"))
            return (await ctx.map(level, [depth - 1, depth - 1], limit=1)).results()

    found: list[Any] = await level(ctx, 3)
    return found


@family.case
async def test_scopes_and_maps_nest_deeply(world: World) -> None:
    """Scopes in maps in scopes in maps in scopes, eight calls at the ground."""
    ground = ["GROUND", "GROUND"]
    assert await world.run(deep, world.key) == [[ground, ground], [ground, ground]]
    assert world.log == ["ground"] * 8


@family.workflow
async def tower(ctx: Context, height: int) -> int:
    async def storey(ctx: Context, left: int) -> int:
        async with ctx.scope("storey"):
            return 1 + await storey(ctx, left - 1) if left else await ctx.step(int, "0")

    return await storey(ctx, height)


@family.case
async def test_forty_scopes_in_each_other(world: World) -> None:
    """Deep is slow to nobody, and an operation's id stays short enough for every queue."""
    assert await world.run(tower, 40) == 40
