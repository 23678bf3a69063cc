"""ctx.saga: what was done is undone in reverse when the rest fails, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from lambda_workflow import (
    CallFailed,
    ConfigurationError,
    Context,
    EncodeError,
    RetryPolicy,
    SagaFailed,
    WorkflowError,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    START,
    Code,
    drive,
    every_order,
    flow,
    ids,
    replays,
    result,
    tools,
)


def called(turns: list[Turn], service: str = "other") -> list[Any]:
    """The payloads that a service was called with, in order; compensations are calls of OTHER."""
    return [
        command.payload
        for turn in turns
        for command in turn.commands
        if isinstance(command, c.ScheduleCall) and command.service == service
    ]


def timers_first(asked: list[Any]) -> int:
    """The first timer, else the oldest call."""
    kinds = [isinstance(one, c.StartTimer) for one in asked]
    return kinds.index(True) if True in kinds else 0


def failure_of(turns: list[Turn]) -> e.Failure:
    last = turns[-1].commands[-1]
    assert isinstance(last, c.Fail), last
    return last.failure


async def booked(ctx: Context, n: int) -> Any:
    """Two things are done, the third is refused if n is odd."""
    async with ctx.saga() as saga:
        for i in (1, 2):
            saga.on_rollback(OTHER, await ctx.call(DOUBLE, i))
        return await ctx.call(REFUSING if n % 2 else DOUBLE, 3)


async def booked_in_parallel(ctx: Context, n: int) -> Any:
    async with ctx.saga(parallel=True) as saga:
        for i in (1, 2):
            saga.on_rollback(OTHER, await ctx.call(DOUBLE, i))
        await ctx.call(REFUSING, 3)


async def rolled_back_in_time(ctx: Context, n: int) -> Any:
    try:
        async with asyncio.timeout(60), ctx.saga() as saga:
            saga.on_rollback(OTHER, 1)
            saga.on_rollback(OTHER, 2)
            await ctx.call(DOUBLE, 3)
    except TimeoutError:
        return "late"


async def nested_sagas(ctx: Context, n: int) -> Any:
    try:
        async with ctx.saga() as outer:
            outer.on_rollback(OTHER, 1)
            async with ctx.saga() as kept:
                kept.on_rollback(OTHER, 99)
            async with ctx.saga() as inner:
                inner.on_rollback(OTHER, 2)
                await ctx.call(REFUSING, 3)
    except CallFailed:
        return "failed"


SHAPES = [booked, booked_in_parallel, rolled_back_in_time, nested_sagas]


@pytest.mark.parametrize("code", SHAPES, ids=lambda code: code.__name__)
@pytest.mark.parametrize("together", [1, 2])
def test_it_replays_alike_in_whatever_order_the_facts_came(code: Code, together: int) -> None:
    shape = flow(code)
    for turns in every_order(shape, together):
        replays(shape, turns)


def test_a_success_undoes_nothing() -> None:
    turns = drive(flow(booked), n=2)
    assert result(turns) == 6
    assert called(turns) == []


def test_a_failure_undoes_in_reverse_one_after_the_other_and_goes_on() -> None:
    turns = drive(flow(booked), n=1)
    assert called(turns) == [4, 2]
    assert [len(turn.commands) for turn in turns[-3:]] == [2, 1, 1]
    assert failure_of(turns).type == "CallFailed"
    assert ids(turns)[-2:] == ["1.1", "1.2"]


def test_in_parallel_all_are_undone_at_once() -> None:
    turns = drive(flow(booked_in_parallel))
    assert called(turns) == [4, 2]
    assert [len(turn.commands) for turn in turns[-3:]] == [3, 0, 1]


def test_a_saga_within_a_saga_undoes_what_is_its_own() -> None:
    turns = drive(flow(nested_sagas))
    assert called(turns) == [2, 1]
    assert result(turns) == "failed"


@pytest.mark.parametrize("parallel", [False, True])
def test_a_compensation_that_fails_keeps_no_other_from_running_and_all_is_told(
    parallel: bool,
) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(SagaFailed) as caught:  # noqa: PT012  # leaving the block raises it
            async with ctx.saga(parallel=parallel) as saga:
                saga.on_rollback(OTHER, 1)
                saga.on_rollback(REFUSING, 2)
                saga.on_rollback(OTHER, 3)
                saga.on_rollback(REFUSING, 4)
                raise ValueError("no seats")
        failed = caught.value
        assert isinstance(failed.cause, ValueError)
        assert failed.__cause__ is failed.cause
        assert failed.failures == failed.exceptions
        kinds = [type(one).__name__ for one in failed.failures]
        part = failed.subgroup(CallFailed)
        assert isinstance(part, SagaFailed)
        assert part.cause is failed.cause
        return [kinds, [getattr(one, "operation", "") for one in failed.failures], str(failed)]

    shape = flow(code)
    turns = drive(shape)
    kinds, operations, told = result(turns)
    assert called(turns) == [3, 1]
    assert kinds == ["CallFailed", "CallFailed"]
    assert operations == (["1.1.1", "1.3.1"] if parallel else ["1.1", "1.3"])
    assert told.startswith("2 of 4 compensations failed after ValueError: no seats: CallFailed: ")
    replays(shape, turns)


def test_compensations_of_a_cancelled_block_run_and_the_cancellation_goes_on() -> None:
    turns = drive(flow(rolled_back_in_time), timers_first)
    assert called(turns) == [2, 1]
    assert result(turns) == "late"


def cancelled_twice(*, by: Callable[[asyncio.Task[Any]], object]) -> Code:
    """A saga whose task is cancelled while it waits, and again while it rolls back."""

    async def work(ctx: Context) -> None:
        async with ctx.saga() as saga:
            saga.on_rollback(OTHER, 1)
            saga.on_rollback(OTHER, 2)
            await ctx.call(DOUBLE, 3)

    async def code(ctx: Context, n: int) -> Any:
        task = asyncio.create_task(work(ctx))
        await asyncio.sleep(1)
        by(task)
        await asyncio.sleep(1)
        by(task)
        await asyncio.wait([task])
        return task.cancelled()

    return code


def test_a_second_cancellation_does_not_keep_compensations_from_their_end() -> None:
    shape = flow(cancelled_twice(by=asyncio.Task.cancel))
    for turns in every_order(shape):
        replays(shape, turns)
    turns = drive(shape, timers_first)
    assert called(turns) == [2, 1]
    assert result(turns) is True


def test_a_cancelled_anyio_scope_lets_compensations_run() -> None:
    async def code(ctx: Context, n: int) -> Any:
        with anyio.move_on_after(60) as scope:
            async with ctx.saga() as saga:
                saga.on_rollback(OTHER, 1)
                saga.on_rollback(OTHER, 2)
                await ctx.call(DOUBLE, 3)
        return scope.cancelled_caught

    shape = flow(code)
    turns = drive(shape, timers_first)
    assert called(turns) == [2, 1]
    assert result(turns) is True
    replays(shape, turns)


def test_a_failing_sibling_in_a_task_group_rolls_the_others_back() -> None:
    async def trip(ctx: Context, i: int, done: list[int]) -> None:
        async with ctx.saga() as saga:
            saga.on_rollback(OTHER, i)
            await ctx.call(DOUBLE if i else REFUSING, i)
            await ctx.sleep(timedelta(days=1))
            done.append(i)

    async def code(ctx: Context, n: int) -> Any:
        done: list[int] = []
        try:
            async with asyncio.TaskGroup() as group:
                for i in range(n):
                    group.create_task(trip(ctx, i, done))
        except* CallFailed:
            pass
        return done

    shape = flow(code)
    for turns in every_order(shape):
        assert sorted([*result(turns), *called(turns)]) == [0, 1, 2]
        assert 0 in called(turns)
        replays(shape, turns)


def test_items_of_a_map_that_ends_early_roll_back() -> None:
    async def trip(ctx: Context, i: int) -> int:
        async with ctx.saga() as saga:
            saga.on_rollback(OTHER, i)
            return await ctx.call(REFUSING if i == 0 else DOUBLE, i)

    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(trip, range(n), limit=2, tolerated_failures=0)
        return [item.status.value for item in batch]

    shape = flow(code)
    turns = drive(shape, n=3)
    assert result(turns) == ["FAILED", "SUCCEEDED", "CANCELLED"]
    assert called(turns) == [0, 2]
    replays(shape, turns)


def test_when_a_compensation_of_a_cancelled_block_fails_that_is_told() -> None:
    async def code(ctx: Context, n: int) -> Any:
        try:
            async with asyncio.timeout(1), ctx.saga() as saga:
                saga.on_rollback(REFUSING, 1)
                await ctx.call(DOUBLE, 3)
        except SagaFailed as failed:
            return type(failed.cause).__name__

    assert result(drive(flow(code), timers_first)) == "CancelledError"


def test_a_cancellation_that_comes_while_a_failure_is_rolled_back_is_not_lost() -> None:
    async def code(ctx: Context, n: int) -> Any:
        try:
            async with asyncio.timeout(60), ctx.saga() as saga:
                saga.on_rollback(OTHER, 1)
                raise ValueError("no seats")
        except TimeoutError as late:
            cancelled = late.__cause__
            return [type(cancelled).__name__, type(getattr(cancelled, "__cause__", 0)).__name__]

    turns = drive(flow(code), timers_first)
    assert result(turns) == ["CancelledError", "ValueError"]
    assert called(turns) == [1]


def test_a_function_is_retried_as_a_unit() -> None:
    async def undo(ctx: Context, i: int, j: int) -> None:
        await ctx.call(OTHER, i)
        await ctx.call(REFUSING, j)

    async def code(ctx: Context, n: int) -> Any:
        async with ctx.saga() as saga:
            saga.on_rollback(undo, 1, 2, retry=RetryPolicy(attempts=2))
            raise ValueError("no seats")

    shape = flow(code)
    turns = drive(shape)
    assert called(turns) == [1, 1]
    assert called(turns, "refusing") == [2, 2]
    assert failure_of(turns).type == "SagaFailed"
    replays(shape, turns)


def test_a_compensation_that_is_cancelled_is_a_failure() -> None:
    async def undo(ctx: Context) -> None:
        raise asyncio.CancelledError

    async def code(ctx: Context, n: int) -> Any:
        async with ctx.saga() as saga:
            saga.on_rollback(OTHER, 1)
            saga.on_rollback(undo)
            raise ValueError("no seats")

    turns = drive(flow(code))
    assert called(turns) == [1]
    assert "the compensation was cancelled" in failure_of(turns).message


@pytest.mark.parametrize("code", SHAPES, ids=lambda code: code.__name__)
def test_nothing_is_undone_at_a_suspension(code: Code) -> None:
    shape = flow(code)
    turns = drive(shape, n=1)
    for length in range(1, len(turns)):
        execution = Execution(shape, "e", tools(shape))
        execution.replay(turns[:length])
        before = dict(execution.ledger.intents)
        assert execution.close() is None
        assert execution.ledger.intents == before
        assert replay(shape, "e", turns[:length], tools(shape)).commands == ()


def test_what_cannot_undo_anything_is_refused_when_it_is_registered() -> None:
    async def code(ctx: Context, n: int) -> Any:
        target: Any = "refund"
        text: Any = "text"
        no_text: Any = ["a"]
        async with ctx.saga() as saga:
            with pytest.raises(ConfigurationError, match="'refund' cannot undo"):
                saga.on_rollback(target)
            with pytest.raises(EncodeError):
                saga.on_rollback(OTHER, text)
            with pytest.raises(ConfigurationError, match="call name is"):
                saga.on_rollback(OTHER, 1, name=no_text)
            with pytest.raises(ConfigurationError, match="compensation by 'other'"):
                saga.on_rollback(OTHER, 1, timeout=timedelta(0))
        with pytest.raises(WorkflowError, match="after the saga has ended"):
            saga.on_rollback(OTHER, 1)
        return "refused"

    assert result(drive(flow(code))) == "refused"


def test_a_call_that_undoes_has_its_own_options() -> None:
    async def code(ctx: Context, n: int) -> Any:
        async with ctx.saga() as saga:
            saga.on_rollback(OTHER, 1, name="refund", timeout=timedelta(minutes=1))
            raise ValueError("no seats")

    shape = flow(code)
    execution = Execution(shape, "e", tools(shape))
    execution.advance([e.Started(START, "flow", 3, 1)])
    assert execution.ledger.settle() == (
        c.OpenScope("1.", "rollback", "rollback"),
        c.ScheduleCall("1.1", "other", 1, "refund"),
        c.StartTimer("1.1:timeout", START + 60_000),
    )
    execution.close()
