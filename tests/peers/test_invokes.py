"""Invokes: Durable Functions' `invoke`, Step Functions' nested executions, Temporal's child
workflows, Azure's sub-orchestrations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambda_workflow import ChildFailed, ChildTimedOut, Context, Status
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, Note

family = Family("invokes", *ADAPTERS)
MINUTE, HOUR, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=365)


@dataclass(frozen=True)
class Order:
    """A request with types of its own."""

    key: str
    amounts: dict[int, float]


@family.workflow
async def echo(ctx: Context, order: Order) -> Order:
    await ctx.sleep(MINUTE)
    return order


@family.workflow
async def declines(ctx: Context, key: str) -> str:
    await ctx.call(NOTE, Note(key, "asked"))
    raise ValueError("declined")


@family.workflow
async def waits_long(ctx: Context, key: str) -> str:
    try:
        await ctx.sleep(YEAR)
    finally:
        await ctx.call(NOTE, Note(key, "cleaned up"))
    return "waited"


@family.workflow
async def invokes(ctx: Context, order: Order) -> Order:
    return await ctx.call(echo, order)


@family.case
async def test_the_result_is_the_invoked_workflows(world: World) -> None:
    """Durable 5-1; types do what custom serdes do in 5-15 and 5-16."""
    order = Order(world.key, {7: 1.5})
    assert await world.run(invokes, order) == order


@family.workflow
async def not_caught(ctx: Context, key: str) -> str:
    return await ctx.call(declines, key)


@family.case
async def test_a_failure_of_the_invoked_fails_the_caller(world: World) -> None:
    """Durable 5-5, Temporal's ChildWorkflowError: with the child's own words, and its id."""
    handle = await world.begin(not_caught, world.key)
    error = await world.failure(handle)
    assert error.type.endswith("ChildFailed")
    assert "declined" in error.message
    assert handle.execution_id in error.message


@family.workflow
async def caught(ctx: Context, key: str) -> list[Any]:
    try:
        await ctx.call(declines, key)
    except ChildFailed as error:
        told = [error.type, error.message, error.workflow]
    await ctx.sleep(MINUTE)
    return told


@family.case
async def test_a_caught_failure_is_the_same_on_replay(world: World) -> None:
    """Durable 5-6, 5-10: after a wait it is raised again, and nothing is invoked again."""
    assert await world.run(caught, world.key) == ["ValueError", "declined", "declines"]
    assert world.log == ["asked"]


@family.workflow
async def large(ctx: Context, size: int) -> int:
    order = await ctx.call(echo, Order("x" * size, {}))
    return len(order.key)


@family.case
async def test_large_payloads_travel(world: World) -> None:
    """Durable 5-7: near, and past, the largest message of a queue."""
    assert await world.run(large, 400_000) == 400_000


def total(order: Order) -> float:
    return sum(order.amounts.values())


@family.workflow
async def invokes_then_works(ctx: Context, order: Order) -> float:
    before = await ctx.step(total, order)
    async with ctx.scope("pricing"):
        priced = await ctx.call(echo, order)
    return before + await ctx.step(total, priced)


@family.case
async def test_a_step_uses_the_result_of_an_invoke(world: World) -> None:
    """Durable 5-11 to 5-13: a step, an invoke inside a child context, a step."""
    assert await world.run(invokes_then_works, Order(world.key, {1: 1.5, 2: 2.5})) == 8.0


@family.workflow
async def in_sequence(ctx: Context, key: str) -> list[int]:
    return [
        len((await ctx.call(echo, Order(key, dict.fromkeys(range(size), 0.0)))).amounts)
        for size in (1, 2)
    ]


@family.case
async def test_invokes_follow_each_other(world: World) -> None:
    """Durable 5-9, 5-14: the first is not repeated while the second is waited for."""
    assert await world.run(in_sequence, world.key) == [1, 2]


@family.workflow
async def side_by_side(ctx: Context, key: str) -> int:
    before = ctx.now()
    await asyncio.gather(*(ctx.call(echo, Order(key, {})) for _ in range(5)))
    return round((ctx.now() - before) / MINUTE)


@family.case
async def test_invokes_run_side_by_side(world: World) -> None:
    """Azure's sub-orchestrations in parallel: as long as the longest of them."""
    assert await world.run(side_by_side, world.key) in (1, 2)


