"""Other code takes over in mid-run: nothing of what it does reaches anything that it should not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, Signal, Status, Workflow, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.ids import task_id
from lambda_workflow.model.messages import Redrive, Update
from lambda_workflow.model.messages import Signal as SignalMessage
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER

LATER: Service[int, int] = Service("later", int, int)
GO: Signal[int] = Signal("go", int)


def app(*workflows: Workflow[Any, Any]) -> App:
    return App("tests", workflows=workflows, services=[DOUBLE, OTHER])


@workflow(name="flow")
async def two_calls(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    return await ctx.call(OTHER, n)


@workflow(name="flow")
async def step_then_unlisted(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    await ctx.step(abs, -7)
    return await ctx.call(LATER, n)


@workflow(name="flow")
async def failing_step_then_unlisted(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    try:
        await ctx.step(int, "x")
    except ValueError:
        return await ctx.call(LATER, n)
    return 0


@workflow(name="unlisted")
async def unlisted(ctx: Context, n: int) -> int:
    return n


@workflow(name="flow")
async def step_then_unlisted_child(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    await ctx.step(abs, -7)
    return await ctx.call(unlisted, n)


@workflow(name="flow")
async def step_then_too_far(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    await ctx.step(abs, -7)
    await ctx.sleep(timedelta(days=366))
    await asyncio.sleep(400 * 86_400)
    return n


@pytest.mark.parametrize("live_max", [0, 10])
@pytest.mark.parametrize(
    "broken",
    [step_then_unlisted, failing_step_then_unlisted, step_then_unlisted_child],
    ids=["unlisted", "failing", "child"],
)
async def test_a_step_of_a_blocked_turn_is_not_taken_for_something_else(
    make_host: MakeHost, broken: Workflow[Any, Any], live_max: int
) -> None:
    host = make_host(app(two_calls), live_max=live_max)
    await host.start(two_calls)
    host.deploy(app(broken), live_max=live_max)
    await host.answer("1", 10)
    assert host.status() is Status.BLOCKED
    assert [type(x) for x in host.history().turns[-1].events] == [e.CallSucceeded]
    assert host.history().facts == 2
    await host.redrive()
    host.deploy(app(two_calls), live_max=live_max)
    await host.redrive()
    assert host.sent() == [("1", 1), ("2", 1)]
    await host.answer("2", 99)
    assert host.outcome() == 99


@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_step_that_is_recorded_keeps_its_result_in_a_blocked_turn(
    make_host: MakeHost, live_max: int
) -> None:
    ran: list[int] = []

    def counted() -> int:
        ran.append(1)
        return len(ran)

    def made(service: Service[int, int]) -> Workflow[int, Any]:
        @workflow(name="flow")
        async def flow(ctx: Context, n: int) -> list[int]:
            async def stepping() -> int:
                await ctx.call(DOUBLE, n)
                got = await ctx.step(counted)
                return got + await ctx.call(service, n)

            return list(await asyncio.gather(stepping(), ctx.call(OTHER, n)))

        return flow

    listed, not_listed = made(OTHER), made(LATER)
    host = make_host(app(listed), live_max=live_max)
    await host.start(listed)
    host.deploy(app(not_listed), live_max=live_max)
    await host.answer("1.1", 2)
    assert host.status() is Status.BLOCKED
    host.deploy(app(listed), live_max=live_max)
    await host.redrive()
    assert host.history().opening("1.2", c.RunStep) is not None
    runs = len(ran)
    assert runs == 2  # its first result went with the blocked turn
    await host.answer("1.3", 40)
    await host.answer("1", 5)
    assert host.outcome() == [42, 5]
    assert len(ran) == runs


@pytest.fixture
def collecting() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(50, 1, 1)
    yield
    gc.set_threshold(*before)


@workflow(name="flow")
async def ends_badly(ctx: Context, n: int) -> int:
    cycle: list[Any] = []
    cycle.append(cycle)
    try:
        return await ctx.call(LATER if n < 0 else OTHER, n)
    finally:
        try:
            await ctx.sleep(timedelta(hours=n + 2))
        finally:
            await asyncio.sleep(86_400)


@workflow(name="healthy")
async def healthy(ctx: Context, n: int) -> int:
    total = await ctx.call(DOUBLE, n)
    await ctx.sleep(timedelta(seconds=5))
    return total + await ctx.call(OTHER, n)


@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("live_max", [0, 10])
async def test_what_diverges_writes_into_no_other_execution(
    make_host: MakeHost, live_max: int
) -> None:
    host = make_host(app(two_calls, healthy), live_max=live_max)
    await host.start(two_calls)
    host.deploy(app(ends_badly, healthy), live_max=live_max)
    for number in range(60):
        name = f"healthy-{number}"
        await host.start(healthy, 3, execution_id=name)
        await host.redrive()
        await host.send(Update(name, "1", 6, attempt=1))
        await host.redrive()
        asked = [command for turn in host.history(name).turns for command in turn.commands]
        assert [x.operation for x in asked] == ["1", "2"]
    assert host.status() is Status.BLOCKED


async def test_an_early_answer_is_no_answer_to_another_operation(make_host: MakeHost) -> None:
    tokens: list[str] = []

    @workflow(name="flow")
    async def asks(ctx: Context, n: int) -> Any:
        await ctx.call(DOUBLE, n)
        question = ctx.callback(bool)
        tokens.append(question.token)
        return await question

    @workflow(name="flow")
    async def calls(ctx: Context, n: int) -> Any:
        await ctx.call(DOUBLE, n)
        return await ctx.call(OTHER, n)

    host = make_host(app(asks))
    await host.start(asks)
    before = host.store._texts["e"][:]
    await host.answer("1", 2)
    host.store._texts["e"] = before  # the worker died before its commit, the token is out
    host.deploy(app(calls))
    await host.send(Update("e", "2", True, token=tokens[0]), Update("e", "1", 2, attempt=1))
    assert host.status() is Status.BLOCKED
    assert "operation 2, which is no callback" in host.history().turns[-1].reason
    assert host.sent() == [("1", 1)]
    host.deploy(app(asks))
    await host.redrive()
    assert host.outcome() is True


async def test_a_callbacks_answer_is_late_where_other_code_has_a_call(make_host: MakeHost) -> None:
    tokens: list[str] = []

    @workflow(name="flow")
    async def asks(ctx: Context, n: int) -> Any:
        question = ctx.callback(bool)
        tokens.append(question.token)
        return await question

    host = make_host(app(asks))
    await host.start(asks)
    started = host.history().started
    assert started is not None
    host.store._texts.clear()
    host.deploy(app(two_calls))
    await host.start(two_calls)
    result = await host.send(Update("e", "1", 5, token=tokens[0]))
    assert result.commits == 0
    assert host.history().open.keys() == {"1"}


async def test_each_failed_redrive_is_told_and_another_reason_is_kept(make_host: MakeHost) -> None:
    host = make_host(app(two_calls))
    await host.start(two_calls)
    host.deploy(app(step_then_unlisted))
    await host.answer("1", 10)
    first = host.history().turns[-1].reason
    await host.redrive()
    assert len(host.notes.of("blocked")) == 2
    assert len(host.history().turns) == 2
    host.deploy(app(unlisted))
    await host.redrive()
    last = host.history().turns[-1]
    assert (last.status, last.events) == (Status.BLOCKED, ())
    assert last.reason.startswith("UnknownWorkflow")
    assert first != last.reason
    header = await host.store.header("e")
    assert header is not None
    assert header.reason == last.reason
    note = host.notes.of("blocked")[-1]
    assert note.fields["workflow"] == "flow"
    assert note.fields["version"] == ""
    host.deploy(app(two_calls))
    await host.redrive()
    await host.answer("2", 4)
    assert host.outcome() == 4


@workflow(name="flow")
async def goes_on(ctx: Context, n: int) -> int:
    await ctx.wait_signal(GO)
    return await ctx.call(DOUBLE, n)


@workflow(name="flow")
async def waits_twice(ctx: Context, n: int) -> int:
    await ctx.wait_signal(GO)
    await ctx.wait_signal(GO)
    return await ctx.call(DOUBLE, n)


async def test_a_redrive_says_that_a_signal_was_taken_by_other_code(make_host: MakeHost) -> None:
    host = make_host(app(goes_on))
    await host.start(goes_on)
    host.deploy(app(waits_twice))
    await host.send(SignalMessage("e", "go", 1, "s1"))
    assert host.status() is Status.RUNNING
    host.deploy(app(goes_on))
    await host.redrive()
    assert host.status() is Status.BLOCKED
    host.deploy(app(waits_twice))
    await host.send(Redrive("e"), SignalMessage("e", "go", 1, "s2"))
    await host.answer("1", 2)
    assert host.outcome() == 2


@workflow(name="flow")
async def diverges_then_waits(ctx: Context, n: int) -> int:
    await ctx.call(OTHER, n)
    await ctx.wait_signal(GO)
    return -1


@workflow(name="flow")
async def calls_then_waits(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    got = [await ctx.wait_signal(GO) for _ in range(2)]
    return sum(got)


@pytest.mark.parametrize("live_max", [0, 10])
async def test_signals_of_a_blocked_turn_are_untouched(make_host: MakeHost, live_max: int) -> None:
    host = make_host(app(calls_then_waits), live_max=live_max)
    await host.start(calls_then_waits)
    host.deploy(app(diverges_then_waits), live_max=live_max)
    await host.send(SignalMessage("e", "go", 1, "s1"))
    await host.answer("1", 2)
    await host.send(SignalMessage("e", "go", 10, "s2"))
    assert host.status() is Status.BLOCKED
    host.deploy(app(calls_then_waits), live_max=live_max)
    await host.redrive()
    assert host.outcome() == 11
    assert task_id("e", "1") in [send.task.task_id for send in host.queue.tasks]
