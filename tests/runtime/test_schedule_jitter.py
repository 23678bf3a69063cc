"""Jitter: delays that are the same in every process, and keep the order of the due times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.due import look, obey
from lambda_workflow.runtime.schedule import Order, Overlap, Plan, Standing
from lambda_workflow.runtime.timetable import Timetable
from tests.runtime.conftest import MakeDays
from tests.runtime.days import HOUR, at, hourly

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JITTERED = Plan("s", "flow", Timetable(every=HOUR), jitter=30 * MINUTE)
DELAYS = [JITTERED.start_of(NOON + n * HOUR) - NOON - n * HOUR for n in range(4)]


def test_a_delay_is_a_function_of_the_name_and_the_due_time() -> None:
    assert [str(delay) for delay in DELAYS] == [
        "0:24:38.041000", "0:01:11.426000", "0:21:36.162000", "0:27:45.707000",
    ]  # fmt: skip
    other = replace(JITTERED, name="t", workflow="other")
    assert other.start_of(NOON) != JITTERED.start_of(NOON)
    renamed = replace(JITTERED, workflow="other", overlap="queue", request=7)
    assert renamed.start_of(NOON) == JITTERED.start_of(NOON)


def test_delays_are_spread_over_the_whole_of_the_jitter() -> None:
    delays = [JITTERED.start_of(NOON + n * HOUR) - NOON - n * HOUR for n in range(300)]
    assert all(timedelta(0) <= delay < 30 * MINUTE for delay in delays)
    counts = [sum(n * MINUTE <= d < (n + 10) * MINUTE for d in delays) for n in (0, 10, 20)]
    assert min(counts) > 80


@pytest.mark.parametrize(
    "timetable",
    [
        Timetable(every=timedelta(seconds=7)),
        Timetable(cron="0,5,50 * * * *"),
        Timetable(every=HOUR, end=NOON + 20 * HOUR),
    ],
)
def test_starts_keep_the_order_of_the_due_times(timetable: Timetable) -> None:
    plan = Plan("s", "flow", timetable, jitter=timedelta(days=1))
    dues = timetable.next_times(200, NOON)
    for due, following in pairwise(dues):
        assert due <= plan.start_of(due) < following
    assert plan.start_of(dues[-1]) < dues[-1] + timedelta(days=1)


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_a_due_time_is_started_when_its_delay_is_over(overlap: Overlap) -> None:
    standing = Standing(replace(JITTERED, overlap=overlap), NOON - HOUR)
    early = look(standing, NOON + DELAYS[0] - timedelta(milliseconds=1), False, False)
    assert (early.starts, early.after, early.wake) == ((), NOON - HOUR, NOON + DELAYS[0])
    found = look(standing, NOON + DELAYS[0], False, False)
    assert [start.execution_id for start in found.starts] == ["s:2026-01-01T12:00:00Z"]
    assert found.starts[0].due == NOON
    following = NOON + HOUR + DELAYS[1]
    assert found.wake == (following if overlap == "allow" else None)


def test_a_run_that_ends_in_the_delay_of_a_due_time_does_not_make_it_skipped() -> None:
    standing = Standing(JITTERED, NOON - HOUR)
    found = look(standing, NOON + 2 * HOUR + MINUTE, False, True)  # noon and one o'clock are over
    assert (found.skipped, found.starts, found.wake) == (2, (), NOON + 2 * HOUR + DELAYS[2])
    kept = replace(standing, after=found.after)
    (start,) = look(kept, NOON + 2 * HOUR + DELAYS[2], False, False).starts
    assert start.due == NOON + 2 * HOUR


@pytest.mark.parametrize("kind", ["resume", "update"])
@pytest.mark.parametrize(("minutes", "is_started"), [(1, True), (29, False)])
def test_from_a_resume_or_update_on_each_start_that_is_still_to_come_is_made(
    kind: Any, minutes: int, is_started: bool
) -> None:
    standing, now = Standing(JITTERED, NOON - HOUR), NOON + minutes * MINUTE
    if kind == "resume":
        standing = obey(standing, Order("pause"), NOON - MINUTE)
    ordered = obey(standing, Order(kind, plan=replace(JITTERED, request=1)), now)
    found = look(ordered, now, False, False)
    assert found.starts == ()
    assert found.wake == (NOON + DELAYS[0] if is_started else NOON + HOUR + DELAYS[1])
    assert found.wake is not None
    later = look(replace(ordered, after=found.after), found.wake, False, False)
    assert [start.due for start in later.starts] == [NOON if is_started else NOON + HOUR]


def test_what_was_started_before_an_update_is_not_started_by_it() -> None:
    started = Standing(JITTERED, NOON)
    now = NOON + DELAYS[0] / 2  # by an earlier plan without jitter
    found = look(obey(started, Order("update", plan=JITTERED), now), now, False, False)
    assert (found.starts, found.wake) == ((), NOON + HOUR + DELAYS[1])


def test_backfills_are_not_delayed() -> None:
    order = Order("backfill", start=NOON, end=NOON + 2 * HOUR, overlap="allow")
    found = look(obey(Standing(JITTERED, NOON), order, NOON), NOON + MINUTE, False, False)
    assert [start.due for start in found.starts] == [NOON, NOON + HOUR]


async def test_executions_start_later_by_the_jitter_and_are_named_by_their_due_times(
    make_days: MakeDays,
) -> None:
    schedule = hourly(jitter=30 * MINUTE)
    days = make_days(schedule)
    await days.schedules.apply()
    await days.until(4)
    begun = days.begun()
    assert list(begun) == [f"s:2026-01-01T0{hour}:00:00Z" for hour in (1, 2, 3)]
    starts = [schedule.plan.start_of(at(hour)) for hour in (1, 2, 3)]
    assert list(begun.values()) == [f"{start:%-H:%M}" for start in starts]
    assert any(not value.endswith(":00") for value in begun.values())
    assert (await days.info()).jitter == 30 * MINUTE


@pytest.mark.parametrize(
    ("jitter", "words"),
    [
        (timedelta(0), "jitter=0:00:00: it must be 0:00:01 to 1 day"),
        (timedelta(days=2), "jitter=2 days, 0:00:00: it must be 0:00:01 to 1 day"),
        (60, "jitter is 60: give a timedelta"),
    ],
)
def test_a_jitter_that_cannot_be_kept_is_refused(jitter: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        hourly(jitter=jitter)
