"""Later and cancellations where nobody takes them: errors that are told, and no more than that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    Later,
    Service,
    StepFailed,
    Task,
    WorkflowError,
    serve,
    workflow,
)
from lambda_workflow.model.messages import Update
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.runtime.workshop import Outcome, Workshop
from lambda_workflow.testing.memory import MemoryBlobs
from tests.runtime.conftest import MakeHost

SECOND = timedelta(seconds=1)
WORK: Service[str, str] = Service("work", str, str)
TASK = Task("e", "e/1", "work", "a", 1, "memory://inbox")


async def leave() -> str:
    raise Later(SECOND)


def leave_in_a_thread() -> str:
    raise Later(SECOND)


async def leave_in_a_group() -> str:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leave())
    return ""


async def trip() -> str:
    """Awaits what was cancelled."""
    other = asyncio.ensure_future(asyncio.sleep(60))
    other.cancel()
    await other
    return ""


STEPS = {step.__name__: step for step in (leave, leave_in_a_thread, leave_in_a_group, trip)}


@workflow
async def steps(ctx: Context, name: str) -> str:
    try:
        return await ctx.step(STEPS[name])
    except StepFailed as error:
        return str(error)


@workflow
async def leaves(ctx: Context, name: str) -> str:
    return await leave()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("leave", "only the adapter of a service may raise Later"),
        ("leave_in_a_thread", "only the adapter of a service may raise Later"),
        ("leave_in_a_group", "only the adapter of a service may raise Later"),
        ("trip", "awaited what was cancelled"),
    ],
)
async def test_a_step_that_ends_as_no_step_should_has_failed(
    make_host: MakeHost, name: str, told: str
) -> None:
    host = make_host(App("misplaced", workflows=[steps]))
    await host.start(steps, name)
    outcome = await host.finish()
    assert f"step {name}" in outcome
    assert told in outcome


async def test_a_workflow_that_raises_later_fails_and_is_told_who_may(make_host: MakeHost) -> None:
    host = make_host(App("misplaced", workflows=[leaves]))
    await host.start(leaves, "a")
    failure = await host.finish()
    assert "only the adapter of a service may raise Later" in failure.message


async def done(adapter: Adapter[Any, Any], task: Task) -> Outcome:
    async def post(*_: object) -> None: ...

    return await Workshop(MemoryBlobs, post, lambda: 1_000).do(adapter, task)


@pytest.mark.parametrize("heartbeat_ms", [0, 60_000])
async def test_an_adapter_that_awaits_what_was_cancelled_has_failed(heartbeat_ms: int) -> None:
    @serve(WORK)
    async def work(what: str) -> str:
        return await trip()

    outcome = await done(work, replace(TASK, heartbeat_ms=heartbeat_ms))
    assert isinstance(outcome, Update)
    assert outcome.failure is not None
    assert "work awaited what was cancelled" in outcome.failure.message
    assert outcome.failure.retryable


@pytest.mark.parametrize("handle", [leave, leave_in_a_thread])
async def test_a_handler_of_withdrawals_cannot_come_later(handle: Any) -> None:
    @serve(WORK)
    async def work(what: str) -> str:
        return what

    @work.on_cancel
    def give_up(task: Task) -> Any:
        return handle()

    withdrawal = replace(TASK, payload=None, reply=False, cancelled=True)
    with pytest.raises(WorkflowError, match="only the adapter of a service may raise Later"):
        await done(work, withdrawal)
