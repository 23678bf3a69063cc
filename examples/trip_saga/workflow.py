"""Book a flight, a hotel and a car; if one of them fails, cancel what is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import Context, RetryPolicy, Service, workflow


@dataclass(frozen=True)
class Trip:
    """What is asked for."""

    traveller: str
    city: str
    nights: int


@dataclass(frozen=True)
class Booking:
    """What one of the companies has confirmed."""

    kind: str
    number: str


@dataclass(frozen=True)
class Itinerary:
    """A trip that is booked as a whole."""

    flight: Booking
    hotel: Booking
    car: Booking


UNTIL_IT_WORKS = RetryPolicy(attempts=100, initial=timedelta(seconds=5), cap=timedelta(hours=1))

FLIGHT = Service("flight", Trip, Booking)
HOTEL = Service("hotel", Trip, Booking)
CAR = Service("car", Trip, Booking)
CANCEL: Service[Booking, None] = Service("cancel", Booking, None, retry=UNTIL_IT_WORKS)


@workflow
async def book_trip(ctx: Context, trip: Trip) -> Itinerary:
    """The itinerary; or the error of the booking that failed, the others cancelled."""
    async with ctx.saga() as saga:
        flight = await ctx.call(FLIGHT, trip)
        saga.on_rollback(CANCEL, flight)
        hotel = await ctx.call(HOTEL, trip)
        saga.on_rollback(CANCEL, hotel)
        car = await ctx.call(CAR, trip)
        return Itinerary(flight, hotel, car)
