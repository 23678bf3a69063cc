"""Schedules at work on a host in memory, each turn replayed from the start and compared."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import App, Client, Status
from lambda_workflow.errors import ExecutionNotFound
from lambda_workflow.model import messages as m
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.scheduler import FACTS_MAX, ORDER
from tests.runtime.conftest import MakeDays
from tests.runtime.days import app, at, hourly, report, summary


async def test_a_short_run_is_started_at_each_due_time(make_days: MakeDays) -> None:
    days = make_days(hourly())
    assert await days.schedules.apply() == {"s": "created"}
    await days.until(3.5)
    assert days.begun() == {
        "s:2026-01-01T01:00:00Z": "1:00",
        "s:2026-01-01T02:00:00Z": "2:00",
        "s:2026-01-01T03:00:00Z": "3:00",
    }
    assert {days.status(one) for one in days.begun()} == {Status.COMPLETED}
    info = await days.info()
    assert (info.started, info.failed, info.skipped, info.paused) == (3, 0, 0, None)
    assert [(run.due, run.outcome) for run in info.recent] == [
        (at(hour), "completed") for hour in (1, 2, 3)
    ]
    assert info.next_times(2, at(3.5)) == [at(4), at(5)]


@pytest.mark.parametrize(
    ("overlap", "expected", "skipped"),
    [
        ("skip", {1: "1:00", 3: "3:00", 5: "5:00"}, 2),
        ("queue", {1: "1:00", 2: "2:30", 3: "4:00", 4: "5:30"}, 0),
        ("allow", {1: "1:00", 2: "2:00", 3: "3:00", 4: "4:00", 5: "5:00"}, 0),
    ],
)
async def test_runs_that_take_longer_than_the_distance(
    make_days: MakeDays, overlap: Any, expected: dict[int, str], skipped: int
) -> None:
    days = make_days(hourly(90, overlap=overlap))
    await days.schedules.apply()
    await days.until(5.75)
    assert days.begun() == {f"s:2026-01-01T0{due}:00:00Z": at for due, at in expected.items()}
    assert (await days.info()).skipped == skipped


async def test_a_run_that_fails_is_counted_and_the_next_is_started(make_days: MakeDays) -> None:
    days = make_days(hourly(0))
    await days.schedules.apply()
    await days.until(2.5)
    info = await days.info()
    assert (info.started, info.failed) == (2, 2)
    assert [run.outcome for run in info.recent] == ["ValueError", "ValueError"]


async def test_a_function_makes_each_request_of_the_due_time(make_days: MakeDays) -> None:
    def day_before(due: datetime) -> str:
        if due == at(48):
            raise LookupError("nothing to tell")
        return f"{due - timedelta(days=1):%d.%m.}"

    daily = Schedule("daily", summary, day_before, every=timedelta(days=1))
    days = make_days(daily)
    await days.schedules.apply()
    await days.until(80)
    outcomes = {one.removeprefix("daily:"): days.outcome(one) for one in days.begun()}
    assert outcomes == {"2026-01-02T00:00:00Z": "01.01.", "2026-01-04T00:00:00Z": "03.01."}
    recent = (await days.info("daily")).recent
    assert [run.outcome for run in recent] == ["completed", "LookupError", "completed"]


async def test_a_pause_starts_nothing_and_a_resume_goes_on_from_then(make_days: MakeDays) -> None:
    days = make_days(hourly(overlap="queue"))
    await days.schedules.apply()
    await days.until(1.5)
    await days.schedules.pause("s", "maintenance")
    await days.until(4.5)
    assert (await days.info()).paused == "maintenance"
    await days.schedules.resume("s")
    await days.until(6.5)
    assert list(days.begun().values()) == ["1:00", "5:00", "6:00"]
    assert (await days.info()).paused is None


async def test_a_trigger_starts_at_once_even_in_a_pause(make_days: MakeDays) -> None:
    days = make_days(hourly(90))
    await days.schedules.apply()
    await days.until(1.25)
    await days.schedules.trigger("s")
    await days.until(1.5)
    await days.schedules.pause("s")
    await days.schedules.trigger("s")
    await days.until(4)
    assert days.begun() == {
        "s:2026-01-01T01:00:00Z": "1:00", "s:trigger1": "1:15", "s:trigger2": "1:30",
    }  # fmt: skip


async def test_a_backfill_runs_the_past_one_after_another_beside_what_is_due(
    make_days: MakeDays,
) -> None:
    days = make_days(hourly(40))
    await days.schedules.apply()
    await days.until(0.5)
    assert await days.schedules.backfill("s", at(-3), at(0)) == 3
    await days.until(3.5)
    assert days.begun() == {
        "s:2025-12-31T21:00:00Z:backfill1": "0:30",
        "s:2026-01-01T01:00:00Z": "1:10",  # due at 1:00: it waits for the one under way
        "s:2025-12-31T22:00:00Z:backfill1": "1:50",
        "s:2026-01-01T02:00:00Z": "2:30",  # still goes on at 3:00, which is skipped
        "s:2025-12-31T23:00:00Z:backfill1": "3:10",
    }


async def test_a_backfill_may_run_all_at_the_same_time(make_days: MakeDays) -> None:
    days = make_days(hourly(90))
    await days.schedules.apply()
    await days.until(1.1)
    assert await days.schedules.backfill("s", at(-250), at(0), overlap="allow") == 250
    await days.until(1.2)
    filled = {one: at for one, at in days.begun().items() if one.endswith(":backfill1")}
    assert len(filled) == 250
    assert set(filled.values()) == {"1:06"}
    assert (await days.info()).started == 251


async def test_an_update_counts_from_now_on(make_days: MakeDays) -> None:
    days = make_days(hourly())
    await days.schedules.apply()
    await days.until(1.5)
    daily = Schedule("s", summary, "x", cron="0 5 * * *", timezone="Europe/Berlin")
    await days.schedules.update(daily)
    await days.until(30)
    assert list(days.begun().values()) == ["1:00", "4:00", "28:00"]
    info = await days.info()
    assert (info.workflow, str(info.timetable)) == ("summary", "cron 0 5 * * * Europe/Berlin")


async def test_one_moment_is_run_once_and_the_schedule_stays_for_triggers(
    make_days: MakeDays,
) -> None:
    days = make_days(Schedule("s", report, 10, at=at(2.5)))
    await days.schedules.apply()
    await days.until(48)
    await days.schedules.trigger("s")
    await days.until(49)
    assert days.begun() == {"s:2026-01-01T02:30:00Z": "2:30", "s:trigger1": "48:00"}


async def test_a_deleted_schedule_ends_its_runs_go_on_and_its_name_is_free(
    make_days: MakeDays,
) -> None:
    days = make_days(hourly(90))
    await days.schedules.apply()
    await days.until(1.5)
    await days.schedules.delete("s")
    await days.until(4)
    assert days.status("schedule:s") is Status.COMPLETED
    assert days.begun() == {"s:2026-01-01T01:00:00Z": "1:00"}
    assert days.status("s:2026-01-01T01:00:00Z") is Status.COMPLETED
    with pytest.raises(ExecutionNotFound, match="no schedule 's'"):
        await days.info()
    await days.schedules.create(hourly())
    await days.until(5.5)
    assert list(days.begun().values()) == ["1:00", "5:00"]
    assert (await days.info()).started == 1


async def test_apply_makes_what_is_new_changes_what_differs_and_leaves_the_rest(
    make_days: MakeDays,
) -> None:
    days = make_days(hourly(name="a"), hourly(name="b"))
    assert await days.schedules.apply() == {"a": "created", "b": "created"}
    await days.until(0.1)
    assert await days.schedules.apply() == {"a": "unchanged", "b": "unchanged"}
    changed = app(hourly(name="b", overlap="queue"), hourly(name="c"))
    days.deploy(changed)
    schedules = Client(changed, days.memory.backend).schedules
    assert await schedules.apply() == {"b": "updated", "c": "created"}
    await days.until(0.2)
    found = {info.name: info.overlap async for info in schedules.list()}
    assert found == {"a": "skip", "b": "queue", "c": "skip"}


async def test_a_long_life_is_many_short_histories(make_days: MakeDays) -> None:
    days = make_days(hourly(70, overlap="skip"), check=False)
    await days.schedules.apply()
    await days.until(24 * 14)
    history = days.history("schedule:s")
    assert history.started is not None
    assert history.started.run.number > 3
    assert history.facts <= FACTS_MAX + 5
    info = await days.info()
    assert (info.started, info.skipped) == (168, 167)
    assert len(info.recent) == 5


async def test_orders_given_between_two_runs_of_its_execution_are_not_lost(
    make_days: MakeDays,
) -> None:
    days = make_days(hourly(90, overlap="allow"), check=False)
    await days.schedules.apply()
    await days.until(0.5)
    for _ in range(3 * FACTS_MAX):
        await days.schedules.trigger("s")
    await days.until(0.6)
    assert len(days.begun()) == 3 * FACTS_MAX
    assert (await days.info()).started == 3 * FACTS_MAX


async def test_a_worker_that_starts_cold_at_each_turn_does_the_same(make_days: MakeDays) -> None:
    days = make_days(hourly(90, overlap="queue"), live_max=0)
    await days.schedules.apply()
    await days.until(7)
    assert list(days.begun().values()) == ["1:00", "2:30", "4:00", "5:30", "7:00"]


async def test_an_order_that_cannot_be_read_changes_nothing(make_days: MakeDays) -> None:
    days = make_days(hourly())
    await days.schedules.apply()
    await days.until(0.5)
    await days.send(m.Signal("schedule:s", ORDER.name, {"kind": "explode"}, "x"))
    await days.until(1.5)
    assert list(days.begun().values()) == ["1:00"]


async def test_a_schedule_whose_workflow_is_gone_is_blocked_and_goes_on_when_it_is_back(
    make_days: MakeDays,
) -> None:
    days = make_days(hourly())
    await days.schedules.apply()
    await days.until(0.5)
    days.deploy(App("tests", workflows=[summary], schedules=[]))
    await days.until(1.5)
    header = await days.store.header("schedule:s")
    assert header is not None
    assert header.status is Status.BLOCKED
    assert "starts workflow 'report', which its App does not list" in header.reason
    days.deploy(app(hourly()))
    await days.send(m.Redrive("schedule:s"))
    await days.until(2.5)
    assert list(days.begun().values()) == ["1:30", "2:00"]
