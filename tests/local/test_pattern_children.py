"""Workflows as what a pattern calls: a thousand children of a map, a child that undoes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Task,
    serve,
    workflow,
)
from lambda_workflow.local import Engine, SkippingClock

DOUBLE: Service[int, int] = Service("double", int, int)
FLAKY: Service[int, int] = Service("flaky", int, int, retry=RetryPolicy(attempts=1))
FAILURES = 2
flaws: list[str] = []


class NoSeatsError(Exception):
    """What a trip is given up for."""


@serve(DOUBLE)
async def double(number: int) -> int:
    return 2 * number


@serve(FLAKY)
async def flaky(number: int, task: Task) -> int:
    """Refuses the first executions that ask."""
    if len(flaws) < FAILURES:
        flaws.append(task.task_id)
        raise ServiceError("not yet")
    return number


@workflow
async def child(ctx: Context, number: int) -> int:
    if number % 7 == 3:
        raise ValueError(f"{number} is not what I like")
    return await ctx.call(DOUBLE, number)


@workflow
async def fragile(ctx: Context, number: int) -> int:
    return await ctx.call(FLAKY, number)


@workflow
async def parent(ctx: Context, count: int) -> list[Any]:
    batch = await ctx.map(child, range(count), limit=100)
    return [len(batch.results()), sum(batch.results()), len(batch.errors), str(batch.reason)]


@workflow
async def first(ctx: Context, count: int) -> list[str]:
    batch = await ctx.map(child, [0, 3, 5], tolerated_failures=0, limit=2)
    return [str(item.status) for item in batch]


@workflow
async def again(ctx: Context, number: int) -> int:
    async def once(ctx: Context) -> int:
        return await ctx.call(fragile, number)

    return await ctx.retry(once, policy=RetryPolicy(attempts=3, initial=timedelta(minutes=1)))


@workflow
async def undone(ctx: Context, number: int) -> str:
    try:
        async with ctx.saga() as saga:
            saga.on_rollback(fragile, number)
            raise NoSeatsError("no seats")
    except NoSeatsError:
        return "undone"


@workflow
async def polled(ctx: Context, number: int) -> int:
    return await ctx.poll(child, number, until=lambda n: n > 50, every=timedelta(days=1))


app = App(
    "kin",
    workflows=[child, fragile, parent, first, again, undone, polled],
    adapters=[double, flaky],
)


async def result_of(code: Any, request: int, *, check: bool = True) -> Any:
    flaws.clear()
    clock = SkippingClock()
    async with Engine(app, ":memory:", clock=clock, check=check, guard=check) as engine:
        handle = await engine.client.start(code, request, execution_id="e")
        return await handle.result()


async def test_a_map_has_a_thousand_children() -> None:
    bad = len(range(3, 1000, 7))
    total = sum(2 * n for n in range(1000) if n % 7 != 3)
    assert await result_of(parent, 1000, check=False) == [
        1000 - bad, total, bad, "ALL_COMPLETED",
    ]  # fmt: skip


async def test_a_child_that_fails_ends_an_intolerant_map() -> None:
    statuses = await result_of(first, 3)
    assert statuses[1] == "FAILED"
    assert statuses[2] in ("CANCELLED", "NOT_STARTED")


async def test_a_block_with_a_child_starts_another_one_each_time() -> None:
    assert await result_of(again, 5) == 5
    assert flaws == ["e/1.1.1/1", "e/1.2.1/1"]


async def test_a_child_undoes_and_is_retried_as_a_whole() -> None:
    assert await result_of(undone, 5) == "undone"
    assert len(flaws) == FAILURES


async def test_a_child_is_polled() -> None:
    assert await result_of(polled, 1) == 64


@pytest.mark.parametrize("limit", [None, 3])
async def test_a_child_of_a_child_of_a_map(limit: int | None) -> None:
    @workflow
    async def tree(ctx: Context, depth: int) -> int:
        if depth == 0:
            return 1
        batch = await ctx.map(tree, [depth - 1] * 3, limit=limit)
        batch.raise_if_failed()
        return sum(batch.results())

    forest = App("forest", workflows=[tree])
    async with Engine(forest, ":memory:", clock=SkippingClock(), check=True) as engine:
        handle = await engine.client.start(tree, 3)
        assert await handle.result() == 27
