"""The types of maps, branches, polls, sagas and retried blocks; see `tests.typing.api`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_type

from lambda_workflow import (
    Backoff,
    BatchItem,
    BatchResult,
    Context,
    RemoteWorkflow,
    RetryPolicy,
    Saga,
    Service,
    workflow,
)
from tests.typing.api import BALANCE, LEDGER, Balance, LargeTransfer, Receipt, Transfer

SAME = Service("same", Balance, Balance)
REMOTE = RemoteWorkflow("remote", Transfer, Receipt, app="bank")
EVERY = timedelta(minutes=1)


@workflow
async def child(ctx: Context, order: Transfer) -> Receipt:
    return await ctx.call(LEDGER, order)


async def item(ctx: Context, order: Transfer) -> Balance:
    return await ctx.call(BALANCE, order)


async def branch(ctx: Context) -> Balance:
    return Balance(1)


async def later(balance: Balance) -> Balance:
    return balance


def at_once(balance: Balance) -> Balance:
    return balance


async def in_workflow(ctx: Context, balance: Balance) -> Balance:
    return balance


async def look_up(order: Transfer) -> Balance:
    return Balance(order.amount)


async def undo(ctx: Context, receipt: Receipt, times: int) -> None: ...


async def maps(ctx: Context, orders: list[Transfer], large: Sequence[LargeTransfer]) -> None:
    batch = await ctx.map(LEDGER, orders, limit=10)
    assert_type(batch, BatchResult[Receipt])
    assert_type(batch.results(), list[Receipt])
    assert_type(batch[0], BatchItem[Receipt])
    assert_type(batch[0].value, Receipt | None)
    assert_type(batch.errors, list[Exception])
    assert_type(await ctx.map(item, orders), BatchResult[Balance])
    assert_type(await ctx.map(child, orders), BatchResult[Receipt])
    assert_type(await ctx.map(REMOTE, orders), BatchResult[Receipt])
    assert_type(await ctx.map(LEDGER, large, min_successful=1), BatchResult[Receipt])
    await ctx.map(LEDGER, ["order"])  # type: ignore[misc]
    await ctx.map(item, ["order"])  # type: ignore[arg-type]
    await ctx.map(LEDGER, orders, limit="10")  # type: ignore[call-overload]
    await ctx.map(branch, orders)  # type: ignore[arg-type]


async def branches(ctx: Context) -> None:
    assert_type(await ctx.parallel({"a": branch, "b": branch}), BatchResult[Balance])
    assert_type(await ctx.parallel([branch]), BatchResult[Balance])
    await ctx.parallel([item])  # type: ignore[list-item]


async def polls(ctx: Context) -> None:
    first = Balance(0)
    for_all = timedelta(hours=1)
    assert_type(await ctx.poll(SAME, first, until=enough, every=EVERY, timeout=for_all), Balance)
    assert_type(await ctx.poll(later, first, until=enough, every=EVERY), Balance)
    assert_type(await ctx.poll(at_once, first, until=enough, every=EVERY), Balance)
    assert_type(await ctx.poll(in_workflow, first, until=enough, backoff=Backoff()), Balance)
    order = Transfer(1)
    assert_type(await ctx.poll(BALANCE, order, until=enough, every=EVERY, carry=False), Balance)
    assert_type(await ctx.poll(look_up, order, until=enough, every=EVERY, carry=False), Balance)
    await ctx.poll(BALANCE, order, until=enough, every=EVERY)  # type: ignore[arg-type]
    await ctx.poll(SAME, order, until=enough, every=EVERY)  # type: ignore[arg-type]
    await ctx.poll(later, first, until=is_large, every=EVERY)  # type: ignore[arg-type]


def enough(balance: Balance) -> bool:
    return balance.amount > 0


def is_large(order: Transfer) -> bool:
    return order.amount > 1000


async def retries(ctx: Context) -> None:
    order = Transfer(1)
    assert_type(await ctx.retry(item, order, policy=RetryPolicy(attempts=2)), Balance)
    assert_type(await ctx.retry(child, order), Receipt)
    assert_type(await ctx.retry(branch), Balance)
    await ctx.retry(item, "order")  # type: ignore[arg-type]


async def sagas(ctx: Context, receipt: Receipt, order: Transfer) -> None:
    async with ctx.saga(parallel=True) as saga:
        assert_type(saga, Saga)
        saga.on_rollback(LEDGER, order, retry=RetryPolicy())
        saga.on_rollback(child, order)
        saga.on_rollback(REMOTE, order, timeout=EVERY)
        saga.on_rollback(undo, receipt, 3)
        saga.on_rollback(LEDGER, receipt)  # type: ignore[misc]
        saga.on_rollback(undo, receipt)  # type: ignore[arg-type]
