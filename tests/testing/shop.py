"""A small shop: the workflow that these tests simulate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import NO_RETRY, CallFailed, Context, RetryPolicy, Service, workflow


@dataclass(frozen=True)
class Order:
    item: str
    amount: int = 1


@dataclass(frozen=True)
class Receipt:
    number: int


CHARGE = Service("charge", Order, Receipt, retry=RetryPolicy(attempts=3, jitter=0))
SHIP = Service("ship", Order, str, retry=NO_RETRY)
CANCEL = Service("cancel", Order, bool)


@workflow
async def sell(ctx: Context, order: Order) -> str:
    receipt = await ctx.call(CHARGE, order)
    await ctx.sleep(timedelta(days=3))
    return f"{await ctx.call(SHIP, order)} for {receipt.number}"


@workflow
async def sell_in_time(ctx: Context, order: Order) -> str:
    try:
        async with asyncio.timeout(30):
            return await ctx.call(SHIP, order)
    except TimeoutError:
        await ctx.call(CANCEL, order)
        return "cancelled"


@workflow
async def sell_or_fail(ctx: Context, order: Order) -> int:
    try:
        return (await ctx.call(CHARGE, order)).number
    except CallFailed as failed:
        raise ValueError(f"no money: {failed.message}") from failed
