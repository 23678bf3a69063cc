"""Simulations with large payloads and long histories, and what a failed one prints."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

import pytest_lambda_workflow
from lambda_workflow import App, Context, NonDeterminismError, ResultTimeout, Service, workflow
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.testing import fake, simulate

ASK: Service[str, int] = Service("ask", str, int)
LARGE = "x" * 40_000


@workflow
async def large(ctx: Context, n: int) -> str:
    ctx.set_status(LARGE)
    ctx.send(ASK, LARGE)
    await ctx.call(ASK, LARGE)
    return LARGE


def test_large_payloads_can_be_looked_at() -> None:
    seen = simulate(large, 1, fake(ASK).returns(1))
    assert seen.result == LARGE
    assert {call.payload for call in seen.calls} == {LARGE}


@workflow
async def many(ctx: Context, n: int) -> int:
    done = 0
    for number in range(n):
        done += await ctx.call(ASK, str(number))
    return done


slipping: list[int] = []


@workflow
async def slips(ctx: Context, n: int) -> int:
    """Does something else at its second run from the start."""
    slipping.append(1)
    for number in range(n):
        await ctx.call(ASK, str(number if len(slipping) == 1 else 7))
    return n


def test_the_check_of_a_long_history_is_not_quadratic() -> None:
    """It runs the code from its start 64 times, and then the less often the longer it is."""
    slipping.clear()
    with pytest.raises(NonDeterminismError):
        simulate(slips, 100, fake(ASK).returns(1))
    replays.clear()
    assert simulate(counted, 400, fake(ASK).returns(1)).result == 400
    assert 64 < len(replays) < 80


replays: list[int] = []


@workflow
async def counted(ctx: Context, n: int) -> int:
    replays.append(1)
    return await many.function(ctx, n)


def test_the_check_can_be_switched_off() -> None:
    slipping.clear()
    with pytest.raises(NonDeterminismError):
        simulate(slips, 3, fake(ASK).returns(1))
    slipping.clear()
    assert simulate(slips, 3, fake(ASK).returns(1), check=False).result == 3


def test_a_failed_simulation_prints_a_bounded_text() -> None:
    lines = [f"{n} {'y' * 1000}" for n in range(5000)]
    told = pytest_lambda_workflow._bounded(lines)
    assert len("\n".join(told)) < 10_000
    assert told[0].startswith("0 ")
    assert told[-1].startswith("4999 ")
    assert "4950 lines are left out" in told[25]
    assert pytest_lambda_workflow._bounded(["a", "b"]) == ["a", "b"]


@workflow
async def sleeps(ctx: Context, n: int) -> int:
    await ctx.sleep(timedelta(days=300))
    return n


async def test_skipped_time_is_not_waited_for() -> None:
    app = App("tests", workflows=[sleeps], services=[ASK])
    async with Engine(app, ":memory:", clock=SkippingClock()) as engine:
        handle = await engine.client.start(sleeps, 5)
        assert await handle.result(timedelta(seconds=20)) == 5


async def test_a_result_is_waited_for_as_long_as_it_says() -> None:
    app = App("tests", workflows=[many], services=[ASK])
    async with Engine(app, ":memory:", clock=SkippingClock()) as engine:
        waiting = await engine.client.start(many, 1)  # nobody serves it
        began = time.monotonic()
        with pytest.raises(ResultTimeout):
            await waiting.result(timedelta(seconds=0.2))
        assert time.monotonic() - began < 10
