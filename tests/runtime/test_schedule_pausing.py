"""`pause_on_failure`: a schedule that stops by itself, says why, and goes on by order."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import App, Client, Context, Status, workflow
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.schedule import Schedule
from tests.runtime.conftest import MakeDays
from tests.runtime.days import HOUR, Days, at, hourly, summary

FIRST = "s:2026-01-01T01:00:00Z"


@pytest.mark.parametrize("overlap", ["skip", "queue"])
async def test_a_failure_pauses_it_with_the_reason(
    make_days: MakeDays, overlap: Any, caplog: pytest.LogCaptureFixture
) -> None:
    days = make_days(hourly(0, overlap=overlap, pause_on_failure=True))
    await days.schedules.apply()
    with caplog.at_level(logging.WARNING):
        await days.until(5)
    info = await days.info()
    reason = f"pause_on_failure: {FIRST} failed with ValueError"
    assert info.paused == reason
    assert (info.started, info.failed, info.pause_on_failure) == (1, 1, True)
    assert list(days.begun()) == [FIRST]
    assert f"schedule s is paused: {reason}" in caplog.text


async def test_without_the_option_it_goes_on(make_days: MakeDays) -> None:
    days = make_days(hourly(0))
    await days.schedules.apply()
    await days.until(3.5)
    info = await days.info()
    assert (info.started, info.failed, info.paused) == (3, 3, None)


async def test_a_resume_goes_on_and_the_next_failure_pauses_it_again(make_days: MakeDays) -> None:
    days = make_days(hourly(0, pause_on_failure=True))
    await days.schedules.apply()
    await days.until(3.5)
    await days.schedules.update(hourly(10, pause_on_failure=True))
    await days.until(3.6)
    assert (await days.info()).paused is not None, "an update does not resume it"
    await days.schedules.resume("s")
    await days.until(5.5)
    assert list(days.begun().values()) == ["1:00", "4:00", "5:00"]
    await days.schedules.update(hourly(0, pause_on_failure=True))
    await days.until(8.5)
    info = await days.info()
    assert info.paused == "pause_on_failure: s:2026-01-01T06:00:00Z failed with ValueError"
    assert (info.started, info.failed) == (4, 2)


async def test_the_rest_of_a_backfill_waits_for_the_resume(make_days: MakeDays) -> None:
    days = make_days(hourly(0, pause_on_failure=True))
    await days.schedules.apply()
    await days.until(0.1)
    await days.schedules.backfill("s", at(-3), at(0))
    await days.until(0.5)
    info = await days.info()
    assert info.paused is not None
    assert (info.started, info.backfills) == (1, 1)
    await days.schedules.update(hourly(1, pause_on_failure=True))
    await days.schedules.resume("s")
    await days.until(0.9)
    info = await days.info()
    assert (info.started, info.backfills, info.paused) == (3, 0, None)


async def test_a_request_that_cannot_be_made_pauses_it_too(make_days: MakeDays) -> None:
    def request(due: datetime) -> str:
        raise LookupError(f"no figures of {due}")

    failing = Schedule("s", summary, request, every=HOUR, pause_on_failure=True)
    days = make_days(failing)
    await days.schedules.apply()
    await days.until(3)
    info = await days.info()
    assert info.paused == f"pause_on_failure: {FIRST} failed with LookupError"
    assert (info.started, info.failed, days.begun()) == (1, 1, {})


@workflow
async def endless(ctx: Context, request: str) -> None:
    await ctx.sleep(timedelta(days=300))


@workflow
async def failing_late(ctx: Context, request: str) -> None:
    await ctx.sleep(HOUR / 2)
    raise ConnectionError(request)


def days_of(code: Any) -> tuple[Days, Client]:
    schedule = Schedule("s", code, "x", every=HOUR, pause_on_failure=True)
    days = Days(App("tests", workflows=[code], schedules=[schedule]), check=True)
    client = Client(days.app, days.memory.backend)
    days.schedules = client.schedules
    return days, client


async def test_the_reason_of_a_user_is_kept() -> None:
    days, _ = days_of(failing_late)
    with closing(days):
        await days.schedules.apply()
        await days.until(1.2)
        await days.schedules.pause("s", "holidays")
        await days.until(3)
        info = await days.info()
        assert (info.failed, info.paused) == (1, "holidays")


@pytest.mark.parametrize(
    ("ending", "status"), [("cancel", Status.CANCELLED), ("terminate", Status.TERMINATED)]
)
async def test_an_execution_that_somebody_stops_is_no_failure(ending: str, status: Status) -> None:
    days, client = days_of(endless)
    with closing(days):
        await days.schedules.apply()
        await days.until(1.5)
        await getattr(client, ending)(FIRST)
        await days.until(1.9)
        assert days.status(FIRST) is status
        info = await days.info()
        assert (info.failed, info.paused) == (1, None)


def test_it_cannot_be_had_where_no_end_is_waited_for() -> None:
    with pytest.raises(ConfigurationError, match='choose overlap="skip" or "queue"'):
        hourly(overlap="allow", pause_on_failure=True)
    wrong: Any = "yes"
    with pytest.raises(ConfigurationError, match=r"pause_on_failure is .*: give True or False"):
        hourly(pause_on_failure=wrong)
