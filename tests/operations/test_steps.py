"""Steps: inline work that knows its attempt, runs side by side, and if asked never runs twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    RetryPolicy,
    StepFailed,
    StepInterrupted,
    WorkflowError,
    step_info,
    workflow,
)
from lambda_workflow.runtime.handle import Handle
from tests.operations.host import Host

SOON = RetryPolicy(attempts=3, initial=timedelta(seconds=1))
NOT_TWICE = RetryPolicy(attempts=3, initial=timedelta(seconds=1), non_retryable=(StepInterrupted,))
ONLY_VALUES = RetryPolicy(attempts=3, initial=timedelta(seconds=1), retryable=(ValueError,))


class Site:
    """What the steps of a test share with it."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.keys: set[str] = set()
        self.hangs = True
        self.together = asyncio.Barrier(3)


site: Site


@pytest.fixture(autouse=True)
async def fresh() -> None:
    global site  # noqa: PLW0603  # steps are module-level functions
    site = Site()


async def flaky(name: str) -> str:
    """Works at the third attempt."""
    info = step_info()
    site.begun.append((name, info.attempt))
    site.keys.add(info.idempotency_key)
    if info.attempt < 3:
        raise ValueError(f"attempt {info.attempt}")
    return f"{name} {info.name} {info.attempt}"


def in_thread(name: str) -> int:
    """A plain function."""
    site.keys.add(step_info().idempotency_key)
    return step_info().attempt


async def charge(amount: int) -> int:
    """Hangs the first time: a good moment to crash at."""
    site.begun.append(("charge", step_info().attempt))
    if site.hangs:
        await asyncio.Event().wait()
    return amount


async def meet(n: int) -> int:
    """Goes on when three are here."""
    await site.together.wait()
    return n


async def refuse() -> None:
    """Fails with what no policy here retries."""
    site.begun.append(("refuse", step_info().attempt))
    raise LookupError("not there")


@workflow
async def retries(ctx: Context, n: int) -> list[Any]:
    return [
        await ctx.step(flaky, "a", retry=SOON, name="shown"),
        await ctx.step(in_thread, "b"),
    ]


@workflow
async def pays(ctx: Context, how: str) -> str:
    retry = {"never again": NOT_TWICE, "again": SOON}.get(how, RetryPolicy(attempts=1))
    try:
        paid = await ctx.step(charge, 5, at_most_once=how != "at least once", retry=retry)
    except StepInterrupted as unknown:
        return f"unknown: {unknown.operation} {unknown.attempts}"
    return f"paid {paid}"


@workflow
async def side_by_side(ctx: Context, n: int) -> list[int]:
    return await asyncio.gather(*(ctx.step(meet, k) for k in range(3)))


@workflow
async def picky(ctx: Context, n: int) -> str:
    try:
        await ctx.step(refuse, retry=ONLY_VALUES)
    except LookupError as error:
        return str(error)
    except StepFailed:
        return "another class"
    return ""


app = App("steps", workflows=[retries, pays, side_by_side, picky])


async def test_a_step_knows_its_attempt_and_its_key(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(retries, 1)
        assert await host.result(handle) == ["a shown 3", 1]
        assert site.begun == [("a", 1), ("a", 2), ("a", 3)]
        assert site.keys == {f"{handle.execution_id}/1", f"{handle.execution_id}/2"}


async def test_steps_run_side_by_side(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(side_by_side, 1)
        assert await host.result(handle) == [0, 1, 2]


async def test_only_the_named_errors_are_retried(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(picky, 1)
        assert await host.result(handle) == "not there"
        assert site.begun == [("refuse", 1)]


async def crashed_in_charge(host: Host, how: str) -> Any:
    """The result of a payment whose worker died while it was under way."""
    handle = await host.client.start(pays, how)
    await host.until(lambda: bool(site.begun))
    await asyncio.sleep(0.05)  # for the start to be committed where it is
    site.hangs = False
    client = await host.crash()
    await host.settle()
    return await host.result(Handle(client, handle.execution_id, pays))


async def test_a_step_is_begun_again_after_a_crash(host: Host) -> None:
    async with host(app):
        assert await crashed_in_charge(host, "at least once") == "paid 5"
        assert site.begun == [("charge", 1), ("charge", 1)]


async def test_a_step_that_runs_at_most_once_is_not_begun_again_after_a_crash(host: Host) -> None:
    async with host(app):
        assert await crashed_in_charge(host, "once") == "unknown: 1 1"
        assert site.begun == [("charge", 1)]


async def test_an_interrupted_step_is_retried_as_its_policy_says(host: Host) -> None:
    async with host(app):
        assert await crashed_in_charge(host, "again") == "paid 5"
        assert site.begun == [("charge", 1), ("charge", 2)]


async def test_an_interruption_may_be_what_is_not_retried(host: Host) -> None:
    async with host(app):
        assert await crashed_in_charge(host, "never again") == "unknown: 1 1"
        assert site.begun == [("charge", 1)]


async def test_nobody_but_a_step_is_told_of_one() -> None:
    with pytest.raises(WorkflowError, match="while they run"):
        step_info()
