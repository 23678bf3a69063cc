"""Messages: Temporal's signals, queries and updates, Azure's external events and custom status."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    Context,
    EncodeError,
    ExecutionClosed,
    ExecutionNotFound,
    Signal,
    Status,
    Update,
    UpdateRejected,
)
from tests.peers.family import Family, World
from tests.peers.services import ADAPTERS, NOTE, Note

family = Family("messages", *ADAPTERS)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class Item:
    """Something that is put into a cart."""

    name: str
    price: int


ADD: Signal[Item] = Signal("add", Item)
CHECK_OUT: Signal[str] = Signal("check-out", str)
DISCOUNT: Update[int, int] = Update("discount", int, int)


@dataclass
class Cart:
    """What a workflow keeps for its queries."""

    total: int = 0
    off: int = 0


@family.workflow
async def cart(ctx: Context, customer: str) -> list[Any]:
    ctx.state = kept = Cart()
    seen: list[str] = []

    async def add() -> None:
        while True:
            item = await ctx.wait_signal(ADD)
            kept.total += item.price
            seen.append(item.name)
            ctx.set_status({"items": len(seen)})

    async def discount() -> None:
        async for update in ctx.updates(DISCOUNT):
            if update.payload > 50:
                update.reject("too much", type="TooMuch", details={"most": 50})
                continue
            kept.off = update.payload
            update.respond(kept.total - kept.off)

    adding, discounting = asyncio.ensure_future(add()), asyncio.ensure_future(discount())
    address = await ctx.wait_signal(CHECK_OUT)
    adding.cancel()
    discounting.cancel()
    return [customer, seen, kept.total - kept.off, address]


@cart.query
def total(ctx: Context) -> int:
    kept: Cart = ctx.state
    return kept.total - kept.off


@cart.query
def is_over(ctx: Context, limit: int) -> bool:
    return bool(ctx.state.total > limit)


@cart.query
def meddles(ctx: Context) -> str:
    return ctx.start(cart, "nobody")


@family.case
async def test_signals_are_taken_in_the_order_of_their_sending(world: World) -> None:
    """Temporal: signals of one name are delivered in order; two names do not mix."""
    handle = await world.start(cart, "ada")
    for n, name in enumerate(("book", "lamp", "pen"), start=1):
        await world.client.signal(handle.execution_id, ADD, Item(name, n))
    await world.settled()
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    assert await world.result(handle) == ["ada", ["book", "lamp", "pen"], 6, "Rome"]


@family.workflow
async def busy_first(ctx: Context, key: str) -> list[str]:
    await ctx.sleep(HOUR)
    return [(await ctx.wait_signal(ADD)).name, await ctx.wait_signal(CHECK_OUT)]


@family.case
async def test_a_signal_before_its_wait_is_kept(world: World) -> None:
    """Temporal and Azure: an event that nobody waits for yet is buffered."""
    handle = await world.start(busy_first, world.key)
    await world.client.signal(handle.execution_id, CHECK_OUT, "early")
    await world.client.signal(handle.execution_id, ADD, Item("early", 1))
    assert await world.result(handle) == ["early", "early"]


@family.case
async def test_a_start_may_carry_a_signal(world: World) -> None:
    """Temporal's signal-with-start: it starts, or signals the one that runs."""
    options = {"execution_id": world.key, "on_conflict": "use_existing"}
    first = (ADD, Item("first", 1))
    handle = await world.start(cart, "ada", signal=first, **options)
    await world.start(cart, "ada", signal=(ADD, Item("second", 2)), **options)
    await world.client.signal(world.key, CHECK_OUT, "Oslo")
    assert await world.result(handle) == ["ada", ["first", "second"], 3, "Oslo"]


@family.workflow
async def event_or_timer(ctx: Context, minutes: int) -> str:
    try:
        async with asyncio.timeout(minutes * 60):
            return await ctx.wait_signal(CHECK_OUT)
    except TimeoutError:
        return "nobody came"


@family.case
async def test_an_event_races_a_timer(world: World) -> None:
    """Azure's wait_for_external_event with a timeout."""
    assert await world.run(event_or_timer, 30) == "nobody came"


@family.case
async def test_an_event_in_time_wins(world: World) -> None:
    """Azure's wait_for_external_event with a timeout."""
    handle = await world.start(event_or_timer, 30)
    await world.at(10 * MINUTE)
    await world.client.signal(handle.execution_id, CHECK_OUT, "here")
    assert await world.result(handle) == "here"


@family.workflow
async def any_event(ctx: Context, key: str) -> str:
    waits = {
        asyncio.ensure_future(ctx.wait_signal(CHECK_OUT)): "checked out",
        asyncio.ensure_future(ctx.sleep(300 * 24 * HOUR)): "expired",
    }
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return waits[done.pop()]


@family.case
async def test_the_first_of_several_events(world: World) -> None:
    """Azure's `task_any`."""
    handle = await world.start(any_event, world.key)
    await world.client.signal(handle.execution_id, CHECK_OUT, "go")
    assert await world.result(handle) == "checked out"


