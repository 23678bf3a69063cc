"""Steps that take too long: their own timeout, the workflow's timers, the function's time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    ExecutionTimedOut,
    RetryPolicy,
    Status,
    StepTimedOut,
    step_info,
    workflow,
)
from lambda_workflow.local import Engine
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Request
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.step_threads import THREADS_MAX, StepThreads
from lambda_workflow.testing import simulate
from tests.runtime.conftest import MakeHost
from tests.runtime.test_batch import FakeDeadLetters

ROOT = Path(__file__).resolve().parents[2]
SHORT = timedelta(milliseconds=50)
LONG = timedelta(seconds=30)
AGAIN = RetryPolicy(attempts=2, initial=timedelta(milliseconds=10))
released = threading.Event()


def blocking() -> int:
    """In a thread; for long if nobody releases it."""
    released.wait(30)
    return 1


async def waiting() -> int:
    await asyncio.sleep(30)
    return 1


@pytest.fixture(autouse=True)
def release() -> object:
    released.clear()
    yield
    released.set()


@workflow
async def limited(ctx: Context, kind: str) -> str:
    function = blocking if kind == "thread" else waiting
    try:
        return str(await ctx.step(function, timeout=SHORT))
    except TimeoutError as error:
        if not isinstance(error, StepTimedOut):
            raise
        return f"{error.message.partition(';')[0]}, attempt {error.attempts}"


@workflow
async def retried(ctx: Context, n: int) -> int:
    return await ctx.step(second_time, timeout=SHORT, retry=AGAIN)


async def second_time() -> int:
    attempt = step_info().attempt
    if attempt < 2:
        await asyncio.sleep(30)
    return attempt


@workflow
async def around(ctx: Context, kind: str) -> str:
    function = blocking if kind == "thread" else waiting
    try:
        async with asyncio.timeout(0.1):
            await ctx.step(function)
    except TimeoutError:
        return "in time"
    return "late"


@workflow
async def racing(ctx: Context, kind: str) -> str:
    """The first of two to be there, then more work."""
    function = blocking if kind == "thread" else waiting
    step = asyncio.ensure_future(ctx.step(function))
    nap = asyncio.create_task(asyncio.sleep(0.1))
    done, _ = await asyncio.wait((step, nap), return_when=asyncio.FIRST_COMPLETED)
    step.cancel()
    return f"{nap in done} {await ctx.step(len, 'abc')}"


APP = App("tests", workflows=[limited, retried, around, racing])


@pytest.mark.parametrize("kind", ["thread", "async"])
async def test_steps_end_in_time(kind: str) -> None:
    async with Engine(APP, ":memory:", check=True) as engine:
        began = time.monotonic()
        told = [
            await (await engine.client.start(flow, kind)).result()
            for flow in (limited, around, racing)
        ]
        assert told == ["no result within 0.05 s, attempt 1", "in time", "True 3"]
        assert await (await engine.client.start(retried, 1)).result() == 2
        assert time.monotonic() - began < 5
        # and the engine ends at once, below
    assert time.monotonic() - began < 7


async def test_the_message_of_a_timer_that_has_fired_is_a_repetition() -> None:
    async with Engine(APP, ":memory:") as engine:
        handle = await engine.client.start(around, "async")
        assert await handle.result() == "in time"
        await asyncio.sleep(0.1)
        events = [event for turn in (await handle.history()).turns for event in turn.events]
        assert [type(event) for event in events] == [e.Started, e.TimerFired]


async def test_an_execution_timeout_ends_it_while_a_step_runs() -> None:
    async with Engine(App("slow", workflows=[unlimited]), ":memory:") as engine:
        began = time.monotonic()
        handle = await engine.client.start(unlimited, 1, execution_timeout=timedelta(seconds=0.2))
        with pytest.raises(ExecutionTimedOut):
            await handle.result()
        assert time.monotonic() - began < 5


@workflow
async def unlimited(ctx: Context, n: int) -> int:
    return await ctx.step(waiting)


async def test_a_function_ends_a_step_before_its_own_time_is_over(make_host: MakeHost) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> str:
        try:
            return str(await ctx.step(waiting, timeout=LONG))
        except StepTimedOut:
            return "cut"

    host = make_host(App("tests", workflows=[flow]))
    record = Record("r", render(Request("e", "flow", 1)), "e")
    assert await run_batch(host.turns, [record], FakeDeadLetters(), seconds_max=0.4) == set()
    assert host.history().status is Status.COMPLETED


async def test_a_step_with_too_little_of_a_functions_time_is_tried_again(
    make_host: MakeHost,
) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        await ctx.step(asyncio.sleep, 0.5)
        return await ctx.step(waiting, timeout=LONG)

    host = make_host(App("tests", workflows=[flow]))
    record = Record("r", render(Request("e", "flow", 1)), "e")
    failed = await run_batch(host.turns, [record], FakeDeadLetters(), seconds_max=0.6)
    assert failed == {"r"}


def test_in_virtual_time() -> None:
    assert simulate(around, "async", strict=False).result == "in time"
    assert simulate(limited, "async", strict=False).result.startswith("no result within")


@pytest.mark.parametrize("timeout", [timedelta(0), 3, timedelta(days=400)])
async def test_a_timeout_out_of_its_limits_is_refused(timeout: Any) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> str:
        with pytest.raises((ConfigurationError, TypeError)):
            ctx.step(len, "abc", timeout=timeout)
        return "refused"

    assert simulate(flow, 1).result == "refused"


async def test_threads_are_bounded_and_those_given_up_do_not_count() -> None:
    pool, go = StepThreads(), threading.Event()
    hanging = [asyncio.create_task(pool.run(go.wait, 30)) for _ in range(THREADS_MAX)]
    late = asyncio.create_task(pool.run(threading.get_ident))
    await asyncio.sleep(0.05)
    assert not late.done()
    for task in hanging[1:]:
        task.cancel()
    assert await late != threading.get_ident()
    go.set()
    assert await hanging[0] is True
    again = {await pool.run(threading.get_ident) for _ in range(20)}
    assert len(again) < 20  # idle threads are used again
    waits = [asyncio.create_task(pool.run(time.sleep, 0)) for _ in range(3 * THREADS_MAX)]
    await asyncio.gather(*waits)


EXITING = """
import asyncio, sys, threading, time
from datetime import timedelta
from lambda_workflow import App, Context, workflow
from lambda_workflow.local import Engine

@workflow
async def flow(ctx: Context, n: int) -> str:
    try:
        await ctx.step(time.sleep, 60, timeout=timedelta(seconds=0.05))
    except TimeoutError:
        return "in time"

async def main():
    async with Engine(App("a", workflows=[flow]), ":memory:") as engine:
        print(await (await engine.client.start(flow, 1)).result(), flush=True)

asyncio.run(main())
"""


def test_a_thread_that_is_left_alone_holds_up_no_exit() -> None:
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", EXITING],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert told.stdout == "in time\n"
    assert time.monotonic() - began < 20
