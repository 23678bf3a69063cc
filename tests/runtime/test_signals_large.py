"""Thousands of signals to one workflow: time, memory and history grow with their number."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest

from benchmarks.signals import MANY, WAYS, run

FEW, SOME = 200, 1_000
GROWTH = SOME / FEW


def seconds_of(count: int, way: str) -> float:
    """CPU time of a whole execution; the benchmark checks its result."""
    gc.collect()
    start = time.process_time()
    asyncio.run(run(count, way))
    return time.process_time() - start


@pytest.mark.parametrize("way", WAYS)
def test_their_time_is_linear(way: str) -> None:
    few = min(seconds_of(FEW, way) for _ in range(3))
    some = min(seconds_of(SOME, way) for _ in range(2))
    assert some < 3 * GROWTH * few  # quadratic would be five times


def test_five_thousand_are_taken_in_order() -> None:
    assert asyncio.run(run(MANY, "takes"))["history_bytes"] < 200


def test_their_memory_and_history_are_linear() -> None:
    peaks, sizes = {}, {}
    for count in (FEW, SOME):
        tracemalloc.start()
        sizes[count] = asyncio.run(run(count, "kept"))["history_bytes"]
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[SOME] < 1.2 * GROWTH * peaks[FEW]
    assert peaks[SOME] / SOME < 4_000  # bytes: its turn, the ids it is known by, twice for a query
    assert sizes[SOME] < 200
