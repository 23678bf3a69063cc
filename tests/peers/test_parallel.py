"""Parallel: Durable Functions' `parallel`, Step Functions' Parallel, Temporal's gather."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from lambda_workflow import BatchResult, CallFailed, Context, RetryPolicy
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Limits, Note, Try

family = Family("parallel", *ADAPTERS)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ONCE = RetryPolicy(attempts=1)
Branch = Callable[[Context], Awaitable[Any]]


def gives(value: Any, *, after: timedelta = timedelta(0)) -> Branch:
    async def branch(ctx: Context) -> Any:
        await ctx.sleep(after)
        return value

    return branch


def raises(text: str, *, after: timedelta = timedelta(0)) -> Branch:
    async def branch(ctx: Context) -> Any:
        await ctx.sleep(after)
        raise ValueError(text)

    return branch


@family.workflow
async def typed_branches(ctx: Context, key: str) -> list[Any]:
    batch = await ctx.parallel(
        {
            "reserve": lambda ctx: ctx.call(NOTE, Note(key, "reserved")),
            "count": gives(200),
            "rates": gives({"currency": "USD"}, after=MINUTE),
        }
    )
    return [*batch.results(), str(batch.reason), [item.name for item in batch]]


@family.case
async def test_branches_have_names_and_types_of_their_own(world: World) -> None:
    """Durable 8-1 to 8-4, 8-23: results in the order of the branches, of whatever type."""
    assert await world.run(typed_branches, world.key) == [
        "RESERVED",
        200,
        {"currency": "USD"},
        "ALL_COMPLETED",
        ["reserve", "count", "rates"],
    ]


@family.workflow
async def no_branches(ctx: Context, _: None) -> list[Any]:
    empty: list[Branch] = []
    batch = await ctx.parallel(empty)
    return [batch.results(), str(batch.reason), len(batch)]


@family.case
async def test_no_branches_complete_at_once(world: World) -> None:
    """Durable 8-5."""
    assert await world.run(no_branches, None) == [[], "ALL_COMPLETED", 0]


def summary(batch: BatchResult[Any]) -> list[Any]:
    return [str(batch.reason), [str(item.status) for item in batch], batch.results()]


@family.workflow
async def a_failing_branch(ctx: Context, limits: Limits) -> list[Any]:
    batch = await ctx.parallel(
        [gives("a"), raises("b"), gives("c"), gives("d")],
        limit=limits.limit,
        min_successful=limits.min_successful,
        tolerated_failures=limits.tolerated_failures,
        tolerated_failure_percentage=limits.tolerated_failure_percentage,
    )
    return summary(batch)


@family.case
async def test_by_default_the_other_branches_complete(world: World) -> None:
    """Unlike Step Functions' Parallel, which ends all branches at the first error."""
    assert await world.run(a_failing_branch, Limits()) == [
        "ALL_COMPLETED",
        ["SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED"],
        ["a", "c", "d"],
    ]


@family.case
async def test_no_failure_tolerated_ends_at_the_first(world: World) -> None:
    """Durable 8-6, Step Functions' Parallel: the branches after it are not started."""
    assert await world.run(a_failing_branch, Limits(tolerated_failures=0)) == [
        "FAILURE_TOLERANCE_EXCEEDED",
        ["SUCCEEDED", "FAILED", "NOT_STARTED", "NOT_STARTED"],
        ["a"],
    ]


@family.case
async def test_failures_within_the_tolerance_let_all_complete(world: World) -> None:
    """Durable 8-9: the count is exceeded, not reached."""
    told = await world.run(a_failing_branch, Limits(tolerated_failures=1))
    assert told[0] == "ALL_COMPLETED"


@family.case
async def test_a_percentage_at_its_limit_is_not_exceeded(world: World) -> None:
    """Durable 8-22: one of four is 25 %, which a tolerance of 25 % lets pass."""
    told = await world.run(a_failing_branch, Limits(tolerated_failure_percentage=25))
    assert told[0] == "ALL_COMPLETED"


@family.case
async def test_a_percentage_over_its_limit_ends_the_batch(world: World) -> None:
    """Durable 8-13."""
    told = await world.run(a_failing_branch, Limits(tolerated_failure_percentage=24.9))
    assert told[:2] == [
        "FAILURE_TOLERANCE_EXCEEDED",
        ["SUCCEEDED", "FAILED", "NOT_STARTED", "NOT_STARTED"],
    ]


@family.workflow
async def all_fail(ctx: Context, _: None) -> list[Any]:
    batch = await ctx.parallel([raises("a"), raises("b")], tolerated_failures=2)
    return [str(batch.reason), [str(error) for error in batch.errors], batch.results()]


@family.case
async def test_all_branches_may_fail(world: World) -> None:
    """Durable 8-16, 8-20: the errors in the branches' order, no results."""
    assert await world.run(all_fail, None) == ["ALL_COMPLETED", ["a", "b"], []]


@family.workflow
async def raised(ctx: Context, _: None) -> str:
    batch = await ctx.parallel([gives(1), raises("b"), raises("c")])
    told: list[str] = []
    try:
        batch.raise_if_failed()
    except* ValueError as group:
        told = [str(error) for error in group.exceptions]
    return ", ".join(told)


@family.case
async def test_the_errors_can_be_raised_together(world: World) -> None:
    """Durable 8-7: throw_if_error raises the first; here `except*` has all of them."""
    assert await world.run(raised, None) == "b, c"


@family.workflow
async def first_wins(ctx: Context, key: str) -> list[Any]:
    async def slow(ctx: Context) -> str:
        try:
            await ctx.sleep(300 * 24 * HOUR)
        finally:
            LOG[key].append("given up")
        return "slow"

    batch = await ctx.parallel([slow, gives("quick", after=MINUTE)], min_successful=1)
    return summary(batch)


