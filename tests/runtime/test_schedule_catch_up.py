"""The catch-up window: what could not be started in time is left out, and counted."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model import messages as m
from lambda_workflow.model.signal import Signal
from lambda_workflow.runtime.due import COUNTED_MAX, look, obey
from lambda_workflow.runtime.schedule import Order, Overlap, Plan, Standing
from lambda_workflow.runtime.timetable import Timetable
from tests.runtime.conftest import MakeDays
from tests.runtime.days import HOUR, START, Days, at, hourly
from tests.runtime.test_due import due_between

MINUTE = timedelta(minutes=1)
WINDOW = 2 * HOUR
POKE = Signal("poke", int)


def standing(overlap: Overlap = "skip", **other: Any) -> Standing:
    return Standing(
        Plan("s", "flow", Timetable(every=HOUR), overlap, catch_up=WINDOW, **other), START
    )


@pytest.mark.parametrize(
    ("overlap", "hours"), [("skip", [4]), ("queue", [4]), ("allow", [4, 5, 6])]
)
def test_after_an_outage_what_is_older_is_missed(overlap: Overlap, hours: list[int]) -> None:
    found = look(standing(overlap), at(6), False, False)
    assert [start.due for start in found.starts] == [at(hour) for hour in hours]
    assert found.missed == 3, "1, 2 and 3 o'clock; 4 o'clock is just within the window"
    assert found.skipped == 0


def test_without_a_window_everything_is_made_up_for() -> None:
    unlimited = replace(standing("allow"), plan=Plan("s", "flow", Timetable(every=HOUR), "allow"))
    found = look(unlimited, at(50), False, False)
    assert (len(found.starts), found.missed) == (50, 0)


def test_nothing_is_missed_while_a_run_goes_on_and_skip_counts_what_it_skips() -> None:
    assert look(standing("skip"), at(9.5), True, False).missed == 0
    freed = look(standing("skip"), at(9.5), False, True)
    assert (freed.skipped, freed.missed, freed.wake) == (9, 0, at(10))


def test_what_waits_in_the_queue_for_longer_than_the_window_is_missed() -> None:
    assert look(standing("queue"), at(9.5), True, False).missed == 0
    freed = look(standing("queue"), at(9.5), False, True)
    assert ([start.due for start in freed.starts], freed.missed) == ([at(8)], 7)


def test_the_window_counts_from_the_start_after_the_jitter() -> None:
    jittered = standing("allow", jitter=50 * MINUTE)
    starts = [jittered.plan.start_of(at(hour)) for hour in range(1, 7)]
    now = starts[2] + WINDOW  # 3 o'clock is just within the window
    found = look(jittered, now, False, False)
    assert (found.missed, found.starts[0].due) == (2, at(3))
    late = look(jittered, now + timedelta(milliseconds=1), False, False)
    assert (late.missed, late.starts[0].due) == (3, at(4))


def test_a_pause_is_no_outage() -> None:
    paused = obey(standing(), Order("pause"), at(0.5))
    assert look(paused, at(20), False, False).missed == 0
    resumed = obey(paused, Order("resume"), at(20.5))
    assert look(resumed, at(20.5), False, False).missed == 0


def test_backfills_are_not_missed() -> None:
    order = Order("backfill", start=at(-50), end=at(-40), overlap="allow")
    found = look(obey(standing(), order, at(0.5)), at(0.6), False, False)
    assert (len(found.starts), found.missed) == (10, 0)


def test_one_moment_that_is_missed_is_never_run() -> None:
    once = replace(standing(), plan=Plan("s", "flow", Timetable(at=at(1)), catch_up=WINDOW))
    found = look(once, at(4), False, False)
    assert (found.starts, found.missed, found.wake) == ((), 1, None)


@pytest.mark.parametrize("way", [{"every": timedelta(seconds=1)}, {"cron": "* * * * *"}])
def test_each_of_a_great_many_is_counted(way: dict[str, Any]) -> None:
    plan = Plan("s", "flow", Timetable(**way, end=at(21 * 24)), catch_up=WINDOW)
    kept, missed, looks = Standing(plan, START), 0, 0
    while True:
        found = look(kept, at(20 * 24), False, False)
        missed, looks = missed + found.missed, looks + 1
        kept = replace(kept, after=found.after)
        if found.starts:
            break
        assert found.wake == at(20 * 24)
    distance = plan.timetable.every or MINUTE
    assert missed == (at(20 * 24) - WINDOW - START) // distance - 1
    assert looks == (1 if plan.timetable.every else missed // COUNTED_MAX + 1)
    assert found.starts[0].due == at(20 * 24) - WINDOW


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
@pytest.mark.parametrize("seed", range(10))
def test_each_due_time_is_started_in_time_skipped_or_missed(overlap: Overlap, seed: int) -> None:
    """Days of runs of any length, with jitter and outages."""
    dice = random.Random(f"{overlap}{seed}")
    kept, hour, until, freed = standing(overlap, jitter=50 * MINUTE), 0.0, 0.0, False
    started: list[datetime] = []
    while hour < 100:
        now = at(hour)
        found = look(kept, now, until > hour, freed and until <= hour)
        freed = freed and until > hour
        kept = replace(
            kept,
            after=found.after,
            skipped=kept.skipped + found.skipped,
            missed=kept.missed + found.missed,
        )
        for start in found.starts:
            started.append(start.due)
            assert now - WINDOW <= kept.plan.start_of(start.due) <= now
            if start.followed:
                until, freed = hour + dice.choice([0.1, 0.7, 1.5, 4.2]), True
        hour += dice.choice([0.1, 0.5, 1.0, 5.0])
    assert started == sorted(set(started))
    assert len(started) + kept.skipped + kept.missed == due_between(kept, START, kept.after)
    assert kept.missed > 0


async def outage(days: Days, hours: float) -> None:
    """No worker is at work for so long; what the timers bring waits in the queue."""
    await days.memory.advance(hours * 3600)


@pytest.mark.parametrize(
    ("overlap", "hours"), [("skip", [1, 8]), ("queue", [1, 8, 9, 10]), ("allow", [1, 8, 9, 10])]
)
async def test_a_worker_that_was_away_leaves_out_what_is_too_old(
    make_days: MakeDays, overlap: Any, hours: list[int]
) -> None:
    days = make_days(hourly(10, overlap=overlap, catch_up=WINDOW))
    await days.schedules.apply()
    await days.until(1.5)
    await outage(days, 8.5)
    await days.until(10.5)
    assert list(days.begun()) == [f"s:2026-01-01T{hour:02}:00:00Z" for hour in hours]
    info = await days.info()
    skipped = 2 if overlap == "skip" else 0  # 9 and 10 o'clock
    assert (info.started, info.missed, info.skipped) == (len(hours), 6, skipped)
    assert info.catch_up == WINDOW


async def test_a_new_run_of_its_execution_keeps_the_count(make_days: MakeDays) -> None:
    days = make_days(hourly(10, overlap="allow", catch_up=WINDOW), check=False)
    await days.schedules.apply()
    await days.until(0.5)
    await outage(days, 9.5)
    await days.until(90)
    history = days.history("schedule:s")
    assert history.started is not None
    assert history.started.run.number > 1
    info = await days.info()
    assert (info.started, info.missed) == (83, 7)


async def test_an_order_of_an_earlier_version_has_none_of_the_options(make_days: MakeDays) -> None:
    days = make_days(hourly(catch_up=WINDOW, jitter=MINUTE))
    await days.schedules.apply()
    await days.until(0.5)
    plan = {"name": "s", "workflow": "report", "request": 10, "timetable": {"every": "PT1H"}}
    order = {"kind": "update", "plan": plan}
    await days.send(m.Signal("schedule:s", "schedule-order", order, "x"))
    await days.until(1.5)
    info = await days.info()
    assert (info.catch_up, info.jitter, info.pause_on_failure) == (None, None, False)
    assert list(days.begun().values()) == ["1:00"]


@pytest.mark.parametrize(
    ("catch_up", "words"),
    [
        (timedelta(seconds=59), "catch_up=0:00:59: it must be 0:01:00 to 366 days"),
        (timedelta(days=367), "catch_up=367 days, 0:00:00: it must be"),
        ("1h", "catch_up is .*: give a timedelta"),
    ],
)
def test_a_window_that_cannot_be_kept_is_refused(catch_up: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        hourly(catch_up=catch_up)
