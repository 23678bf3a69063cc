"""Timers of every backend: never early, never lost, from seconds to a year."""

from __future__ import annotations

import pytest

from lambda_workflow.model.messages import Timer
from lambda_workflow.ports import ArmTimer, DisarmTimer
from tests.ports.harness import Harness

MINUTE = 60
QUARTER = 15 * MINUTE  # SQS delays a message by no more
YEAR = 365 * 24 * 60 * MINUTE
MARGIN = 2.0  # seconds before the due time at which nothing may have come


def due_in(harness: Harness, seconds: float) -> int:
    return harness.backend.clock.now() + round(seconds * 1000)


async def fired(harness: Harness) -> list[Timer]:
    """What fired, each once: a timer may fire more often than it must."""
    arrived = [message for message in await harness.messages() if isinstance(message, Timer)]
    return list(dict.fromkeys(arrived))


@pytest.mark.parametrize("seconds", [5, MINUTE, QUARTER - 1, QUARTER + 1, 24 * 60 * MINUTE, YEAR])
async def test_a_timer_fires_after_its_time_and_not_before(harness: Harness, seconds: int) -> None:
    due = due_in(harness, seconds)
    await harness.backend.timers.arm([ArmTimer("e", "3", due)])
    await harness.advance(seconds - MARGIN)
    assert await fired(harness) == []
    await harness.advance(MARGIN + harness.late_seconds)
    assert await fired(harness) == [Timer("e", "3", due)]
    assert harness.backend.clock.now() >= due


async def test_a_timer_that_is_due_already_fires_at_once(harness: Harness) -> None:
    timers = [ArmTimer("e", "now", due_in(harness, 0)), ArmTimer("e", "past", due_in(harness, -60))]
    await harness.backend.timers.arm(timers)
    await harness.advance(harness.late_seconds)
    assert {timer.operation for timer in await fired(harness)} == {"now", "past"}


async def test_a_fraction_of_a_second_is_not_rounded_down(harness: Harness) -> None:
    due = due_in(harness, 3.4)
    await harness.backend.timers.arm([ArmTimer("e", "1", due)])
    await harness.advance(3.0)
    assert await fired(harness) == []
    await harness.advance(0.4 + max(1.0, harness.late_seconds))
    assert await fired(harness) == [Timer("e", "1", due)]


async def test_many_timers_fire_each_for_its_own_operation(harness: Harness) -> None:
    timers = [
        ArmTimer(f"e{n % 4}", f"{n}:timeout", due_in(harness, 30 + n * 100)) for n in range(25)
    ]
    await harness.backend.timers.arm(timers)
    await harness.advance(30 + 25 * 100 + harness.late_seconds)
    expected = {Timer(t.execution_id, t.operation, t.due) for t in timers}
    assert set(await fired(harness)) == expected


async def test_a_timer_armed_twice_fires(harness: Harness) -> None:
    timer = ArmTimer("e", "1", due_in(harness, 20 * MINUTE), "same")
    await harness.backend.timers.arm([timer])
    await harness.backend.timers.arm([timer])
    await harness.advance(20 * MINUTE + harness.late_seconds)
    assert await fired(harness) == [Timer("e", "1", timer.due)]


async def test_a_timer_armed_again_after_it_fired_fires_again(harness: Harness) -> None:
    timer = ArmTimer("e", "1", due_in(harness, 20 * MINUTE), "first")
    await harness.backend.timers.arm([timer])
    await harness.advance(20 * MINUTE + harness.late_seconds)
    assert len(await fired(harness)) == 1
    await harness.backend.timers.arm([ArmTimer("e", "1", timer.due, "second")])
    await harness.advance(harness.late_seconds)
    assert await fired(harness) == [Timer("e", "1", timer.due)]


async def test_disarming_leaves_the_other_timers(harness: Harness) -> None:
    seconds = 20 * MINUTE
    due = due_in(harness, seconds)
    await harness.backend.timers.arm([ArmTimer("e", str(n), due) for n in range(3)])
    await harness.backend.timers.disarm([DisarmTimer("e", "1", due)])
    await harness.advance(seconds + harness.late_seconds)
    operations = [timer.operation for timer in await fired(harness)]
    assert {"0", "2"} <= set(operations)


async def test_disarming_what_is_not_armed_does_no_harm(harness: Harness) -> None:
    for seconds in (5, 20 * MINUTE):
        due = due_in(harness, seconds)
        await harness.backend.timers.disarm([DisarmTimer("e", "1", due)])
        await harness.backend.timers.disarm([DisarmTimer("e", "1", due)])
    await harness.backend.timers.arm([])
    await harness.backend.timers.disarm([])
