"""The clock that skips the waits."""

from __future__ import annotations

import asyncio

from lambda_workflow.local.clock import SkippingClock, WallClock


async def test_a_jump_ends_the_waits_that_it_passes() -> None:
    clock = SkippingClock()
    ends: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        ends.append(name)

    start = clock.now()
    waits = [asyncio.create_task(wait(n, s)) for n, s in (("day", 86_400), ("week", 7 * 86_400))]
    await asyncio.sleep(0)
    clock.skip_to(start + 2 * 86_400_000)
    await waits[0]
    assert ends == ["day"]
    assert clock.now() >= start + 2 * 86_400_000
    clock.skip_to(start + 8 * 86_400_000)
    await waits[1]
    assert ends == ["day", "week"]


async def test_there_is_no_way_back() -> None:
    clock = SkippingClock()
    clock.skip_to(clock.now() + 1000_000)
    late = clock.now()
    clock.skip_to(late - 500_000)
    assert clock.now() >= late


async def test_without_a_jump_time_is_the_walls() -> None:
    clock, wall = SkippingClock(), WallClock()
    assert abs(clock.now() - wall.now()) < 1000
    before = clock.now()
    await clock.sleep(0.002)
    await wall.sleep(0.002)
    assert clock.now() - before >= 4
