"""Steps: what Lambda Durable Functions publishes of `step`, and Step Functions of `Retry`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambda_workflow import Context, RetryPolicy, StepFailed
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS

family = Family("steps", *ADAPTERS)
MINUTE = timedelta(minutes=1)


class TransientError(Exception):
    """Passes."""


class Declined(Exception):
    """A class whose message is not its argument."""

    def __init__(self, code: int) -> None:
        super().__init__(f"declined with code {code}")


@dataclass(frozen=True)
class Plan:
    """How a step behaves: it fails so often, with an error of this name."""

    key: str
    failures: int = 0
    error: str = "TransientError"


def attempt(plan: Plan) -> int:
    LOG[plan.key].append("attempt")
    made = len(LOG[plan.key])
    if made <= plan.failures:
        raise {"TransientError": TransientError, "ValueError": ValueError}[plan.error](f"no {made}")
    return made


async def attempt_async(plan: Plan) -> int:
    return attempt(plan)


@family.workflow
async def one_step(ctx: Context, plan: Plan) -> int:
    return await ctx.step(attempt, plan)


@family.case
async def test_a_steps_result_is_what_it_returned(world: World) -> None:
    """Durable 1-1: it runs once, and its result is the workflow's."""
    assert await world.run(one_step, Plan(world.key)) == 1
    assert world.log == ["attempt"]


def nothing() -> None:
    return None


@family.workflow
async def step_of_nothing(ctx: Context, _: None) -> dict[str, None]:
    result = await ctx.step(nothing)  # type: ignore[func-returns-value]  # None is the point
    return {"result": result}


@family.case
async def test_a_step_may_return_nothing(world: World) -> None:
    """Durable 1-5: None is a result like another, kept over the replay."""
    assert await world.run(step_of_nothing, None) == {"result": None}


@family.workflow
async def step_then_wait(ctx: Context, plan: Plan) -> int:
    first = await ctx.step(attempt_async, plan)
    await ctx.sleep(MINUTE)
    return first + await ctx.step(attempt_async, plan)


@family.case
async def test_a_replay_does_not_run_a_completed_step_again(world: World) -> None:
    """Durable 1-9: after a wait the code runs again, the step does not."""
    assert await world.run(step_then_wait, Plan(world.key)) == 1 + 2
    assert world.log == ["attempt", "attempt"]


@family.workflow
async def failed_step_then_wait(ctx: Context, plan: Plan) -> list[str]:
    seen = []
    try:
        await ctx.step(attempt, plan)
    except TransientError as error:
        seen.append(f"{type(error).__name__}: {error}")
    await ctx.sleep(MINUTE)
    return seen


@family.case
async def test_a_replay_raises_the_failed_steps_error_again(world: World) -> None:
    """Durable 1-10: the recorded error is raised again, the function is not called again."""
    plan = Plan(world.key, failures=9)
    assert await world.run(failed_step_then_wait, plan) == ["TransientError: no 1"]
    assert world.log == ["attempt"]


@family.workflow
async def retried(ctx: Context, plan: Plan) -> int:
    policy = RetryPolicy(attempts=4, initial=MINUTE, jitter=0, backoff=1)
    return await ctx.step(attempt, plan, retry=policy)


@family.case
async def test_a_step_is_retried_until_it_succeeds(world: World) -> None:
    """Durable 1-11: it fails, the execution waits without a process, and it succeeds."""
    assert await world.run(retried, Plan(world.key, failures=1)) == 2


@family.case
async def test_the_last_error_ends_a_step_whose_attempts_are_used_up(world: World) -> None:
    """Durable 1-12: four attempts in all, then the execution fails with the step's error."""
    error = await world.fails(retried, Plan(world.key, failures=99))
    assert error.type.endswith("TransientError")
    assert error.message == "no 4"
    assert world.log == ["attempt"] * 4


@family.workflow
async def backed_off(ctx: Context, plan: Plan) -> int:
    policy = RetryPolicy(attempts=5, initial=2 * MINUTE, cap=9 * MINUTE, backoff=3, jitter=0)
    return await ctx.step(attempt, plan, retry=policy)


@family.case
async def test_the_pauses_grow_by_the_backoff_rate(world: World) -> None:
    """Durable 1-14, Step Functions' IntervalSeconds and BackoffRate: 2 minutes, then 6."""
    handle = await world.start(backed_off, Plan(world.key, failures=2))
    assert await world.result(handle) == 3
    history = await world.client.history(handle.execution_id)
    waited = (history.turns[-1].at - history.turns[0].at) / 1000
    assert 480 <= waited < 540


