"""A schedule on AWS: each wait is a one-time schedule of EventBridge, each run an execution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambda_workflow import App, Context, workflow
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.errors import ExecutionNotFound
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.schedules import ScheduleInfo
from tests.aws.deployed import deploy, until, working
from tests.aws.server.process import Server

TWO_HOURS = timedelta(hours=2)


@workflow
async def report(ctx: Context, hour: str) -> str:
    return hour


async def known(client: Client) -> ScheduleInfo | None:
    try:
        return await client.schedules.describe("s")
    except ExecutionNotFound:
        return None


async def until_done(client: Client, count: int) -> ScheduleInfo:
    """Wait until so many executions have completed."""

    async def are_done() -> bool:
        info = await known(client)
        return info is not None and [run.outcome for run in info.recent] == ["completed"] * count

    await until(are_done)
    return await client.schedules.describe("s")


async def due_in_scheduler(count: int) -> list[str]:
    """The times for which EventBridge has schedules, once it has so many."""
    aws = Aws()
    found: list[str] = []

    async def are_there() -> bool:
        listed = await aws.call("scheduler", "ListSchedules", GroupName="timers")
        found.clear()
        for one in listed["Schedules"]:
            try:
                schedule = await aws.call(
                    "scheduler", "GetSchedule", GroupName="timers", Name=one["Name"]
                )
            except AwsError:  # deleted since it was listed
                return False
            found.append(schedule["ScheduleExpression"])
        return len(found) == count

    try:
        await until(are_there)
        return found
    finally:
        await aws.close()


async def test_a_schedule_sleeps_in_eventbridge_and_starts_what_is_due(server: Server) -> None:
    first = datetime.now(UTC).replace(microsecond=0) + TWO_HOURS
    every = Schedule("s", report, lambda due: f"{due:%FT%T}", every=TWO_HOURS, start=first)
    app = App("tests", workflows=[report], schedules=[every])
    config = await deploy([])
    async with working(app, config) as client:
        assert await client.schedules.apply() == {"s": "created"}
        assert await due_in_scheduler(1) == [f"at({first:%FT%T})"]
        server.advance(TWO_HOURS.total_seconds() + 60)
        info = await until_done(client, 1)
        assert info.recent[0].due == first
        second = first + TWO_HOURS
        assert await due_in_scheduler(1) == [f"at({second:%FT%T})"]
        assert await client.result(f"s:{first:%FT%T}Z") == f"{first:%FT%T}"
        assert await client.schedules.apply() == {"s": "unchanged"}

        await client.schedules.pause("s", "holidays")
        assert await due_in_scheduler(0) == []
        listed = [info async for info in client.schedules.list()]
        assert [(info.name, info.paused) for info in listed] == [("s", "holidays")]
        elsewhere = client_for(App("cli", workflows=[]), config)
        assert [info.name async for info in elsewhere.schedules.list()] == ["s"]
        await elsewhere.close()
        await client.schedules.delete("s")

        async def is_deleted() -> bool:
            return await known(client) is None

        await until(is_deleted)
