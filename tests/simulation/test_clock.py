"""The laws of testing/clock.py."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from lambda_workflow.errors import WorkflowError
from lambda_workflow.testing.clock import EPOCH, VirtualClock, VirtualLoop, run_virtual

YEAR = 365 * 86_400


async def sleep_and_log(clock: VirtualClock, seconds: float, log: list[tuple[float, int]]) -> None:
    await clock.sleep(seconds)
    log.append((seconds, clock.now() - EPOCH))


async def test_time_stands_still_until_it_is_moved() -> None:
    clock, log = VirtualClock(), list[tuple[float, int]]()
    task = asyncio.create_task(sleep_and_log(clock, 5, log))
    for _ in range(50):
        await asyncio.sleep(0)
    assert (clock.now(), log) == (EPOCH, [])
    await clock.advance(4.999)
    assert log == []
    await clock.advance(0.001)
    assert log == [(5, 5_000)]
    await task


async def test_sleepers_wake_in_order_and_see_their_own_due_time() -> None:
    clock, log = VirtualClock(), list[tuple[float, int]]()
    tasks = [asyncio.create_task(sleep_and_log(clock, s, log)) for s in (3, 1, 2, 1)]
    await asyncio.sleep(0)
    await clock.advance(YEAR)
    assert log == [(1, 1_000), (1, 1_000), (2, 2_000), (3, 3_000)]
    assert clock.now() == EPOCH + YEAR * 1_000
    await asyncio.gather(*tasks)


async def test_who_sleeps_again_is_woken_within_the_same_advance() -> None:
    clock, moments = VirtualClock(), list[int]()

    async def tick() -> None:
        while True:
            await clock.sleep(10)
            moments.append(clock.now() - EPOCH)

    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await clock.advance(35)
    assert moments == [10_000, 20_000, 30_000]
    task.cancel()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    assert clock.next_due == 10
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.next_due is None


async def test_no_time_at_all_still_lets_the_others_run() -> None:
    clock, log = VirtualClock(), list[str]()
    asyncio.get_running_loop().call_soon(log.append, "other")
    await clock.sleep(0)
    assert log == ["other"]


def test_on_a_virtual_loop_a_year_takes_no_time() -> None:
    clock, begin = VirtualClock(), time.monotonic()

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        log = []
        for wait in (asyncio.sleep(YEAR), clock.sleep(YEAR)):
            await wait
            log.append(loop.time())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await clock.sleep(61)
        log.append(loop.time())
        return log

    assert run_virtual(main(), clock) == [YEAR, 2 * YEAR, 2 * YEAR + 60]
    assert clock.now() == EPOCH + (2 * YEAR + 60) * 1_000
    assert time.monotonic() - begin < 5


def test_the_loops_timers_and_the_clocks_sleepers_share_one_order() -> None:
    clock, log = VirtualClock(), list[int]()

    async def by_loop(seconds: int) -> None:
        await asyncio.sleep(seconds)
        log.append(seconds)

    async def by_clock(seconds: int) -> None:
        await clock.sleep(seconds)
        log.append(seconds)

    async def main() -> None:
        order = (5, 1, 4, 2, 3)
        await asyncio.gather(*((by_loop if n % 2 else by_clock)(n) for n in order))

    run_virtual(main(), clock)
    assert log == [1, 2, 3, 4, 5]


def test_a_thread_is_not_needed_to_run_what_was_meant_for_one() -> None:
    async def main() -> tuple[str, str]:
        name = await asyncio.to_thread(lambda: threading.current_thread().name)
        with pytest.raises(LookupError, match="from within"):
            await asyncio.to_thread(fail)
        return name, threading.current_thread().name

    def fail() -> None:
        raise LookupError("from within")

    assert len(set(run_virtual(main()))) == 1


def test_waiting_for_ever_is_an_error_that_says_so() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(WorkflowError, match="deadlock"):
        run_virtual(main())


def test_the_standard_runner_takes_the_loop() -> None:
    async def main() -> float:
        await asyncio.sleep(7)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == 7
