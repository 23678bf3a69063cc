"""Lives: Temporal's cancellation, continue-as-new, timeouts and ids; Step Functions' StopExecution;
Azure's terminate and eternal orchestrations."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from lambda_workflow import (
    Context,
    ExecutionAlreadyStarted,
    ExecutionCancelled,
    ExecutionTerminated,
    ExecutionTimedOut,
    Signal,
    Status,
)
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, Note

family = Family("lives", *ADAPTERS)
MINUTE, HOUR, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=365)
MORE: Signal[int] = Signal("more", int)


@family.workflow
async def cleans_up(ctx: Context, key: str) -> str:
    try:
        await ctx.sleep(YEAR)
    except asyncio.CancelledError:
        await ctx.call(NOTE, Note(key, "caught"))
        raise
    finally:
        await ctx.sleep(MINUTE)
        await ctx.call(NOTE, Note(key, "cleaned"))
    return "never"


@family.case
async def test_a_cancelled_workflow_cleans_up_and_ends_as_cancelled(world: World) -> None:
    """Temporal: the code gets a CancelledError, its cleanup may call activities."""
    handle = await world.start(cleans_up, world.key)
    await handle.cancel("no longer wanted")
    error = await world.failure(handle)
    assert isinstance(error, ExecutionCancelled)
    assert "no longer wanted" in str(error)
    assert world.log == ["caught", "cleaned"]
    assert (await world.header(handle)).status is Status.CANCELLED


@family.workflow
async def does_not_mind(ctx: Context, key: str) -> str:
    try:
        await ctx.sleep(YEAR)
    except asyncio.CancelledError:
        return "finished in its own way"
    return "never"


@family.case
async def test_a_workflow_may_decide_otherwise(world: World) -> None:
    """Temporal: a cancellation that the code swallows lets it complete."""
    handle = await world.start(does_not_mind, world.key)
    await handle.cancel()
    assert await world.result(handle) == "finished in its own way"


@family.workflow
async def too_slow(ctx: Context, key: str) -> str:
    try:
        await ctx.sleep(YEAR)
    finally:
        await ctx.sleep(YEAR)
        await ctx.call(NOTE, Note(key, "too late"))
    return "never"


@family.case
async def test_a_cleanup_has_a_grace_period(world: World) -> None:
    """Lambda and containers: after the grace period nobody waits for it."""
    handle = await world.start(too_slow, world.key)
    await handle.cancel("enough", grace=HOUR)
    error = await world.failure(handle)
    assert isinstance(error, ExecutionCancelled | ExecutionTerminated | ExecutionTimedOut)
    header = await world.header(handle)
    assert header.closed_at is not None
    assert 3_600_000 <= header.closed_at - header.started_at < 4_000_000
    assert world.log == []


@family.case
async def test_a_terminated_workflow_is_not_asked(world: World) -> None:
    """Temporal's terminate, Step Functions' StopExecution: no cleanup."""
    handle = await world.start(cleans_up, world.key)
    await handle.terminate("stop")
    error = await world.failure(handle)
    assert isinstance(error, ExecutionTerminated)
    assert "stop" in str(error)
    assert world.log == []


@family.case
async def test_an_execution_has_a_timeout_of_its_own(world: World) -> None:
    """Temporal's execution_timeout, Step Functions' TimeoutSeconds of a state machine."""
    handle = await world.start(cleans_up, world.key, execution_timeout=HOUR)
    error = await world.failure(handle)
    assert isinstance(error, ExecutionTimedOut)
    assert (await world.header(handle)).status is Status.TIMED_OUT
    assert world.log == []


@family.workflow
async def eternal(ctx: Context, state: list[int]) -> list[Any]:
    rounds, total = state
    total += await ctx.wait_signal(MORE)
    if rounds < 3:
        ctx.continue_as_new([rounds + 1, total])
    return [rounds, total, ctx.info.run, ctx.history_length]


@family.case
async def test_a_workflow_continues_as_new(world: World) -> None:
    """Temporal's and Azure's continue-as-new: same id, new history; untaken signals go along."""
    handle = await world.start(eternal, [1, 0], execution_id=f"{world.key}-eternal")
    for number in (1, 10, 100):
        await world.client.signal(handle.execution_id, MORE, number)
    rounds, total, run, length = await world.result(handle)
    assert (rounds, total, run) == (3, 111, 3)
    assert length <= 4
    listed = [h async for h in world.client.list_all("eternal")]
    assert [h.execution_id for h in listed] == [handle.execution_id]


@family.case
async def test_an_id_starts_one_execution(world: World) -> None:
    """Temporal's workflow id, Step Functions' execution name: the same start twice is one."""
    id_ = f"{world.key}-one"
    first = await world.start(does_not_mind, world.key, execution_id=id_)
    second = await world.start(does_not_mind, world.key, execution_id=id_)
    assert second.execution_id == first.execution_id
    await world.refused(
        world.client.start(does_not_mind, "another", execution_id=id_), ExecutionAlreadyStarted
    )
    await first.terminate()


@family.case
async def test_an_id_in_use_may_be_refused_or_taken_over(world: World) -> None:
    """Temporal's WorkflowIDConflictPolicy FAIL, USE_EXISTING and TERMINATE_EXISTING."""
    id_ = f"{world.key}-taken"
    first = await world.start(does_not_mind, world.key, execution_id=id_)
    refused = world.client.start(does_not_mind, "x", execution_id=id_, on_conflict="fail")
    await world.refused(refused, ExecutionAlreadyStarted)
    same = await world.start(does_not_mind, "x", execution_id=id_, on_conflict="use_existing")
    assert (await same.describe()).started_at == (await first.describe()).started_at
    anew = await world.begin(does_not_mind, "x", execution_id=id_, on_conflict="terminate_existing")
    await world.settled()
    assert (await anew.describe()).status is Status.RUNNING
    await anew.cancel()
    assert await world.result(anew) == "finished in its own way"


@family.workflow
async def when(ctx: Context, key: str) -> str:
    LOG[key].append("begun")
    return f"{ctx.now():%Y}"


@family.case
async def test_a_start_may_be_delayed(world: World) -> None:
    """Temporal's start_delay, Azure's scheduled start."""
    handle = await world.start(when, world.key, delay=2 * HOUR)
    await world.at(HOUR)
    assert world.log == []
    await world.result(handle)
    assert "begun" in world.log


@family.case
async def test_executions_are_found_by_their_tags(world: World) -> None:
    """Temporal's search attributes, Step Functions' tags; a memo is shown, not searched."""
    tag = {"customer": world.key[-40:]}
    handle = await world.begin(when, world.key, tags=tag, memo={"from": "a test"})
    await world.result(handle)
    page = await world.client.list("when", tags=tag)
    assert [h.execution_id for h in page.headers] == [handle.execution_id]
    assert page.headers[0].memo == {"from": "a test"}


@family.workflow
async def unfinished_task(ctx: Context, key: str) -> str:
    task = asyncio.ensure_future(ctx.sleep(YEAR))
    await asyncio.sleep(60)
    return f"done, and a task is left: {not task.done()}"


@family.case
async def test_what_is_left_running_ends_with_the_workflow(world: World) -> None:
    """Temporal: handlers and tasks that still run when the workflow returns are given up."""
    handle = await world.begin(unfinished_task, world.key)
    assert await world.result(handle) == "done, and a task is left: True"
    header = await world.header(handle)
    assert header.closed_at is not None
    assert header.closed_at - header.started_at < 3_600_000
