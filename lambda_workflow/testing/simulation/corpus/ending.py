"""Shapes that are ended, held and begun from outside, and tidy up after themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.model.commands import SetStatus
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.clock import EPOCH
from lambda_workflow.testing.simulation.corpus.contracts import (
    DOUBLE,
    HOPELESS,
    JOIN,
    SILENT,
    SLOW,
)
from lambda_workflow.testing.simulation.corpus.families import endless_kid
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.outside import Guest
from lambda_workflow.testing.simulation.shape import (
    Outcome,
    Shape,
    either,
    ends,
    fails_with,
    returns,
)

DAYS = RetryPolicy(attempts=100, initial=timedelta(days=1), cap=timedelta(days=1))


def cancel(guest: Guest, request: int) -> None:
    """Cancel, and leave time enough to tidy up."""
    guest.cancel(grace=1_000_000.0)


def cancel_roughly(guest: Guest, request: int) -> None:
    """Cancel, and leave no time."""
    guest.cancel(grace=5.0)


def hold(guest: Guest, request: int) -> None:
    """Pause now and then."""
    for _ in range(request):
        guest.pause()


@workflow
async def tidied(ctx: Context, number: int) -> int:
    try:
        return await ctx.call(SILENT, number)
    finally:
        ctx.set_status(await ctx.call(JOIN, ["tidied", str(number)]))


def _tidied(number: int, outcome: Outcome) -> bool:
    made = [command for turn in outcome.turns for command in turn.commands]
    said = [command.payload for command in made if isinstance(command, SetStatus)]
    return outcome.status is Status.CANCELLED and said == [f"tidied {number}"]


def _out_of_time(number: int, outcome: Outcome) -> bool:
    """Somebody else was less patient."""
    words = outcome.failure.message if outcome.failure else ""
    return outcome.status is Status.CANCELLED and "grace period" in words


@workflow
async def unimpressed(ctx: Context, number: int) -> int:
    """Lets no cancellation pass."""
    for _ in range(number):
        try:
            await ctx.call(SLOW, 200)
        except asyncio.CancelledError:
            continue
    return await ctx.call(DOUBLE, number)


@workflow
async def never_tidy(ctx: Context, number: int) -> int:
    """Its cleanup has no end, so its time runs out."""
    try:
        return await ctx.call(SILENT, number)
    finally:
        await ctx.call(SILENT, number)


@workflow
async def ended_in_gather(ctx: Context, count: int) -> None:
    async def branch(number: int) -> None:
        try:
            await ctx.call(SILENT, number)
        finally:
            await ctx.call(DOUBLE, number)

    await asyncio.gather(*(branch(number) for number in range(count)))


@workflow
async def ended_in_group(ctx: Context, count: int) -> None:
    async def branch(number: int) -> None:
        try:
            await ctx.sleep(timedelta(days=number + 300))
        finally:
            await ctx.call(DOUBLE, number)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(branch(number))


@workflow
async def ended_in_map(ctx: Context, count: int) -> None:
    await ctx.map(endless_kid, range(count), limit=2)


@workflow
async def ended_in_child(ctx: Context, number: int) -> int:
    return await ctx.call(endless_kid, number)


@workflow
async def ended_in_back_off(ctx: Context, number: int) -> int:
    return await ctx.call(HOPELESS, number, retry=DAYS)


@workflow
async def ended_in_saga(ctx: Context, count: int) -> None:
    undone: list[str] = []

    async def undo(ctx: Context, number: int) -> None:
        undone.append(str(await ctx.call(DOUBLE, number)))
        ctx.set_status(" ".join(undone))

    async with ctx.saga() as saga:
        for number in range(count):
            await ctx.call(DOUBLE, number)
            saga.on_rollback(undo, number)
        await ctx.call(SILENT, count)


def _undone(count: int, outcome: Outcome) -> bool:
    """In the reverse order, as far as it had come."""
    made = [command for turn in outcome.turns for command in turn.commands]
    said = [str(command.payload) for command in made if isinstance(command, SetStatus)]
    whole = [str(2 * number) for number in reversed(range(count))]
    last = said[-1].split(" ") if said else []
    return outcome.status is Status.CANCELLED and last == whole[len(whole) - len(last) :]


@workflow
async def held(ctx: Context, count: int) -> int:
    total = 0
    for number in range(count):
        total += await ctx.call(DOUBLE, number)
        await asyncio.sleep(60)
        total += await ctx.step(_half, 2 * number)
    return total


def _half(number: int) -> int:
    return number // 2


@workflow
async def scoped(ctx: Context, number: int) -> int:
    async with ctx.scope("outer"):
        first = await ctx.call(DOUBLE, number)
        async with ctx.scope("inner"):
            second, _ = await asyncio.gather(
                ctx.call(DOUBLE, first), ctx.sleep(timedelta(minutes=number))
            )
    return await ctx.call(DOUBLE, second)


@workflow
async def begun_later(ctx: Context, number: int) -> bool:
    return ctx.now().timestamp() * 1000 >= EPOCH + 1 and bool(await ctx.call(DOUBLE, number))


is_cancelled = ends(Status.CANCELLED)

SHAPES = (
    Shape(tidied, few, _tidied, cancel, either(_tidied, _out_of_time)),
    Shape(unimpressed, few, returns(lambda n: 2 * n), cancel, is_cancelled),
    Shape(never_tidy, few, is_cancelled, cancel_roughly, is_cancelled),
    Shape(ended_in_gather, few, is_cancelled, cancel, is_cancelled),
    Shape(ended_in_group, few, either(is_cancelled, returns(lambda n: None)), cancel),
    Shape(ended_in_map, few, is_cancelled, cancel, is_cancelled, begets=True),
    Shape(ended_in_child, few, is_cancelled, cancel, is_cancelled, begets=True),
    Shape(
        ended_in_back_off,
        few,
        either(is_cancelled, fails_with("CallFailed")),
        cancel,
    ),
    Shape(ended_in_saga, few, _undone, cancel, either(_undone, _out_of_time)),
    Shape(held, few, returns(lambda n: sum(3 * i for i in range(n))), hold),
    Shape(scoped, few, returns(lambda n: 8 * n)),
    Shape(begun_later, few, returns(lambda n: True), delayed=True, begets=True),
)
