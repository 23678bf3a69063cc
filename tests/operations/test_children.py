"""Workflows that call workflows, on every backend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ChildFailed,
    ChildTimedOut,
    Context,
    ExecutionFailed,
    Service,
    ServiceError,
    Status,
    serve,
    workflow,
)
from lambda_workflow.runtime.client import Client
from tests.operations.host import Host

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ADD: Service[int, int] = Service("add", int, int)


@serve(ADD)
async def add(number: int) -> int:
    """Refuses 13."""
    if number == 13:
        raise ServiceError("unlucky", type="Superstition", retryable=False, details={"n": 13})
    return number + 1


@dataclass(frozen=True)
class Order:
    item: str
    count: int


@dataclass(frozen=True)
class Receipt:
    items: tuple[str, ...]


@workflow
async def pack(ctx: Context, order: Order) -> Receipt:
    await ctx.sleep(MINUTE)
    return Receipt((order.item,) * order.count)


@workflow
async def plus(ctx: Context, n: int) -> int:
    return await ctx.call(ADD, n)


@workflow
async def sleeps(ctx: Context, days: int) -> str:
    await ctx.sleep(timedelta(days=days))
    return "slept"


@workflow
async def typed(ctx: Context, n: int) -> list[Any]:
    child = ctx.call(pack, Order("cup", n))
    receipt = await child
    return [type(receipt).__name__, list(receipt.items), child.execution_id]


@workflow
async def plain(ctx: Context, n: int) -> list[Any]:
    """What is seen of a child that does not complete."""
    try:
        return [await ctx.call(plus, n, id="the-child", name="sum")]
    except ChildFailed as failed:
        told = [failed.execution_id, failed.workflow, failed.type, failed.message]
        return [type(failed).__name__, *told, failed.details, failed.stack or ""]


@workflow
async def waits(ctx: Context, id: str) -> list[Any]:
    try:
        return [await ctx.call(sleeps, 30, id=id)]
    except ChildFailed as failed:
        return [failed.execution_id, failed.type, failed.message]


@workflow
async def gathers(ctx: Context, n: int) -> list[Any]:
    calls = [ctx.call(plus, i) for i in range(n)]
    found = await asyncio.gather(*calls, ctx.call(plus, 13), return_exceptions=True)
    return [x.type if isinstance(x, ChildFailed) else x for x in found]


@workflow
async def three_deep(ctx: Context, n: int) -> int:
    return await ctx.call(three_deep, n - 1) + 1 if n else await ctx.call(ADD, 0)


@workflow
async def echo(ctx: Context, text: str) -> str:
    return text[::-1]


@workflow
async def large(ctx: Context, n: int) -> int:
    """More than a message or a record holds."""
    text = await ctx.call(echo, "ab" * n)
    return len(text) if text.startswith("ba") else 0


@workflow
async def impatient(ctx: Context, policy: Any) -> list[Any]:
    try:
        await ctx.call(sleeps, 30, id="slow", timeout=MINUTE, parent_close=policy)
    except ChildTimedOut as late:
        await ctx.sleep(MINUTE)
        return [late.execution_id, isinstance(late, TimeoutError)]
    return []


APP = App(
    "family",
    workflows=[
        pack,
        plus,
        sleeps,
        typed,
        plain,
        waits,
        gathers,
        three_deep,
        echo,
        large,
        impatient,
    ],
    adapters=[add],
)


async def status(client: Client, execution_id: str) -> str:
    return (await client.describe(execution_id)).status.value


async def test_a_child_gives_its_result_with_its_type(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(typed, 2, execution_id="p")
        assert await host.result(handle) == ["Receipt", ["cup", "cup"], "p/1"]
        assert await status(client, "p/1") == Status.COMPLETED


async def test_a_failed_child_tells_who_it_was_and_why(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(plain, 13)
        *told, message, details, stack = await host.result(handle)
        assert told == ["ChildFailed", "the-child", "plus", "CallFailed"]
        assert message.startswith("service 'add' failed after 1 attempt with Superstition: unlucky")
        assert details == {"n": 13}
        assert stack


@pytest.mark.parametrize(
    ("order", "kind"), [("cancel", "ExecutionCancelled"), ("terminate", "ExecutionTerminated")]
)
async def test_a_child_that_is_ended_fails_its_parent_s_call(
    host: Host, order: str, kind: str
) -> None:
    async with host(APP) as client:
        handle = await client.start(waits, "mortal")
        await host.settle()
        await getattr(client, order)("mortal", "enough")
        assert await host.result(handle) == ["mortal", kind, "enough"]


async def test_children_side_by_side(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(gathers, 12)
        assert await host.result(handle) == [*range(1, 13), "CallFailed"]


async def test_a_child_of_a_child_of_a_child(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(three_deep, 3, execution_id="top")
        assert await host.result(handle) == 4
        assert await status(client, "top/1/1/1") == Status.COMPLETED


async def test_seventeen_deep_is_too_deep(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(three_deep, 17, execution_id="top")
        with pytest.raises(ExecutionFailed, match="16 children deep"):
            await host.result(handle)


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [("cancel", "CANCELLED"), ("terminate", "TERMINATED"), ("abandon", "RUNNING")],
)
async def test_a_child_that_times_out_is_treated_by_its_close_policy(
    host: Host, policy: str, outcome: str
) -> None:
    async with host(APP) as client:
        handle = await client.start(impatient, policy)
        await host.advance(61)
        assert await status(client, "slow") == outcome
        assert await host.result(handle) == ["slow", True]


async def test_an_id_that_another_execution_has_fails_the_call(host: Host) -> None:
    async with host(APP) as client:
        first = await client.start(sleeps, 1, execution_id="taken")
        await host.settle()
        handle = await client.start(waits, "taken")
        await host.settle()
        taken, kind, message = await handle.result()
        assert [taken, kind] == ["taken", "ExecutionAlreadyStarted"]
        assert message.startswith("taken: the id belongs to an execution of 'sleeps'")
        assert await status(client, "taken") == Status.RUNNING
        assert await host.result(first) == "slept"


async def test_an_id_that_has_ended_fails_the_call_too(host: Host) -> None:
    async with host(APP) as client:
        await host.result(await client.start(plus, 1, execution_id="the-child"))
        handle = await client.start(plain, 2)
        assert (await host.result(handle))[3] == "ExecutionAlreadyStarted"


async def test_two_parents_cannot_wait_for_one_child(host: Host) -> None:
    async with host(APP) as client:
        first = await client.start(waits, "shared", execution_id="one")
        await host.settle()
        second = await client.start(waits, "shared", execution_id="two")
        assert (await host.result(second))[1] == "ExecutionAlreadyStarted"
        assert await host.result(first) == ["slept"]


async def test_requests_and_results_of_any_size(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(large, 200_000)
        assert await host.result(handle) == 400_000
