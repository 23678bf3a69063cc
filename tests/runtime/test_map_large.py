"""A map over thousands of items: time, memory and history grow with their number, and no faster.

benchmarks/map.py measures ten thousand; these are fewer, with room for a machine that is busy.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest

from benchmarks.map import MANY, run

FEW, SOME = 200, 2_000
GROWTH = SOME / FEW


def seconds_of(items: int, limit: int) -> float:
    """CPU time of a whole map; the benchmark checks its result and its limit."""
    gc.collect()
    start = time.process_time()
    asyncio.run(run(items, limit))
    return time.process_time() - start


@pytest.mark.parametrize("limit", [0, 100], ids=["all at once", "a hundred at once"])
def test_its_time_is_linear(limit: int) -> None:
    few = min(seconds_of(FEW, limit) for _ in range(3))
    some = min(seconds_of(SOME, limit) for _ in range(2))
    assert some < 3 * GROWTH * few  # looking at each open call would be several times as much


def test_ten_thousand_items_come_to_their_end() -> None:
    assert asyncio.run(run(MANY, 100))["history_bytes"] < 200


def test_its_memory_and_history_are_linear() -> None:
    peaks, sizes = {}, {}
    for items in (FEW, SOME):
        tracemalloc.start()
        sizes[items] = asyncio.run(run(items, 100))["history_bytes"]
        peaks[items] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[SOME] < 1.2 * GROWTH * peaks[FEW]
    assert peaks[SOME] / SOME < 2_000  # bytes: its turn, its entry in the history's index
    assert sizes[SOME] < 200
