"""BLOCKED: code that does not fit the history sends nothing, keeps every fact, and heals."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, Status, Workflow, workflow
from lambda_workflow.errors import BackendError
from lambda_workflow.model import events as e
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.messages import Redrive, Request, Update
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

WRONG: Service[int, int] = Service("wrong", int, int)


@workflow(name="flow")
async def right(ctx: Context, n: int) -> list[int]:
    one, two = await asyncio.gather(ctx.call(DOUBLE, n), ctx.call(OTHER, n))
    return [one, two, await ctx.call(DOUBLE, one + two)]


@workflow(name="flow")
async def diverging(ctx: Context, n: int) -> int:
    return await ctx.call(WRONG, n)


@workflow(name="flow")
async def unlisted(ctx: Context, n: int) -> list[int]:
    one, two = await asyncio.gather(ctx.call(DOUBLE, n), ctx.call(OTHER, n))
    return [one, two, await ctx.call(WRONG, one + two)]


@workflow(name="renamed")
async def renamed(ctx: Context, n: int) -> int:
    return n


def app(*workflows: Workflow[Any, Any], wrong: bool = True) -> App:
    services = [DOUBLE, OTHER, *([WRONG] if wrong else [])]
    return App("tests", workflows=workflows, services=services)


BROKEN = pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (app(diverging), "NonDeterminismError: tests/runtime/test_turns_blocked.py:"),
        (app(renamed), "UnknownWorkflow: app 'tests' has no workflow 'flow'; it has renamed"),
        (app(unlisted, wrong=False), "UnknownService: workflow 'flow' calls service 'wrong'"),
    ],
    ids=["diverging", "missing", "unlisted"],
)


async def blocked(make_host: MakeHost, broken: App, **options: Any) -> Host:
    """An execution that takes both answers under code that does not fit."""
    host = make_host(app(right), **options)
    await host.start(right)
    host.deploy(broken, **options)
    host.queue.tasks.clear()
    await host.send(Update("e", "1", 10, attempt=1), Update("e", "2", 20, attempt=1))
    return host


@BROKEN
async def test_facts_are_kept_and_nothing_is_sent(
    make_host: MakeHost, broken: App, reason: str
) -> None:
    host = await blocked(make_host, broken)
    assert host.status() is Status.BLOCKED
    last = host.history().turns[-1]
    assert (len(last.events), last.commands) == (2, ())
    assert last.reason.startswith(reason)
    assert host.queue.tasks == []
    header = await host.store.header("e")
    assert header is not None
    assert (header.status, header.reason) == (Status.BLOCKED, last.reason)
    (note,) = host.notes.of("blocked")
    assert note.fields["reason"] == last.reason


@BROKEN
async def test_a_redrive_under_the_right_code_goes_on(
    make_host: MakeHost, broken: App, reason: str
) -> None:
    host = await blocked(make_host, broken)
    host.deploy(app(right))
    result = await host.redrive()
    assert (result.status, result.commits) == (Status.RUNNING, 1)
    assert host.sent() == [("3", 1)]
    await host.answer("3", 60)
    assert host.outcome() == [10, 20, 60]
    header = await host.store.header("e")
    assert header is not None
    assert header.status is Status.COMPLETED


async def test_the_next_message_under_the_right_code_goes_on_by_itself(
    make_host: MakeHost,
) -> None:
    host = make_host(app(right))
    await host.start(right)
    host.deploy(app(diverging))
    await host.answer("1", 10)
    assert host.status() is Status.BLOCKED
    host.deploy(app(right))
    await host.answer("2", 20)
    assert host.status() is Status.RUNNING
    await host.answer("3", 60)
    assert host.outcome() == [10, 20, 60]
    assert [turn.status for turn in host.history().turns] == [
        Status.RUNNING,
        Status.BLOCKED,
        Status.RUNNING,
        Status.COMPLETED,
    ]


async def test_every_fact_that_comes_while_blocked_is_kept(make_host: MakeHost) -> None:
    host = make_host(app(right))
    await host.start(right)
    host.deploy(app(diverging))
    await host.answer("1", 10)
    await host.answer("2", 20)
    assert [len(turn.events) for turn in host.history().turns] == [1, 1, 1]
    host.deploy(app(right), check=True)
    await host.redrive()
    assert host.sent()[-1] == ("3", 1)
    await host.answer("3", 60)
    assert host.outcome() == [10, 20, 60]


@BROKEN
async def test_a_redrive_under_wrong_code_changes_nothing(
    make_host: MakeHost, broken: App, reason: str
) -> None:
    host = await blocked(make_host, broken)
    before = host.store._texts["e"][:]
    for _ in range(3):
        result = await host.redrive()
        assert (result.status, result.commits) == (Status.BLOCKED, 0)
    assert host.store._texts["e"] == before
    assert host.queue.tasks == []


async def test_a_start_of_an_unknown_workflow_is_kept_and_starts_when_it_is_known(
    make_host: MakeHost,
) -> None:
    host = make_host(app(renamed))
    await host.send(Request("e", "flow", 1))
    assert host.status() is Status.BLOCKED
    assert "add it to App(workflows=[…])" in host.history().turns[-1].reason
    host.deploy(app(right))
    await host.redrive()
    assert host.sent() == [("1", 1), ("2", 1)]


async def test_a_timer_that_fires_while_blocked_is_kept(make_host: MakeHost) -> None:
    @workflow(name="flow")
    async def sleeping(ctx: Context, n: int) -> int:
        await asyncio.sleep(60)
        return ctx.now().minute

    host = make_host(app(sleeping))
    await host.start(sleeping)
    host.deploy(app(diverging))
    await host.wait(60)
    assert host.status() is Status.BLOCKED
    await host.memory.advance(3600)
    host.deploy(app(sleeping))
    await host.redrive()
    assert host.outcome() == 1  # the time at which it fired, not that of the redrive


async def test_a_redrive_of_a_healthy_execution_sends_again_under_new_deduplication_ids(
    make_host: MakeHost,
) -> None:
    host = make_host(app(right))
    await host.start(right)
    await host.answer("1", 10)
    old = [send.deduplication for send in host.queue.tasks]
    host.queue.tasks.clear()
    await host.memory.advance(1)
    result = await host.redrive()
    assert (result.status, result.commits) == (Status.RUNNING, 0)
    assert host.sent() == [("2", 1)]
    assert host.queue.tasks[0].deduplication not in old
    first = host.queue.tasks[0].deduplication
    await host.memory.advance(1)
    await host.redrive()
    assert host.queue.tasks[1].deduplication != first
    assert host.queue.tasks[1].task == host.queue.tasks[0].task  # its idempotency key too


async def test_the_redrive_that_ends_a_block_sends_what_is_unanswered_again(
    make_host: MakeHost,
) -> None:
    """A task or a timer may have been lost before; one redrive is enough."""
    host = make_host(app(right))
    await host.start(right)
    host.deploy(app(diverging))
    await host.answer("1", 10)
    assert host.status() is Status.BLOCKED
    old = {send.deduplication for send in host.queue.tasks}
    host.queue.tasks.clear()
    host.deploy(app(right))
    await host.redrive()
    assert host.status() is Status.RUNNING
    assert host.sent() == [("2", 1)]
    assert old.isdisjoint(send.deduplication for send in host.queue.tasks)


async def test_the_redrive_that_ends_a_block_comes_again_if_it_could_not_send(
    make_host: MakeHost,
) -> None:
    host = make_host(app(right), live_max=0)
    await host.start(right)
    host.deploy(app(diverging), live_max=0)
    await host.redrive()
    host.deploy(app(right), live_max=0)
    host.queue.tasks.clear()
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.redrive()
    assert host.status() is Status.RUNNING
    host.queue.failing = False
    await host.redrive()
    assert host.sent() == [("1", 1), ("2", 1)]


async def test_a_redrive_and_an_answer_that_come_together_lose_nothing(
    make_host: MakeHost,
) -> None:
    host = make_host(app(right))
    await host.start(right)
    await host.send(Redrive("e"), Update("e", "1", 10, attempt=1))
    await host.answer("2", 20)
    await host.answer("3", 60)
    assert host.outcome() == [10, 20, 60]


async def test_a_redrive_of_what_has_ended_or_never_was_does_nothing(make_host: MakeHost) -> None:
    host = make_host(app(renamed))
    assert (await host.redrive()).status is None
    await host.start(renamed)
    assert (await host.redrive()).commits == 0
    assert (len(host.history().turns), host.outcome()) == (1, 1)


@pytest.mark.parametrize("options", [{"check": True}, {"live_max": 0}])
async def test_an_execution_that_is_blocked_at_every_turn_retries_and_ends_all_the_same(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    @workflow(name="flow")
    async def limited(ctx: Context, n: int) -> list[int]:
        one, two = await asyncio.gather(
            ctx.call(DOUBLE, n, timeout=timedelta(hours=1)), ctx.call(OTHER, n)
        )
        await asyncio.sleep(3)
        return [one, two, await ctx.step(int, n)]

    def fits() -> None:
        host.deploy(app(limited), **options)

    def breaks() -> None:
        host.deploy(app(diverging), **options)

    host = make_host(app(limited), **options)
    await host.start(limited)
    breaks()
    await host.fail("1", e.Failure("T", "m"), 1)
    await host.fail("2", e.Failure("T", "m"), 1)
    fits()
    await host.redrive()
    breaks()
    await host.wait(10)
    assert host.status() is Status.BLOCKED
    fits()
    await host.redrive()
    assert sorted(host.sent()) == [("1", 1), ("1", 2), ("2", 1), ("2", 2)]
    breaks()
    await host.answer("1", 10, 2)
    await host.answer("2", 20, 2)
    fits()
    await host.redrive()
    assert await host.finish() == [10, 20, 1]


async def test_the_time_of_an_execution_runs_while_its_code_is_unknown(make_host: MakeHost) -> None:
    host = make_host(App("flows", workflows=[renamed]))
    options = StartOptions("start", timeout_ms=60_000)
    await host.send(Request("e", "flow", 1, options=options))
    assert host.status() is Status.BLOCKED
    await host.wait(60)
    assert host.status() is Status.TIMED_OUT
