"""Types of schedules: read by mypy and pyright, never run. What is wrong must stay wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_type

from lambda_workflow import App, Client, Context, Schedule, Workflow, workflow
from lambda_workflow.runtime.schedules import ScheduleInfo

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Report:
    day: str


@workflow
async def report(ctx: Context, request: Report) -> int:
    return len(request.day)


@workflow(name="report", version="2")
async def report_2(ctx: Context, request: Report) -> str:
    return request.day


async def right(client: Client) -> None:
    assert_type(report_2, Workflow[Report, str])
    plain = Schedule("a", report, Report("x"), every=HOUR)
    assert_type(plain, Schedule[Report])
    made = Schedule("b", report, lambda due: Report(f"{due:%F}"), cron="0 8 * * *", overlap="queue")
    assert_type(made, Schedule[Report])
    App("reports", workflows=[report, report_2], schedules=[plain, made])
    Schedule(
        "c", report, Report("x"), every=HOUR, jitter=HOUR, catch_up=HOUR, pause_on_failure=True
    )
    info = await client.schedules.describe("a")
    assert_type(info, ScheduleInfo)
    assert_type(info.jitter, timedelta | None)
    assert_type(info.catch_up, timedelta | None)
    assert_type(info.missed, int)
    assert_type(await client.schedules.apply(), dict[str, str])
    assert_type(plain.next_times(3, datetime.now().astimezone()), list[datetime])


def wrong() -> None:
    Schedule("a", report, 7, every=HOUR)  # type: ignore[arg-type]
    Schedule("a", report, lambda due: 7, every=HOUR)  # type: ignore[arg-type, return-value]
    Schedule("a", report, Report("x"), every=HOUR, overlap="never")  # type: ignore[arg-type]
    Schedule("a", report, Report("x"), every=60)  # type: ignore[arg-type]
    Schedule("a", report, Report("x"), every=HOUR, jitter=60)  # type: ignore[arg-type]
    Schedule("a", report, Report("x"), every=HOUR, catch_up="1h")  # type: ignore[arg-type]
    Schedule("a", report, Report("x"), every=HOUR, pause_on_failure="x")  # type: ignore[arg-type]
