"""Conditions: Durable Functions' `wait_for_condition`, Temporal's `wait_condition`, Step Functions'
job poller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lambda_workflow import Backoff, Context, PollTimedOut, Signal
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, TRY, Try

family = Family("conditions", *ADAPTERS)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ADD: Signal[int] = Signal("add", int)


@dataclass(frozen=True)
class Job:
    """The state of a job that is looked at."""

    key: str
    status: str = "PENDING"
    attempts: int = 0


def count(n: int) -> int:
    return n + 1


def look(job: Job) -> Job:
    LOG[job.key].append("looked")
    made = job.attempts + 1
    return replace(job, attempts=made, status="DONE" if made == 2 else "PENDING")


@family.workflow
async def counts(ctx: Context, enough: int) -> list[float]:
    before = ctx.now()
    n = await ctx.poll(count, 0, until=lambda n: n >= enough, every=2 * MINUTE, name="poll-status")
    return [n, round((ctx.now() - before) / MINUTE)]


@family.case
async def test_it_looks_until_the_condition_holds(world: World) -> None:
    """Durable 6-1, 6-3, 6-5: three looks, two minutes apart, under a name."""
    handle = await world.begin(counts, 3)
    n, minutes = await world.result(handle)
    assert n == 3
    assert minutes in (4, 5)
    assert "poll-status" in await world.client.export(handle.execution_id)


@family.case
async def test_a_condition_that_holds_at_once_waits_for_nothing(world: World) -> None:
    """Durable 6-2: the first look is not preceded by a pause."""
    assert await world.run(counts, 1) == [1, 0]


@family.workflow
async def backs_off(ctx: Context, enough: int) -> float:
    before = ctx.now()
    pauses = Backoff(initial=MINUTE, factor=2, cap=4 * MINUTE)
    await ctx.poll(count, 0, until=lambda n: n >= enough, backoff=pauses)
    return (ctx.now() - before) / MINUTE


@family.case
async def test_the_pauses_may_grow_to_a_cap(world: World) -> None:
    """Durable's exponential wait strategy: 1, 2, 4 and 4 minutes."""
    assert 11 <= await world.run(backs_off, 5) < 16


@family.workflow
async def structured(ctx: Context, job: Job) -> Job:
    return await ctx.poll(look, job, until=lambda job: job.status == "DONE", every=MINUTE)


@family.case
async def test_the_state_is_an_object_that_each_look_gets_from_the_last(world: World) -> None:
    """Durable 6-4, 6-9, 6-11: the first look gets the state that the poll began with."""
    assert await world.run(structured, Job(world.key)) == Job(world.key, "DONE", 2)


def nothing_seen(state: None) -> None:
    return None


@family.workflow
async def of_nothing(ctx: Context, _: None) -> dict[str, None]:
    seen = await ctx.poll(nothing_seen, None, until=lambda state: state is None, every=MINUTE)  # type: ignore[func-returns-value]  # None is the point
    return {"seen": seen}


@family.case
async def test_the_state_may_be_nothing(world: World) -> None:
    """Durable 6-10."""
    assert await world.run(of_nothing, None) == {"seen": None}


def raises(n: int) -> int:
    raise ConnectionError("no route")


@family.workflow
async def look_raises(ctx: Context, _: None) -> int:
    return await ctx.poll(raises, 0, until=bool, every=MINUTE)


@family.case
async def test_an_error_of_a_look_is_the_polls(world: World) -> None:
    """Durable 6-7: it ends the poll, which retries nothing by itself."""
    error = await world.fails(look_raises, None)
    assert (error.type, error.message) == ("ConnectionError", "no route")


@family.workflow
async def look_raises_caught(ctx: Context, _: None) -> str:
    try:
        await ctx.poll(raises, 0, until=bool, every=MINUTE)
    except ConnectionError as error:
        await ctx.sleep(MINUTE)
        return f"caught: {error}"
    return "seen"


@family.case
async def test_an_error_of_a_look_can_be_caught(world: World) -> None:
    """Durable 6-8."""
    assert await world.run(look_raises_caught, None) == "caught: no route"


@family.workflow
async def never(ctx: Context, _: None) -> list[Any]:
    try:
        await ctx.poll(count, 0, until=lambda n: False, every=10 * MINUTE, timeout=HOUR)
    except PollTimedOut as error:
        return [error.checks, error.state]
    return []


@family.case
async def test_it_looks_no_longer_than_its_timeout(world: World) -> None:
    """Durable 6-6: so many attempts there, so much time here; the last state is told."""
    checks, state = await world.run(never, None)
    assert checks == state
    assert 5 <= checks <= 7


@family.workflow
async def poll_then_step(ctx: Context, job: Job) -> int:
    done = await ctx.poll(look, job, until=lambda job: job.status == "DONE", every=MINUTE)
    await ctx.sleep(MINUTE)
    return await ctx.step(lambda: 10 * done.attempts)


@family.case
async def test_a_replay_does_not_look_again(world: World) -> None:
    """Durable 6-12: the result feeds a step; after a wait the looks are not repeated."""
    assert await world.run(poll_then_step, Job(world.key)) == 20
    assert world.log == ["looked", "looked"]


@family.workflow
async def asks_a_service(ctx: Context, key: str) -> int:
    async def attempts(ctx: Context, last: int) -> int:
        return await ctx.call(TRY, Try(key, 1))

    return await ctx.poll(attempts, 0, until=lambda made: made == 2, every=MINUTE)


@family.case
async def test_a_look_may_be_a_call_with_retries(world: World) -> None:
    """Step Functions' job poller: Wait, a Task with Retry, a Choice, and round again."""
    assert await world.run(asks_a_service, world.key) == 2


@family.workflow
async def waits_for_a_sum(ctx: Context, enough: int) -> list[int]:
    seen: list[int] = []

    async def listen() -> None:
        while True:
            seen.append(await ctx.wait_signal(ADD))

    listening = asyncio.ensure_future(listen())
    await ctx.wait_until(lambda: sum(seen) >= enough)
    listening.cancel()
    return seen


@family.case
async def test_a_condition_over_the_workflows_own_state(world: World) -> None:
    """Temporal's `workflow.wait_condition`."""
    handle = await world.start(waits_for_a_sum, 6)
    for number in (1, 2, 3):
        await world.client.signal(handle.execution_id, ADD, number)
        await world.settled()
    assert await world.result(handle) == [1, 2, 3]


@family.workflow
async def waits_in_vain(ctx: Context, _: None) -> str:
    try:
        async with asyncio.timeout(3600):
            await ctx.wait_until(lambda: False)
    except TimeoutError:
        return "in vain"
    return "it came about"


@family.case
async def test_a_condition_is_waited_for_no_longer_than_a_timeout(world: World) -> None:
    """Temporal's `wait_condition(…, timeout=)`."""
    assert await world.run(waits_in_vain, None) == "in vain"
