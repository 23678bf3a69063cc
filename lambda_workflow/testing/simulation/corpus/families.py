"""Shapes of parents and children; both are executions of the run, and every law holds for both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from lambda_workflow.errors import ChildFailed, ChildTimedOut
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import RemoteWorkflow, workflow
from lambda_workflow.testing.simulation.corpus.contracts import (
    DOUBLE,
    JOIN,
    REFUSING,
    SILENT,
    SLOW,
)
from lambda_workflow.testing.simulation.corpus.hearing import NUMBER, number_senders, told
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.outages import RETENTION_SECONDS
from lambda_workflow.testing.simulation.outside import Guest
from lambda_workflow.testing.simulation.shape import (
    Outcome,
    Shape,
    either,
    ends,
    fails_with,
    returns,
    returns_one_of,
)

HOUR = timedelta(hours=1)
CLOCKS_APART: Final = 2 * 3_600_000  # milliseconds between two workers' clocks, at most


# the children


@workflow
async def kid(ctx: Context, number: int) -> int:
    return await ctx.call(DOUBLE, number)


@workflow
async def bad_kid(ctx: Context, number: int) -> int:
    return await ctx.call(REFUSING, number)


@workflow
async def slow_kid(ctx: Context, seconds: int) -> int:
    return await ctx.call(SLOW, seconds)


@workflow
async def endless_kid(ctx: Context, number: int) -> int:
    """Ends only if it is told to; then it tidies up."""
    try:
        return await ctx.call(SILENT, number)
    finally:
        await ctx.call(DOUBLE, number)


@workflow
async def told_kid(ctx: Context, count: int) -> int:
    return sum([await ctx.wait_signal(NUMBER) for _ in range(count)])


@workflow
async def grown_kid(ctx: Context, depth: int) -> int:
    if depth == 0:
        return 1
    return 1 + await ctx.call(grown_kid, depth - 1)


# the parents


@workflow
async def parent(ctx: Context, number: int) -> int:
    return await ctx.call(DOUBLE, await ctx.call(kid, number))


@workflow
async def ancestor(ctx: Context, depth: int) -> int:
    return await ctx.call(grown_kid, depth)


@workflow
async def parent_of_many(ctx: Context, count: int) -> list[int]:
    batch = await ctx.map(kid, range(count), limit=2)
    return batch.results()


@workflow
async def parent_of_both(ctx: Context, number: int) -> list[object]:
    good, bad = await asyncio.gather(
        ctx.call(kid, number), ctx.call(bad_kid, number), return_exceptions=True
    )
    assert isinstance(bad, ChildFailed)
    return [good, bad.type, bad.execution_id == f"{ctx.execution_id}/2"]


@workflow
async def hasty_parent(ctx: Context, number: int) -> str:
    """Gives its child up, which is then told."""
    try:
        async with asyncio.timeout(60 * number):
            await ctx.call(endless_kid, number)
    except TimeoutError:
        return await ctx.call(JOIN, ["gave", "up"])
    return ""


@workflow
async def strict_parent(ctx: Context, number: int) -> str:
    try:
        await ctx.call(endless_kid, number, timeout=HOUR, parent_close="terminate")
    except ChildTimedOut as late:
        return late.type
    return ""


@workflow
async def leaving_parent(ctx: Context, number: int) -> int:
    """Ends while its children are at it: one is cancelled, one terminated, one goes on."""
    ctx.call(endless_kid, number, name="cancelled")
    ctx.call(endless_kid, number, name="terminated", parent_close="terminate")
    ctx.call(slow_kid, 500, name="abandoned", parent_close="abandon")
    return await ctx.call(DOUBLE, number)


@workflow
async def dying_parent(ctx: Context, number: int) -> int:
    child = ctx.call(endless_kid, number)
    await ctx.call(REFUSING, number)
    return await child


@workflow
async def absent_parent(ctx: Context, number: int) -> str:
    child = ctx.start(slow_kid, 30 * number)
    await ctx.call(DOUBLE, number)
    return child.removeprefix(ctx.execution_id)


@workflow
async def rival_parents(ctx: Context, number: int) -> str:
    """The child's id belongs to the first call, until that child has expired."""
    name = f"{ctx.execution_id}-kid"
    first = await ctx.call(kid, number, id=name)
    try:
        second = await ctx.call(kid, number + 1, id=name)
    except ChildFailed as failed:
        return f"{first} {failed.type}"
    return f"{first} {second}"


