"""Shapes of attempts: signs of life, limits of time, delays of the service, once at most."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.errors import CallTimedOut, StartTimedOut, StepInterrupted
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import (
    BEATING,
    BUSY,
    DOUBLE,
    FADING,
    LONG_BEATING,
    NOTE,
    PATIENT,
    SILENT,
    SLOW,
    SLUGGISH,
)
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.gate import CURRENT_GATE, step_point
from lambda_workflow.testing.simulation.services import UNLUCKY_MAX
from lambda_workflow.testing.simulation.shape import (
    Outcome,
    Shape,
    either,
    fails_with,
    returns,
    returns_one_of,
)

MINUTE = timedelta(minutes=1)
AT_ONCE = RetryPolicy(attempts=10, initial=timedelta(0))


@workflow
async def beaten(ctx: Context, number: int) -> int:
    return await ctx.call(BEATING, 100 * number)


@workflow
async def faded(ctx: Context, number: int) -> int:
    return await ctx.call(FADING, number)


@workflow
async def faded_side_by_side(ctx: Context, count: int) -> list[int]:
    return list(await asyncio.gather(*(ctx.call(FADING, n % 2) for n in range(count))))


@workflow
async def sluggish(ctx: Context, number: int) -> int:
    return await ctx.call(SLUGGISH, number % 3)


@workflow
async def unheard(ctx: Context, number: int) -> list[object]:
    policy = RetryPolicy(attempts=number + 1, initial=timedelta(seconds=5))
    try:
        await ctx.call(SILENT, number, attempt_timeout=MINUTE, retry=policy)
    except CallTimedOut as late:
        return [late.type, late.attempts]
    return []


@workflow
async def never_begun(ctx: Context, number: int) -> list[object]:
    policy = RetryPolicy(attempts=number + 1, initial=timedelta(seconds=5))
    try:
        await ctx.call(SILENT, number, start_timeout=MINUTE, retry=policy)
    except StartTimedOut as late:
        return [late.type, late.attempts]
    return []


@workflow
async def begun_in_time(ctx: Context, number: int) -> list[int]:
    """Attempts wait for their adapter, report their begin, and give signs of life."""
    late = ctx.call(SLOW, 60 * number, start_timeout=10 * MINUTE)
    beaten = ctx.call(BEATING, 60 * number, start_timeout=10 * MINUTE)
    return list(await asyncio.gather(late, beaten))


@workflow
async def limited_in_all(ctx: Context, number: int) -> str:
    try:
        await ctx.call(SILENT, number, timeout=5 * MINUTE, attempt_timeout=MINUTE, retry=PATIENT)
    except CallTimedOut as late:
        return late.type
    return ""


@workflow
async def withdrawn(ctx: Context, number: int) -> int:
    try:
        async with asyncio.timeout(90):
            return await ctx.call(BEATING, 100 * number)
    except TimeoutError:
        return await ctx.call(DOUBLE, -1)


@workflow
async def beaten_beside(ctx: Context, number: int) -> list[int]:
    """While one call gives signs of life the others come and go: a beat may be all that wakes."""

    async def chain() -> int:
        return await ctx.call(DOUBLE, await ctx.call(DOUBLE, await ctx.call(DOUBLE, number)))

    return list(await asyncio.gather(ctx.call(LONG_BEATING, 600), chain()))


@workflow
async def told_when(ctx: Context, number: int) -> bool:
    begin = ctx.now()
    await ctx.call(BUSY, number)
    outages = min(number, UNLUCKY_MAX)  # stand for some of its refusals
    return ctx.now() - begin >= (number - outages) * timedelta(hours=1)


@workflow
async def noted(ctx: Context, count: int) -> int:
    for number in range(count):
        ctx.send(NOTE, number)
    doubled = await ctx.call(DOUBLE, count)
    ctx.send(NOTE, doubled, name="last")
    return doubled


async def charge(execution_id: str, name: str) -> str:
    """Counts itself, so that a law can say whether it ran more than once."""
    await step_point("before the charge")
    gate = CURRENT_GATE.get()
    if gate is not None and gate.alive:
        gate.world.effects[f"{execution_id}/{name}"] += 1
    await step_point("after the charge")
    return name


@workflow
async def charged(ctx: Context, number: int) -> str:
    name = f"charge{number}"
    try:
        return await ctx.step(charge, ctx.execution_id, name, name=name, at_most_once=True)
    except StepInterrupted:
        return "interrupted"


@workflow
async def charged_again(ctx: Context, number: int) -> int:
    for part in range(number):
        name = f"part{part}"
        policy = RetryPolicy(attempts=50, initial=timedelta(0))
        step = ctx.step(charge, ctx.execution_id, name, name=name, at_most_once=True, retry=policy)
        assert await step == name
        await ctx.call(DOUBLE, part)
    return number


@workflow
async def charged_side_by_side(ctx: Context, count: int) -> list[str]:
    async def one(number: int) -> str:
        name = f"side{number}"
        try:
            return await ctx.step(charge, ctx.execution_id, name, name=name, at_most_once=True)
        except StepInterrupted:
            return name

    ends = await asyncio.gather(
        *(one(n) for n in range(count)), ctx.call(DOUBLE, count), ctx.step(charge, "-", "free")
    )
    return [str(end) for end in ends]


@workflow
async def charged_and_refused(ctx: Context, number: int) -> str:
    """Errors of the step's own count as attempts too."""

    async def refuse() -> str:
        await charge(ctx.execution_id, "refused")
        raise LookupError("no card")

    policy = RetryPolicy(attempts=number + 1, initial=timedelta(seconds=2))
    try:
        return await ctx.step(refuse, name="refused", at_most_once=True, retry=policy)
    except LookupError as error:
        return str(error)


