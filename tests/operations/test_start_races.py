"""Two starts of one id at one moment: what each of the two handles is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Context,
    ExecutionAlreadyStarted,
    ExecutionClosed,
    Signal,
    Update,
    UpdateRejected,
    workflow,
)
from lambda_workflow.runtime.client import Handle
from tests.operations.host import Host

ADD = Signal("add", int)
PUT = Update("put", int, int)
TAKEN = "was taken by another start at the same moment"


@workflow
async def quick(ctx: Context, n: int) -> int:
    return 2 * n


@workflow
async def other(ctx: Context, n: int) -> int:
    return 3 * n


@workflow
async def waits(ctx: Context, n: int) -> int:
    return n + await ctx.wait_signal(ADD)


@workflow
async def hears(ctx: Context, n: int) -> int:
    """Adds up what is told within an hour."""
    with suppress(TimeoutError):
        async with asyncio.timeout(3600):
            async for more in ctx.signals(ADD):
                n += more
    return n


@workflow
async def sums(ctx: Context, n: int) -> int:
    async for put in ctx.updates(PUT):
        if put.payload < 0:
            put.reject("no debts")
            continue
        n += put.payload
        put.respond(n)
        if put.payload == 0:
            break
    return n


app = App("races", workflows=[quick, other, waits, hears, sums])


async def both(*starts: Awaitable[Handle[int]]) -> list[Handle[int]]:
    """Each finds the id free: all ask before any has sent."""
    return list(await asyncio.gather(*starts))


@pytest.mark.parametrize("policy", ["fail", "same_request"])
async def test_the_later_of_two_starts_is_refused(host: Host, policy: Any) -> None:
    async with host(app) as client:
        one, two = await both(
            client.start(quick, 1, execution_id="q", on_conflict=policy),
            client.start(quick, 2, execution_id="q", on_conflict=policy),
        )
        ends = await asyncio.gather(host.result(one), host.result(two), return_exceptions=True)
        (result,) = [end for end in ends if not isinstance(end, BaseException)]
        (refused,) = [end for end in ends if isinstance(end, BaseException)]
        assert isinstance(refused, ExecutionAlreadyStarted)
        assert TAKEN in str(refused)
        winner, loser = (one, two) if ends[0] == result else (two, one)
        assert result == (2 if winner is one else 4)
        for asked in (loser.describe, loser.history, loser.redrive, loser.cancel):
            with pytest.raises(ExecutionAlreadyStarted, match="began nothing"):
                await asked()
        assert await winner.result() == result  # the winner is not asked again


async def test_two_equal_starts_share_an_execution_unless_they_are_to_fail(host: Host) -> None:
    async with host(app) as client:
        alike = [client.start(quick, 1, execution_id="q") for _ in range(2)]
        assert [await host.result(handle) for handle in await both(*alike)] == [2, 2]
        strict = [client.start(quick, 1, execution_id="r", on_conflict="fail") for _ in range(2)]
        ends = [await told(host.result, handle) for handle in await both(*strict)]
        assert sorted(ends, key=str) == [2, ExecutionAlreadyStarted]


async def told(ask: Callable[[Handle[int]], Awaitable[int]], handle: Handle[int]) -> object:
    try:
        return await ask(handle)
    except ExecutionAlreadyStarted as error:
        return type(error)


async def test_an_existing_one_of_another_workflow_is_not_gone_on_with(host: Host) -> None:
    async with host(app) as client:
        mine, same, another = await both(
            client.start(quick, 1, execution_id="q", on_conflict="use_existing"),
            client.start(quick, 5, execution_id="q", on_conflict="use_existing"),
            client.start(other, 1, execution_id="q", on_conflict="use_existing"),
        )
        ends = [await told(host.result, handle) for handle in (mine, same, another)]
        assert ends in ([2, 2, ExecutionAlreadyStarted], [10, 10, ExecutionAlreadyStarted]) or (
            ends == [ExecutionAlreadyStarted, ExecutionAlreadyStarted, 3]
        )


async def test_a_handle_knows_its_start_after_the_execution_was_replaced(host: Host) -> None:
    async with host(app) as client:
        first = await client.start(quick, 1, execution_id="q", on_conflict="fail")
        await host.settle()
        again = await client.start(quick, 4, execution_id="q", on_conflict="terminate_existing")
        assert await host.result(again) == 8
        assert await first.result() == 8  # the id has another run now, which came after it


async def test_a_refused_start_s_signal_is_not_taken(host: Host) -> None:
    async with host(app) as client:
        one, two = await both(
            client.start(hears, 1, execution_id="w", signal=(ADD, 10), on_conflict="fail"),
            client.start(hears, 2, execution_id="w", signal=(ADD, 20), on_conflict="fail"),
        )
        ends = [await told(host.result, handle) for handle in (one, two)]
        assert ends in ([11, ExecutionAlreadyStarted], [ExecutionAlreadyStarted, 22])


async def test_a_shared_start_s_signals_are_all_taken(host: Host) -> None:
    async with host(app) as client:
        await both(*(client.start(waits, 1, execution_id="w", signal=(ADD, 10)) for _ in range(2)))
        await host.settle()
        history = await client.history("w")
        heard = [event for turn in history.turns for event in turn.events]
        assert sum(type(event).__name__ == "Signalled" for event in heard) == 2 or (
            history.status.closed  # the first ended it before the second came
        )


# update-with-start


async def test_a_start_with_an_update_returns_the_reply(host: Host) -> None:
    async with host(app) as client:
        handle, reply = await client.start_with_update(sums, 1, PUT, 5)
        assert reply == 6
        assert await handle.update(PUT, 0) == 6
        assert await host.result(handle) == 6


async def test_an_update_goes_to_the_execution_that_is_there(host: Host) -> None:
    async with host(app) as client:
        where: Any = {"execution_id": "s", "on_conflict": "use_existing"}
        assert [
            (await client.start_with_update(sums, n, PUT, 1, update_id=f"u{n}", **where))[1]
            for n in (1, 2, 1)
        ] == [2, 3, 2]  # the third is the first once more
        with pytest.raises(UpdateRejected, match="no debts"):
            await client.start_with_update(sums, 9, PUT, -1, **where)
        handle, reply = await client.start_with_update(sums, 9, PUT, 0, update_id="u0", **where)
        assert await host.result(handle) == reply == 3
        with pytest.raises(ExecutionClosed, match="takes no update"):
            await client.start_with_update(sums, 9, PUT, 1, **where)
        again = await client.start_with_update(sums, 9, PUT, 0, update_id="u0", **where)
        assert again[1] == 3
        with pytest.raises(ExecutionAlreadyStarted):
            await client.start_with_update(sums, 9, PUT, 1, execution_id="s")


async def test_an_update_goes_to_the_execution_that_replaces_another(host: Host) -> None:
    async with host(app) as client:
        where: Any = {"execution_id": "s", "on_conflict": "terminate_existing"}
        for n in (1, 10, 20):
            _, reply = await client.start_with_update(sums, n, PUT, 1, update_id="u", **where)
            assert reply == n + 1


async def test_the_update_of_a_refused_start_changes_nothing(host: Host) -> None:
    async with host(app) as client:
        ends = await asyncio.gather(
            *(
                client.start_with_update(
                    sums, n, PUT, 1, execution_id="s", on_conflict="fail",
                    timeout=timedelta(seconds=60),
                )
                for n in (10, 20)
            ),
            return_exceptions=True,
        )  # fmt: skip
        (refused,) = [end for end in ends if isinstance(end, BaseException)]
        assert isinstance(refused, ExecutionAlreadyStarted)
        (reply,) = [end[1] for end in ends if not isinstance(end, BaseException)]
        assert await client.update("s", PUT, 1) == reply + 1
