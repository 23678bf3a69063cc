"""Shapes in which something breaks: retries, errors caught, errors that end it, undoing."""

from __future__ import annotations

import asyncio

from lambda_workflow.errors import BadResponse, CallFailed, EncodeError
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import (
    DOUBLE,
    FLAKY,
    HOPELESS,
    JOIN,
    REFUSING,
    SILENT,
    WRONG,
)
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.shape import Shape, fails_with, returns, returns_one_of


@workflow
async def retried(ctx: Context, failures: int) -> int:
    return await ctx.call(FLAKY, failures)


@workflow
async def retried_side_by_side(ctx: Context, count: int) -> list[int]:
    return await asyncio.gather(*(ctx.call(FLAKY, failures) for failures in range(count)))


@workflow
async def refused(ctx: Context, number: int) -> list[str]:
    try:
        await ctx.call(REFUSING, number)
    except CallFailed as error:
        return [error.service, error.type, error.message, str(error.details["n"])]
    return []


@workflow
async def hopeless_call(ctx: Context, number: int) -> int:
    return await ctx.call(HOPELESS, number)


@workflow
async def given_up(ctx: Context, number: int) -> int:
    try:
        return await ctx.call(HOPELESS, number)
    except CallFailed as error:
        return error.attempts


@workflow
async def breaks_at_once(ctx: Context, number: int) -> int:
    raise ValueError(f"{number} is not what I like")


@workflow
async def breaks_later(ctx: Context, number: int) -> int:
    doubled = await ctx.call(DOUBLE, number)
    raise ValueError(f"no {doubled}")


@workflow
async def undone(ctx: Context, number: int) -> list[str]:
    log = [str(await ctx.call(DOUBLE, number))]
    try:
        await ctx.call(REFUSING, number)
    except CallFailed:
        log.append(await ctx.call(JOIN, ["undo", str(number)]))
    return log


@workflow
async def one_branch_fails(ctx: Context, number: int) -> str:
    try:
        await asyncio.gather(ctx.call(DOUBLE, number), ctx.call(REFUSING, number))
    except CallFailed as error:
        return await ctx.call(JOIN, ["because", error.type])
    return "fine"


@workflow
async def group_fails(ctx: Context, number: int) -> list[str]:
    log = []

    async def doomed() -> None:
        try:
            await ctx.call(SILENT, number)
        finally:
            log.append("cancelled")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(doomed())
            group.create_task(_refuse(ctx, number))
    except* CallFailed as errors:
        log += [str(len(errors.exceptions))]
    return log


async def _refuse(ctx: Context, number: int) -> None:
    await ctx.call(REFUSING, number)


@workflow
async def errors_as_data(ctx: Context, number: int) -> list[str]:
    results = await asyncio.gather(
        ctx.call(DOUBLE, number),
        ctx.call(REFUSING, number),
        ctx.call(DOUBLE, number + 1),
        return_exceptions=True,
    )
    return [type(r).__name__ if isinstance(r, BaseException) else str(r) for r in results]


@workflow
async def wrong_answer(ctx: Context, number: int) -> str:
    try:
        await ctx.call(WRONG, number)
    except BadResponse as error:
        return error.service
    except CallFailed as error:  # the adapter may see by itself that its answer is wrong
        return error.service
    return "right"


@workflow
async def not_encodable(ctx: Context, number: int) -> int:
    try:
        await ctx.call(DOUBLE, "many")  # type: ignore[misc]  # the point of it
    except EncodeError:
        return await ctx.call(DOUBLE, number)
    return 0


@workflow
async def stubborn(ctx: Context, number: int) -> int:
    for _ in range(3):
        try:
            number = await ctx.call(DOUBLE, number)
        except BaseException:  # noqa: BLE001  # swallows what it must not, and nothing is faked by it
            number = -1
    return number


SHAPES = (
    Shape(retried, few, returns(lambda n: n)),
    Shape(retried_side_by_side, few, returns(lambda n: list(range(n)))),
    Shape(refused, few, returns(lambda n: ["refusing", "Refused", f"never {n}", str(n)])),
    Shape(hopeless_call, few, fails_with("CallFailed")),
    Shape(given_up, few, returns(lambda n: 3)),
    Shape(breaks_at_once, few, fails_with("ValueError")),
    Shape(breaks_later, few, fails_with("ValueError")),
    Shape(undone, few, returns(lambda n: [str(2 * n), f"undo {n}"])),
    Shape(one_branch_fails, few, returns(lambda n: "because Refused")),
    Shape(group_fails, few, returns(lambda n: ["cancelled", "1"])),
    Shape(errors_as_data, few, returns(lambda n: [str(2 * n), "CallFailed", str(2 * n + 2)])),
    Shape(wrong_answer, few, returns_one_of(lambda n: ["wrong"])),
    Shape(not_encodable, few, returns(lambda n: 2 * n)),
    Shape(stubborn, few, returns(lambda n: 8 * n)),
)
