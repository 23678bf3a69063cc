"""Validate an order, reserve its goods, charge the card, tell the customer; or fail as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import Context, OperationFailed, RetryPolicy, Service, workflow

ITEMS_MAX = 100


class OrderFailed(Exception):
    """The order was not carried out, and nothing of it is left."""


@dataclass(frozen=True)
class Order:
    """What a customer wants."""

    number: str
    item: str
    quantity: int
    card: str


@dataclass(frozen=True)
class Picking:
    """What the warehouse is asked for; it answers with the token, and beats while it looks."""

    order: Order
    token: str


@dataclass(frozen=True)
class Reservation:
    """What the warehouse has put aside."""

    number: str
    shelf: str


@dataclass(frozen=True)
class Confirmation:
    """An order that was carried out."""

    number: str
    shelf: str
    receipt: str
    told: list[str]


UNTIL_IT_WORKS = RetryPolicy(attempts=100, initial=timedelta(seconds=5), cap=timedelta(hours=1))

PICK: Service[Picking, None] = Service("pick", Picking, None)
RELEASE: Service[str, None] = Service("release", str, None, retry=UNTIL_IT_WORKS)
CHARGE = Service("charge", Order, str)
MAIL: Service[str, None] = Service("mail", str, None)
PUSH: Service[str, None] = Service("push", str, None)


def validate(order: Order) -> None:
    """Refuse what makes no sense."""
    if not 1 <= order.quantity <= ITEMS_MAX:
        raise OrderFailed(f"order {order.number}: from 1 to {ITEMS_MAX} of an item")


async def reserve(ctx: Context, order: Order) -> Reservation:
    """Ask the warehouse, and wait as long as it says every 30 seconds that it is still looking."""
    answer = ctx.callback(Reservation, heartbeat_timeout=timedelta(seconds=30), name="reserve")
    await ctx.call(PICK, Picking(order, answer.token))
    return await answer


@workflow
async def process_order(ctx: Context, order: Order) -> Confirmation:
    """The confirmation; or OrderFailed, with what was reserved released."""
    validate(order)
    try:
        async with ctx.saga() as saga:
            reservation = await reserve(ctx, order)
            saga.on_rollback(RELEASE, reservation.number)
            receipt = await ctx.call(CHARGE, order)
    except OperationFailed as failed:
        raise OrderFailed(f"order {order.number}: {failed.type}: {failed.message}") from failed
    told = await ctx.parallel(
        {
            "mail": lambda ctx: ctx.call(MAIL, order.number),
            "push": lambda ctx: ctx.call(PUSH, order.number),
        },
        tolerated_failures=2,  # the order is paid for: it does not fail for want of a mail
    )
    reached = [item.name for item in told if item.status == "SUCCEEDED" and item.name]
    return Confirmation(order.number, reservation.shelf, receipt, reached)
