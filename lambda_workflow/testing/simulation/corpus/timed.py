"""Shapes that wait, that step, and that ask for the time, for ids and for chance."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.errors import StepTimedOut
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.clock import VirtualLoop
from lambda_workflow.testing.simulation.corpus.contracts import DOUBLE, JOIN, SILENT
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.gate import step_point
from lambda_workflow.testing.simulation.shape import (
    Outcome,
    Shape,
    either,
    fails_with,
    returns,
    returns_one_of,
)


@workflow
async def slept(ctx: Context, hours: int) -> bool:
    begin = ctx.now()
    await asyncio.sleep(3600 * hours)
    return ctx.now() - begin >= timedelta(hours=hours)


@workflow
async def slept_until(ctx: Context, days: int) -> bool:
    morning = ctx.now() + timedelta(days=70 * days)
    await ctx.sleep(morning)
    await ctx.sleep(timedelta(seconds=days))
    return ctx.now() >= morning + timedelta(seconds=days)


@workflow
async def naps(ctx: Context, count: int) -> int:
    await asyncio.gather(*(ctx.sleep(timedelta(seconds=n % 3 + 1)) for n in range(3 * count)))
    return count


@workflow
async def reminded(ctx: Context, times: int) -> list[str]:
    log = []
    for time in range(times):
        log.append(await ctx.call(JOIN, ["reminder", str(time)]))
        await ctx.sleep(timedelta(days=1))
    return log


@workflow
async def stepped(ctx: Context, number: int) -> int:
    async def triple() -> int:
        return 3 * number

    first = await ctx.step(triple)
    second = await ctx.call(DOUBLE, first)
    third: int = await ctx.step(lambda: second + 1)
    return third


@workflow
async def steps_side_by_side(ctx: Context, count: int) -> list[int]:
    squares: list[int] = await asyncio.gather(*(ctx.step(_squared(n)) for n in range(count)))
    return squares


def _squared(number: int):  # type: ignore[no-untyped-def]  # a plain closure is what users write
    return lambda: number * number


@workflow
async def timed_then_stepped(ctx: Context, number: int) -> int:
    async with asyncio.timeout(timedelta(days=30).total_seconds()):
        doubled = await ctx.call(DOUBLE, number)
    return await ctx.step(_add_one, doubled)


async def _add_one(number: int) -> int:
    await step_point("step")
    return number + 1


@workflow
async def slow_steps(ctx: Context, count: int) -> int:
    total = 0
    for _ in range(count):
        total = await ctx.step(_add_slowly, total)
    return total


async def _add_slowly(number: int) -> int:
    await asyncio.sleep(7)
    await step_point("slow step")
    return number + 1


@workflow
async def step_then_call(ctx: Context, number: int) -> list[int]:
    """Steps and calls in two branches: a wake-up makes several records."""

    async def branch(start: int) -> int:
        stepped = await ctx.step(_add_one, start)
        called = await ctx.call(DOUBLE, stepped)
        return await ctx.step(_add_slowly, called)

    ends = asyncio.gather(branch(number), branch(number + 1), ctx.call(DOUBLE, number))
    return list(await ends)


@workflow
async def step_retried(ctx: Context, minutes: int) -> int:
    begin = ctx.now() + timedelta(minutes=minutes)

    async def not_yet() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        if loop.clock.now() < begin.timestamp() * 1000:
            raise OSError("not yet")
        return minutes

    patience = RetryPolicy(attempts=12, initial=timedelta(seconds=10), cap=timedelta(hours=2))
    return await ctx.step(not_yet, retry=patience)


@workflow
async def step_fails(ctx: Context, number: int) -> str:
    def fail() -> int:
        raise LookupError(f"no {number}")

    try:
        await ctx.step(fail)
    except LookupError as error:
        return await ctx.call(JOIN, ["because", str(error.args[0])])
    return "fine"


@workflow
async def step_in_time(ctx: Context, count: int) -> int:
    """Steps that outlive what the code gives them: by a timer of its own, by their timeout."""
    late = 0
    for _ in range(count):
        try:
            async with asyncio.timeout(2):
                await ctx.step(_add_slowly, late)
        except TimeoutError:
            late += await ctx.step(_add_one, 0)
    try:
        await ctx.step(_add_slowly, late, timeout=timedelta(seconds=3))
    except StepTimedOut:
        late += 1
    return await ctx.call(DOUBLE, late)


@workflow
async def dice(ctx: Context, count: int) -> list[int]:
    rolls = [ctx.random.randint(1, 6) for _ in range(count)]
    for roll in rolls:
        if roll % 2:
            await ctx.call(DOUBLE, roll)
        else:
            await ctx.sleep(timedelta(minutes=roll))
        rolls[-1] += ctx.random.randint(0, 0)
    return rolls


def _rolled(count: int, outcome: Outcome) -> bool:
    rolls = outcome.result
    return (
        outcome.status is Status.COMPLETED
        and isinstance(rolls, list)
        and len(rolls) == count
        and all(roll in range(1, 7) for roll in rolls)
    )


@workflow
async def stamped(ctx: Context, number: int) -> list[str]:
    first, moment = ctx.uuid(), ctx.now()
    echoed = await ctx.call(JOIN, [str(first), moment.isoformat()])
    second = ctx.uuid()
    same = echoed == f"{first} {moment.isoformat()}"
    return ["same" if same else "other", "new" if first != second else "old"]


@workflow
async def informed(ctx: Context, number: int) -> list[str]:
    await ctx.call(DOUBLE, number)
    return [ctx.info.workflow, ctx.execution_id.partition("-")[0]]


@workflow
async def escalated(ctx: Context, number: int) -> str:
    for step in ("mail", "phone"):
        try:
            async with asyncio.timeout(timedelta(days=number).total_seconds()):
                await ctx.call(SILENT, number)
        except TimeoutError:
            await ctx.call(JOIN, [step, "the user"])
    return "gave up"


SHAPES = (
    Shape(slept, few, returns(lambda n: True)),
    Shape(slept_until, few, returns(lambda n: True)),
    Shape(naps, few, returns(lambda n: n)),
    Shape(reminded, few, returns(lambda n: [f"reminder {i}" for i in range(n)])),
    Shape(stepped, few, returns(lambda n: 6 * n + 1)),
    Shape(steps_side_by_side, few, returns(lambda n: [i * i for i in range(n)])),
    Shape(
        timed_then_stepped,
        few,
        either(returns(lambda n: 2 * n + 1), fails_with("TimeoutError")),
    ),
    Shape(slow_steps, few, returns(lambda n: n)),
    Shape(step_then_call, few, returns(lambda n: [2 * n + 3, 2 * n + 5, 2 * n])),
    Shape(step_retried, few, returns(lambda n: n)),
    Shape(step_fails, few, returns(lambda n: f"because no {n}")),
    # a worker that stalls may look at its timers when the step has ended already
    Shape(step_in_time, few, returns_one_of(lambda n: [2 * (late + 1) for late in range(n + 1)])),
    Shape(dice, few, _rolled),
    Shape(stamped, few, returns(lambda n: ["same", "new"])),
    Shape(informed, few, returns(lambda n: ["informed", "informed"])),
    Shape(escalated, few, returns(lambda n: "gave up")),
)
