"""Map: Durable Functions' `map`, Step Functions' Map state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambda_workflow import Context, RetryPolicy
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Limits, Note, Try

family = Family("maps", *ADAPTERS)
MINUTE = timedelta(minutes=1)
ANY = Limits()


@family.workflow
async def child(ctx: Context, said: Note) -> str:
    await ctx.sleep(MINUTE)
    return await ctx.call(NOTE, said)


@family.workflow
async def over_a_service(ctx: Context, key: str) -> list[str]:
    return (await ctx.map(NOTE, [Note(key, text) for text in "abc"])).results()


@family.case
async def test_a_map_calls_a_service_with_each_item(world: World) -> None:
    """Durable 9-1, 9-2, Step Functions' Map: results in the items' order."""
    assert await world.run(over_a_service, world.key) == ["A", "B", "C"]
    assert sorted(world.log) == ["a", "b", "c"]


@family.workflow
async def over_a_function(ctx: Context, items: list[int]) -> list[int]:
    async def times_ten(ctx: Context, item: int) -> int:
        await ctx.sleep(timedelta(minutes=10 - item))
        return 10 * item

    return (await ctx.map(times_ten, items)).results()


@family.case
async def test_a_map_calls_a_function_with_each_item(world: World) -> None:
    """Durable 9-15: items that wait; the last to end is the first in the results."""
    assert await world.run(over_a_function, [1, 5, 3]) == [10, 50, 30]


@family.case
async def test_no_items_complete_at_once(world: World) -> None:
    """Durable 9-4, Step Functions' Map of an empty array."""
    assert await world.run(over_a_function, []) == []


@family.workflow
async def over_a_workflow(ctx: Context, key: str) -> list[str]:
    return (await ctx.map(child, [Note(key, text) for text in "ab"])).results()


@family.case
async def test_a_map_starts_a_child_for_each_item(world: World) -> None:
    """Step Functions' Distributed Map: a child workflow execution for each item."""
    assert await world.run(over_a_workflow, world.key) == ["A", "B"]


async def odd_fails(ctx: Context, item: int) -> int:
    if item % 2:
        raise ValueError(f"{item} is odd")
    return item


@dataclass(frozen=True)
class Batch:
    """The items of a map, and when it ends."""

    items: list[int]
    limits: Limits = ANY


@family.workflow
async def some_fail(ctx: Context, asked: Batch) -> list[Any]:
    limits = asked.limits
    batch = await ctx.map(
        odd_fails,
        asked.items,
        limit=limits.limit,
        min_successful=limits.min_successful,
        tolerated_failures=limits.tolerated_failures,
        tolerated_failure_percentage=limits.tolerated_failure_percentage,
    )
    return [str(batch.reason), [str(item.status) for item in batch]]


@family.case
async def test_items_that_fail_do_not_end_a_map(world: World) -> None:
    """Durable's default: their errors are in the result."""
    told = await world.run(some_fail, Batch([0, 1, 2]))
    assert told == ["ALL_COMPLETED", ["SUCCEEDED", "FAILED", "SUCCEEDED"]]


@family.case
async def test_failures_within_the_tolerated_count(world: World) -> None:
    """Durable 9-8, Step Functions' ToleratedFailureCount."""
    told = await world.run(some_fail, Batch([0, 1, 2], Limits(tolerated_failures=1)))
    assert told[0] == "ALL_COMPLETED"


@family.case
async def test_no_failure_tolerated(world: World) -> None:
    """Durable 9-5: the items after the first failure are not started."""
    told = await world.run(some_fail, Batch([0, 1, 2], Limits(tolerated_failures=0)))
    assert told == ["FAILURE_TOLERANCE_EXCEEDED", ["SUCCEEDED", "FAILED", "NOT_STARTED"]]


@family.case
async def test_failures_over_the_tolerated_count(world: World) -> None:
    """Durable 9-9: the items after it are not started."""
    told = await world.run(some_fail, Batch([1, 3, 0, 2], Limits(tolerated_failures=1)))
    assert told == [
        "FAILURE_TOLERANCE_EXCEEDED",
        ["FAILED", "FAILED", "NOT_STARTED", "NOT_STARTED"],
    ]


