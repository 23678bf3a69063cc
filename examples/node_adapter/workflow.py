"""Parcels get labels from a carrier, whose client there is for Node.js alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import CallFailed, Context, Service, workflow


@dataclass(frozen=True)
class Shipment:
    """What is sent: the weight of each parcel, in grams."""

    recipient: str
    parcels: list[int]


@dataclass(frozen=True)
class Labels:
    """What the carrier has printed."""

    numbers: list[str]
    cents: int


LABEL = Service("label", Shipment, Labels, heartbeat_timeout=timedelta(minutes=1))


@workflow
async def ship(ctx: Context, shipment: Shipment) -> str:
    """Send it, or say why not."""
    try:
        labels = await ctx.call(LABEL, shipment)
    except CallFailed as refused:
        return f"not sent: {refused.type}: {refused.message}"
    return f"{', '.join(labels.numbers)} for {labels.cents / 100:.2f}"
