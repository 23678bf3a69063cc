"""Move money, if the balance allows it and no fraud is suspected."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel

from lambda_workflow import Context, RetryPolicy, Service, workflow


class Transfer(BaseModel):
    """What is asked for."""

    source: str
    target: str
    amount: Decimal


class Balance(BaseModel):
    """What an account holds."""

    amount: Decimal


class FraudReport(BaseModel):
    """What the fraud check thinks."""

    likely: bool
    score: float


class Receipt(BaseModel):
    """What the ledger has booked."""

    transaction: str
    amount: Decimal


BALANCE = Service("balance", str, Balance)
FRAUD = Service(
    "fraud", Transfer, FraudReport, timeout=timedelta(minutes=5), retry=RetryPolicy(attempts=5)
)
LEDGER = Service("ledger", Transfer, Receipt)


@workflow
async def transfer(ctx: Context, order: Transfer) -> Receipt | None:
    """The receipt, or None when the transfer is declined."""
    balance, fraud = await asyncio.gather(ctx.call(BALANCE, order.source), ctx.call(FRAUD, order))
    if fraud.likely or balance.amount < order.amount:
        ctx.logger.info("declined: balance %s, fraud %s", balance.amount, fraud.score)
        return None
    return await ctx.call(LEDGER, order)
