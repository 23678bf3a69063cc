"""A turn whose worker died before it sent anything is sent by whatever delivery comes next.

Each message is delivered twice, to workers without memory; everything that the first delivery
sends after its commit is lost. Whatever the message is, the second delivery sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.errors import BackendError
from lambda_workflow.model.messages import (
    Cancel,
    Heartbeat,
    Message,
    Pause,
    Redrive,
    Request,
    Resume,
    Signal,
    Update,
)
from tests.patience import patience
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

BEATING: Service[int, int] = Service(
    "beating", int, int, heartbeat_timeout=timedelta(hours=9), timeout=timedelta(days=2)
)
WRONG: Service[int, int] = Service("wrong", int, int)


@workflow(name="flow")
async def right(ctx: Context, n: int) -> int:
    beating = ctx.call(BEATING, n)
    first = await ctx.call(DOUBLE, n)
    second = await ctx.call(OTHER, first)
    return second + await beating


@workflow(name="flow")
async def giving_up(ctx: Context, n: int) -> int:
    beating = ctx.call(BEATING, n)
    first = await ctx.call(DOUBLE, n)
    beating.cancel()
    return await ctx.call(OTHER, first)


@workflow(name="flow")
async def tidying(ctx: Context, n: int) -> int:
    try:
        await ctx.call(BEATING, n)
    finally:
        await ctx.call(OTHER, n)
    return n


@workflow(name="flow")
async def wrong(ctx: Context, n: int) -> int:
    return await ctx.call(WRONG, n)


def app(code: Any) -> App:
    return App("redelivered", workflows=[code], services=[BEATING, DOUBLE, OTHER, WRONG])


async def twice(host: Host, *messages: Message) -> list[str]:
    """Deliver messages; lose all that is sent; deliver them again. The services that got tasks."""
    host.queue.tasks.clear()
    host.deploy(host.app)
    host.queue.failing = True
    with pytest.raises(BackendError, match="throttled"):
        await host.send(*messages)
    host.queue.failing = False
    host.deploy(host.app)
    await host.send(*messages)
    return [task.service for task in host.tasks()]


async def woken(make_host: MakeHost, code: Any) -> Host:
    """BLOCKED with DOUBLE's answer kept; the code that fits is deployed again."""
    host = make_host(app(code))
    await host.start(code)
    host.deploy(app(wrong))
    await host.answer("2", 10)
    assert host.status() is Status.BLOCKED
    host.deploy(app(code))
    return host


WAKING: dict[str, Callable[[], Message]] = {
    "heartbeat": lambda: Heartbeat("e", "1", None, 1),
    "heartbeat with details": lambda: Heartbeat("e", "1", {"page": 3}),
    "redrive": lambda: Redrive("e", "r1"),
    "redrive without id": lambda: Redrive("e"),
    "signal": lambda: Signal("e", "any", None, "s1"),
}


@pytest.mark.parametrize("kind", WAKING)
async def test_what_wakes_a_blocked_execution_sends_when_it_comes_again(
    make_host: MakeHost, kind: str
) -> None:
    host = await woken(make_host, right)
    assert "other" in await twice(host, WAKING[kind]())


async def test_a_heartbeat_of_a_call_that_its_own_turn_gave_up_sends_it_again(
    make_host: MakeHost,
) -> None:
    host = await woken(make_host, giving_up)
    assert sorted(await twice(host, Heartbeat("e", "1"))) == ["beating", "other"]  # and withdrawal


@pytest.mark.parametrize("with_id", [True, False])
async def test_a_cancellation_that_comes_again_sends_the_cleanup(
    make_host: MakeHost, with_id: bool
) -> None:
    host = make_host(app(tidying))
    await host.start(tidying)
    assert "other" in await twice(host, Cancel("e", id="c1" if with_id else ""))


@pytest.mark.parametrize("with_id", [True, False])
async def test_a_resumption_that_comes_again_sends_what_it_caused(
    make_host: MakeHost, with_id: bool
) -> None:
    host = make_host(app(right))
    await host.start(right)
    await host.send(Pause("e", id="p1" if with_id else ""))
    await host.answer("2", 10)
    assert "other" in await twice(host, Resume("e", "r1" if with_id else ""))


@workflow(name="flow")
async def stepping(ctx: Context, n: int) -> int:
    call = ctx.call(BEATING, n)
    got = await ctx.step(lambda: n)
    other = await ctx.call(OTHER, got)
    return other + await call


async def test_steps_that_a_late_message_takes_up_again_are_sent(make_host: MakeHost) -> None:
    """The worker died in the step; what comes next brings no fact, and no trace of itself."""
    host = make_host(app(stepping))
    commits = 0

    def die(commit: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise BackendError("the worker dies")

    host.store.before_commit = die
    with pytest.raises(BackendError, match="dies"):
        await host.start(stepping)
    host.store.before_commit = lambda commit: None
    assert host.history().has_open_steps()
    late = Update("e", "7", 1, attempt=1)
    assert await twice(host, late) == ["other"]


async def test_heartbeats_send_nothing_where_their_turn_caused_nothing(
    make_host: MakeHost,
) -> None:
    host = make_host(app(right))
    await host.start(right)
    await host.answer("2", 10)
    for _ in range(3):
        host.deploy(app(right))
        host.queue.tasks.clear()
        await host.send(Heartbeat("e", "1"))
        assert host.tasks() == []


async def test_a_live_copy_sends_nothing_twice(make_host: MakeHost) -> None:
    host = await woken(make_host, right)
    host.queue.tasks.clear()
    await host.send(Heartbeat("e", "1"))
    await host.send(Heartbeat("e", "1"))
    assert [task.service for task in host.tasks()] == ["other"]


async def test_a_whole_life_of_lost_sends_comes_to_its_end(make_host: MakeHost) -> None:
    host = make_host(app(right))
    request = Request("e", "flow", 1)
    assert sorted(await twice(host, request)) == ["beating", "double"]
    assert await twice(host, Update("e", "2", 10, attempt=1)) == ["other"]
    await host.send(Heartbeat("e", "1"), Update("e", "3", 20, attempt=1))
    async with asyncio.timeout(patience(10)):
        await host.answer("1", 2)
    assert host.outcome() == 22


@workflow(name="flow")
async def leaving(ctx: Context, n: int) -> int:
    """Ends while its call is under way."""
    ctx.call(DOUBLE, n)
    return n


@workflow(name="another")
async def another(ctx: Context, n: int) -> int:
    return n


async def test_an_answer_to_what_the_last_turn_began_does_not_send_it_again(
    make_host: MakeHost,
) -> None:
    """It would be answered again, late once more, and so on for ever: each answer costs a task."""
    host = make_host(app(another))
    await host.start(leaving)  # which this deployment does not know
    host.deploy(app(leaving))
    await host.redrive()  # makes a turn of which no fact tells what made it
    assert host.status() is Status.COMPLETED
    assert [task.service for task in host.tasks()] == ["double"]
    for attempt in (1, 0):
        host.deploy(app(leaving))
        host.queue.tasks.clear()
        await host.send(Update("e", "1", 2, attempt=attempt))
        assert host.tasks() == []
