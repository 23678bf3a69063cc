"""The public types, as mypy --strict sees them: what they are, and what they refuse.

Nothing here runs. An `assert_type` that is no longer true fails the type check, and so does an
ignore that is no longer needed: each of them stands on a use that must stay an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, assert_type
from uuid import UUID

from lambda_workflow import (
    Adapter,
    App,
    CallFailed,
    CallTimedOut,
    Client,
    Context,
    Later,
    ResultTimeout,
    RetryPolicy,
    Service,
    Task,
    Workflow,
    serve,
    workflow,
)
from lambda_workflow.model.history import History
from lambda_workflow.ports import Header, Page
from lambda_workflow.replay.operations import Call, Step
from lambda_workflow.runtime.client import Handle


@dataclass(frozen=True)
class Transfer:
    amount: int


@dataclass(frozen=True)
class LargeTransfer(Transfer):
    reason: str


@dataclass(frozen=True)
class Balance:
    amount: int


@dataclass(frozen=True)
class Receipt:
    number: str


BALANCE = Service("balance", Transfer, Balance)
LEDGER = Service("ledger", Transfer, Receipt, timeout=timedelta(minutes=5), retry=RetryPolicy())
MAYBE: Service[Transfer, Receipt | None] = Service("maybe", Transfer, Receipt | None)
LISTS: Service[list[int], dict[str, int]] = Service("lists", list[int], dict[str, int])

assert_type(BALANCE, Service[Transfer, Balance])
assert_type(LEDGER, Service[Transfer, Receipt])


# what a workflow gets


@workflow
async def transfer(ctx: Context, order: Transfer) -> Receipt | None:
    assert_type(ctx.call(BALANCE, order), Call[Balance])
    assert_type(await ctx.call(BALANCE, order), Balance)
    assert_type(await ctx.call(BALANCE, LargeTransfer(1, "rent")), Balance)
    assert_type(await ctx.call(MAYBE, order, name="maybe"), Receipt | None)
    assert_type(await ctx.call(LISTS, [1]), dict[str, int])
    both = await asyncio.gather(ctx.call(BALANCE, order), ctx.call(LEDGER, order))
    assert_type(both, tuple[Balance, Receipt])
    many = await asyncio.gather(*[ctx.call(BALANCE, order) for _ in range(3)])
    assert_type(many, list[Balance])
    assert_type(await asyncio.wait_for(ctx.call(BALANCE, order), 5), Balance)
    assert_type(await asyncio.shield(ctx.call(BALANCE, order)), Balance)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(apart(ctx, order))
    assert_type(task.result(), Receipt)
    return await ctx.call(LEDGER, order)


async def apart(ctx: Context, order: Transfer) -> Receipt:
    return await ctx.call(LEDGER, order)


def plain(number: int, text: str) -> bytes:
    return text.encode() * number


async def asynchronous(number: int) -> Balance:
    return Balance(number)


@workflow(name="other-name")
async def around(ctx: Context, n: int) -> str:
    assert_type(ctx.step(plain, 1, "a"), Step[bytes])
    assert_type(await ctx.step(plain, 1, "a"), bytes)
    assert_type(await ctx.step(asynchronous, 1, retry=RetryPolicy(), name="a"), Balance)
    assert_type(await ctx.step(lambda: 1), int)
    assert_type(await transfer(ctx, Transfer(1)), Receipt | None)
    assert_type(ctx.now(), datetime)
    assert_type(ctx.uuid(), UUID)
    assert_type(ctx.random, Random)
    assert_type(ctx.execution_id, str)
    assert_type(ctx.info.started_at, datetime)
    await ctx.sleep(timedelta(days=2))
    await ctx.sleep(ctx.now())
    try:
        await ctx.call(BALANCE, Transfer(1), timeout=timedelta(seconds=1))
    except CallTimedOut as late:
        timed_out: TimeoutError = late
        failed: CallFailed = late
        assert_type((late.service, late.attempts, late.type), tuple[str, int, str])
        raise failed from timed_out
    return "done"


assert_type(transfer, Workflow[Transfer, Receipt | None])
assert_type(around, Workflow[int, str])


# what a workflow may not do


async def wrong_uses(ctx: Context, order: Transfer) -> None:
    await ctx.call(BALANCE, 5)  # type: ignore[misc]  # another payload
    await ctx.call(BALANCE, Balance(5))  # type: ignore[misc]  # another payload
    await ctx.call(BALANCE)  # type: ignore[call-overload]  # none at all
    await ctx.call(BALANCE, order, timeout=5)  # type: ignore[call-overload]  # no unit
    await ctx.call(BALANCE, order, 5)  # type: ignore[call-overload]  # options by name only
    await ctx.call("balance", order)  # type: ignore[call-overload]  # a name is no service
    receipt: Receipt = await ctx.call(BALANCE, order)  # type: ignore[arg-type]  # a Balance
    unawaited: Balance = ctx.call(BALANCE, order)  # type: ignore[assignment]  # a Call
    await ctx.step(plain, "a", 1)  # type: ignore[arg-type, call-arg]  # the arguments swapped
    await ctx.step(plain, 1)  # type: ignore[arg-type]  # one too few
    made = await ctx.step(plain, 1, "a")
    number: int = made  # type: ignore[assignment]  # bytes
    await ctx.sleep(5)  # type: ignore[arg-type]  # no unit
    await transfer(ctx, Balance(1))  # type: ignore[arg-type]  # another request
    del receipt, unawaited, number


@workflow  # type: ignore[arg-type]  # not a coroutine function
def not_async(ctx: Context, n: int) -> int:
    return n


@workflow  # type: ignore[arg-type]  # the context comes first
async def no_context(n: int) -> int:
    return n


@workflow("name")  # type: ignore[call-overload, untyped-decorator]  # the name goes by its name
async def named(ctx: Context, n: int) -> int:
    return n


# what an adapter is


@serve(BALANCE)
async def balance(order: Transfer) -> Balance:
    return Balance(order.amount)


@serve(LEDGER)
def ledger(order: Transfer, task: Task) -> Receipt:
    return Receipt(task.task_id)


@serve(LEDGER)
async def ledger_later(order: Transfer, task: Task) -> Receipt:
    assert_type(task.deadline, datetime | None)
    if task.state is None:
        raise Later(timedelta(minutes=1), {"amount": order.amount})
    return Receipt(task.task_id)


assert_type(balance, Adapter[Transfer, Balance])
assert_type(ledger_later, Adapter[Transfer, Receipt])
assert_type(ledger, Adapter[Transfer, Receipt])


@serve(BALANCE)  # type: ignore[arg-type]  # another result
def wrong_result(order: Transfer) -> Receipt:
    return Receipt("1")


@serve(BALANCE)  # type: ignore[arg-type]  # another result
async def wrong_awaited_result(order: Transfer) -> int:
    return 1


@serve(BALANCE)  # type: ignore[arg-type]  # another payload
def wrong_payload(order: Balance) -> Balance:
    return order


@serve(BALANCE)  # type: ignore[arg-type]  # a narrower payload than the contract's
def narrow_payload(order: LargeTransfer) -> Balance:
    return Balance(1)


app = App("bank", workflows=[transfer, around], services=[BALANCE, LEDGER], adapters=[balance])
App("bank", workflows=[balance])  # type: ignore[list-item]  # an adapter is no workflow
App("bank", workflows=[transfer], services=[ledger])  # type: ignore[list-item]  # nor a service
App("bank", [transfer])  # type: ignore[call-arg]  # parts by name only


# what a client gives


async def uses_a_client(client: Client) -> None:
    handle = await client.start(transfer, Transfer(1), execution_id="order-1")
    assert_type(handle, Handle[Receipt | None])
    assert_type(await handle.result(), Receipt | None)
    assert_type(await handle.result(timedelta(seconds=5)), Receipt | None)
    assert_type(await (await client.start(around, 1)).result(), str)
    assert_type(await client.result("order-1"), Any)
    assert_type(await client.describe("order-1"), Header)
    assert_type(await client.list("transfer", limit=5), Page)
    assert_type((await client.list()).headers, Sequence[Header])
    assert_type(await client.history("order-1"), History)
    assert_type(client.sync.start(transfer, Transfer(1)), str)
    assert_type([header async for header in client.list_all()], list[Header])
    try:
        await handle.result(timedelta(seconds=5))
    except ResultTimeout as late:
        timed_out: TimeoutError = late
        del timed_out


async def misuses_a_client(client: Client) -> None:
    await client.start(transfer, Balance(1))  # type: ignore[misc]  # another request
    await client.start(transfer, {"amount": 1})  # type: ignore[misc]  # not yet of its type
    await client.start("transfer", Transfer(1))  # type: ignore[arg-type]  # a name
    await client.start(transfer)  # type: ignore[call-arg]  # no request
    await client.result("order-1", timeout=5)  # type: ignore[arg-type]  # no unit
    client.sync.start(transfer, 5)  # type: ignore[misc]  # another request
    number: int = await (await client.start(around, 1)).result()  # type: ignore[assignment]  # str
    del number
