"""ctx.map: outcomes in order, whatever order the facts came in; the same again in each replay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lambda_workflow import (
    BatchFailed,
    BatchReason,
    BatchResult,
    CallFailed,
    Context,
    EncodeError,
    ItemStatus,
    NonDeterminismError,
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

OK, BAD = ItemStatus.SUCCEEDED, ItemStatus.FAILED
GONE, NEVER = ItemStatus.CANCELLED, ItemStatus.NOT_STARTED
Item = Callable[[Context, int], Awaitable[int]]


def statuses(batch: BatchResult[Any]) -> list[str]:
    return [item.status.value for item in batch]


async def twice(ctx: Context, n: int) -> int:
    """Two calls, one after the other."""
    return await ctx.call(OTHER, await ctx.call(DOUBLE, n))


async def refuse_odd(ctx: Context, n: int) -> int:
    """Odd items fail."""
    return await ctx.call(REFUSING if n % 2 else DOUBLE, n)


async def over_service(ctx: Context, n: int) -> Any:
    return (await ctx.map(DOUBLE, range(n), limit=2)).results()


async def over_function(ctx: Context, n: int) -> Any:
    return (await ctx.map(twice, range(n), limit=2)).results()


async def first_of(ctx: Context, n: int) -> Any:
    batch = await ctx.map(DOUBLE, range(n), min_successful=1)
    return [batch.reason.value, statuses(batch), await ctx.call(OTHER, 7)]


async def at_most_one_failure(ctx: Context, n: int) -> Any:
    batch = await ctx.map(refuse_odd, range(4), tolerated_failures=0, limit=2)
    return [batch.reason.value, statuses(batch), await ctx.call(OTHER, 7)]


async def maps_in_maps(ctx: Context, n: int) -> Any:
    async def row(ctx: Context, i: int) -> list[int]:
        return (await ctx.map(DOUBLE, [i, i + 1], limit=1)).results()

    return (await ctx.map(row, range(n - 1))).results()


async def two_at_once(ctx: Context, n: int) -> Any:
    pair = await asyncio.gather(ctx.map(DOUBLE, [1, 2]), ctx.map(twice, [3]))
    return [batch.results() for batch in pair]


async def within_a_timeout(ctx: Context, n: int) -> Any:
    try:
        async with asyncio.timeout(5):
            batch = await ctx.map(DOUBLE, range(n - 1), limit=1)
            return batch.results()
    except TimeoutError:
        return ["late", await ctx.call(OTHER, 7)]


SHAPES = [
    over_service, over_function, first_of, at_most_one_failure, maps_in_maps, two_at_once,
    within_a_timeout,
]  # fmt: skip


@pytest.mark.parametrize("code", SHAPES, ids=lambda code: code.__name__)
@pytest.mark.parametrize("together", [1, 2])
def test_it_replays_alike_in_whatever_order_the_facts_came(code: Code, together: int) -> None:
    shape = flow(code)
    for number, turns in enumerate(every_order(shape, together)):
        replays(shape, turns)
        assert turns[-1].status or turns[-1].commands
        if number == 150:
            break


def test_results_are_in_order_and_ids_too_whatever_ends_first() -> None:
    shape = flow(over_function)
    for turns in every_order(shape):
        assert result(turns) == [0, 4, 8]
        assert sorted(ids(turns)) == ["1.1.1", "1.1.2", "1.2.1", "1.2.2", "1.3.1", "1.3.2"]


def test_a_calls_id_is_its_items_number() -> None:
    turns = drive(flow(over_service), n=4)
    assert ids(turns) == ["1.1", "1.2", "1.3", "1.4"]
    assert result(turns) == [0, 2, 4, 6]


def test_what_comes_after_a_map_is_numbered_as_if_it_were_not_there() -> None:
    for n in (1, 5):
        assert ids(drive(flow(first_of), n=n))[-1] == "1"


def asked_by_turn(turns: list[Turn]) -> list[int]:
    """How many calls wait after each turn."""
    waiting, counts = 0, []
    for turn in turns:
        waiting -= sum(not isinstance(event, e.Started) for event in turn.events)
        waiting += sum(isinstance(command, c.ScheduleCall) for command in turn.commands)
        counts.append(waiting)
    return counts


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_the_limit_is_kept_throughout(limit: int) -> None:
    async def code(ctx: Context, n: int) -> Any:
        return (await ctx.map(DOUBLE, range(n), limit=limit)).results()

    turns = drive(flow(code), n=20)
    assert asked_by_turn(turns) == [limit] * (20 - limit + 1) + list(range(limit - 1, -1, -1))


def test_a_map_over_a_service_makes_no_task() -> None:
    async def code(ctx: Context, n: int) -> Any:
        return (await ctx.map(DOUBLE, range(n))).results()

    shape = flow(code)
    execution = Execution(shape, "e", tools(shape))
    execution.advance([e.Started(START, "flow", 50, 1)])
    assert len(execution.ledger.settle()) == 50
    assert len(execution.loop.tasks) == 1
    execution.close()


@pytest.mark.parametrize("target", [DOUBLE, twice], ids=["service", "function"])
def test_no_items_complete_at_once(target: Any) -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(target, [], min_successful=1, tolerated_failures=0)
        batch.raise_if_failed()
        return [batch.reason.value, batch.results(), len(batch)]

    turns = drive(flow(code))
    assert len(turns) == 1
    assert result(turns) == ["ALL_COMPLETED", [], 0]


def outcome_of(code: Code, n: int = 4) -> Any:
    return result(drive(flow(code), n=n))


async def test_enough_successes_cancel_what_runs_and_start_nothing_more() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(DOUBLE, range(n), limit=3, min_successful=2)
        return [batch.reason.value, statuses(batch), batch.results()]

    turns = drive(flow(code), n=6)
    reason, ended, results = result(turns)
    assert reason == BatchReason.MIN_SUCCESSFUL_REACHED
    assert ended == [OK, OK, GONE, GONE, NEVER, NEVER]
    assert results == [0, 2]
    gone = [x.operation for t in turns for x in t.commands if isinstance(x, c.CancelCall)]
    assert gone == ["1.3", "1.4"]


@pytest.mark.parametrize(
    ("tolerance", "statuses_then"),
    [
        ({"tolerated_failures": 0}, [OK, BAD, GONE, NEVER]),
        ({"tolerated_failure_percentage": 25}, [OK, BAD, OK, BAD]),
        ({"tolerated_failure_percentage": 24.9}, [OK, BAD, GONE, NEVER]),
        ({"tolerated_failures": 1}, [OK, BAD, OK, BAD]),
        ({"tolerated_failures": 9, "tolerated_failure_percentage": 0}, [OK, BAD, GONE, NEVER]),
    ],
)
def test_more_failures_than_tolerated_end_it(
    tolerance: dict[str, Any], statuses_then: list[ItemStatus]
) -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(refuse_odd, range(n), limit=2, **tolerance)
        return [batch.reason.value, statuses(batch)]

    assert outcome_of(code) == ["FAILURE_TOLERANCE_EXCEEDED", statuses_then]


def test_tolerated_failures_do_not_end_it() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(refuse_odd, range(n), tolerated_failures=2)
        return [batch.reason.value, statuses(batch), batch.results(), len(batch.errors)]

    assert outcome_of(code) == ["ALL_COMPLETED", [OK, BAD, OK, BAD], [0, 4], 2]


def test_without_thresholds_every_item_comes_to_its_end() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(REFUSING, range(n), limit=1)
        return [batch.reason.value, statuses(batch), batch.results()]

    assert outcome_of(code) == ["ALL_COMPLETED", [BAD] * 4, []]


def test_raise_if_failed_raises_a_group_that_says_which_and_why() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(refuse_odd, range(n), name="odd")
        with pytest.raises(BatchFailed) as caught:
            batch.raise_if_failed()
        part = caught.value.subgroup(CallFailed)
        assert isinstance(part, BatchFailed)
        assert len(part.exceptions) == 2
        assert isinstance(caught.value, WorkflowError)
        assert [one.type for one in batch.errors if isinstance(one, CallFailed)] == ["Refused"] * 2
        return str(caught.value)

    told = outcome_of(code)
    assert "2 of 4 items of map 'odd' failed (ALL_COMPLETED)" in told
    assert "first, item 1: CallFailed: service 'refusing'" in told


def test_an_item_that_cleans_up_is_waited_for() -> None:
    async def careful(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(DOUBLE, n)
        finally:
            if n == 2:
                await ctx.call(OTHER, n)

    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(careful, [2, 1], min_successful=1)
        return statuses(batch)

    def the_last(asked: list[Any]) -> int:
        return len(asked) - 1

    shape = flow(code)
    turns = drive(shape, the_last)
    assert result(turns) == [GONE, OK]
    assert ids(turns) == ["1.1.1", "1.2.1", "1.1.2"]
    replays(shape, turns)


def test_an_item_that_answers_its_cancellation_has_succeeded() -> None:
    async def stubborn(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(DOUBLE, n)
        except asyncio.CancelledError:
            return -1

    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.map(stubborn, [1, 2], min_successful=1)
        return [batch.reason.value, batch.results()]

    assert outcome_of(code) == ["MIN_SUCCESSFUL_REACHED", [2, -1]]


def test_a_cancelled_map_cancels_its_items_and_waits_for_them() -> None:
    log: list[str] = []

    async def careful(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(DOUBLE, n)
        except asyncio.CancelledError:
            await ctx.call(OTHER, n)
            log.append(f"cleaned {n}")
            raise

    async def code(ctx: Context, n: int) -> Any:
        log.clear()
        task = asyncio.create_task(ctx.map(careful, range(3), limit=2))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # again, while the items clean up
        try:
            await task
        except asyncio.CancelledError:
            return list(log)

    def timers_first(asked: list[Any]) -> int:
        kinds = [isinstance(one, c.StartTimer) for one in asked]
        return kinds.index(True) if True in kinds else 0

    shape = flow(code)
    turns = drive(shape, timers_first)
    assert result(turns) == ["cleaned 0", "cleaned 1"]
    replays(shape, turns)


def test_an_item_of_another_type_is_refused_and_nothing_is_sent() -> None:
    items: list[Any] = [1, 2, "three"]

    async def code(ctx: Context, n: int) -> Any:
        try:
            await ctx.map(DOUBLE, items)
        except EncodeError as error:
            return str(error)

    turns = drive(flow(code))
    assert len(turns) == 1
    assert "payload of double" in result(turns)


def test_an_exit_in_an_item_ends_the_map() -> None:
    async def leave(ctx: Context, n: int) -> int:
        if n == 1:
            raise SystemExit(3)
        return await ctx.call(DOUBLE, n)

    async def code(ctx: Context, n: int) -> Any:
        try:
            await ctx.map(leave, range(n))
        except SystemExit as left:
            return left.code

    shape = flow(code)
    turns = drive(shape)
    assert result(turns) == 3
    replays(shape, turns)


async def gathered(ctx: Context, n: int) -> Any:
    return len(await asyncio.gather(ctx.map(DOUBLE, [1, 2]), ctx.map(DOUBLE, [3])))


async def gathered_otherwise(ctx: Context, n: int) -> Any:
    return len(await asyncio.gather(ctx.map(DOUBLE, [1, 4]), ctx.map(DOUBLE, [3])))


def test_a_difference_names_the_line_of_the_map() -> None:
    line = gathered_otherwise.__code__.co_firstlineno + 1
    otherwise = flow(gathered_otherwise)
    with pytest.raises(
        NonDeterminismError, match=rf"^tests/replay/test_map\.py:{line} calls `double`"
    ):
        replay(otherwise, "e", drive(flow(gathered)), tools(otherwise))


def test_at_a_suspension_nothing_of_a_map_happens() -> None:
    seen: list[BaseException] = []

    async def code(ctx: Context, n: int) -> Any:
        try:
            return (await ctx.map(DOUBLE, range(n), limit=2)).results()
        except BaseException as error:
            seen.append(error)
            await ctx.map(OTHER, [1, 2, 3])
            raise

    shape = flow(code)
    turns = drive(shape)
    decision = replay(shape, "e", turns[:2], tools(shape))
    assert decision.commands == ()
    assert [type(error).__name__ for error in seen] == ["Suspended"]