@family.workflow
async def given_up(ctx: Context, key: str) -> str:
    try:
        return await ctx.call(waits_long, key, id=f"{key}-child", timeout=HOUR)
    except ChildTimedOut:
        return "too long"


@family.case
async def test_an_invoke_that_takes_too_long_is_given_up(world: World) -> None:
    """Temporal's execution timeout of a child: it is cancelled, and cleans up."""
    assert await world.run(given_up, world.key) == "too long"
    await world.settled()
    assert world.log == ["cleaned up"]
    header = await world.client.describe(f"{world.key}-child")
    assert header.status is Status.CANCELLED


@family.workflow
async def parent(ctx: Context, request: list[str]) -> str:
    key, policy = request
    match policy:
        case "terminate":
            child = ctx.call(waits_long, key, id=f"{key}-child", parent_close="terminate")
        case "abandon":
            child = ctx.call(waits_long, key, id=f"{key}-child", parent_close="abandon")
        case _:
            child = ctx.call(waits_long, key, id=f"{key}-child")
    await asyncio.wait([child], timeout=60)
    return "parent is done"


async def closes(world: World, policy: str) -> Status:
    """What becomes of a child whose parent completes before it."""
    assert await world.run(parent, [world.key, policy]) == "parent is done"
    await world.settled()
    return (await world.client.describe(f"{world.key}-child")).status


@family.case
async def test_a_child_is_cancelled_with_its_parent(world: World) -> None:
    """Temporal's ParentClosePolicy.REQUEST_CANCEL: its cleanup runs."""
    assert await closes(world, "cancel") is Status.CANCELLED
    assert world.log == ["cleaned up"]


@family.case
async def test_a_child_is_terminated_with_its_parent(world: World) -> None:
    """Temporal's ParentClosePolicy.TERMINATE: its code is not asked."""
    assert await closes(world, "terminate") is Status.TERMINATED
    assert world.log == []


@family.case
async def test_a_child_is_left_alone_when_its_parent_ends(world: World) -> None:
    """Temporal's ParentClosePolicy.ABANDON, Step Functions' fire and forget."""
    assert await closes(world, "abandon") is Status.RUNNING
    await world.client.terminate(f"{world.key}-child", "the test is over")


@family.workflow
async def starts(ctx: Context, key: str) -> str:
    return ctx.start(echo, Order(key, {1: 1.0}), id=f"{key}-detached")


@family.case
async def test_a_detached_start_waits_for_nothing(world: World) -> None:
    """Step Functions' StartExecution without .sync, Azure's fire and forget."""
    child = await world.run(starts, world.key)
    assert child == f"{world.key}-detached"
    await world.at(30 * MINUTE)
    assert await world.client.result(child) == Order(world.key, {1: 1.0})


@family.workflow
async def generations(ctx: Context, depth: int) -> int:
    return 1 + await ctx.call(generations, depth - 1) if depth else 0


@family.case
async def test_children_have_children(world: World) -> None:
    """Temporal's and Azure's nesting: a child of a child of a child."""
    assert await world.run(generations, 4) == 4


@family.workflow
async def inline(ctx: Context, order: Order) -> Order:
    return await echo(ctx, order)


@family.case
async def test_a_workflow_may_be_run_inline(world: World) -> None:
    """Durable's child contexts of whole functions: no execution of its own."""
    order = Order(world.key, {})
    assert await world.run(inline, order) == order


@family.workflow
async def sends(ctx: Context, key: str) -> str:
    ctx.send(NOTE, Note(key, "sent"))
    return "sent"


@family.case
async def test_work_is_handed_over_without_waiting(world: World) -> None:
    """Step Functions' Request Response pattern: the caller goes on at once."""
    assert await world.run(sends, world.key) == "sent"
    await world.settled()
    assert LOG[world.key] == ["sent"]
