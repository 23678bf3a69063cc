"""A map over 10,000 items: time and memory grow with their number, and no faster."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest

from benchmarks.map import FEW, MANY, run

GROWTH = MANY / FEW


def seconds_of(items: int, limit: int) -> float:
    """CPU time of a whole map; the benchmark checks its result and its limit."""
    gc.collect()
    start = time.process_time()
    asyncio.run(run(items, limit))
    return time.process_time() - start


@pytest.mark.parametrize("limit", [0, 100], ids=["all at once", "a hundred at once"])
def test_its_time_is_linear(limit: int) -> None:
    few = min(seconds_of(FEW, limit) for _ in range(3))
    many = min(seconds_of(MANY, limit) for _ in range(2))
    assert many < 2 * GROWTH * few  # looking at each open call would be 30 times


def test_its_memory_and_history_are_linear() -> None:
    peaks, sizes = {}, {}
    for items in (FEW, MANY):
        tracemalloc.start()
        sizes[items] = asyncio.run(run(items, 100))["history_bytes"]
        peaks[items] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[MANY] < 1.2 * GROWTH * peaks[FEW]
    assert (
        peaks[MANY] / MANY < 2_000
    )  # bytes: its turn, its entry in the history's index, its result
    assert sizes[MANY] < 200
