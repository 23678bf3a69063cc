"""Shapes that live long: run after run under one id, with what they were told in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from lambda_workflow.model.events import CancelRequested, Started, UpdateRequested
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import ASK, DOUBLE, SILENT
from lambda_workflow.testing.simulation.corpus.families import endless_kid
from lambda_workflow.testing.simulation.corpus.hearing import ADD, NUMBER, answers_of, told
from lambda_workflow.testing.simulation.outside import Guest, Question
from lambda_workflow.testing.simulation.shape import Outcome, Shape, returns


def once(rng: object) -> list[int]:
    """The request of the first run: nothing is done yet."""
    return []


@workflow
async def renewed(ctx: Context, done: list[int]) -> list[int]:
    """One call a run."""
    if len(done) == 4:
        return done
    ctx.set_status({"done": len(done)})
    ctx.continue_as_new([*done, await ctx.call(DOUBLE, len(done))])


@workflow
async def renewed_at_once(ctx: Context, done: list[int]) -> list[int]:
    """Runs that wait for nothing."""
    if len(done) == 5:
        return done
    ctx.continue_as_new([*done, ctx.info.run])


@workflow
async def renewed_while_told(ctx: Context, done: list[int]) -> list[int]:
    """Two signals a run; those that nobody has taken go on to the next."""
    if len(done) == 6:
        return done
    first = await ctx.wait_signal(NUMBER)
    await ctx.call(DOUBLE, first)
    ctx.continue_as_new([*done, first, await ctx.wait_signal(NUMBER)])


def _tell_six(guest: Guest, done: list[int]) -> None:
    for number in range(6):
        guest.signal("number", number)


def _taken_once(done: list[int], outcome: Outcome) -> bool:
    """Every signal once over all runs, and in the order in which they came."""
    return (
        outcome.status is Status.COMPLETED
        and outcome.result == told(outcome)
        and sorted(map(str, told(outcome))) == [str(number) for number in range(6)]
    )


@workflow
async def renewed_in_the_middle(ctx: Context, done: list[int]) -> list[int]:
    """What is under way is given up: a call, a timer, a child, a callback."""
    if len(done) == 3:
        return done
    async with asyncio.TaskGroup() as group:
        group.create_task(_wait(ctx, len(done)))
        ctx.call(endless_kid, len(done))
        ctx.callback(str)
        ctx.call(SILENT, len(done))
        ctx.continue_as_new([*done, await ctx.call(DOUBLE, len(done))])


async def _wait(ctx: Context, days: int) -> None:
    await ctx.sleep(timedelta(days=1 + days))


@workflow
async def renewed_while_asked(ctx: Context, done: list[int]) -> list[int]:
    if len(done) == 3:
        return done
    with suppress(TimeoutError):
        async with asyncio.timeout(timedelta(days=2).total_seconds()):
            async for update in ctx.updates(ADD):
                update.respond(update.payload)
                ctx.continue_as_new([*done, update.payload])
    return done  # what comes while nobody takes it is for the next run


def _ask_many(guest: Guest, done: list[int]) -> None:
    for number in range(4):
        guest.update("add", number, within=60.0)
    for number in range(4, 8):
        guest.update("add", number, within=50_000.0)


def _all_told(done: list[int], outcome: Outcome) -> bool:
    """The first that were asked, one a run, in the order in which they came."""
    facts = [event for turn in outcome.turns for event in turn.events]
    asked = [event.payload for event in facts if isinstance(event, UpdateRequested)]
    replies = [x.payload for x in answers_of(outcome)]
    return (
        outcome.status is Status.COMPLETED
        and replies == outcome.result
        and replies == asked[: len(replies)]
        and (len(replies) == 3 or len(replies) == len(asked))
    )


@workflow
async def renewed_with_callbacks(ctx: Context, done: list[int]) -> list[int]:
    """A token of one run is worth nothing in the next."""
    if len(done) == 3:
        return done
    approval = ctx.callback(str)
    await ctx.call(ASK, Question(approval.token, "yes", 300))
    if len(done) != 1:
        assert (await approval).startswith("yes")
    ctx.continue_as_new([*done, len(done)])


@workflow
async def renewed_when_cancelled(ctx: Context, done: list[int]) -> list[int]:
    """What cancels one run is no matter of the next, however often it comes."""
    try:
        await ctx.call(DOUBLE, ctx.info.run)
        await ctx.sleep(timedelta(hours=1))
    except asyncio.CancelledError:
        ctx.continue_as_new([*done, ctx.info.run])
    return done


def _cancel_twice(guest: Guest, done: list[int]) -> None:
    guest.cancel(within=5_000.0)
    guest.cancel(within=5_000.0)


def _cancelled_as_asked(done: list[int], outcome: Outcome) -> bool:
    """No more runs were cancelled than orders given; one that came between two runs ends it."""
    facts = [event for turn in outcome.turns for event in turn.events]
    orders = {event.id for event in facts if isinstance(event, CancelRequested)}
    runs = max(event.run.number for event in facts if isinstance(event, Started))
    if outcome.status is Status.CANCELLED:
        return runs <= len(orders)
    if outcome.status is not Status.COMPLETED:
        return False
    return outcome.result == list(range(1, runs)) and runs <= len(orders) + 1


SHAPES = (
    Shape(renewed, once, returns(lambda _: [0, 2, 4, 6]), begets=True),
    Shape(renewed_at_once, once, returns(lambda _: [1, 2, 3, 4, 5]), begets=True),
    Shape(renewed_while_told, once, _taken_once, _tell_six, begets=True),
    Shape(renewed_in_the_middle, once, returns(lambda _: [0, 2, 4]), begets=True),
    Shape(renewed_while_asked, once, _all_told, _ask_many, begets=True),
    Shape(
        renewed_when_cancelled,
        once,
        _cancelled_as_asked,
        _cancel_twice,
        _cancelled_as_asked,
        begets=True,
    ),
    Shape(renewed_with_callbacks, once, returns(lambda _: [0, 1, 2]), begets=True),
)
