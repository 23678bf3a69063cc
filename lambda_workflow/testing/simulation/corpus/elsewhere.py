"""Shapes of work that goes on elsewhere: services that end, and come back to their task later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from lambda_workflow.errors import CallTimedOut
from lambda_workflow.model.messages import Task
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.runtime.later import Later
from lambda_workflow.runtime.serve import serve
from lambda_workflow.testing.simulation.corpus.contracts import DOUBLE, PATIENT
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.shape import (
    Shape,
    either,
    fails_with,
    returns,
    returns_one_of,
)

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)

JOB: Final = Service("job", int, list[int], retry=PATIENT)
HEARD: Final = Service("heard", int, int, retry=PATIENT, heartbeat_timeout=2 * MINUTE)
ENDLESS: Final = Service("endless", int, int, attempt_timeout=5 * MINUTE)
ERRAND: Final = Service("errand", int, int)


@serve(JOB)
async def job(times: int, task: Task) -> list[int]:
    """Comes back so many times, and says in which order it did."""
    seen = list(task.state or [])
    if len(seen) < times:
        raise Later(len(seen) * HOUR, [*seen, len(seen)])
    return seen


@serve(HEARD)
async def heard(minutes: int, task: Task) -> int:
    """Is away for longer than it may be silent."""
    if task.state is None:
        raise Later(3 * minutes * MINUTE, {"minutes": minutes})
    return int(task.state["minutes"])


@serve(ENDLESS)
async def endless(number: int, task: Task) -> int:
    """Comes back for ever."""
    raise Later(2 * MINUTE, (task.state or 0) + 1)


@serve(ERRAND)
def errand(times: int, task: Task) -> int:
    """Comes back with nobody waiting; a plain function, as adapters may be."""
    if (done := task.state or 0) < times:
        raise Later(MINUTE, done + 1)
    return times


@workflow
async def comes_back(ctx: Context, times: int) -> list[int]:
    return await ctx.call(JOB, times)


@workflow
async def comes_back_side_by_side(ctx: Context, count: int) -> list[int]:
    return [len(seen) for seen in await asyncio.gather(*(ctx.call(JOB, n) for n in range(count)))]


@workflow
async def heard_while_away(ctx: Context, minutes: int) -> int:
    return await ctx.call(HEARD, minutes)


@workflow
async def given_up_while_away(ctx: Context, minutes: int) -> int:
    try:
        async with asyncio.timeout(200):
            return await ctx.call(HEARD, minutes)
    except TimeoutError:
        return await ctx.call(DOUBLE, -1)


@workflow
async def never_done(ctx: Context, number: int) -> list[object]:
    try:
        await ctx.call(ENDLESS, number, retry=RetryPolicy(attempts=number + 1))
    except CallTimedOut as late:
        return [late.type, late.attempts]
    return []


@workflow
async def sent_away(ctx: Context, times: int) -> int:
    ctx.send(ERRAND, times)
    return await ctx.call(DOUBLE, times)


ADAPTERS: Final = (job, heard, endless, errand)

SHAPES: Final = (
    Shape(comes_back, few, returns(lambda n: list(range(n)))),
    Shape(comes_back_side_by_side, few, returns(lambda n: list(range(n)))),
    Shape(heard_while_away, few, either(returns(lambda n: n), fails_with("HeartbeatTimedOut"))),
    Shape(given_up_while_away, few, returns_one_of(lambda n: [n, -2])),
    Shape(never_done, few, returns(lambda n: ["AttemptTimedOut", n + 1])),
    Shape(sent_away, few, returns(lambda n: 2 * n)),
)