@workflow
async def hung(ctx: Context, number: int) -> int:
    """A step that holds its worker for hours, the first time that it runs."""

    async def hang() -> int:
        gate = CURRENT_GATE.get()
        name = f"{ctx.execution_id} hangs"
        if gate is not None and gate.alive and not gate.world.effects[name]:
            gate.world.effects[name] += 1
            gate.world.seen["a step blocks its worker for hours"] += 1
            await asyncio.sleep(10_000 * number)
        return await _end_of_hanging(number)

    return await ctx.step(hang)


async def _end_of_hanging(number: int) -> int:
    await step_point("after it hung")
    return number


_silenced = fails_with("HeartbeatTimedOut")


def _charged(number: int, outcome: Outcome) -> bool:
    return outcome.status is Status.COMPLETED and outcome.result in (
        f"charge{number}",
        "interrupted",
    )


def _sides(count: int) -> list[str]:
    return [*(f"side{n}" for n in range(count)), str(2 * count), "free"]


SHAPES = (
    Shape(beaten, few, either(returns(lambda n: 100 * n), fails_with("HeartbeatTimedOut"))),
    Shape(faded, few, returns(lambda n: n)),
    Shape(faded_side_by_side, few, returns(lambda n: [i % 2 for i in range(n)])),
    Shape(sluggish, few, returns(lambda n: n % 3)),
    Shape(never_begun, few, returns(lambda n: ["StartTimedOut", n + 1]), starts_timed=True),
    Shape(
        begun_in_time,
        few,
        either(returns(lambda n: [60 * n, 60 * n]), _silenced),
        starts_timed=True,
    ),
    Shape(unheard, few, returns(lambda n: ["AttemptTimedOut", n + 1])),
    # a timer whose message has been in the dead-letter queue fires after the last attempt's
    Shape(limited_in_all, few, returns_one_of(lambda n: ["CallTimedOut", "AttemptTimedOut"])),
    Shape(withdrawn, few, returns_one_of(lambda n: [100 * n, -2])),
    Shape(beaten_beside, few, either(returns(lambda n: [600, 8 * n]), _silenced), weight=10),
    Shape(told_when, few, returns(lambda n: True)),
    Shape(noted, few, returns(lambda n: 2 * n)),
    Shape(charged, few, _charged, weight=4),
    Shape(charged_again, few, returns(lambda n: n), weight=4),
    Shape(charged_side_by_side, few, returns(_sides), weight=4),
    Shape(
        charged_and_refused,
        few,
        either(returns(lambda n: "no card"), fails_with("StepInterrupted")),
        weight=4,
    ),
    Shape(hung, few, returns(lambda n: n), weight=2),
)
