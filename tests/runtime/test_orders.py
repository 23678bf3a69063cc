"""Orders that are delivered again: in the same run, in a later one, after the opposite order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from lambda_workflow import App, BackendError, Context, Status, workflow
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import CancelRequested, StartOptions
from lambda_workflow.model.history import SEEN_MAX
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

DAY = timedelta(days=1)


@workflow
async def stubborn(ctx: Context, cancelled: int) -> int:
    """A cancellation makes it begin anew."""
    try:
        await ctx.sleep(DAY)
    except asyncio.CancelledError:
        ctx.continue_as_new(cancelled + 1)
    return cancelled


@workflow
async def caller(ctx: Context, n: int) -> int:
    ctx.send(OTHER, n)
    return await ctx.call(DOUBLE, n) + await ctx.call(DOUBLE, n + 1)


@workflow
async def over(ctx: Context, n: int) -> int:
    """Takes no time."""
    ctx.send(OTHER, n)
    return n


APP = App("orders", workflows=[stubborn, caller, over], services=[DOUBLE, OTHER])
BARE = App("orders", workflows=[], services=[DOUBLE, OTHER])


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP, check=True)


def run_number(host: Host) -> int:
    """Which run is under way."""
    started = host.history().started
    assert started is not None
    return started.run.number


@pytest.mark.parametrize("evicted", [True, False])
async def test_a_cancellation_that_comes_again_does_not_reach_the_next_run(
    host: Host, evicted: bool
) -> None:
    await host.start(stubborn, 0)
    order = m.Cancel("e", "enough", id="c1")
    for _ in range(3):
        await host.send(order)
        if evicted:
            host.turns.evict("e")
        assert run_number(host) == 2
    await host.send(m.Cancel("e", "enough", id="c2"))
    await host.send(order)
    assert run_number(host) == 3
    await host.wait(86_401)
    assert host.outcome() == 2


async def test_a_cancellation_without_an_id_is_for_the_present_run(host: Host) -> None:
    await host.start(stubborn, 0)
    for run in (2, 3, 4):
        await host.send(m.Cancel("e", "enough"))
        assert run_number(host) == run


async def test_a_second_cancellation_of_a_run_is_none_of_the_next(host: Host) -> None:
    """Both are recorded, and the second changes nothing, whenever it comes."""
    await host.start(caller)
    orders = [m.Cancel("e", reason, grace_ms=1_000, id=reason) for reason in ("one", "two")]
    await host.send(*orders)
    await host.send(*orders)
    (ended,) = [turn for turn in host.history().turns if turn.status.closed]
    assert [e.id for e in ended.events if isinstance(e, CancelRequested)] == ["one", "two"]
    assert (ended.status, ended.commands[-1].operation) == (Status.CANCELLED, "")
    assert len(host.history().turns) == 2


async def test_what_is_known_of_orders_is_bounded(host: Host) -> None:
    await host.start(stubborn, 0)
    orders = [m.Pause("e", id=f"p{n}") for n in range(SEEN_MAX + 5)]
    await host.send(*orders, m.Resume("e", id="r"), m.Cancel("e", id="c"))
    started = host.history().started
    assert started is not None
    assert len(started.run.seen) == SEEN_MAX
    assert started.run.seen[-2:] == ("order:r", "order:c")


async def test_a_pause_that_comes_again_holds_nothing(host: Host) -> None:
    await host.start(caller)
    pause = m.Pause("e", "lunch", id="p")
    await host.send(pause, m.Resume("e", id="r"))
    turns = len(host.history().turns)
    await host.send(pause)
    host.turns.evict("e")
    await host.send(pause)
    assert (host.status(), len(host.history().turns)) == (Status.RUNNING, turns)
    await host.send(m.Pause("e", "tea", id="p2"))
    await host.send(m.Resume("e", id="r"))
    assert host.status() is Status.PAUSED


@pytest.mark.parametrize("ids", [("p", "r"), ("", "")], ids=["with ids", "without"])
async def test_orders_that_come_again_send_what_the_first_ones_were_to(
    host: Host, ids: tuple[str, str]
) -> None:
    """A worker dies when it has stored the turn of the Resume, before it has sent anything."""
    request = m.Request("e", "caller", 1)
    pause, resume = m.Pause("e", "lunch", ids[0]), m.Resume("e", ids[1])
    await host.send(request, pause)
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.send(resume)
    host.queue.failing = False
    assert host.sent() == []
    host.turns = host.worker(check=True)
    await host.send(request, pause, resume)
    assert host.status() is Status.RUNNING
    assert sorted(host.sent()) == [("1", 1), ("2", 1)]


@pytest.mark.parametrize("code", [caller, over], ids=["goes on", "has ended"])
async def test_a_redrive_that_comes_again_sends_what_nobody_answers(
    host: Host, code: object
) -> None:
    """A worker dies when it has stored the turn of the redrive, before it has sent anything."""
    name = "caller" if code is caller else "over"
    host.deploy(BARE)
    await host.send(m.Request("e", name, 1))
    assert host.status() is Status.BLOCKED
    host.deploy(APP, check=True)
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.send(m.Redrive("e", "r"))
    host.queue.failing = False
    assert host.sent() == []
    host.turns = host.worker(check=True)
    answered = [m.Update("e", "2", 2, None, 1)] if code is caller else []
    await host.send(m.Redrive("e", "r"), *answered)
    assert ("1", 1) in host.sent()


async def test_a_redrive_sends_once_under_its_id(host: Host) -> None:
    await host.start(caller)
    host.queue.tasks.clear()
    for known_by in ("r1", "r1", "r2"):
        await host.send(m.Redrive("e", known_by))
        await host.memory.advance(1)
    names = [send.deduplication for send in host.queue.tasks]
    assert len(names) == 3
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("code", [m.Terminate, m.Cancel])
async def test_an_order_to_one_execution_does_not_end_the_one_that_takes_its_id(
    host: Host, code: type[m.Terminate | m.Cancel]
) -> None:
    await host.start(caller)
    order = code("e", "enough", id="o")
    await host.send(order)
    options = StartOptions(id="anew")
    await host.send(m.Request("e", "caller", 2, options=options, replace=True))
    turns = len(host.history().turns)
    for _ in range(2):
        await host.send(order)
        host.turns.evict("e")
    assert (host.status(), len(host.history().turns)) == (Status.RUNNING, turns)
    await host.send(code("e", "enough", id="o2"))
    assert host.status().closed
