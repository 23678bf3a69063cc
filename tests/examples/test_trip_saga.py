"""The trip is booked as a whole or not at all, whichever booking fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from examples.trip_saga.app import app
from examples.trip_saga.services import book_car, book_flight, book_hotel
from examples.trip_saga.workflow import CANCEL, Booking, Itinerary, Trip, book_trip
from lambda_workflow import App, ExecutionFailed, Task, serve
from lambda_workflow.local import Engine, SkippingClock
from tests.cli.command import ROOT, call

TRIP = Trip("ada", "Lisbon", 3)


async def run(trip: Trip, *, refusals: int = 0) -> tuple[Itinerary | None, str, list[Booking]]:
    """The itinerary or the type of the error, and what was cancelled."""
    cancelled: list[Booking] = []

    @serve(CANCEL)
    async def cancel(booking: Booking, task: Task) -> None:
        if task.attempt <= refusals:
            raise ConnectionError("the line is dead")
        cancelled.append(booking)

    agency = App(
        "travel", workflows=[book_trip], adapters=[book_flight, book_hotel, book_car, cancel]
    )
    async with Engine(agency, ":memory:", clock=SkippingClock(), check=True, guard=True) as engine:
        handle = await engine.client.start(book_trip, trip, execution_id="t")
        try:
            return await handle.result(), "", cancelled
        except ExecutionFailed as failed:
            return None, f"{failed.type}: {failed.message}", cancelled


async def test_a_trip_that_can_be_booked_is_booked_and_nothing_is_cancelled() -> None:
    itinerary, _, cancelled = await run(TRIP)
    assert itinerary is not None
    assert [itinerary.flight.kind, itinerary.hotel.kind, itinerary.car.kind] == [
        "flight", "hotel", "car",
    ]  # fmt: skip
    assert cancelled == []


@pytest.mark.parametrize(
    ("trip", "reason", "kinds"),
    [
        (replace(TRIP, nights=100), "NoRoom", ["flight"]),
        (replace(TRIP, city="Venice"), "NoCar", ["hotel", "flight"]),
    ],
)
@pytest.mark.parametrize("refusals", [0, 30])
async def test_what_was_booked_is_cancelled_in_reverse_however_long_that_takes(
    trip: Trip, reason: str, kinds: list[str], refusals: int
) -> None:
    itinerary, error, cancelled = await run(trip, refusals=refusals)
    assert itinerary is None
    assert error.startswith("CallFailed")
    assert reason in error
    assert [booking.kind for booking in cancelled] == kinds


def test_the_rollback_of_the_readme_can_be_seen(tmp_path: Path) -> None:
    done = call(
        ROOT, "run", "examples.trip_saga.app:app", app.workflow("book_trip").name,
        "--input", "@examples/trip_saga/no_car.json", "--skip-time", "--db", str(tmp_path / "db"),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.index("cancelled: hotel") < done.stderr.index("cancelled: flight")
    assert "NoCar" in done.stderr
