"""A step that runs at most once, begun by two workers that store the very same record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import ClassVar

import pytest

from lambda_workflow import App, Context, RetryPolicy, StepInterrupted, workflow
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.messages import Request
from lambda_workflow.ports import Commit
from lambda_workflow.runtime.intake import Arrival
from tests.runtime.conftest import MakeHost


class Charged:
    """What the step has done."""

    times: ClassVar[int] = 0


@workflow
async def paying(ctx: Context, attempts: int) -> str:
    async def charge() -> str:
        Charged.times += 1
        await asyncio.sleep(0)
        if Charged.times < attempts:
            raise OSError("try again")
        return "charged"

    policy = RetryPolicy(attempts=attempts)
    try:
        return await ctx.step(charge, at_most_once=True, retry=policy)
    except StepInterrupted:
        return "interrupted"


@pytest.mark.parametrize("once", [True, False])
async def test_two_workers_with_one_record_do_not_both_begin_the_step(
    make_host: MakeHost, once: bool
) -> None:
    """Both have loaded nothing, and commit the same turn 1 at the same time of the clock.

    Without the mark of its writer the second record would be taken for the worker's own, whose
    answer was lost, and its step would run as well. (`once` is False: a record without such a step
    is taken for one's own, as a lost answer must not cost a conflict.)
    """

    @workflow(name="paying")
    async def repeatable(ctx: Context, attempts: int) -> str:
        async def charge() -> str:
            Charged.times += 1
            await asyncio.sleep(0)
            return "charged"

        return await ctx.step(charge)

    Charged.times = 0
    code = paying if once else repeatable
    host = make_host(App("shop", workflows=[code]))
    others, both, arrived = host.worker(), asyncio.Event(), 0

    def meet(commit: Commit) -> Awaitable[bool] | None:
        nonlocal arrived
        if commit.turn.number > 1 or both.is_set():
            return None
        arrived += 1
        if arrived == 2:
            both.set()
        return both.wait()

    host.store.before_commit = meet
    options = StartOptions("start", secret="known")  # none is drawn: the records are equal
    start = [Arrival(Request("e", "paying", 1, options=options))]
    ends = await asyncio.gather(
        host.turns.run("e", start), others.run("e", start), return_exceptions=True
    )
    assert arrived == 2
    assert any(not isinstance(end, BaseException) for end in ends)
    assert host.outcome() in ("charged", "interrupted")
    if once:
        assert Charged.times == 1
    else:
        assert Charged.times == 2  # by both, as a step may


async def test_what_was_begun_and_not_ended_is_not_begun_by_the_next_worker(
    make_host: MakeHost,
) -> None:
    Charged.times = 0
    host = make_host(App("shop", workflows=[paying]))

    def die(commit: Commit) -> None:
        if commit.turn.number == 2:
            raise ConnectionError("the worker is gone")

    host.store.before_commit = die
    with pytest.raises(ConnectionError):
        await host.start(paying, 1)
    host.store.before_commit = lambda commit: None
    host.deploy(host.app)
    await host.start(paying, 1)
    assert (host.outcome(), Charged.times) == ("interrupted", 1)
