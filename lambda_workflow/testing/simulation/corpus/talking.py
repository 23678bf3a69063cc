"""Shapes that wait for people: callbacks and their tokens."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.errors import CallbackFailed, CallbackTimedOut
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import ASK, DOUBLE, JOIN
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.outside import Question, hand_out
from lambda_workflow.testing.simulation.shape import Shape, returns, returns_one_of

MINUTE = timedelta(minutes=1)


@workflow
async def approved(ctx: Context, number: int) -> str:
    approval = ctx.callback(str, name="approval")
    await ctx.call(ASK, Question(approval.token, f"yes {number}"))
    return await approval


@workflow
async def answered_early(ctx: Context, number: int) -> str:
    approval = ctx.callback(str)
    await ctx.call(ASK, Question(approval.token, f"yes {number}", 30))
    await ctx.sleep(timedelta(hours=1))
    return await approval


@workflow
async def answered_at_once(ctx: Context, number: int) -> str:
    """The token goes out in the turn that makes it, before anything of that is stored."""
    await ctx.call(DOUBLE, number)
    approval = ctx.callback(str)
    await ctx.step(hand_out, Question(approval.token, f"yes {number}", 0))
    return await approval


@workflow
async def answered_in_a_race(ctx: Context, number: int) -> str:
    """Which operation the callback is depends on what was first."""
    first = asyncio.ensure_future(ctx.call(DOUBLE, number))
    await asyncio.wait([first], timeout=3)
    if not first.done():
        await ctx.call(JOIN, ["slow"])
    approval = ctx.callback(str)
    await ctx.step(hand_out, Question(approval.token, f"yes {number}", 0))
    answer = await approval
    await first
    return answer


@workflow
async def overdue(ctx: Context, number: int) -> str:
    approval = ctx.callback(str, timeout=10 * MINUTE)
    await ctx.call(ASK, Question(approval.token, f"yes {number}", 1200))
    try:
        return await approval
    except CallbackTimedOut:
        return await ctx.call(JOIN, ["too", "late"])


@workflow
async def never_answered(ctx: Context, number: int) -> str:
    try:
        async with asyncio.timeout(60 * number):
            approval = ctx.callback(str, timeout=timedelta(days=3))
            await ctx.call(ASK, Question(approval.token, "", -1))
            return await approval
    except TimeoutError:
        return "escalated"


@workflow
async def declined(ctx: Context, number: int) -> list[str]:
    approval = ctx.callback(str)
    await ctx.call(ASK, Question(approval.token, f"no {number}", refuses=True))
    try:
        return [await approval]
    except CallbackFailed as failed:
        return [failed.type, failed.message.removesuffix(" again")]


@workflow
async def alive(ctx: Context, number: int) -> str:
    approval = ctx.callback(str, heartbeat_timeout=MINUTE)
    await ctx.call(ASK, Question(approval.token, f"yes {number}", 20, beats=number + 1))
    try:
        return await approval
    except CallbackTimedOut:
        return "gone"  # the beats were held up on their way


@workflow
async def gone_silent(ctx: Context, number: int) -> str:
    approval = ctx.callback(str, heartbeat_timeout=MINUTE)
    await ctx.call(ASK, Question(approval.token, "", -1, beats=number))
    try:
        return await approval
    except CallbackTimedOut:
        return "gone"


@workflow
async def all_asked(ctx: Context, count: int) -> list[str]:
    async def one(number: int) -> str:
        approval = ctx.callback(str)
        await ctx.call(ASK, Question(approval.token, str(number), 600))
        return (await approval).removesuffix(" again")

    return list(await asyncio.gather(*(one(number) for number in range(count))))


@workflow
async def handed_back(ctx: Context, number: int) -> int:
    approval = ctx.callback(str)
    await ctx.call(ASK, Question(approval.token, "yes", 600))
    done, _ = await asyncio.wait([approval], timeout=300)
    if not done:
        approval.cancel()
    return await ctx.call(DOUBLE, number)


def yes(number: int) -> list[str]:
    return [f"yes {number}", f"yes {number} again"]


SHAPES = (
    Shape(approved, few, returns_one_of(yes)),
    Shape(answered_early, few, returns_one_of(yes)),
    Shape(answered_at_once, few, returns_one_of(yes)),
    Shape(answered_in_a_race, few, returns_one_of(yes)),
    Shape(overdue, few, returns_one_of(lambda n: [*yes(n), "too late"])),
    Shape(never_answered, few, returns(lambda n: "escalated")),
    Shape(declined, few, returns(lambda n: ["Declined", f"no {n}"])),
    Shape(alive, few, returns_one_of(lambda n: [*yes(n), "gone"])),
    Shape(gone_silent, few, returns(lambda n: "gone")),
    Shape(all_asked, few, returns(lambda n: [str(i) for i in range(n)])),
    Shape(handed_back, few, returns(lambda n: 2 * n)),
)
