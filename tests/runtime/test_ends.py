"""What the end of an execution causes, and orders that meet it in any state."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import Callback, Failure, StartOptions
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
WATCHED: Service[int, int] = Service("watched", int, int)


@workflow
async def flow(ctx: Context, n: int) -> int:
    calls = [ctx.call(WATCHED, n, heartbeat_timeout=MINUTE), ctx.call(DOUBLE, n, timeout=DAY)]
    ctx.callback(int, timeout=DAY)
    try:
        await asyncio.gather(*calls, ctx.sleep(DAY))
    finally:
        await ctx.call(OTHER, n)
    return n


@workflow(name="flow")
async def changed(ctx: Context, n: int) -> int:
    await ctx.sleep(MINUTE)
    return n


APP = App("ends", workflows=[flow], services=[DOUBLE, OTHER, WATCHED])
CALLER = Callback("memory://parent", "parent", "parent/7")


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP, check=True)


async def end(host: Host, how: str) -> None:
    if how == "cancel":
        await host.send(m.Cancel("e", "enough"))
        assert host.sent()[-1] == ("4", 1)
        await host.answer("4", 0)
    elif how == "terminate":
        await host.send(m.Terminate("e", "enough"))
    else:
        await host.wait(31)


@pytest.mark.parametrize(
    ("how", "status", "kind", "words"),
    [
        ("cancel", Status.CANCELLED, "ExecutionCancelled", "enough"),
        ("terminate", Status.TERMINATED, "ExecutionTerminated", "enough"),
        ("time_out", Status.TIMED_OUT, "ExecutionTimedOut", "it did not end within"),
    ],
)
async def test_an_end_is_told_to_everybody(
    host: Host, how: str, status: Status, kind: str, words: str
) -> None:
    options = StartOptions(timeout_ms=30_000)
    await host.start(flow, 1, callback=CALLER, options=options)
    await end(host, how)
    assert host.status() is status
    (response,) = [send.response for send in host.queue.responses]
    assert response.status == status.value
    assert response.failure is not None
    assert [response.failure.type, response.failure.message[: len(words)]] == [kind, words]
    (update,) = host.queue.take_messages("memory://parent")
    assert isinstance(update, m.Update)
    assert [update.execution_id, update.operation] == ["parent", "7"]
    assert update.failure == response.failure
    header = await host.store.header("e")
    assert header is not None
    assert [header.status, header.closed_at] == [status, host.clock.now()]
    assert header.reason.startswith(words)
    assert host.timers._armed == {}
    withdrawn = [task for task in host.tasks() if task.cancelled]
    assert [(task.service, task.task_id) for task in withdrawn] == [("watched", "e/1")]


@pytest.mark.parametrize("order", [m.Cancel("e"), m.Terminate("e"), m.Pause("e"), m.Resume("e")])
async def test_an_order_to_what_has_ended_changes_nothing(host: Host, order: m.Message) -> None:
    await host.start(flow)
    await host.send(m.Terminate("e", "first"))
    before = len(host.store.commits)
    await host.send(order)
    assert len(host.store.commits) == before
    assert host.status() is Status.TERMINATED


@pytest.mark.parametrize("order", [m.Cancel("e"), m.Terminate("e"), m.Pause("e"), m.Resume("e")])
async def test_an_order_to_nobody_is_dropped(host: Host, order: m.Message) -> None:
    result = await host.send(order)
    assert result.status is None
    assert host.store.commits == []


@pytest.mark.parametrize("order", [m.Cancel("e"), m.Terminate("e"), m.Pause("e")])
async def test_an_order_that_comes_twice_is_one(host: Host, order: m.Message) -> None:
    await host.start(flow)
    await host.send(order)
    before = host.history().facts
    await host.send(order)
    host.turns.evict("e")
    await host.send(order)
    assert host.history().facts == before


async def test_a_cancellation_of_a_blocked_execution_waits_and_leaves_its_time(host: Host) -> None:
    await host.start(flow)
    host.deploy(App("ends", workflows=[changed], services=[DOUBLE, OTHER, WATCHED]))
    await host.send(m.Cancel("e", "stop", grace_ms=60_000))
    assert host.status() is Status.BLOCKED
    await host.memory.clock.advance(7200)
    host.deploy(APP, check=True)
    await host.redrive()
    assert host.status() is Status.RUNNING
    assert host.sent()[-1] == ("4", 1)
    await host.wait(30)
    assert host.status() is Status.RUNNING
    await host.wait(31)
    assert host.status() is Status.CANCELLED


async def test_a_blocked_execution_is_terminated_at_once(host: Host) -> None:
    await host.start(flow)
    host.deploy(App("ends", workflows=[changed], services=[DOUBLE, OTHER, WATCHED]))
    await host.answer("2", 2)
    assert host.status() is Status.BLOCKED
    await host.send(m.Terminate("e", "no way to mend it"))
    assert host.status() is Status.TERMINATED
    assert host.timers._armed == {}


async def test_a_missing_workflow_can_be_terminated_too(host: Host) -> None:
    await host.send(m.Request("e", "nobody", 1))
    assert host.status() is Status.BLOCKED
    await host.send(m.Terminate("e"))
    assert host.status() is Status.TERMINATED


async def test_late_answers_after_an_end_are_dropped(host: Host) -> None:
    await host.start(flow)
    await host.send(m.Terminate("e"))
    before = len(host.store.commits)
    for message in (
        m.Update("e", "1", 2),
        m.Update("e", "2", None, Failure("Broken", "no"), 1),
        m.Timer("e", "2:timeout", host.clock.now()),
        m.Signal("e", "any", 1, "id"),
        m.Heartbeat("e", "1"),
    ):
        await host.send(message)
    assert len(host.store.commits) == before


async def test_facts_of_a_pause_have_no_effect_twice(host: Host) -> None:
    await host.start(flow)
    await host.send(m.Pause("e", "p"))
    await host.answer("1", 2)
    host.turns = host.worker(check=True)
    await host.answer("2", 2)
    await host.answer("1", 2)
    host.turns = host.worker(check=True)
    await host.send(m.Resume("e"))
    await host.send(m.Resume("e"))
    host.turns = host.worker(check=True)
    await host.wait(86_400)
    await host.answer("4", 8)
    assert host.outcome() == 1
    assert host.sent() == [("1", 1), ("2", 1), ("4", 1)]


async def test_pause_and_resume_in_one_turn_leave_it_running(host: Host) -> None:
    await host.start(flow)
    await host.send(m.Pause("e"), m.Update("e", "1", 2), m.Resume("e"))
    assert host.status() is Status.RUNNING
    await host.send(m.Update("e", "2", 2), m.Pause("e"))
    assert host.status() is Status.PAUSED
