"""asyncio's and anyio's primitives run unmodified, and number their operations alike everywhere.

Each workflow is driven by answering what it asked for, in order; then the recorded turns are
replayed from scratch, which compares every command.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

import anyio
import pytest

from lambda_workflow import Context, NonDeterminismError, WorkflowBug
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    START,
    Code,
    drive,
    flow,
    result,
    runs_and_replays,
    tools,
)


async def with_gather(ctx: Context, n: int) -> Any:
    return await asyncio.gather(*(ctx.call(DOUBLE, i) for i in range(n)))


async def with_branches(ctx: Context, n: int) -> Any:
    async def branch(i: int) -> int:
        return await ctx.call(DOUBLE, await ctx.call(DOUBLE, i))

    return await asyncio.gather(*(branch(i) for i in range(n)))


async def with_group(ctx: Context, n: int) -> Any:
    async def branch(i: int) -> int:
        await asyncio.sleep(i)
        return await ctx.call(DOUBLE, i)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(branch(i)) for i in range(n)]
    return [task.result() for task in tasks]


async def with_wait_for(ctx: Context, n: int) -> Any:
    async def branch() -> int:
        return await ctx.call(DOUBLE, n)

    return await asyncio.wait_for(branch(), 60)


async def with_wait_for_too_long(ctx: Context, n: int) -> Any:
    try:
        await asyncio.wait_for(asyncio.sleep(100), 60)
    except TimeoutError:
        return await ctx.call(DOUBLE, n)


async def with_as_completed(ctx: Context, n: int) -> Any:
    async def branch(i: int) -> int:
        return await ctx.call(DOUBLE, i)

    return [await done for done in asyncio.as_completed([branch(i) for i in range(n)])]


async def with_wait(ctx: Context, n: int) -> Any:
    calls = [ctx.call(DOUBLE, i) for i in range(n)]
    done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in pending:
        call.cancel()
    return [call.result() for call in done]


async def with_queue_and_semaphore(ctx: Context, n: int) -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue()
    gate = asyncio.Semaphore(2)

    async def worker(i: int) -> None:
        async with gate:
            await queue.put(await ctx.call(DOUBLE, i))

    workers = [asyncio.create_task(worker(i)) for i in range(n)]
    got = [await queue.get() for _ in range(n)]
    await asyncio.gather(*workers)
    return got


async def with_shield_and_barrier(ctx: Context, n: int) -> Any:
    barrier = asyncio.Barrier(2)
    lock = asyncio.Lock()

    async def side(i: int) -> int:
        value = await asyncio.shield(ctx.call(DOUBLE, i))
        await barrier.wait()
        async with lock:
            return value

    return await asyncio.gather(side(1), side(2))


async def with_generator(ctx: Context, n: int) -> Any:
    async def each() -> Any:
        for i in range(n):
            yield await ctx.call(DOUBLE, i)

    return [value async for value in each()]


async def with_anyio(ctx: Context, n: int) -> Any:
    got: list[int] = []
    limiter = anyio.CapacityLimiter(2)

    async def branch(i: int) -> None:
        async with limiter:
            got.append(await ctx.call(DOUBLE, i))

    with anyio.move_on_after(3600):
        async with anyio.create_task_group() as group:
            for i in range(n):
                group.start_soon(branch, i)
    return got


async def with_move_on(ctx: Context, n: int) -> Any:
    with anyio.move_on_after(5) as scope:
        try:
            await anyio.sleep(50)
        finally:
            with anyio.CancelScope(shield=True):
                n = await ctx.call(DOUBLE, n)
    return [scope.cancelled_caught, n]


CASES: list[tuple[Code, list[str], Any]] = [
    (with_gather, ["1", "2", "3"], [0, 2, 4]),
    (with_branches, ["1.1", "2.1", "3.1", "1.2", "2.2", "3.2"], [0, 4, 8]),
    (with_group, ["2.1t", "3.1t", "1.1", "2.2", "3.2"], [0, 2, 4]),
    (with_wait_for, ["1t", "2"], 6),
    (with_wait_for_too_long, ["1t", "2t", "3"], 6),
    (with_as_completed, ["1.1", "2.1", "3.1"], [0, 2, 4]),
    (with_wait, ["1", "2", "3"], [0]),
    (with_queue_and_semaphore, ["1.1", "2.1", "3.1"], [0, 2, 4]),
    (with_shield_and_barrier, ["1.1", "2.1"], [2, 4]),
    (with_generator, ["1", "2", "3"], [0, 2, 4]),
    (with_anyio, ["1t", "1.1", "2.1", "3.1"], [0, 2, 4]),
    (with_move_on, ["1t", "2t", "3"], [True, 6]),
]


@pytest.mark.parametrize(("code", "operations", "outcome"), CASES)
def test_it_runs_unmodified_and_replays(code: Code, operations: list[str], outcome: Any) -> None:
    runs_and_replays(code, operations, outcome)


async def in_a_thread(ctx: Context, n: int) -> Any:
    return await asyncio.to_thread(int, n)


async def in_a_thread_of_anyio(ctx: Context, n: int) -> Any:
    return await anyio.to_thread.run_sync(int, n)


async def over_the_network(ctx: Context, n: int) -> Any:
    return await asyncio.open_connection("127.0.0.1", 1)


async def in_a_process(ctx: Context, n: int) -> Any:
    return await asyncio.create_subprocess_exec("true")


@pytest.mark.parametrize(
    "code", [in_a_thread, in_a_thread_of_anyio, over_the_network, in_a_process]
)
def test_what_a_replay_cannot_repeat_is_refused(code: Code) -> None:
    with pytest.raises(WorkflowBug, match=r"UsageError at tests/.*test_primitives\.py.*ctx\.step"):
        drive(flow(code))


async def with_finally(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(DOUBLE, n)
    finally:
        await ctx.call(OTHER, n)


async def with_everything_caught(ctx: Context, n: int) -> Any:
    try:
        return await ctx.call(DOUBLE, n)
    except BaseException:  # noqa: BLE001  # the point of it
        return "caught"


def test_unwinding_has_no_effect() -> None:
    for code, wanted in ((with_finally, 6), (with_everything_caught, 6)):
        made = flow(code)
        execution = Execution(made, "e", tools(made))
        execution.advance([e.Started(START, "flow", 3, 1)])
        assert [type(x) for x in execution.ledger.settle()] == [c.ScheduleCall]
        assert execution.close() is None
        assert execution.ledger.settle() == ()
        assert execution.outcome is None
        assert result(drive(made)) == wanted


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_code_that_refuses_to_end_is_named() -> None:
    async def stubborn(ctx: Context, n: int) -> Any:
        while True:
            with suppress(BaseException):
                await ctx.call(DOUBLE, n)

    made = flow(stubborn)
    execution = Execution(made, "e", tools(made))
    execution.advance([e.Started(START, "flow", 3, 1)])
    assert "test_primitives.py" in str(execution.close())
    del execution
    gc.collect()  # the interpreter complains of such code too; here and not in a later test


@pytest.mark.parametrize("change", ["service", "payload", "removed", "added", "swapped"])
def test_changed_code_is_told_by_file_and_line(change: str) -> None:
    def code(changed: bool) -> Code:
        async def calls(ctx: Context, n: int) -> Any:
            first, second = (
                (DOUBLE, OTHER) if not (changed and change == "swapped") else (OTHER, DOUBLE)
            )
            if changed and change == "service":
                first = OTHER
            a = ctx.call(first, n + (changed and change == "payload"))
            got = [await a]
            if not (changed and change == "removed"):
                got.append(await ctx.call(second, n))
            if changed and change == "added":
                got.append(await ctx.call(OTHER, n))
            return got

        return calls

    turns = drive(flow(code(changed=False)))
    changed = flow(code(changed=True))
    with pytest.raises(NonDeterminismError) as told:
        replay(changed, "e", turns, tools(changed))
    assert "history" in str(told.value)
    if change in ("service", "payload", "swapped"):
        assert "test_primitives.py:" in str(told.value)