@family.case
async def test_a_signal_of_another_type_is_refused_where_it_is_sent(world: World) -> None:
    """Temporal drops what cannot be decoded; here it is not sent."""
    handle = await world.start(cart, "ada")
    wrong: Any = "a book"
    await world.refused(world.client.signal(handle.execution_id, ADD, wrong), EncodeError)
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    assert await world.result(handle) == ["ada", [], 0, "Rome"]


@family.case
async def test_a_signal_to_what_has_ended_is_refused(world: World) -> None:
    """Temporal's NotFound, Azure's Gone: the sender learns of it."""
    handle = await world.start(event_or_timer, 1)
    await world.result(handle)
    signal = world.client.signal(handle.execution_id, CHECK_OUT, "late")
    await world.refused(signal, ExecutionClosed)
    signal = world.client.signal(f"{world.key}-nobody", CHECK_OUT, "lost")
    await world.refused(signal, ExecutionNotFound)


@family.case
async def test_queries_read_what_the_workflow_keeps(world: World) -> None:
    """Temporal's queries: with and without an argument, while it runs and when it has ended."""
    handle = await world.start(cart, "ada")
    assert await world.client.query(handle.execution_id, total) == 0
    await world.client.signal(handle.execution_id, ADD, Item("book", 30))
    await world.settled()
    assert await world.client.query(handle.execution_id, total) == 30
    assert await world.client.query(handle.execution_id, is_over, 20)
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    await world.result(handle)
    assert await world.client.query(handle.execution_id, total) == 30


@family.case
async def test_a_query_can_change_nothing(world: World) -> None:
    """Temporal: a query handler must not mutate, nor start anything."""
    handle = await world.start(cart, "ada")
    words = await world.refused(world.client.query(handle.execution_id, meddles), Exception)
    assert "query" in words
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    assert await world.result(handle) == ["ada", [], 0, "Rome"]


@family.case
async def test_an_update_is_answered_by_the_running_workflow(world: World) -> None:
    """Temporal's updates: the reply tells the state after it."""
    handle = await world.start(cart, "ada")
    await world.client.signal(handle.execution_id, ADD, Item("lamp", 40))
    asked = asyncio.ensure_future(world.client.update(handle.execution_id, DISCOUNT, 10))
    await world.settled()
    assert await asked == 30
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    assert await world.result(handle) == ["ada", ["lamp"], 30, "Rome"]


@family.case
async def test_an_update_may_be_rejected(world: World) -> None:
    """Temporal's update validators: the reason reaches who asked, and nothing changes."""
    handle = await world.start(cart, "ada")
    asked = asyncio.ensure_future(world.client.update(handle.execution_id, DISCOUNT, 90))
    await world.settled()
    words = await world.refused(asked, UpdateRejected)
    assert "too much" in words
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    assert await world.result(handle) == ["ada", [], 0, "Rome"]


@family.case
async def test_an_update_of_what_has_ended_is_refused(world: World) -> None:
    """Temporal's "workflow execution already completed"."""
    handle = await world.start(event_or_timer, 1)
    await world.result(handle)
    update = world.client.update(handle.execution_id, DISCOUNT, 1)
    await world.refused(update, ExecutionClosed)


@family.case
async def test_a_custom_status_is_read_without_running_code(world: World) -> None:
    """Azure's custom status: set by the orchestrator, shown to whoever looks."""
    handle = await world.start(cart, "ada")
    for n in range(2):
        await world.client.signal(handle.execution_id, ADD, Item(f"{n}", 1))
    await world.settled()
    assert (await world.header(handle)).custom == {"items": 2}
    await world.client.signal(handle.execution_id, CHECK_OUT, "Rome")
    await world.result(handle)


@family.workflow
async def paused(ctx: Context, key: str) -> list[str]:
    said = await ctx.wait_signal(CHECK_OUT)
    return [said, await ctx.call(NOTE, Note(key, said))]


@family.case
async def test_what_comes_to_a_paused_execution_is_kept(world: World) -> None:
    """Azure's suspend and resume: events are buffered until it goes on."""
    handle = await world.start(paused, world.key)
    await world.client.pause(handle.execution_id, "lunch")
    await world.settled()
    await world.client.signal(handle.execution_id, CHECK_OUT, "kept")
    await world.settled()
    header = await world.header(handle)
    assert (header.status, header.reason, world.log) == (Status.PAUSED, "lunch", [])
    await world.client.resume(handle.execution_id)
    assert await world.result(handle) == ["kept", "KEPT"]


@family.workflow
async def wrong_type(ctx: Context, _: None) -> str:
    """Reads the signal `add` as another App might have sent it."""
    other: Signal[int] = Signal("check-out", int)
    received = await ctx.wait_signal(other)
    return f"{received}"


@family.case
async def test_a_signal_that_cannot_be_read_is_refused_where_it_is_sent(world: World) -> None:
    """Temporal drops it with a warning; here its sender is told, and nothing is sent."""
    handle = await world.start(wrong_type, None)
    untyped: Signal[object] = Signal("check-out", object)
    with pytest.raises(EncodeError, match="allowed integer"):
        await world.client.signal(handle.execution_id, untyped, "no number")
    await world.client.signal(handle.execution_id, untyped, 7)
    assert await world.result(handle) == "7"
