"""Service adapters: stand-ins for a warehouse, a bank and two ways to reach a customer."""

from __future__ import annotations

import sys

from examples.order_pipeline.workflow import CHARGE, MAIL, PICK, PUSH, RELEASE, Order, Picking
from lambda_workflow import ServiceError, serve


@serve(PICK)
async def pick(picking: Picking) -> None:
    """The warehouse takes note, and answers in its own time."""
    order = picking.order
    print(f"pick {order.quantity} × {order.item}\n  token: {picking.token}", file=sys.stderr)


@serve(RELEASE)
async def release(reservation: str) -> None:
    """Put the goods back."""
    print(f"released: {reservation}", file=sys.stderr)


@serve(CHARGE)
async def charge(order: Order) -> str:
    """Cards that begin with 0 are declined."""
    if order.card.startswith("0"):
        raise ServiceError("the bank says no", type="CardDeclined", retryable=False)
    return f"receipt-{order.number}"


@serve(MAIL)
async def mail(number: str) -> None:
    """To the customer."""
    print(f"mail: order {number} is on its way", file=sys.stderr)


@serve(PUSH)
async def push(number: str) -> None:
    """To the customer's phone."""
    print(f"push: order {number} is on its way", file=sys.stderr)