@family.case
async def test_the_first_success_ends_the_others(world: World) -> None:
    """Durable 8-8: min_successful; what still runs is cancelled, and cleans up."""
    handle = await world.begin(first_wins, world.key)
    assert await world.result(handle) == [
        "MIN_SUCCESSFUL_REACHED",
        ["CANCELLED", "SUCCEEDED"],
        ["quick"],
    ]
    header = await world.header(handle)
    assert header.closed_at is not None
    assert header.closed_at - header.started_at < 3_600_000


@family.workflow
async def too_few_succeed(ctx: Context, _: None) -> list[Any]:
    branches = [raises("a"), raises("b"), gives("c")]
    return summary(await ctx.parallel(branches, min_successful=2))


@family.case
async def test_too_few_successes_are_no_reason_to_end_early(world: World) -> None:
    """Durable 8-17: with min_successful alone, failures do not end the batch."""
    told = await world.run(too_few_succeed, None)
    assert told == ["ALL_COMPLETED", ["FAILED", "FAILED", "SUCCEEDED"], ["c"]]


@family.workflow
async def two_thresholds(ctx: Context, _: None) -> list[Any]:
    branches = [raises("a"), raises("b"), gives("c"), gives("d")]
    batch = await ctx.parallel(branches, limit=1, min_successful=3, tolerated_failures=1)
    return summary(batch)


@family.case
async def test_the_first_threshold_that_is_passed_ends_the_batch(world: World) -> None:
    """Durable 8-10, 8-18: more failures than tolerated, before enough have succeeded."""
    assert await world.run(two_thresholds, None) == [
        "FAILURE_TOLERANCE_EXCEEDED",
        ["FAILED", "FAILED", "NOT_STARTED", "NOT_STARTED"],
        [],
    ]


@family.workflow
async def wrong_limit(ctx: Context, limit: int) -> None:
    await ctx.parallel([gives(1), gives(2)], limit=limit)


@family.case
async def test_a_limit_of_nothing_is_refused(world: World) -> None:
    """Durable 8-19: before any branch is started."""
    reason = await world.blocked(wrong_limit, 0)
    assert "ConfigurationError at tests/peers/test_parallel.py" in reason
    assert "limit" in reason


@family.workflow
async def one_at_a_time(ctx: Context, key: str) -> list[str]:
    async def branch(ctx: Context, name: str) -> None:
        await ctx.call(NOTE, Note(key, f"{name} begins"))
        await ctx.sleep(MINUTE)
        await ctx.call(NOTE, Note(key, f"{name} ends"))

    await ctx.parallel([lambda ctx: branch(ctx, "a"), lambda ctx: branch(ctx, "b")], limit=1)
    return []


@family.case
async def test_the_limit_is_kept_over_waits(world: World) -> None:
    """Durable 8-14: one that waits keeps its place, one that is done is not done again."""
    await world.run(one_at_a_time, world.key)
    assert world.log == ["a begins", "a ends", "b begins", "b ends"]


@family.workflow
async def parallel_then_wait(ctx: Context, key: str) -> list[Any]:
    def noted(text: str) -> Branch:
        return lambda ctx: ctx.call(NOTE, Note(key, text))

    batch = await ctx.parallel([noted("a"), raises("b"), noted("c")])
    await ctx.sleep(MINUTE)
    return summary(batch)


@family.case
async def test_a_replay_does_not_do_the_branches_again(world: World) -> None:
    """As Durable 9-17 and 9-18 have it of maps: a wait after it, its failed branch included."""
    told = await world.run(parallel_then_wait, world.key)
    assert told == ["ALL_COMPLETED", ["SUCCEEDED", "FAILED", "SUCCEEDED"], ["A", "C"]]
    assert sorted(world.log) == ["a", "c"]


@family.workflow
async def parallel_in_parallel(ctx: Context, key: str) -> list[Any]:
    async def inner(ctx: Context, name: str) -> list[Any]:
        batch = await ctx.parallel([gives(f"{name}1", after=MINUTE), gives(f"{name}2")])
        return batch.results()

    batch = await ctx.parallel([lambda ctx: inner(ctx, "a"), lambda ctx: inner(ctx, "b")])
    return batch.results()


@family.case
async def test_branches_may_have_branches(world: World) -> None:
    """Durable's and Step Functions' nesting."""
    assert await world.run(parallel_in_parallel, world.key) == [["a1", "a2"], ["b1", "b2"]]


@family.workflow
async def gathered(ctx: Context, key: str) -> list[str]:
    return list(
        await asyncio.gather(*(ctx.call(NOTE, Note(key, text)) for text in ("a", "b", "c")))
    )


@family.case
async def test_plain_gather_is_parallel(world: World) -> None:
    """Temporal's and Azure's fan-out, fan-in (`asyncio.gather`, `task_all`)."""
    assert await world.run(gathered, world.key) == ["A", "B", "C"]


@family.workflow
async def group_fails(ctx: Context, key: str) -> list[str]:
    told: list[str] = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.sleep(300 * 24 * HOUR))
            group.create_task(shaky(ctx, key))
    except* CallFailed as errors:
        told = [str(error) for error in errors.exceptions]
    return told


async def shaky(ctx: Context, key: str) -> int:
    return await ctx.call(TRY, Try(key, 9, "Broken"), retry=ONCE)


@family.case
async def test_a_task_group_ends_its_tasks_at_the_first_error(world: World) -> None:
    """Step Functions' Parallel: an error that is not handled ends all branches."""
    (told,) = await world.run(group_fails, world.key)
    assert "Broken" in told