@family.case
async def test_failures_over_the_tolerated_percentage(world: World) -> None:
    """Durable 9-10, Step Functions' ToleratedFailurePercentage: of all items, not of the ended."""
    told = await world.run(some_fail, Batch([1, 3, 0, 2], Limits(tolerated_failure_percentage=25)))
    assert told == [
        "FAILURE_TOLERANCE_EXCEEDED",
        ["FAILED", "FAILED", "NOT_STARTED", "NOT_STARTED"],
    ]


@family.case
async def test_enough_successes_end_a_map(world: World) -> None:
    """Durable 9-7: min_successful."""
    told = await world.run(some_fail, Batch([0, 1, 2, 4], Limits(min_successful=2)))
    assert told == [
        "MIN_SUCCESSFUL_REACHED",
        ["SUCCEEDED", "FAILED", "SUCCEEDED", "NOT_STARTED"],
    ]


@family.case
async def test_thresholds_without_a_meaning_are_refused(world: World) -> None:
    """Durable's and Step Functions' validation: nothing is started."""
    wrong = {
        "limit": Limits(limit=0),
        "min_successful": Limits(min_successful=3),
        "tolerated_failure_percentage": Limits(tolerated_failure_percentage=101),
    }
    for name, limits in wrong.items():
        reason = await world.blocked(some_fail, Batch([1, 2], limits))
        assert "ConfigurationError at tests/peers/test_maps.py" in reason
        assert name in reason


@family.workflow
async def limited(ctx: Context, key: str) -> int:
    running: list[int] = []

    async def item(ctx: Context, n: int) -> int:
        running.append(n)
        most = len(running)
        await ctx.sleep(MINUTE)
        running.remove(n)
        return most

    return max((await ctx.map(item, range(9), limit=3)).results())


@family.case
async def test_the_limit_is_never_passed(world: World) -> None:
    """Step Functions' MaxConcurrency."""
    assert await world.run(limited, world.key) == 3


@family.workflow
async def map_then_wait(ctx: Context, key: str) -> list[Any]:
    async def item(ctx: Context, text: str) -> str:
        if text == "bad":
            raise ValueError(text)
        return await ctx.call(NOTE, Note(key, text))

    batch = await ctx.map(item, ["a", "bad", "b"])
    await ctx.sleep(MINUTE)
    return [batch.results(), [str(error) for error in batch.errors]]


@family.case
async def test_a_replay_does_not_do_the_items_again(world: World) -> None:
    """Durable 9-17, 9-18: a wait after a map with a failed item."""
    assert await world.run(map_then_wait, world.key) == [["A", "B"], ["bad"]]
    assert sorted(world.log) == ["a", "b"]


@family.workflow
async def large_results(ctx: Context, size: int) -> list[int]:
    async def item(ctx: Context, n: int) -> str:
        return await ctx.step(str.ljust, str(n), size)

    batch = await ctx.map(item, range(4))
    await ctx.sleep(MINUTE)
    return [len(text) for text in batch.results()]


@family.case
async def test_the_results_together_may_be_large(world: World) -> None:
    """Durable 9-16: more than a checkpoint's 256 KiB."""
    assert await world.run(large_results, 70_000) == [70_000] * 4


@family.workflow
async def map_in_map(ctx: Context, rows: list[list[int]]) -> list[list[int]]:
    async def double(ctx: Context, n: int) -> int:
        await ctx.sleep(MINUTE)
        return 2 * n

    async def row(ctx: Context, numbers: list[int]) -> list[int]:
        return (await ctx.map(double, numbers, limit=1)).results()

    return (await ctx.map(row, rows)).results()


@family.case
async def test_maps_in_maps(world: World) -> None:
    """Step Functions' nested Map states."""
    assert await world.run(map_in_map, [[1, 2], [], [3]]) == [[2, 4], [], [6]]


@family.workflow
async def items_are_retried(ctx: Context, key: str) -> list[int]:
    policy = RetryPolicy(attempts=3, initial=MINUTE, jitter=0)

    async def item(ctx: Context, failures: int) -> int:
        return await ctx.call(TRY, Try(key, failures), retry=policy)

    return (await ctx.map(item, [0, 2, 1])).results()


@family.case
async def test_items_are_retried_each_for_itself(world: World) -> None:
    """Step Functions' Retry inside an ItemProcessor."""
    assert await world.run(items_are_retried, world.key) == [1, 3, 2]
    assert len(LOG[world.key]) == 6
