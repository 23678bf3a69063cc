"""Children whose start is sent again, crosses an end, or is one of very many."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, BackendError, Context, Status, workflow
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import Callback, StartOptions
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

MANY = 1000


@workflow
async def child(ctx: Context, n: int) -> int:
    return n * 2


@workflow
async def slow(ctx: Context, n: int) -> int:
    await ctx.sleep(timedelta(days=1))
    return n


@workflow
async def parent(ctx: Context, n: int) -> int:
    return await ctx.call(child, n, id="c")


@workflow
async def patient(ctx: Context, n: int) -> int:
    return await ctx.call(slow, n, id="c")


@workflow
async def many(ctx: Context, n: int) -> int:
    batch = await ctx.map(child, range(n), limit=100)
    return sum(batch.results())


@workflow
async def abandons(ctx: Context, n: int) -> str:
    with_limit = asyncio.timeout(60)
    try:
        async with with_limit:
            await ctx.call(slow, n, id="c", parent_close="abandon")
    except TimeoutError:
        return "gone on alone"
    return "never"


@workflow
async def gives_up(ctx: Context, n: int) -> str:
    try:
        async with asyncio.timeout(60):
            await ctx.call(slow, n, id="c")
    except TimeoutError:
        return "gave up"
    return "never"


@workflow
async def gives_up_and_waits(ctx: Context, n: int) -> int:
    try:
        async with asyncio.timeout(60):
            await ctx.call(slow, n, id="c")
    except TimeoutError:
        return await ctx.call(DOUBLE, n)
    return n


APP = App(
    "family",
    workflows=[child, slow, parent, patient, many, abandons, gives_up, gives_up_and_waits],
    services=[DOUBLE],
)


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP, check=True)


def taken(host: Host) -> list[m.Message]:
    return list(host.queue.take_messages())


async def test_a_start_that_is_lost_with_its_worker_is_sent_again(host: Host) -> None:
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.start(parent, 4)
    assert taken(host) == []
    host.queue.failing = False
    host.turns = host.worker(check=True)
    await host.start(parent, 4)
    assert await host.finish() == 8


async def test_a_start_that_comes_twice_is_one_and_answers_again(host: Host) -> None:
    await host.start(parent, 4)
    (start,) = taken(host)
    await host.send(start)
    host.queue.messages.clear()
    host.turns = host.worker(check=True)
    await host.send(start)
    assert len(host.history("c").turns) == 1
    assert [type(send.message).__name__ for send in host.queue.messages] == ["Update"]
    assert await host.finish() == 8


async def test_a_result_that_comes_twice_is_one(host: Host) -> None:
    await host.start(parent, 4)
    await host.send(*taken(host))
    (result,) = taken(host)
    await host.send(result)
    host.turns = host.worker(check=True)
    before = len(host.store.commits)
    await host.send(result)
    assert len(host.store.commits) == before
    assert host.outcome() == 8


async def test_a_child_s_secret_follows_from_its_parent_s(host: Host) -> None:
    await host.start(parent, 4, options=StartOptions(id="s", secret="of the parent"))
    (start,) = taken(host)
    assert isinstance(start, m.Request)
    assert start.options.secret
    assert start.options.secret != "of the parent"
    assert [start.options.depth, start.options.id] == [1, "e/1"]
    assert start.callback == Callback("memory://inbox", "e", "e/1")


async def test_a_redrive_starts_a_child_that_was_never_heard_of(host: Host) -> None:
    await host.start(parent, 4)
    assert len(taken(host)) == 1  # and lost
    host.turns = host.worker(check=True)
    await host.redrive()
    assert await host.finish() == 8


async def test_a_result_that_comes_while_the_parent_is_paused_is_kept(host: Host) -> None:
    await host.start(parent, 4)
    await host.send(m.Pause("e"))
    await host.send(*taken(host))
    await host.send(*taken(host))
    assert host.status() is Status.PAUSED
    await host.send(m.Resume("e"))
    assert host.outcome() == 8


async def test_an_abandoned_child_goes_on_and_its_result_is_dropped(host: Host) -> None:
    await host.start(abandons, 1)
    assert await host.finish() == "gone on alone"
    assert await host.finish("c") == 1
    before = len(host.store.commits)
    for message in taken(host):
        await host.send(message)
    assert len(host.store.commits) == before


async def test_a_child_of_a_workflow_that_is_missing_is_blocked_and_heals(host: Host) -> None:
    @workflow(name="parent")
    async def of_missing(ctx: Context, n: int) -> int:
        return await ctx.call(child, n, id="c")

    app = App("family", workflows=[of_missing])
    host.deploy(app)
    await host.start(of_missing, 4)
    assert host.status() is Status.BLOCKED
    assert "does not list: add it to App(workflows=[…])" in host.history().turns[-1].reason
    host.deploy(APP)
    await host.redrive()
    assert await host.finish() == 8


async def test_a_thousand_children(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(many, MANY)
    assert await host.finish() == MANY * (MANY - 1)
    starts: list[Any] = [s.message for s in host.queue.messages if isinstance(s.message, m.Request)]
    assert len({start.execution_id for start in starts}) == MANY


async def test_who_gives_a_child_up_sends_its_start_once_more_before_the_end(host: Host) -> None:
    """The start may have been lost with a worker; after its end nobody would tell the child."""
    await host.start(gives_up)
    host.queue.messages.clear()
    host.queue.take_messages()
    await host.wait(61)
    told = [send.message for send in host.queue.messages if send.message.execution_id == "c"]
    assert [type(message) for message in told] == [m.Request, m.Cancel]


async def test_a_redrive_does_not_start_again_a_child_that_was_given_up(host: Host) -> None:
    """The child may have ended and expired: its start would run it a second time."""
    await host.start(gives_up_and_waits)
    host.queue.take_messages()
    await host.wait(61)
    host.queue.messages.clear()
    await host.redrive()
    told = [send.message for send in host.queue.messages if send.message.execution_id == "c"]
    assert [type(message) for message in told] == [m.Cancel]
