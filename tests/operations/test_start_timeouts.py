"""`start_timeout`: how long a task may wait before an adapter begins the attempt."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    CallTimedOut,
    Context,
    Later,
    RetryPolicy,
    Service,
    StartTimedOut,
    Task,
    heartbeat,
    serve,
    task_info,
    workflow,
)
from lambda_workflow.model.events import Heartbeat
from lambda_workflow.runtime.handle import Handle
from tests.operations.host import Host

SECOND = timedelta(seconds=1)
TWICE = RetryPolicy(attempts=2, initial=5 * SECOND)

UNSERVED: Service[int, int] = Service(
    "unserved", int, int, start_timeout=30 * SECOND, retry=TWICE, timeout=timedelta(hours=1)
)
WORK: Service[str, str] = Service(
    "work", str, str, start_timeout=30 * SECOND, retry=TWICE, timeout=timedelta(hours=3)
)
site: dict[str, Any] = {}


@pytest.fixture(autouse=True)
async def fresh() -> None:
    site.clear()
    site["go"] = asyncio.Event()


@serve(WORK)
async def work(what: str, task: Task) -> str:
    """Is at work, or away, for longer than its task might have waited."""
    assert task_info().start_by_ms > 0
    if what == "away":
        if task.state is None:
            raise Later(200 * SECOND, {"job": 1})
        return f"state {task.state} of attempt {task.attempt}"
    if what == "silent" and task.attempt == 1:
        await heartbeat({"page": 7})
        await asyncio.Event().wait()
    await site["go"].wait()
    return f"attempt {task.attempt} after {task.details}"


@workflow
async def calls_unserved(ctx: Context, seconds: int) -> list[Any]:
    began = ctx.now()
    try:
        await ctx.call(UNSERVED, 1, start_timeout=seconds * SECOND if seconds else None)
    except StartTimedOut as late:
        waited = round((ctx.now() - began) / SECOND)
        return [late.type, late.attempts, isinstance(late, CallTimedOut), waited]
    return []


@workflow
async def calls_work(ctx: Context, what: str) -> str:
    silence = 60 * SECOND if what == "silent" else None
    return await ctx.call(WORK, what, heartbeat_timeout=silence)


app = App("starts", workflows=[calls_unserved, calls_work], services=[UNSERVED], adapters=[work])


@pytest.mark.parametrize(("seconds", "of_two"), [(0, 60), (10, 20)])
async def test_a_task_that_no_adapter_begins_fails_by_the_policy(
    host: Host, seconds: int, of_two: int
) -> None:
    async with host(app) as client:
        handle = await client.start(calls_unserved, seconds)
        *failure, waited = await host.result(handle)
    assert failure == ["StartTimedOut", 2, True]
    assert of_two <= waited <= of_two + 15


@pytest.mark.parametrize("what", ["works", "crashes"])
async def test_an_attempt_that_has_begun_has_its_time(host: Host, what: str) -> None:
    async with host(app) as client:
        handle = await client.start(calls_work, what)
        await host.advance(600)
        if what == "crashes":
            client = await host.crash()
            handle = Handle(client, handle.execution_id, calls_work)
        site["go"].set()
        if what == "crashes":
            await host.advance(600)
        assert await host.result(handle) == "attempt 1 after None"
        history = await client.history(handle.execution_id)
    beats = [event for event in history.events() if isinstance(event, Heartbeat)]
    assert 1 <= len(beats) <= 2  # of a crash: the attempt begins again, and says so
    assert "1:start1" not in history.open


async def test_a_silent_attempt_keeps_its_details_for_the_next_that_begins(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_work, "silent")
        await host.advance(100)
        site["go"].set()
        assert await host.result(handle) == "attempt 2 after {'page': 7}"


async def test_a_task_that_comes_back_has_begun(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_work, "away")
        assert await host.result(handle) == "state {'job': 1} of attempt 1"
