"""Schedules that `explore` found in the runtime itself: what they broke stays mended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from lambda_workflow import Context, RetryPolicy, Service, Signal, Status, StepInterrupted, workflow
from lambda_workflow.testing import Fake, after, explore, fake, holds, now, simulate
from lambda_workflow.testing.exploring import Law

ADD = Service("add", int, int, retry=RetryPolicy(attempts=4, jitter=0))
UNDO = Service("undo", int, int)
ADDED = fake(ADD).runs(lambda n: n + 1)
TICK: Signal[int] = Signal("tick", int)
MINUTE = timedelta(minutes=1)


@workflow
async def renewed(ctx: Context, n: int) -> int:
    await ctx.call(ADD, n)
    if n > 0:
        ctx.continue_as_new(n - 1)
    return 7


@workflow
async def renewed_once(ctx: Context, n: int) -> int:
    if n == 0:
        return 8
    await ctx.call(ADD, n)
    ctx.continue_as_new(n - 1)


@workflow
async def patient(ctx: Context, n: int) -> int:
    try:
        await ctx.sleep(60 * 24 * MINUTE)
    finally:
        await ctx.call(UNDO, n)
    return n


@workflow
async def renewed_parent(ctx: Context, n: int) -> str:
    if n == 0:
        return "renewed"
    task = asyncio.ensure_future(ctx.call(patient, n))
    await ctx.call(ADD, n)
    assert not task.done()
    ctx.continue_as_new(0)


BEGUN: list[int] = []


def begin() -> int:
    BEGUN.append(1)
    return 1


@workflow
async def once(ctx: Context, n: int) -> int:
    await ctx.call(ADD, n)
    try:
        return await ctx.step(begin, at_most_once=True)
    except StepInterrupted:
        return -1


@workflow
async def ticking(ctx: Context, n: int) -> str:
    await ctx.wait_signal(TICK)
    if n > 1:
        ctx.continue_as_new(n - 1)
    return "ticked"


@workflow
async def mapped(ctx: Context, n: int) -> list[int]:
    return (await ctx.map(ADD, list(range(n)), limit=3)).results()


def test_a_worker_that_dies_before_it_sends_a_new_runs_first_call() -> None:
    assert simulate(renewed, 4, ADDED, faults=["send_tasks 2: KILL_BEFORE"]).result == 7


def test_an_answer_of_a_later_run_than_a_workers_copy_knows() -> None:
    faults = ["task add 1/1: OUTAGE", "delete 2: STALL", "delete 7: STALL"]
    assert simulate(renewed, 4, ADDED, faults=faults).result == 7


def test_a_signal_that_comes_with_the_one_that_ends_a_run_goes_to_the_next() -> None:
    ticks = [now.signal(TICK, n) for n in range(4)]
    assert simulate(ticking, 4, *ticks).result == "ticked"


def test_a_resume_that_meets_a_worker_that_missed_the_pause() -> None:
    faults = [
        "act pause: LATE 1", "send_tasks 2: STALL", "task add 1.4/1 x2: ECHO 1", "delete 5: STALL",
    ]  # fmt: skip
    slow = fake(ADD).returns(1, after=MINUTE)
    acts = after(MINUTE).pause(), after(5 * MINUTE).resume()
    assert simulate(mapped, 6, slow, *acts, faults=faults).result == [1] * 6


def test_the_listing_of_an_execution_whose_last_run_is_one_turn() -> None:
    ticks = [now.signal(TICK, n) for n in range(3)]
    assert simulate(ticking, 3, *ticks, faults=["put_header 1: REFUSE"]).result == "ticked"


def test_a_cancellation_that_comes_with_the_end_of_a_run_is_not_lost() -> None:
    run = simulate(ticking, 3, now.signal(TICK, 1), now.cancel("enough"))
    assert run.status is Status.CANCELLED


def test_a_child_that_a_run_leaves_behind_is_told_though_the_worker_failed_to() -> None:
    run = simulate(
        renewed_parent, 1, ADDED, patient, fake(UNDO).returns(0),
        faults=["send_messages 2: REFUSE"], strict=False,
    )  # fmt: skip
    assert run.result == "renewed"
    assert run.performed["undo"] == 1


def test_an_answer_to_an_earlier_run_that_comes_again_after_the_end() -> None:
    faults = ["send_responses 1: KILL_AFTER"]
    assert simulate(renewed_once, 1, ADDED, faults=faults).result == 8


def test_a_resume_that_began_the_last_run_and_comes_again() -> None:
    acts = now.pause(), now.signal(TICK, 1), now.signal(TICK, 2), after(MINUTE).resume()
    assert simulate(ticking, 2, *acts, faults=["send_responses 1: LOSE"]).result == "ticked"


def test_a_step_that_runs_at_most_once_does_so_though_two_workers_begin_it() -> None:
    def desk() -> Iterator[Fake[Any, Any] | Law]:
        BEGUN.clear()
        yield ADDED
        yield holds(lambda run: len(BEGUN) <= 1)

    explore(once, 1, desk, seeds=200, outcome=lambda run: run.result in (1, -1))


def test_runs_that_follow_each_other_stand_an_exploration() -> None:
    explore(renewed, 3, ADDED, seeds=150)
    explore(ticking, 3, *(now.signal(TICK, n) for n in range(3)), seeds=150)
