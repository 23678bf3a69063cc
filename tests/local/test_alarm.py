"""Timers of an engine: in time, in order, none forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import pytest

from lambda_workflow.local import alarm
from lambda_workflow.local.alarm import Alarm
from lambda_workflow.local.clock import SkippingClock
from lambda_workflow.local.registry import TimerKey
from lambda_workflow.testing.clock import VirtualClock, run_virtual
from tests.patience import patience


class Rows:
    """The rows of a file, read in pages, with an alarm over them."""

    def __init__(self, clock: VirtualClock, page: int = 3) -> None:
        self.clock = clock
        self.rows: set[TimerKey] = set()
        self.fired: list[tuple[int, TimerKey]] = []
        self.reads = 0
        self._page = page
        self.alarm = Alarm(clock, self.read, self.fire, lambda: None)

    async def read(self, after: TimerKey) -> tuple[Sequence[TimerKey], TimerKey | None]:
        self.reads += 1
        found = sorted(key for key in self.rows if key > after)
        await self.clock.sleep(0.001)  # what is armed now is not on the page
        page = found[: self._page]
        return page, page[-1] if len(found) > self._page else None

    def fire(self, keys: Sequence[TimerKey]) -> None:
        self.fired += [(self.clock.now(), key) for key in keys]
        self.rows.difference_update(keys)

    def arm(self, due: int, operation: str) -> None:
        key = (due, "e", operation)
        self.rows.add(key)
        self.alarm.arm(key)

    def disarm(self, due: int, operation: str) -> None:
        key = (due, "e", operation)
        self.rows.discard(key)
        self.alarm.disarm(key)

    async def run(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.alarm.run()


def test_timers_fire_in_order_each_at_its_millisecond() -> None:
    rows = Rows(clock := VirtualClock())
    start = clock.now()

    async def main() -> None:
        running = asyncio.create_task(rows.run(10_000))
        await clock.sleep(1)
        for due in (7_000, 3_000, 5_001, 5_000):
            rows.arm(start + due, str(due))
        await running

    run_virtual(main(), clock)
    assert [(at - start, key[2]) for at, key in rows.fired] == [
        (due, str(due)) for due in (3_000, 5_000, 5_001, 7_000)
    ]


def test_a_disarmed_timer_does_not_fire() -> None:
    rows = Rows(clock := VirtualClock())
    start = clock.now()

    async def main() -> None:
        running = asyncio.create_task(rows.run(100))
        await clock.sleep(1)
        rows.arm(start + 3_000, "kept")
        rows.arm(start + 2_000, "gone")
        rows.disarm(start + 2_000, "gone")
        await running

    run_virtual(main(), clock)
    assert [key[2] for _, key in rows.fired] == ["kept"]


def test_a_timer_armed_while_the_file_is_read_is_not_forgotten() -> None:
    rows = Rows(clock := VirtualClock())
    start = clock.now()

    async def main() -> None:
        running = asyncio.create_task(rows.run(100))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert rows.reads == 1
        rows.arm(start + 2_000, "new")
        await running

    run_virtual(main(), clock)
    assert [key[2] for _, key in rows.fired] == ["new"]


def test_after_a_reset_the_file_is_read_anew_even_if_it_was_being_read() -> None:
    rows = Rows(clock := VirtualClock())
    start = clock.now()

    async def main() -> None:
        running = asyncio.create_task(rows.run(100))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rows.rows.add((start + 2_000, "e", "taken over"))
        rows.alarm.reset()
        await running

    run_virtual(main(), clock)
    assert [key[2] for _, key in rows.fired] == ["taken over"]


@pytest.mark.parametrize("seed", range(20))
def test_none_is_forgotten_however_few_fit_into_memory(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm, "HELD_MAX", 6)
    dice = random.Random(seed)
    rows = Rows(clock := VirtualClock(), page=dice.choice([1, 2, 5]))
    start = clock.now()
    expected: dict[TimerKey, None] = {}

    async def main() -> None:
        for n in range(20):
            key = (start + dice.randrange(60_000), "e", f"file {n}")
            rows.rows.add(key)
            expected[key] = None
        running = asyncio.create_task(rows.run(300))
        for n in range(40):
            await clock.sleep(dice.random())
            due = clock.now() + dice.randrange(60_000)
            rows.arm(due, f"armed {n}")
            if dice.random() < 0.3:
                rows.disarm(due, f"armed {n}")
            else:
                expected[due, "e", f"armed {n}"] = None
        await running

    run_virtual(main(), clock)
    assert sorted(key for _, key in rows.fired) == sorted(expected)
    assert all(at >= key[0] for at, key in rows.fired)


async def test_a_jump_just_before_the_wait_begins_is_not_slept_through() -> None:
    clock = SkippingClock()
    due = clock.now() + 3_600_000
    fired: list[TimerKey] = []
    done = asyncio.Event()

    def fire(keys: Sequence[TimerKey]) -> None:
        fired.extend(keys)
        done.set()

    async def read(after: TimerKey) -> tuple[Sequence[TimerKey], TimerKey | None]:
        return [(due, "e", "1")], None

    def eased() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(clock.skip_to, due)  # runs before the task that waits has begun

    running = asyncio.create_task(Alarm(clock, read, fire, eased).run())
    with suppress(TimeoutError):
        async with asyncio.timeout(patience(5)):
            await done.wait()
    running.cancel()
    assert fired == [(due, "e", "1")]
