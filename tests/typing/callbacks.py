"""What a type checker sees of callbacks, steps and attempts; never run, only checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from lambda_workflow import (
    Client,
    Context,
    RetryPolicy,
    Service,
    StepInfo,
    Task,
    heartbeat,
    heartbeat_sync,
    serve,
    step_info,
    task_info,
)

COUNT = Service("count", str, int, heartbeat_timeout=timedelta(seconds=30))


@dataclass
class Approval:
    """An answer."""

    by: str


@serve(COUNT)
async def count(text: str) -> int:
    """An adapter."""
    await heartbeat({"at": 1})
    heartbeat_sync()
    assert_type(task_info(), Task)
    return len(text)


@count.on_cancel
async def told(task: Task) -> None:
    """A handler."""


async def workflow_code(ctx: Context, client: Client) -> None:
    """The awaitables of a workflow."""
    answer = ctx.callback(Approval, timeout=timedelta(days=3), name="approval")
    assert_type(answer.token, str)
    assert_type(await answer, Approval)
    whatever = await ctx.callback()
    assert_type(whatever, Any)
    assert_type(await ctx.call(COUNT, "a", heartbeat_timeout=timedelta(1)), int)
    assert_type(await ctx.call(COUNT, "a", start_timeout=timedelta(1)), int)
    assert_type(ctx.send(COUNT, "a"), None)
    ctx.send(COUNT, 1)  # type: ignore[misc]  # the service takes a str
    assert_type(await ctx.step(len, "a", at_most_once=True), int)
    assert_type(step_info(), StepInfo)
    assert_type(await client.complete_callback(answer.token, Approval("ann")), None)
    assert_type(await client.heartbeat(answer.token), None)
    RetryPolicy(retryable=(ValueError, "Throttled"))
