"""Updates, queries and the custom status: asking a workflow, with and without its code running."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    DecodeError,
    EncodeError,
    ExecutionClosed,
    ExecutionError,
    ExecutionNotFound,
    ResultTimeout,
    Service,
    Signal,
    Status,
    Update,
    UpdateRejected,
    WorkflowError,
    serve,
    workflow,
)
from lambda_workflow.model.messages import UpdateRequest
from lambda_workflow.ports import SendMessage
from tests.operations.host import Host

SOON = timedelta(seconds=0.3)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Price:
    cents: int
    reason: str = ""


@dataclass(frozen=True)
class Progress:
    done: int
    of: int = 3


SET_PRICE = Update("set_price", Price, Price)
NUDGE = Update("nudge", int, str)
GO = Signal("go", int)
DOUBLE: Service[int, int] = Service("double", int, int)
UNKNOWN: Service[int, int] = Service("unknown", int, int)


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@workflow
async def offer(ctx: Context, first: Price) -> int:
    """Its price may be lowered until it is told to go."""
    ctx.state = price = [first]

    async def bargain() -> None:
        async for call in ctx.updates(SET_PRICE):
            if call.payload.cents > price[-1].cents:
                call.reject("dearer than before", type="TooDear", details={"at": price[-1].cents})
                continue
            before = price[-1]
            price.append(Price(await ctx.call(DOUBLE, call.payload.cents)))
            call.respond(before)

    bargaining = asyncio.create_task(bargain())
    n = await ctx.wait_signal(GO)
    bargaining.cancel()
    return n + price[-1].cents


@offer.query
def price_now(ctx: Context) -> Price:
    return ctx.state[-1]  # type: ignore[no-any-return]  # the state is whatever it keeps


@offer.query
def price_before(ctx: Context, steps: int) -> Price:
    return ctx.state[-1 - steps]  # type: ignore[no-any-return]


@offer.query
def wrong(ctx: Context) -> int:
    return str(ctx.state)  # type: ignore[return-value]  # the point of it


@offer.query
def meddles(ctx: Context, how: str) -> int:
    match how:
        case "call":
            ctx.call(DOUBLE, 1)
        case "send":
            ctx.send(DOUBLE, 1)
        case "step":
            ctx.step(lambda: 1)
        case "status":
            ctx.set_status("meddled")
        case "callback":
            ctx.callback(int)
        case "patch":
            ctx.patched("meddled")
        case "start":
            ctx.start(steps, 1)
        case "renew":
            ctx.continue_as_new(Price(1))
        case _:
            pass
    ctx.state.append(Price(0))
    return 0


@workflow
async def steps(ctx: Context, count: int) -> int:
    """Says how far it is."""
    ctx.set_status(Progress(7))
    for n in range(count):
        ctx.set_status("on the way")
        ctx.set_status(Progress(n, count))
        await ctx.wait_signal(GO)
    ctx.set_status(Progress(count, count))
    return count


@steps.query
def told(ctx: Context) -> str:
    return f"{ctx.execution_id} {ctx.history_length}"


@workflow
async def deaf(ctx: Context, n: int) -> int:
    """Listens to no update."""
    return await ctx.wait_signal(GO)


@workflow
async def renews(ctx: Context, n: int) -> int:
    """Begins a new run instead of a reply."""
    async for call in ctx.updates(NUDGE):
        if n == call.payload:
            call.respond("there")
            return n
        break
    ctx.continue_as_new(n + 1)


@workflow
async def wordy(ctx: Context, characters: int) -> int:
    ctx.set_status("x" * characters)
    return await ctx.wait_signal(GO)


@workflow
async def stuck(ctx: Context, n: int) -> int:
    return await ctx.call(UNKNOWN, n)


@stuck.query
def any_news(ctx: Context) -> str:
    return "no"


app = App("asked", workflows=[offer, steps, deaf, renews, wordy, stuck], adapters=[double])


# updates


async def test_an_update_is_answered_by_the_running_workflow(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        assert await handle.update(SET_PRICE, Price(40)) == Price(100)
        assert await client.update(handle.execution_id, SET_PRICE, Price(30)) == Price(80)
        await handle.signal(GO, 1)
        assert await host.result(handle) == 61


async def test_an_update_is_refused_with_the_workflow_s_own_words(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        with pytest.raises(UpdateRejected) as refused:
            await handle.update(SET_PRICE, Price(400))
        assert (refused.value.type, refused.value.details) == ("TooDear", {"at": 100})
        assert str(refused.value).endswith("refused update 'set_price': dearer than before")


async def test_an_update_that_is_not_of_its_type_is_refused(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        with pytest.raises(EncodeError, match="update set_price"):
            await handle.update(SET_PRICE, 40)  # type: ignore[misc]  # the point of it
        loose = Update("set_price", dict[str, Any], Price)  # whoever asks has other types
        with pytest.raises(UpdateRejected, match="cents") as refused:
            await handle.update(loose, {"cents": "a lot"})
        assert refused.value.type == "DecodeError"
        assert await handle.update(loose, {"cents": 1}) == Price(100)


async def test_an_update_asked_again_under_its_id_is_one(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        for _ in range(3):
            assert await handle.update(SET_PRICE, Price(40), id="once") == Price(100)
            await host.settle()
        asked = UpdateRequest(handle.execution_id, "set_price", {"cents": 40}, "once")
        await client.backend.queue.send_messages([SendMessage(asked, "later")])
        await handle.signal(GO, 0)
        assert await host.result(handle) == 80
        assert await handle.update(SET_PRICE, Price(40), id="once") == Price(100)


async def test_an_update_that_nobody_answers_is_told_of_the_end(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(deaf, 1)
        waiting = asyncio.ensure_future(handle.update(NUDGE, 1, timeout=SOON))
        await host.advance(5)
        with pytest.raises(ResultTimeout, match=r"is RUNNING and may still reply: ask again with"):
            await waiting
        asking = asyncio.ensure_future(handle.update(NUDGE, 1))
        await host.settle()
        await handle.signal(GO, 5)
        with pytest.raises(ExecutionClosed, match=r"\(COMPLETED\): it did not reply to 'nudge'"):
            await asking
        with pytest.raises(ExecutionClosed, match=r"\(COMPLETED\): it takes no update 'nudge'"):
            await handle.update(NUDGE, 1)
        with pytest.raises(ExecutionNotFound, match="no execution nobody"):
            await client.update("nobody", NUDGE, 1)


async def test_an_update_that_meets_a_new_run_is_to_be_asked_again(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(renews, 1)
        with pytest.raises(UpdateRejected, match="it continued as new without a reply") as refused:
            await handle.update(NUDGE, 2)
        assert refused.value.type == "RunEnded"
        assert await handle.update(NUDGE, 2) == "there"
        assert await host.result(handle) == 2


async def test_large_updates_and_replies_travel_apart(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100, "x" * 100_000))
        assert await handle.update(SET_PRICE, Price(40, "y" * 300_000)) == Price(100, "x" * 100_000)
        await handle.signal(GO, 1)
        assert await host.result(handle) == 81


# queries


async def test_a_query_reads_what_a_running_workflow_keeps(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        await host.settle()
        assert await handle.query(price_now) == Price(100)
        await handle.update(SET_PRICE, Price(40))
        assert await client.query(handle.execution_id, price_now) == Price(80)
        assert await handle.query(price_before, 1) == Price(100)
        await handle.signal(GO, 1)
        await host.result(handle)
        assert await handle.query(price_now) == Price(80)


async def test_a_query_writes_and_sends_nothing(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        await handle.update(SET_PRICE, Price(40))
        await host.settle()
        before = await client.history(handle.execution_id)
        for how in ("call", "send", "step", "status", "callback", "patch", "start", "renew"):
            with pytest.raises(WorkflowError, match="a query can change nothing"):
                await handle.query(meddles, how)
        await handle.query(meddles, "memory")
        assert await handle.query(price_now) == Price(80)
        await host.settle()
        assert (await client.history(handle.execution_id)).turns == before.turns
        await handle.signal(GO, 1)
        assert await host.result(handle) == 81


async def test_what_a_query_gets_wrong_is_raised(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100))
        await host.settle()
        with pytest.raises(IndexError):
            await handle.query(price_before, 5)
        with pytest.raises(EncodeError, match="argument of query price_before"):
            await handle.query(price_before, "one")  # type: ignore[misc]  # the point of it
        with pytest.raises((EncodeError, DecodeError), match="answer of query wrong"):
            await handle.query(wrong)
        with pytest.raises(ConfigurationError, match=r"has no Query\('told' of 'steps'\)"):
            await handle.query(told)
        with pytest.raises(ExecutionNotFound):
            await client.query("nobody", told)


async def test_a_blocked_execution_says_why_it_cannot_be_queried(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(stuck, 1)
        await host.settle()
        with pytest.raises(ExecutionError, match="is BLOCKED and cannot be queried: UnknownServi"):
            await handle.query(any_news)


async def test_a_paused_execution_answers_as_of_then(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(steps, 3)
        await handle.signal(GO, 1)
        await host.settle()
        before = await handle.query(told)
        await handle.pause()
        await handle.signal(GO, 1)
        await host.settle()
        assert await handle.query(told) == before
        await handle.resume()
        await host.settle()
        assert await handle.query(told) != before


async def test_an_execution_that_was_ended_from_outside_can_be_queried(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(offer, Price(100), execution_timeout=HOUR)
        other = await client.start(offer, Price(7), delay=HOUR)
        await host.settle()
        await other.terminate()
        await host.advance(3700)
        assert (await handle.describe()).status is Status.TIMED_OUT
        assert await handle.query(price_now) == Price(100)
        with pytest.raises(TypeError):
            await other.query(price_now)  # its code never began: there is no state


# the custom status


async def test_a_status_is_the_last_that_was_said_in_a_turn(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(steps, 3)
        await host.settle()
        for done in range(3):
            header = await handle.describe()
            assert header.custom_as(Progress) == Progress(done)
            (listed,) = (await client.list("steps")).headers
            assert listed == header
            await handle.signal(GO, 1)
            await host.settle()
        assert await host.result(handle) == 3
        assert (await handle.describe()).custom == {"done": 3, "of": 3}


async def test_a_status_of_another_type_is_an_error(host: Host) -> None:
    async with host(app) as client:
        quiet = await client.start(deaf, 3)
        handle = await client.start(steps, 3)
        await host.settle()
        assert (await quiet.describe()).custom_as(Progress) is None
        with pytest.raises(DecodeError, match="status of"):
            (await handle.describe()).custom_as(Price)


async def test_a_status_that_no_listing_could_hold_stays_in_the_history(host: Host) -> None:
    async with host(app) as client:
        short = await client.start(wordy, 20_000)
        long = await client.start(wordy, 50_000)
        await host.settle()
        assert (await short.describe()).custom == "x" * 20_000
        assert (await long.describe()).custom is None
        await long.signal(GO, 1)
        assert await host.result(long) == 1
