"""What becomes of children whose parent ends before them, on every backend."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, ExecutionFailed, Status, workflow
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.handle import Handle
from tests.operations.host import Host

DAY = timedelta(days=1)
POLICIES: tuple[Any, ...] = ("cancel", "terminate", "abandon")
ENDED = {"cancel": "CANCELLED", "terminate": "TERMINATED", "abandon": "RUNNING", "start": "RUNNING"}


@workflow
async def sleeps(ctx: Context, days: int) -> str:
    await ctx.sleep(timedelta(days=days))
    return "slept"


@workflow
async def parent(ctx: Context, end: str) -> str:
    for policy in POLICIES:
        ctx.call(sleeps, 3, id=f"{end}-{policy}", parent_close=policy)
    ctx.start(sleeps, 3, id=f"{end}-start")
    await ctx.sleep(timedelta(hours=1))
    if end == "complete":
        return "done"
    if end == "fail":
        raise ValueError("of no use")
    if end == "renew":
        ctx.continue_as_new("afterwards")
    if end == "afterwards":
        return "renewed"
    await ctx.sleep(DAY)
    return "never"


@workflow
async def gives_up(ctx: Context, end: str) -> str:
    """The children outlive the calls, not the parent."""
    calls = [ctx.call(sleeps, 3, id=f"{end}-{policy}", parent_close=policy) for policy in POLICIES]
    ctx.start(sleeps, 3, id=f"{end}-start")
    await ctx.sleep(timedelta(hours=1))
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await ctx.sleep(timedelta(hours=1))
    return "done"


@workflow
async def quick(ctx: Context, end: str) -> str:
    """Ends in the turn that starts them."""
    for policy in POLICIES:
        ctx.call(sleeps, 3, id=f"{end}-{policy}", parent_close=policy)
    ctx.start(sleeps, 3, id=f"{end}-start")
    return "done"


APP = App("family", workflows=[sleeps, parent, gives_up, quick])


async def children(client: Client, end: str) -> dict[str, str]:
    return {
        policy: (await client.describe(f"{end}-{policy}")).status.value
        for policy in (*POLICIES, "start")
    }


async def run(host: Host, handle: Handle[str], end: str) -> None:
    await host.settle()
    if end in ("cancel", "terminate"):
        await getattr(handle, end)("enough")
    await host.advance(3700)


@pytest.mark.parametrize("end", ["complete", "fail", "cancel", "terminate", "time_out"])
async def test_children_follow_their_policy_whatever_ends_the_parent(host: Host, end: str) -> None:
    async with host(APP) as client:
        limit = timedelta(seconds=3650) if end == "time_out" else None
        handle = await client.start(parent, end, execution_timeout=limit)
        await run(host, handle, end)
        assert await children(client, end) == ENDED
        if end == "complete":
            assert await handle.result() == "done"
        else:
            with pytest.raises(ExecutionFailed):
                await handle.result()


async def test_a_new_run_gives_the_children_of_the_one_before_up(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(parent, "renew")
        await run(host, handle, "renew")
        assert await children(client, "renew") == ENDED
        assert set((await children(client, "afterwards")).values()) == {"RUNNING"}
        await host.advance(3700)
        assert await handle.result() == "renewed"
        assert await children(client, "afterwards") == ENDED


async def test_a_child_whose_call_is_cancelled_follows_its_policy(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(gives_up, "given")
        await host.advance(3650)
        assert (await handle.describe()).status is Status.RUNNING
        assert await children(client, "given") == ENDED
        await host.advance(3600)
        assert await handle.result() == "done"


async def test_children_that_nobody_awaits_when_the_parent_ends_at_once(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(quick, "quick")
        await host.settle()
        assert await handle.result() == "done"
        assert await children(client, "quick") == ENDED