@workflow
async def parent_of_twins(ctx: Context, number: int) -> list[int]:
    """Two calls want the same child; one gets it."""
    name = f"{ctx.execution_id}-twin"
    twins = (ctx.call(kid, number, id=name), ctx.call(kid, number, id=name))
    ends = await asyncio.gather(*twins, return_exceptions=True)
    return sorted(end if isinstance(end, int) else -1 for end in ends)


@workflow
async def parent_of_told(ctx: Context, count: int) -> int:
    return await ctx.call(told_kid, count, id=f"{ctx.execution_id}-kid")


def _tell_kid(guest: Guest, count: int) -> None:
    for number in range(count):
        guest.signal("number", number, to=f"{guest.execution_id}-kid")


KID_ELSEWHERE = RemoteWorkflow("kid", int, int, app="corpus")


@workflow
async def distant_parent(ctx: Context, number: int) -> int:
    """Over the queue of another App, which here is the same one."""
    return await ctx.call(KID_ELSEWHERE, number)


def _heard(count: int, outcome: Outcome) -> bool:
    done = outcome.status is Status.COMPLETED and outcome.result == sum(range(count))
    return done and len(told(outcome)) == count


def _begun_again(number: int, outcome: Outcome) -> bool:
    """The first child had expired when the second call began: its id was free again."""
    moments = [event.at for turn in outcome.turns for event in turn.events]
    expired = moments[-1] - moments[0] >= 1_000 * RETENTION_SECONDS - CLOCKS_APART
    again = f"{2 * number} {2 * (number + 1)}"  # each call has the outcome of its own child
    return expired and outcome.status is Status.COMPLETED and outcome.result == again


_refused = returns(lambda n: f"{2 * n} ExecutionAlreadyStarted")
cancelled = ends(Status.CANCELLED)
terminated = ends(Status.TERMINATED)

SHAPES = (
    Shape(kid, few, returns(lambda n: 2 * n)),
    Shape(bad_kid, few, fails_with("CallFailed"), alone=False),
    Shape(slow_kid, few, returns(lambda n: n), alone=False),
    Shape(endless_kid, few, either(cancelled, terminated), alone=False),
    Shape(told_kid, few, _heard, number_senders),
    Shape(grown_kid, few, returns(lambda n: n + 1), begets=True),
    Shape(parent, few, returns(lambda n: 4 * n), begets=True),
    Shape(ancestor, few, returns(lambda n: n + 1), begets=True),
    Shape(parent_of_many, few, returns(lambda n: [2 * i for i in range(n)]), begets=True),
    Shape(parent_of_both, few, returns(lambda n: [2 * n, "CallFailed", True]), begets=True),
    Shape(hasty_parent, few, returns(lambda n: "gave up"), begets=True),
    Shape(strict_parent, few, returns(lambda n: "ChildTimedOut"), begets=True),
    Shape(leaving_parent, few, returns(lambda n: 2 * n), begets=True),
    Shape(dying_parent, few, fails_with("CallFailed"), begets=True),
    Shape(absent_parent, few, returns(lambda n: "/1"), begets=True),
    Shape(rival_parents, few, either(_refused, _begun_again), begets=True),
    Shape(parent_of_twins, few, returns_one_of(lambda n: [[-1, 2 * n]]), begets=True),
    Shape(parent_of_told, few, returns(lambda n: sum(range(n))), _tell_kid, begets=True),
    Shape(distant_parent, few, returns(lambda n: 2 * n), begets=True),
)
