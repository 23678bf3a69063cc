"""Signals and conditions: what a running workflow is told reaches it once, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    Context,
    EncodeError,
    ExecutionAlreadyStarted,
    ExecutionClosed,
    ExecutionNotFound,
    Service,
    Signal,
    Status,
    serve,
    workflow,
)
from tests.operations.host import Host


@dataclass(frozen=True)
class Item:
    name: str
    count: int = 1


ADD = Signal("add", Item)
CLOSE = Signal("close", str)
NUMBER = Signal("number", int)
GATE: Service[int, int] = Service("gate", int, int)


@serve(GATE)
async def gate(n: int) -> int:
    return n


@workflow
async def cart(ctx: Context, greeting: str) -> list[str]:
    """Takes items until it is closed."""
    items: list[Item] = []

    async def collect() -> None:
        while True:
            items.append(await ctx.wait_signal(ADD))

    collecting = asyncio.create_task(collect())
    last = await ctx.wait_signal(CLOSE)
    collecting.cancel()
    return [greeting, *(f"{item.count} {item.name}" for item in items), last]


@workflow
async def late_reader(ctx: Context, hours: int) -> list[int]:
    """Looks at its signals only after some time."""
    await ctx.sleep(timedelta(hours=hours))
    return [await ctx.wait_signal(NUMBER) for _ in range(3)]


@workflow
async def stepper(ctx: Context, count: int) -> list[int]:
    """Is told while it is at work."""
    told = []
    for n in range(count):
        await ctx.call(GATE, n)
        told.append(await ctx.wait_signal(NUMBER))
    return told


@workflow
async def rounds(ctx: Context, seen: list[int]) -> list[int]:
    """Begins a new run after every second signal."""
    for _ in range(2):
        seen = [*seen, await ctx.wait_signal(NUMBER)]
    if len(seen) < 6:
        ctx.continue_as_new(seen)
    return seen


@workflow
async def patient(ctx: Context, seconds: int) -> str:
    """Waits for a signal no longer than it may."""
    try:
        async with asyncio.timeout(seconds):
            number = await ctx.wait_signal(NUMBER)
            return f"told {number}"
    except TimeoutError:
        number = await ctx.wait_signal(NUMBER)
        return f"late, then {number}"


@workflow
async def counter(ctx: Context, goal: int) -> int:
    """Waits until a condition over what others keep is true."""
    total = 0

    async def add() -> None:
        nonlocal total
        async for n in ctx.signals(NUMBER):
            total += n

    async with asyncio.TaskGroup() as group:
        adding = group.create_task(add())
        await ctx.wait_until(lambda: total >= goal)
        reached = total
        adding.cancel()
    return reached


app = App(
    "signals",
    workflows=[cart, late_reader, stepper, rounds, patient, counter],
    adapters=[gate],
)


async def test_signals_reach_a_workflow_that_waits_in_the_order_they_were_sent(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(cart, "hello")
        await host.settle()
        for n in range(5):
            await handle.signal(ADD, Item(f"apple{n}", n))
        await client.signal(handle.execution_id, CLOSE, "bye")
        assert await host.result(handle) == ["hello", *(f"{n} apple{n}" for n in range(5)), "bye"]


async def test_a_signal_may_be_sent_before_the_first_turn(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(cart, "hello")
        await handle.signal(CLOSE, "at once")
        assert await host.result(handle) == ["hello", "at once"]


async def test_signals_are_kept_until_somebody_waits_for_them(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(late_reader, 5)
        for n in range(3):
            await handle.signal(NUMBER, n)
            await host.advance(60)
        assert await host.result(handle) == [0, 1, 2]


async def test_a_signal_that_comes_while_a_call_is_under_way_is_taken_after_it(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(stepper, 4)
        for n in range(4):
            await handle.signal(NUMBER, 10 * n)
        assert await host.result(handle) == [0, 10, 20, 30]


async def test_a_signal_that_comes_while_a_step_is_at_work_is_taken_after_it(host: Host) -> None:
    started, told = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        started.set()
        await told.wait()
        return "worked"

    @workflow
    async def works(ctx: Context, n: int) -> list[str]:
        done = await ctx.step(work)
        number = await ctx.wait_signal(NUMBER)
        return [done, f"told {number}"]

    async with host(App("signals", workflows=[works])) as client:
        handle = await client.start(works, 1)
        await started.wait()
        await handle.signal(NUMBER, 7)
        told.set()
        assert await host.result(handle) == ["worked", "told 7"]


async def test_a_signal_sent_again_under_its_id_counts_once(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(late_reader, 1)
        for n, id_ in enumerate(["a", "a", "b", "a", "b", "c"]):
            await handle.signal(NUMBER, n, id=id_)
            await host.settle()
        history = await client.history(handle.execution_id)
        assert history.facts == 4
        assert await host.result(handle) == [0, 2, 5]


async def test_signals_of_other_names_wait_for_their_own_reader(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(counter, 3)
        await handle.signal(CLOSE, "unheard")
        await handle.signal(NUMBER, 3)
        assert await host.result(handle) == 3


async def test_what_is_not_taken_goes_on_into_the_next_run(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(rounds, [])
        await handle.pause()  # or it may have ended before the last one is sent
        for n in range(7):
            await handle.signal(NUMBER, n, id=f"n{n}")
        await handle.resume()
        assert await host.result(handle) == [0, 1, 2, 3, 4, 5]


async def test_a_signal_of_the_run_before_is_known_in_the_next(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(rounds, [])
        for n in range(6):
            await handle.signal(NUMBER, n, id=f"n{n}")
            await host.settle()
            if n < 5:
                await handle.signal(NUMBER, 99, id=f"n{n}")
        assert await host.result(handle) == [0, 1, 2, 3, 4, 5]


async def test_a_signal_and_a_deadline_race_and_nothing_is_lost(host: Host) -> None:
    async with host(app) as client:
        early = await client.start(patient, 100)
        late = await client.start(patient, 100)
        await host.settle()
        await early.signal(NUMBER, 1)
        await host.advance(110)
        await late.signal(NUMBER, 2)
        assert await host.result(early) == "told 1"
        assert await host.result(late) == "late, then 2"


async def test_a_condition_is_seen_when_it_becomes_true(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(counter, 10)
        for n in (4, 5, 3):
            await handle.signal(NUMBER, n)
            await host.settle()
        assert await host.result(handle) == 12


async def test_many_signals_in_one_turn_skip_no_condition(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(counter, 10)
        for n in (4, 5, 3, 100):
            await handle.signal(NUMBER, n)
        assert await host.result(handle) == 12


async def test_who_has_ended_or_never_was_takes_no_signal(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(cart, "hello")
        await handle.signal(CLOSE, "bye")
        await host.result(handle)
        with pytest.raises(ExecutionClosed, match=r"ended \(COMPLETED\): it takes no signal 'add'"):
            await handle.signal(ADD, Item("x"))
        with pytest.raises(ExecutionNotFound, match="no execution nobody"):
            await client.signal("nobody", ADD, Item("x"))
        with pytest.raises(EncodeError, match="signal add"):
            await client.signal("nobody", ADD, "x")  # type: ignore[misc]  # the point of it


async def test_a_start_with_a_signal_begins_or_goes_on(host: Host) -> None:
    async with host(app) as client:
        for n in range(3):
            handle = await client.start(
                cart, f"hello {n}", execution_id="c", on_conflict="use_existing",
                signal=(ADD, Item("pear", n)),
            )  # fmt: skip
            await host.settle()
        with pytest.raises(ExecutionAlreadyStarted):
            await client.start(cart, "another", execution_id="c", signal=(ADD, Item("plum")))
        await handle.signal(CLOSE, "bye")
        assert await host.result(handle) == ["hello 0", "0 pear", "1 pear", "2 pear", "bye"]
        with pytest.raises(ExecutionClosed, match="on_conflict='terminate_existing' begins anew"):
            await client.start(cart, "hello 0", execution_id="c", signal=(ADD, Item("plum")))


async def test_a_start_with_a_signal_sent_again_is_one(host: Host) -> None:
    async with host(app) as client:
        for _ in range(2):
            for _ in range(2):
                handle = await client.start(
                    cart, "hello", execution_id="c", signal=(ADD, Item("pear")), signal_id="first"
                )
            await host.settle()
        await handle.signal(CLOSE, "bye")
        assert await host.result(handle) == ["hello", "1 pear", "bye"]


async def test_large_signals_travel_apart(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(cart, "")
        await handle.signal(ADD, Item("x" * 300_000))
        await handle.signal(CLOSE, "y" * 100_000)
        assert await host.result(handle) == ["", "1 " + "x" * 300_000, "y" * 100_000]
        assert (await client.describe(handle.execution_id)).status is Status.COMPLETED
