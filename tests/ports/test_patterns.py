"""Maps, branches, polls, sagas and retried blocks end alike on every backend.

Every turn starts from the store: what is replayed went through its records.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BatchFailed,
    CallFailed,
    Context,
    PollTimedOut,
    RetryPolicy,
    SagaFailed,
    Service,
    ServiceError,
    Status,
    Workflow,
    serve,
    workflow,
)
from tests.ports.harness import Harness
from tests.ports.whole import finish

AT_ONCE = RetryPolicy(attempts=2, initial=timedelta(0))
MINUTE = timedelta(minutes=1)

MAIL: Service[int, int] = Service("mail", int, int)
LEDGER: Service[str, str] = Service("ledger", str, str)


@serve(MAIL)
async def mail(number: int) -> int:
    """Refuses 13."""
    if number == 13:
        raise ServiceError("not thirteen", retryable=False)
    return number + 1


@serve(LEDGER)
async def ledger(line: str) -> str:
    """Refuses blots."""
    if "blot" in line:
        raise ServiceError("illegible", retryable=False)
    return f"{line}!"


@workflow
async def maps(ctx: Context, n: int) -> list[Any]:
    async def row(ctx: Context, first: int) -> list[int]:
        return (await ctx.map(MAIL, range(first, first + 3), limit=2)).results()

    rows = await ctx.map(row, range(0, n * 10, 10), limit=2)
    some = await ctx.map(MAIL, range(11, 11 + n), limit=1, tolerated_failures=0, name="some")
    try:
        some.raise_if_failed()
    except BatchFailed as failed:
        words = str(failed).partition(";")[0]
    return [rows.results(), [item.status.value for item in some], words]


@workflow
async def branches(ctx: Context, n: int) -> dict[str, Any]:
    async def slow(ctx: Context) -> int:
        await ctx.sleep(timedelta(days=300))
        return await ctx.call(MAIL, 1)

    async def two(ctx: Context) -> int:
        return await ctx.call(MAIL, await ctx.step(len, "abc"))

    batch = await ctx.parallel(
        {"slow": slow, "line": lambda ctx: ctx.call(LEDGER, "a"), "sum": two},
        min_successful=2,
    )

    return {"reason": batch.reason.value, **{x.name: [x.status.value, x.value] for x in batch}}


def longer(line: str) -> str:
    """A step."""
    return line + "."


@workflow
async def polls(ctx: Context, n: int) -> list[Any]:
    by_service = await ctx.poll(MAIL, 1, until=lambda sent: sent > n, every=MINUTE)
    by_step = await ctx.poll(longer, "", until=lambda line: len(line) > n, every=MINUTE)
    try:
        await ctx.poll(MAIL, 1, until=lambda sent: False, every=MINUTE, timeout=2.5 * MINUTE)
    except PollTimedOut as late:
        return [by_service, by_step, late.state, late.checks]
    return []


@workflow
async def sagas(ctx: Context, n: int) -> list[Any]:
    undone: list[str] = []

    async def undo(ctx: Context, line: str) -> None:
        undone.append(await ctx.call(LEDGER, line))

    async def attempt(ctx: Context) -> None:
        async with ctx.saga() as saga:
            for line in ("a", "b"):
                saga.on_rollback(undo, await ctx.call(LEDGER, line))
            await ctx.call(MAIL, 13)

    try:
        await ctx.retry(attempt, policy=AT_ONCE)
    except CallFailed as failed:
        undone.append(failed.type)
    try:
        async with asyncio.timeout(60), ctx.saga(parallel=True) as saga:
            saga.on_rollback(LEDGER, "blot")
            saga.on_rollback(undo, "c")
            await ctx.sleep(timedelta(days=1))
    except SagaFailed as failed:
        return [undone, len(failed.failures), type(failed.cause).__name__]
    return []


app = App("patterns", workflows=[maps, branches, polls, sagas], adapters=[mail, ledger])

SENT, REFUSED, CANCELLED = "SUCCEEDED", "FAILED", "CANCELLED"
CASES: list[tuple[Workflow[int, Any], Any]] = [
    (
        maps,
        [
            [[1, 2, 3], [11, 12, 13], [21, 22, 23], [31, 32, 33]],
            [SENT, SENT, REFUSED, "NOT_STARTED"],
            "1 of 4 items of map 'some' failed (FAILURE_TOLERANCE_EXCEEDED)",
        ],
    ),
    (
        branches,
        {
            "reason": "MIN_SUCCESSFUL_REACHED",
            "slow": [CANCELLED, None],
            "line": [SENT, "a!"],
            "sum": [SENT, 4],
        },
    ),
    (polls, [5, ".....", 4, 3]),
    (sagas, [["b!!", "a!!", "b!!", "a!!", "ServiceError", "c!"], 1, "CancelledError"]),
]


@pytest.mark.parametrize(("code", "expected"), CASES, ids=[code.name for code, _ in CASES])
async def test_a_pattern_ends_as_it_should(
    harness: Harness, code: Workflow[int, Any], expected: Any
) -> None:
    response = await finish(harness, app, code, 4)
    assert response.failure is None
    assert response.result == expected
    header = await harness.backend.store.header("e")
    assert header is not None
    assert header.status is Status.COMPLETED
