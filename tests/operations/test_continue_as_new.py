"""Executions of several runs, on every backend."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTimedOut,
    Service,
    Signal,
    Status,
    Update,
    Workflow,
    serve,
    workflow,
)
from lambda_workflow.model.events import Started
from lambda_workflow.model.messages import Cancel
from lambda_workflow.ports import SendMessage
from tests.operations.host import Host
from tests.operations.timers import armed

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ADD: Service[int, int] = Service("add", int, int)
SLOW: Service[int, int] = Service("slow", int, int)
WORD: Signal[str] = Signal("word", str)
ECHO: Update[str, str] = Update("echo", str, str)
opened: list[bool] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    opened.clear()


@serve(ADD)
async def add(number: int) -> int:
    """One more."""
    return number + 1


@serve(SLOW)
async def slow(number: int) -> int:
    """Waits until a test opens it."""
    while not opened:  # noqa: ASYNC110  # an event would belong to one test's loop
        await asyncio.sleep(0.01)
    return number


@workflow
async def counts(ctx: Context, n: int) -> list[int]:
    """Ten runs."""
    n = await ctx.call(ADD, n)
    if n < 10:
        ctx.continue_as_new(n)
    return [n, ctx.info.run, ctx.history_length]


@workflow
async def collects(ctx: Context, heard: list[str]) -> list[str]:
    """A word a run."""
    heard = [*heard, await ctx.wait_signal(WORD)]
    if len(heard) < 5:
        ctx.continue_as_new(heard)
    return heard


@workflow
async def leaves(ctx: Context, n: int) -> list[Any]:
    """Goes on while a call, a timer and a callback are open."""
    if n == 1:
        ctx.call(SLOW, 1, timeout=DAY)
        ctx.callback(str, timeout=DAY)
        timer = asyncio.ensure_future(ctx.sleep(DAY))
        await ctx.sleep(HOUR)
        timer.cancel()
        ctx.continue_as_new(2)
    first = await ctx.call(SLOW, 2)
    await ctx.sleep(HOUR)
    return [first, ctx.info.run]


@workflow
async def forever(ctx: Context, n: int) -> None:
    await ctx.sleep(HOUR)
    ctx.continue_as_new(n + 1)


@workflow
async def spins(ctx: Context, n: int) -> None:
    ctx.continue_as_new(n + 1)


@workflow
async def grouped(ctx: Context, n: int) -> str:
    async def renew() -> None:
        await ctx.call(ADD, n)
        ctx.continue_as_new(n + 1)

    if n < 2:
        async with asyncio.TaskGroup() as group:
            group.create_task(renew())
            group.create_task(asyncio.sleep(86_400))
    return f"run {ctx.info.run}"


@workflow
async def calls(ctx: Context, n: int) -> list[int]:
    return await ctx.call(counts, n, id="child")


@workflow
async def catches(ctx: Context, way: str) -> str:
    """Does not let the end of its run pass."""
    if not way:
        return f"run {ctx.info.run}"

    async def end() -> None:
        ctx.continue_as_new("")

    if way == "gather":
        await asyncio.gather(end(), return_exceptions=True)
    elif way == "task":
        asyncio.create_task(end())  # noqa: RUF006  # nobody looks at it
    else:
        with contextlib.suppress(BaseException):
            await end()
    return str(await ctx.call(ADD, 1))


@workflow
async def stubborn(ctx: Context, cancelled: int) -> list[int]:
    """A cancellation makes it begin anew."""
    try:
        await ctx.wait_signal(WORD)
    except asyncio.CancelledError:
        ctx.continue_as_new(cancelled + 1)
    return [cancelled, ctx.info.run]


@workflow
async def replies(ctx: Context, done: list[str]) -> list[str]:
    """To one question a run, however many there are."""
    async for call in ctx.updates(ECHO):
        call.respond(f"run {ctx.info.run}: {call.payload}")
        done = [*done, call.id]
        break
    if len(done) < 4:
        ctx.continue_as_new(done)
    return done


WORKFLOWS: list[Workflow[Any, Any]] = [
    counts, collects, leaves, forever, spins, grouped, calls, catches, stubborn,
    replies,
]  # fmt: skip
APP = App("runs", workflows=WORKFLOWS, adapters=[add, slow])


async def test_a_run_follows_the_other_under_one_id(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(counts, 0, execution_id="e")
        assert await host.result(handle) == [10, 10, 2]
        listed = [header async for header in client.list_all()]
        assert [header.execution_id for header in listed] == ["e"]
        assert [listed[0].status, listed[0].workflow] == [Status.COMPLETED, "counts"]
        history = await client.history("e")
        starts = [event for event in history.events() if isinstance(event, Started)]
        assert [event.run.number for event in starts] == list(range(1, 11))
        assert [event.request for event in starts] == list(range(10))
        assert {event.run.since for event in starts[1:]} == {starts[0].at}
        assert listed[0].started_at == starts[0].at
        again = await client.start(counts, 0, execution_id="e")
        assert await again.result() == [10, 10, 2]


@pytest.mark.parametrize("way", ["gather", "task", "except"])
async def test_code_that_catches_the_end_of_its_run_ends_it_by_returning(
    host: Host, way: str
) -> None:
    async with host(APP) as client:
        assert await host.result(await client.start(catches, way)) == "run 2"


async def test_signals_that_nobody_took_go_with_it_once_and_in_order(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(collects, [], execution_id="e")
        await client.signal("e", WORD, "a", id="a")
        await host.settle()
        for word in ("b", "c", "a", "b", "d"):
            await client.signal("e", WORD, word, id=word)
        await host.settle()
        await client.signal("e", WORD, "a", id="a")
        await client.signal("e", WORD, "e", id="e")
        assert await host.result(handle) == ["a", "b", "c", "d", "e"]


async def test_updates_that_nobody_took_are_answered_by_later_runs(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(replies, [], execution_id="e")
        asked = {"a": "one", "b": "x" * 100_000, "c": "three"}
        answers = await asyncio.gather(
            *(handle.update(ECHO, word, id=key) for key, word in asked.items())
        )
        assert sorted(answer[:5] for answer in answers) == ["run 1", "run 2", "run 3"]
        assert [answer[7:] for answer in answers] == list(asked.values())
        again = await handle.update(ECHO, asked["c"], id="c")
        assert again == answers[2]
        assert await handle.update(ECHO, "four", id="d") == "run 4: four"
        done: list[str] = await host.result(handle)
        assert sorted(done) == ["a", "b", "c", "d"]


async def test_a_cancellation_that_comes_again_does_not_reach_the_next_run(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(stubborn, 0, execution_id="e")
        await host.settle()
        order = Cancel("e", "enough", id="once")
        for delivery in ("first", "second"):
            await client.backend.queue.send_messages([SendMessage(order, delivery)])
            await host.settle()
        history = await client.history("e")
        assert [e.request for e in history.events() if isinstance(e, Started)] == [0, 1]
        await handle.cancel()
        await host.settle()
        await client.signal("e", WORD, "enough")
        assert await host.result(handle) == [2, 3]


async def test_what_was_open_is_given_up_and_its_answers_are_dropped(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(leaves, 1)
        await host.advance(3605)
        opened.append(True)
        await host.settle()
        history = await client.history(handle.execution_id)
        assert {operation.partition("~")[0] for operation in history.open} == {"2"}
        assert await host.result(handle) == [2, 2]
        assert await armed(host) == 0


async def test_a_run_ends_from_within_a_task_group(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(grouped, 1)
        assert await host.result(handle) == "run 2"
        assert await armed(host) == 0


async def test_the_execution_timeout_counts_from_the_first_start(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(forever, 1, execution_timeout=4 * HOUR)
        began = host.now()
        with pytest.raises(ExecutionTimedOut):
            await host.result(handle)
        assert abs(host.now() - began - 14_400_000) < 600_000
        history = await client.history(handle.execution_id)
        assert history.started is not None
        assert history.started.run.number >= 3
        assert await armed(host) == 0


async def test_a_later_run_is_cancelled_like_the_first(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(forever, 1)
        await host.advance(3700)
        await handle.cancel("enough")
        with pytest.raises(ExecutionCancelled, match="enough"):
            await host.result(handle)


async def test_a_parent_gets_the_result_of_its_child_s_last_run(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(calls, 0)
        assert await host.result(handle) == [10, 10, 2]


async def test_runs_that_wait_for_nothing_are_stopped(host: Host) -> None:
    async with host(APP) as client:
        handle = await client.start(spins, 1)
        await host.settle()
        header = await handle.describe()
        assert header.status is Status.BLOCKED
        assert "100 runs in a row have continued as new" in header.reason
        await handle.terminate()
        with pytest.raises(ExecutionFailed):
            await host.result(handle)
