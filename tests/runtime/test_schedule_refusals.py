"""What `client.schedules` and an App refuse, and what they say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from lambda_workflow import App, Client, ConfigurationError
from lambda_workflow.errors import ExecutionAlreadyStarted, ExecutionNotFound, UnknownWorkflow
from lambda_workflow.runtime.schedule import Schedule
from tests.runtime.conftest import MakeDays
from tests.runtime.days import HOUR, app, at, hourly, report, summary


async def test_what_is_not_there_is_named(make_days: MakeDays) -> None:
    schedules = make_days().schedules
    for order in (
        schedules.describe("x"),
        schedules.pause("x"),
        schedules.resume("x"),
        schedules.trigger("x"),
        schedules.delete("x"),
        schedules.update(hourly(name="x")),
        schedules.backfill("x", at(0), at(1)),
    ):
        with pytest.raises(ExecutionNotFound, match="no schedule 'x'"):
            await order


async def test_a_second_schedule_of_a_name_is_refused(make_days: MakeDays) -> None:
    days = make_days()
    await days.schedules.create(hourly())
    await days.until(0.1)
    with pytest.raises(ExecutionAlreadyStarted, match="schedule 's' exists"):
        await days.schedules.create(hourly())


async def test_a_function_needs_a_schedule_that_the_app_lists(make_days: MakeDays) -> None:
    days = make_days(hourly())
    await days.schedules.apply()
    await days.until(0.1)
    computed = Schedule("s", report, lambda due: due.hour, every=HOUR)
    for refused in (days.schedules.create(computed), days.schedules.update(computed)):
        with pytest.raises(ConfigurationError, match="a function cannot be stored"):
            await refused


@pytest.mark.parametrize(
    ("start", "end", "options", "words"),
    [
        (at(0.1), at(0.9), {}, "nothing is due"),
        (at(2), at(1), {}, "nothing is due"),
        (at(0), at(20_000), {}, "more than 10000 times are due"),
        (at(0).replace(tzinfo=None), at(1), {}, "need a time zone"),
        (at(0), at(1), {"overlap": "skip"}, "'queue' or 'allow'"),
        (at(0), at(1), {"overlap": "never"}, "one of skip, queue, allow"),
    ],
)
async def test_a_backfill_that_cannot_be_meant_is_refused(
    make_days: MakeDays, start: datetime, end: datetime, options: Any, words: str
) -> None:
    days = make_days(hourly())
    await days.schedules.apply()
    await days.until(0.1)
    with pytest.raises(ConfigurationError, match=words):
        await days.schedules.backfill("s", start, end, **options)


def test_an_app_refuses_a_schedule_of_a_workflow_that_it_lacks() -> None:
    with pytest.raises(UnknownWorkflow, match="no workflow 'report'"):
        App("tests", workflows=[summary], schedules=[hourly()])
    with pytest.raises(ConfigurationError, match="two schedules are named 's'"):
        app(hourly(), hourly())


async def test_an_app_without_schedules_says_how_to_have_some(make_days: MakeDays) -> None:
    days = make_days()
    without = Client(App("tests", workflows=[report]), days.memory.backend)
    with pytest.raises(ConfigurationError, match=r"App\(…, schedules=\[\]\)"):
        await without.schedules.create(hourly())
