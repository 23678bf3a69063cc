"""What the end of an execution leaves to others, and what comes after it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.errors import BackendError, ChildTimedOut
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.messages import Cancel, Message, Redrive, Request, Terminate
from lambda_workflow.model.signal import Update
from lambda_workflow.model.tokens import make_token
from lambda_workflow.runtime.intake import Arrival
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host


@workflow
async def child(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n)


@workflow
async def parent(ctx: Context, policy: str) -> int:
    kid = ctx.call(child, 1, id="kid", parent_close="terminate" if policy else "cancel")
    return await kid


@workflow
async def stepping(ctx: Context, n: int) -> list[int]:
    async def for_ever() -> int:
        await asyncio.Event().wait()
        return n

    return list(await asyncio.gather(ctx.call(DOUBLE, n), ctx.step(for_ever)))


ADD: Update[int, int] = Update("add", int, int)


@workflow
async def renewed(ctx: Context, runs: int) -> None:
    approval = ctx.callback(int)
    async for update in ctx.updates(ADD):
        update.respond(await approval if update.payload else runs)
        ctx.continue_as_new(runs + 1)


@workflow
async def leaving(ctx: Context, n: int) -> int:
    async for update in ctx.updates(ADD):
        update.respond(n)
        return update.payload
    return n


BEATEN = Service("beaten", int, int, heartbeat_timeout=timedelta(minutes=30))


@workflow
async def limited(ctx: Context, n: int) -> list[int]:
    hour = timedelta(hours=1)
    kid = ctx.call(child, n, id="kid", timeout=hour, parent_close="terminate")
    return list(await asyncio.gather(kid, ctx.call(BEATEN, n, timeout=hour)))


@workflow
async def resigned(ctx: Context, n: int) -> None:
    with suppress(ChildTimedOut):
        await ctx.call(child, n, id="kid", timeout=timedelta(hours=1), parent_close="terminate")
    await ctx.sleep(timedelta(days=1))


APP = App(
    "tests",
    workflows=[parent, child, stepping, renewed, leaving, limited, resigned],
    services=[DOUBLE, BEATEN],
)
UNKNOWN = App("tests", workflows=[child], services=[DOUBLE])


@pytest.mark.parametrize("policy", ["", "terminate"])
async def test_a_child_whose_start_was_never_sent_is_started_before_it_is_ended(
    make_host: MakeHost, policy: str
) -> None:
    host = make_host(APP)
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.start(parent, policy)
    host.queue.failing = False
    await host.send(Terminate("e"))
    first, second = of_kid(host)
    assert isinstance(first, Request)
    assert isinstance(second, Terminate if policy else Cancel)
    with pytest.raises(BackendError, match="has not started"):  # the start was held up on its way
        await host.send(second)
    for message in (first, second, first, second):
        await host.send(message)
    assert host.status("kid") is (Status.TERMINATED if policy else Status.CANCELLED)


@pytest.mark.parametrize("order", [Cancel, Terminate])
async def test_a_parent_s_order_to_end_what_has_expired_is_discarded_after_some_receives(
    make_host: MakeHost, order: type[Cancel | Terminate]
) -> None:
    host = make_host(APP)
    end = order("kid", "its parent e ended", start="e/1")
    for receives in range(1, RECEIVES_MAX):
        with pytest.raises(BackendError, match="has not started"):
            await host.turns.run("kid", [Arrival(end, receives=receives)])
    result = await host.turns.run("kid", [Arrival(end, receives=RECEIVES_MAX)])
    assert (result.status, result.commits) == (None, 0)
    (told,) = host.notes.of("late")
    assert not told.fields["expected"]  # a warning


async def test_an_order_to_end_that_stands_before_the_start_takes_effect_after_it(
    make_host: MakeHost,
) -> None:
    """The queue had both the wrong way round: the first send of the start had failed."""
    host = make_host(APP)
    start = Request("kid", "child", 1, options=StartOptions("e/1"))
    await host.send(Cancel("kid", "given up", start="e/1"), start)
    assert host.status("kid") is Status.CANCELLED


@pytest.mark.parametrize("blocked", [False, True])
async def test_what_timed_out_is_told_though_the_execution_ends_before_its_code_runs(
    make_host: MakeHost, blocked: bool
) -> None:
    host = make_host(APP)
    await host.start(limited, 1)
    late = host.clock.now() + 3_600_000
    timers = [m.Timer("e", "1:timeout", late), m.Timer("e", "2:timeout", late)]
    host.clock.jump(3_600)
    if blocked:
        host.deploy(UNKNOWN)
        await host.send(*timers)
        assert host.status() is Status.BLOCKED
        await host.send(Terminate("e"))
    else:
        await host.send(*timers, Terminate("e"))
    assert host.status() is Status.TERMINATED
    assert isinstance(of_kid(host)[-1], Terminate)
    assert [task.task_id for task in host.tasks() if task.cancelled] == ["e/2"]


async def test_a_child_that_its_parent_s_code_gave_up_is_not_told_again(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(resigned, 1)
    host.clock.jump(3_600)
    await host.send(m.Timer("e", "1:timeout", host.clock.now()))
    told = of_kid(host)
    assert isinstance(told[-1], Terminate)
    await host.send(Terminate("e"))
    assert host.status() is Status.TERMINATED
    assert of_kid(host) == told


async def test_who_gives_a_child_up_does_not_end_somebody_else_s(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(child, 1, execution_id="kid")
    await host.start(parent, "terminate")
    await host.send(Terminate("e"))
    for message in of_kid(host):
        await host.send(message)
    assert host.status("kid") is Status.RUNNING


async def test_an_ended_execution_does_not_go_on_with_a_step_whose_worker_died(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, live_max=0)
    dying = asyncio.ensure_future(host.start(stepping, 1))
    while not host.history().turns:  # noqa: ASYNC110  # it runs on this very loop
        await asyncio.sleep(0)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    await host.send(Terminate("e"))
    await host.send(Terminate("e"), Redrive("e"))
    assert host.status() is Status.TERMINATED


async def test_who_returns_from_within_an_async_for_is_not_called_stubborn(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(leaving, 1)
    await host.send(m.UpdateRequest("e", "add", 5, "u"))
    assert host.outcome() == 5
    assert not host.notes.of("stubborn")


async def test_what_a_run_was_asked_the_next_one_is_not_asked_again(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(renewed, 1)
    await host.send(m.UpdateRequest("e", "add", 0, "u"))
    await host.send(m.UpdateRequest("e", "add", 0, "u"), m.Signal("e", "unheard", 1, "u"))
    turns = host.history().turns
    asked = [x for turn in turns for x in turn.events if isinstance(x, e.UpdateRequested)]
    heard = [x for turn in turns for x in turn.events if isinstance(x, e.Signalled)]
    assert (len(asked), len(heard)) == (1, 1)
    assert host.history().started is not None


async def test_the_token_of_a_run_that_is_over_answers_nothing(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(renewed, 1, options=e.StartOptions(id="s", secret="secret"))
    await host.send(m.UpdateRequest("e", "add", 0, "u"))
    before = host.history().turns
    await host.send(m.Update("e", "1", 5, token=make_token("secret", "e", "1")))
    assert host.history().turns == before


def of_kid(host: Host) -> list[Message]:
    """What was sent to the child, in order, each once."""
    sent = [send.message for send in host.queue.messages]
    return [message for message in sent if message.execution_id == "kid"]
