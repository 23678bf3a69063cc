"""Timers that come in one turn take effect as they were due, however the queue mixed them."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest

from lambda_workflow import App, Context, Signal, workflow
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.commands import StartTimer
from tests.runtime.conftest import MakeHost

HURRY: Signal[int] = Signal("hurry", int)


@workflow
async def sprints(ctx: Context, n: int) -> list[int]:
    order: list[int] = []

    async def after(ms: int) -> None:
        await asyncio.sleep(ms / 1000)
        order.append(ms)

    async def listen() -> None:
        order.append(await ctx.wait_signal(HURRY))

    await asyncio.gather(listen(), *(after(ms) for ms in (30, 1, 250)))
    return order


@workflow
async def limited(ctx: Context, n: int) -> str:
    try:
        async with asyncio.timeout(60):
            await asyncio.sleep(59.999)
    except TimeoutError:
        return "timed out"
    return "slept"


APP = App("tests", workflows=[sprints, limited])


def timers(host: Any) -> list[m.Message]:
    opened = [x for x in host.history().open.values() if isinstance(x, StartTimer)]
    return [m.Timer("e", timer.operation, timer.due) for timer in opened]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_they_fire_in_the_order_of_their_due_moments(
    make_host: MakeHost, order: tuple[int, ...]
) -> None:
    host = make_host(APP)
    await host.start(sprints)
    mixed = [timers(host)[place] for place in order]
    await host.memory.advance(1)
    host.queue.take_messages()
    await host.send(mixed[0], m.Signal("e", "hurry", 0, "s"), *mixed[1:])
    assert host.outcome() == [1, 0, 30, 250]
    fired = [x.operation for x in host.history().events() if isinstance(x, e.TimerFired)]
    assert len(fired) == 3


async def test_what_ends_before_its_timeout_has_ended_in_time(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(limited)
    await host.memory.advance(61)
    host.queue.take_messages()
    await host.send(*timers(host))
    assert host.outcome() == "slept"
    again = make_host(APP)
    await again.start(limited)
    await again.memory.advance(61)
    again.queue.take_messages()
    await again.send(*reversed(timers(again)))
    assert again.outcome() == "slept"
