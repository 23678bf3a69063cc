"""Service adapters of the three companies: stand-ins that know what they do not offer."""

from __future__ import annotations

import sys

from examples.trip_saga.workflow import CANCEL, CAR, FLIGHT, HOTEL, Booking, Trip
from lambda_workflow import ServiceError, Task, serve

NIGHTS_MAX = 14
WITHOUT_CARS = ("Venice", "Zermatt")


@serve(FLIGHT)
async def book_flight(trip: Trip, task: Task) -> Booking:
    """There is always a flight; the task id makes a repeated attempt the same booking."""
    return Booking("flight", f"F-{task.task_id}")


@serve(HOTEL)
async def book_hotel(trip: Trip, task: Task) -> Booking:
    """Nobody may stay for ever."""
    if trip.nights > NIGHTS_MAX:
        raise ServiceError(f"at most {NIGHTS_MAX} nights", type="NoRoom", retryable=False)
    return Booking("hotel", f"H-{task.task_id}")


@serve(CAR)
async def book_car(trip: Trip, task: Task) -> Booking:
    """Some cities have no streets."""
    if trip.city in WITHOUT_CARS:
        raise ServiceError(f"no cars in {trip.city}", type="NoCar", retryable=False)
    return Booking("car", f"C-{task.task_id}")


@serve(CANCEL)
async def cancel(booking: Booking, task: Task) -> None:
    """The desk that cancels is busy at first."""
    if task.attempt == 1:
        raise ServiceError("all our agents are busy", type="Busy")
    print(f"cancelled: {booking.kind} {booking.number}", file=sys.stderr)
