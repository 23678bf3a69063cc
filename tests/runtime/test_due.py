"""What a schedule starts and when it looks again, by its timetable, policy and orders."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow.model.payload import codec_for
from lambda_workflow.runtime.due import (
    STARTS_MAX,
    Look,
    Start,
    began,
    ended,
    look,
    obey,
    triggered,
)
from lambda_workflow.runtime.schedule import Backfill, Order, Overlap, Plan, Standing
from lambda_workflow.runtime.timetable import Timetable

HOUR = timedelta(hours=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(hour: float) -> datetime:
    """An hour of the day, which may lie in the days after."""
    return NOON + (hour - 12) * HOUR


def standing(overlap: Overlap = "skip", after: float | None = 12, **other: Any) -> Standing:
    plan = Plan("s", "flow", Timetable(every=HOUR), overlap)
    return Standing(plan, None if after is None else at(after), **other)


def seen(
    of: Standing, hour: float, *, busy: bool = False, freed: bool = False
) -> tuple[list[str], datetime, datetime | None]:
    """The ids that are started, the time that is dealt with, and when to look again."""
    found = look(of, at(hour), busy, freed)
    return [start.execution_id for start in found.starts], found.after, found.wake


def test_a_new_schedule_starts_nothing_and_wakes_at_its_first_due_time() -> None:
    assert seen(standing(after=None), 12.5) == ([], at(12.5), at(13))
    assert seen(standing(after=None), 12) == ([], at(12), at(13))


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_due_time_is_started_and_its_end_waited_for(overlap: Overlap) -> None:
    assert seen(standing(overlap), 13) == (["s:2026-01-01T13:00:00Z"], at(13), None)
    (start,) = look(standing(overlap), at(13), False, False).starts
    assert start == Start(at(13), "s:2026-01-01T13:00:00Z", followed=True)


def test_allow_does_not_wait_for_ends() -> None:
    assert seen(standing("allow"), 13) == (["s:2026-01-01T13:00:00Z"], at(13), at(14))
    (start,) = look(standing("allow"), at(13), False, False).starts
    assert not start.followed


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_nothing_is_started_while_a_run_goes_on(overlap: Overlap) -> None:
    assert seen(standing(overlap, after=13), 15.5, busy=True) == ([], at(13), None)


def test_skip_skips_what_was_due_meanwhile() -> None:
    found = look(standing("skip", after=13), at(15.5), False, True)
    assert found == Look((), at(15.5), 2, (), at(16))
    exactly = look(standing("skip", after=13), at(15), False, True)
    assert (exactly.skipped, exactly.wake) == (2, at(16))


def test_queue_goes_on_with_what_was_due_first() -> None:
    assert seen(standing("queue", after=13), 15.5, freed=True) == (
        ["s:2026-01-01T14:00:00Z"], at(14), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("overlap", "hours", "after"),
    [("skip", [13], 13), ("queue", [13], 13), ("allow", [13, 14, 15], 15)],
)
def test_after_an_outage(overlap: Overlap, hours: list[int], after: int) -> None:
    ids, done, _ = seen(standing(overlap), 15.2)
    assert ids == [f"s:2026-01-01T{hour}:00:00Z" for hour in hours]
    assert done == at(after)


def test_allow_starts_so_many_at_once_and_looks_again() -> None:
    long = standing("allow", after=12)
    ids, after, wake = seen(long, 12 + 2.5 * STARTS_MAX)
    assert (len(ids), after, wake) == (STARTS_MAX, at(12 + STARTS_MAX), at(12 + 2.5 * STARTS_MAX))


def test_a_paused_schedule_waits_for_orders_only() -> None:
    paused = obey(standing(), Order("pause", note="holidays"), at(12.5))
    assert paused.paused == "holidays"
    assert seen(paused, 15) == ([], at(12), None)


def test_what_was_due_in_a_pause_is_missed() -> None:
    paused = obey(standing("queue"), Order("pause"), at(12.5))
    resumed = obey(paused, Order("resume"), at(15.5))
    assert seen(resumed, 15.5) == ([], at(15.5), at(16))


def test_resuming_what_is_not_paused_misses_nothing() -> None:
    waiting = standing("queue", after=12)
    assert obey(waiting, Order("resume"), at(15.5)) == waiting


def test_a_timetable_without_further_times_waits_for_orders_only() -> None:
    once = replace(standing(), plan=Plan("s", "flow", Timetable(at=at(13))))
    assert seen(once, 12) == ([], at(12), at(13))
    assert seen(once, 13)[0] == ["s:2026-01-01T13:00:00Z"]
    assert seen(replace(once, after=at(13)), 13, freed=True) == ([], at(13), None)


def test_a_far_time_is_slept_for_in_parts() -> None:
    plan = Plan("s", "flow", Timetable(at=NOON + timedelta(days=1000)))
    wake = look(Standing(plan, NOON), NOON, False, False).wake
    assert wake == NOON + timedelta(days=300)


def test_an_update_counts_from_now_on() -> None:
    plan = Plan("s", "other", Timetable(every=2 * HOUR), "allow", {"a": 1})
    updated = obey(standing("queue", after=8), Order("update", plan=plan), at(12.5))
    assert (updated.plan, updated.after) == (plan, at(12.5))
    assert seen(updated, 12.5) == ([], at(12.5), at(14))


def test_a_trigger_starts_at_once_under_an_id_of_its_own() -> None:
    first = obey(standing(), Order("trigger"), at(12.5))
    second = obey(first, Order("trigger"), at(12.5))
    assert triggered(first, at(12.5)) == Start(at(12.5), "s:trigger1", followed=False)
    assert triggered(second, at(12.5)).execution_id == "s:trigger2"


def backfill(of: Standing, start: float, end: float, overlap: Overlap | None = None) -> Standing:
    return obey(of, Order("backfill", start=at(start), end=at(end), overlap=overlap), at(12))


def test_a_backfill_includes_its_start_and_not_its_end() -> None:
    filled = backfill(standing("allow"), 3, 6)
    found = look(filled, at(12.5), False, False)
    assert [start.execution_id for start in found.starts] == [
        f"s:2026-01-01T0{hour}:00:00Z:backfill1" for hour in (3, 4, 5)
    ]
    assert (found.backfills, found.wake, found.after) == ((), at(13), at(12))


@pytest.mark.parametrize("usual", ["skip", "queue"])
def test_a_backfill_runs_one_after_another(usual: Overlap) -> None:
    filled = backfill(standing(usual), 3, 5)
    assert filled.backfills[0].overlap == "queue"
    first = look(filled, at(12.1), False, False)
    assert [start.execution_id for start in first.starts] == ["s:2026-01-01T03:00:00Z:backfill1"]
    assert first.starts[0].followed
    assert first.backfills == (Backfill(1, at(3), at(5), "queue"),)
    assert first.wake is None
    going_on = replace(filled, backfills=first.backfills)
    assert seen(going_on, 12.2, busy=True)[0] == []
    second = look(going_on, at(12.3), False, False)
    assert [start.due for start in second.starts] == [at(4)]
    assert second.backfills == ()


def test_what_is_due_comes_before_a_backfill_which_makes_it_skip_nothing() -> None:
    filled = backfill(standing("skip"), 3, 5)
    found = look(filled, at(13.2), False, False)  # a run of the backfill has just ended
    assert [start.due for start in found.starts] == [at(13)]
    assert (found.skipped, len(found.backfills)) == (0, 1)


def test_a_backfill_with_allow_is_started_beside_a_run_that_goes_on() -> None:
    filled = backfill(standing("skip", after=12), 3, 5, "allow")
    found = look(filled, at(12.5), True, False)
    assert [start.due for start in found.starts] == [at(3), at(4)]
    assert found.wake is None


def test_a_long_backfill_is_started_in_parts_without_waiting() -> None:
    filled = backfill(standing("allow"), -500, -250)
    counts = []
    while filled.backfills:
        found = look(filled, at(12.5), False, False)
        counts.append(len(found.starts))
        assert found.wake == (at(12.5) if found.backfills else at(13))
        filled = replace(filled, backfills=found.backfills)
    assert counts == [100, 100, 50]


def test_two_backfills_of_the_same_time_have_two_ids() -> None:
    twice = backfill(backfill(standing("allow"), 3, 4), 3, 4)
    assert seen(twice, 12.5)[0] == [
        "s:2026-01-01T03:00:00Z:backfill1", "s:2026-01-01T03:00:00Z:backfill2",
    ]  # fmt: skip


def test_a_backfill_without_due_times_is_over_at_once() -> None:
    empty = backfill(standing("allow"), 3.2, 3.8)
    found = look(empty, at(12.5), False, False)
    assert (found.starts, found.backfills) == ((), ())


def test_a_paused_schedule_keeps_its_backfills() -> None:
    paused = backfill(obey(standing("allow"), Order("pause"), at(12)), 3, 5)
    assert seen(paused, 12.5) == ([], at(12), None)
    resumed = obey(paused, Order("resume"), at(12.6))
    assert len(seen(resumed, 12.6)[0]) == 2


def test_the_runs_of_late_are_kept_with_their_outcomes() -> None:
    kept = standing()
    for hour in range(13, 20):
        kept = began(kept, Start(at(hour), f"s:{hour}", followed=True))
        kept = ended(kept, f"s:{hour}", "completed" if hour % 2 else "CallFailed")
    assert (kept.started, kept.failed) == (7, 3)
    assert [(run.execution_id, run.outcome) for run in kept.recent] == [
        ("s:15", "completed"), ("s:16", "CallFailed"), ("s:17", "completed"),
        ("s:18", "CallFailed"), ("s:19", "completed"),
    ]  # fmt: skip


def test_ids_show_fractions_of_seconds_only_where_there_are_some() -> None:
    start = NOON + timedelta(milliseconds=250)
    plan = Plan("s", "flow", Timetable(every=timedelta(seconds=1), start=start))
    found = look(Standing(plan, NOON), start, False, False)
    assert found.starts[0].execution_id == "s:2026-01-01T12:00:00.25Z"


def test_what_is_kept_is_the_same_after_the_journey() -> None:
    kept = began(backfill(standing("queue", paused="x"), 3, 5), Start(at(1), "s:1", followed=True))
    for value in (kept, Order("update", plan=kept.plan), look(kept, at(14), False, False)):
        codec = codec_for(type(value))
        assert codec.decode(codec.encode(value, "value"), "value") == value


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
@pytest.mark.parametrize("seed", range(20))
def test_each_due_time_is_started_once_skipped_or_missed_in_a_pause(
    overlap: Overlap, seed: int
) -> None:
    """A few days of runs of any length, with pauses and outages."""
    dice = random.Random(f"{overlap}{seed}")
    kept, hour, until, freed = standing(overlap, after=12), 12.0, 0.0, False
    started: list[datetime] = []
    missed = 0
    while hour < 100:
        chance = dice.random()
        if chance < 0.1 and kept.paused is None:
            kept = obey(kept, Order("pause"), at(hour))
        elif chance < 0.3 and kept.paused is not None:
            missed += due_between(kept, kept.after, at(hour))
            kept = obey(kept, Order("resume"), at(hour))
            freed = False
        found = look(kept, at(hour), until > hour, freed and until <= hour)
        freed = freed and until > hour
        kept = replace(kept, after=found.after, skipped=kept.skipped + found.skipped)
        for start in found.starts:
            started.append(start.due)
            assert start.due <= at(hour)
            if start.followed:
                assert until <= hour, "one at a time"
                until, freed = hour + dice.choice([0.1, 0.7, 1.5, 4.2]), True
        hour += dice.choice([0.1, 0.5, 1.0, 3.0])
    assert started == sorted(set(started))
    assert len(started) + kept.skipped + missed == due_between(kept, NOON, kept.after)


def due_between(kept: Standing, after: datetime | None, until: datetime | None) -> int:
    """How many due times there are."""
    assert after is not None
    assert until is not None
    count = 0
    for due in kept.plan.timetable.due_after(after):
        if due > until:
            break
        count += 1
    return count