@family.workflow
async def capped(ctx: Context, plan: Plan) -> int:
    policy = RetryPolicy(attempts=4, initial=MINUTE, cap=MINUTE, backoff=100, jitter=0)
    return await ctx.step(attempt, plan, retry=policy)


@family.case
async def test_no_pause_is_longer_than_the_cap(world: World) -> None:
    """Step Functions' MaxDelaySeconds: three pauses of a minute each."""
    handle = await world.start(capped, Plan(world.key, failures=3))
    assert await world.result(handle) == 4
    history = await world.client.history(handle.execution_id)
    assert 180 <= (history.turns[-1].at - history.turns[0].at) / 1000 < 240


@family.workflow
async def picky(ctx: Context, plan: Plan) -> int:
    policy = RetryPolicy(attempts=3, initial=MINUTE, non_retryable=(ValueError,))
    return await ctx.step(attempt, plan, retry=policy)


@family.case
async def test_an_error_of_a_type_to_retry_is_retried(world: World) -> None:
    """Durable 1-15."""
    assert await world.run(picky, Plan(world.key, failures=1)) == 2


@family.case
async def test_an_error_of_another_type_is_final(world: World) -> None:
    """Durable 1-16, Temporal's non_retryable_error_types: no second attempt."""
    error = await world.fails(picky, Plan(world.key, failures=1, error="ValueError"))
    assert (error.type, error.message) == ("ValueError", "no 1")
    assert world.log == ["attempt"]


@family.case
async def test_a_step_without_a_policy_fails_at_once(world: World) -> None:
    """Durable 1-19: here that is the default; there it is the preset `none`."""
    error = await world.fails(one_step, Plan(world.key, failures=1))
    assert error.message == "no 1"
    assert world.log == ["attempt"]


@family.workflow
async def falls_back(ctx: Context, plan: Plan) -> str:
    try:
        await ctx.step(attempt, plan)
    except TransientError:
        made = await ctx.step(attempt, plan)
        return f"fallback {made}"
    return "no need"


@family.case
async def test_a_steps_error_can_be_caught(world: World) -> None:
    """Durable 1-20, Step Functions' Catch: the code goes on with another step."""
    assert await world.run(falls_back, Plan(world.key, failures=1)) == "fallback 2"


def declines() -> None:
    raise Declined(51)


@family.workflow
async def strange_error(ctx: Context, _: None) -> list[str]:
    try:
        await ctx.step(declines)
    except StepFailed as error:
        return [error.type.rpartition(".")[2], error.message]
    return []


@family.case
async def test_an_error_that_cannot_be_made_again_keeps_type_and_message(world: World) -> None:
    """Durable's StepError: the original's type and message travel, whatever its class."""
    assert await world.run(strange_error, None) == ["Declined", "declined with code 51"]


@family.workflow
async def named(ctx: Context, plan: Plan) -> int:
    return await ctx.step(attempt, plan, name="pay-in")


@family.case
async def test_a_steps_name_stands_in_the_history(world: World) -> None:
    """Durable 1-2: a name is for those who look."""
    handle = await world.start(named, Plan(world.key))
    assert await world.result(handle) == 1
    exported = await world.client.export(handle.execution_id)
    assert "pay-in" in exported


def described(name: str, tags: list[str]) -> dict[str, Any]:
    return {"user": {"name": name, "tags": tags}, "count": len(tags)}


@family.workflow
async def nested_result(ctx: Context, tags: list[str]) -> dict[str, Any]:
    return await ctx.step(described, "Alice", tags)


@family.case
async def test_a_step_may_return_a_nested_object(world: World) -> None:
    """Durable 1-4: lists in objects in objects."""
    user = {"name": "Alice", "tags": ["admin", "active"]}
    assert await world.run(nested_result, ["admin", "active"]) == {"user": user, "count": 2}


@family.workflow
async def in_a_row(ctx: Context, keys: list[str]) -> list[int]:
    return [await ctx.step(attempt, Plan(key)) for key in keys]


@family.case
async def test_steps_in_a_loop_run_in_order(world: World) -> None:
    """Temporal's and Azure's chaining: each step begins when the one before has ended."""
    assert await world.run(in_a_row, [world.key] * 5) == [1, 2, 3, 4, 5]


@family.workflow
async def half_a_megabyte(ctx: Context, size: int) -> int:
    text = await ctx.step(str.ljust, "x", size)
    await ctx.sleep(MINUTE)
    return len(text)


@family.case
async def test_a_large_result_is_kept(world: World) -> None:
    """Durable 3-11 asks it of contexts: more than 256 KiB goes through a replay unharmed."""
    assert await world.run(half_a_megabyte, 300_000) == 300_000
