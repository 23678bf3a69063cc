"""Timers on AWS: which route they take, and what EventBridge Scheduler is told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.timers import AwsTimers
from lambda_workflow.model.messages import Timer
from lambda_workflow.model.wire import parse, parse_task, render
from lambda_workflow.ports import ArmTimer, DisarmTimer
from tests.aws.deployed import (
    ROLE,
    SOON,
    ServerClock,
    ShiftedClock,
    deploy,
    put,
    take,
    until,
    until_left,
    working,
)
from tests.aws.server.process import Server

HOUR = timedelta(hours=1)
SLOW: Service[int, int] = Service("slow", int, int)


@workflow
async def nap(ctx: Context, hours: int) -> str:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(hours):
            tasks.create_task(asyncio.sleep(HOUR.total_seconds()))
    return "awake"


@workflow
async def hurry(ctx: Context, number: int) -> int:
    async with asyncio.timeout(HOUR.total_seconds()):
        return await ctx.call(SLOW, number)


app = App("timers", workflows=[nap, hurry], services=[SLOW])


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    opened = Aws()
    yield opened
    await opened.close()


async def schedules(aws: Aws) -> list[dict[str, Any]]:
    listed = await aws.call("scheduler", "ListSchedules", GroupName="timers")
    return [
        await aws.call("scheduler", "GetSchedule", GroupName="timers", Name=found["Name"])
        for found in listed["Schedules"]
    ]


async def are_there(aws: Aws, count: int) -> list[dict[str, Any]]:
    async def all_made() -> bool:
        return len(await schedules(aws)) == count

    await until(all_made)
    return await schedules(aws)


async def test_a_timer_of_an_hour_is_a_schedule_and_wakes_its_execution(
    server: Server, aws: Aws
) -> None:
    config = await deploy(["slow"])
    began = datetime.now(UTC)
    async with working(app, config) as client:
        handle = await client.start(nap, 2, execution_id="e")
        both = await are_there(aws, 2)
        for schedule in both:
            assert re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", schedule["Name"])
            assert schedule["ScheduleExpressionTimezone"] == "UTC"
            assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
            assert schedule["ActionAfterCompletion"] == "DELETE"
            target = schedule["Target"]
            assert (target["Arn"], target["RoleArn"]) == (config.queue_arn, ROLE)
            assert target["SqsParameters"] == {"MessageGroupId": "e"}
            due = json.loads(target["Input"])["due"] / 1000
            at = datetime.fromisoformat(schedule["ScheduleExpression"][3:-1] + "+00:00")
            assert due <= at.timestamp() < due + 1
            assert began + HOUR <= datetime.fromtimestamp(due, UTC) <= datetime.now(UTC) + HOUR
        assert len({schedule["Target"]["Input"] for schedule in both}) == 2
        assert server.requests("sqs", "SendMessageBatch", "delay") == []
        server.advance(HOUR.total_seconds() - 60)
        assert len(await schedules(aws)) == 2
        assert (await client.describe("e")).status is Status.RUNNING
        server.advance(120)
        assert await handle.result(SOON) == "awake"
    assert await schedules(aws) == []


async def test_what_scheduler_cannot_deliver_goes_on_from_its_dead_letter_queue(
    server: Server, aws: Aws
) -> None:
    dead = "arn:aws:sqs:us-east-1:123456789012:delay-dead"
    config = replace(await deploy(["slow"]), scheduler_dlq_arn=dead)
    async with working(app, config) as client:
        handle = await client.start(nap, 2, execution_id="e")
        targets = [schedule["Target"] for schedule in await are_there(aws, 2)]
        assert [target["DeadLetterConfig"] for target in targets] == [{"Arn": dead}] * 2
        Server.moved_ms = 2 * 3_600_000  # for the worker; the schedules stay where they are
        letters = [parse(target["Input"]) for target in targets]
        timers = [letter for letter in letters if isinstance(letter, Timer)]
        await AwsTimers(aws, config, ServerClock()).forward(
            timers
        )  # as after a redrive of that queue
        assert await handle.result(SOON) == "awake"


async def test_a_schedule_is_deleted_when_its_timer_is_cancelled(server: Server, aws: Aws) -> None:
    config = await deploy(["slow"])
    async with working(app, config) as client:
        handle = await client.start(hurry, 1, execution_id="e")
        await are_there(aws, 1)
        (task,) = await take(config.service_queue_url("slow"), wait=10)
        await put(config.queue_url, render(parse_task(task["Body"]).update(7)), "e")
        assert await handle.result(SOON) == 7
        assert await are_there(aws, 0) == []


async def test_a_schedule_that_fires_twice_changes_nothing(server: Server, aws: Aws) -> None:
    config = await deploy(["slow"])
    async with working(app, config) as client:
        handle = await client.start(nap, 1, execution_id="e")
        (schedule,) = await are_there(aws, 1)
        server.advance(HOUR.total_seconds() + 60)
        assert await handle.result(SOON) == "awake"
        turns = len((await client.history("e")).turns)
        server.advance(400)  # past the window in which SQS itself would drop it
        await put(config.queue_url, schedule["Target"]["Input"], "e")
        await until_left(config.queue_url, 0)
        assert len((await client.history("e")).turns) == turns


@pytest.mark.parametrize(("seconds", "route"), [(900, "delay"), (930, "scheduler")])
async def test_a_quarter_of_an_hour_decides_the_route(
    server: Server, aws: Aws, seconds: int, route: str
) -> None:
    clock = ShiftedClock()
    timers = AwsTimers(aws, await deploy([]), clock)
    timer = ArmTimer("e", "1", clock.now() + seconds * 1000)
    await timers.arm([timer])
    assert bool(server.requests("sqs", "SendMessageBatch", "delay")) is (route == "delay")
    assert bool(await schedules(aws)) is (route == "scheduler")
    await timers.disarm([DisarmTimer(timer.execution_id, timer.operation, timer.due)])
    assert await schedules(aws) == []


async def test_without_a_scheduler_an_hour_is_four_hops(server: Server, aws: Aws) -> None:
    config = await deploy([], scheduler=False)
    clock = ShiftedClock()
    timers = AwsTimers(aws, config, clock)
    timer = Timer("e", "1", clock.now() + 3_600_000)
    await timers.arm([ArmTimer("e", "1", timer.due)])
    for _ in range(4):
        assert await take(config.queue_url) == []
        assert await take(config.delay_queue_url) == [], "not before its time"
        clock.shift += 901_000
        server.advance(901)
        (delivered,) = await take(config.delay_queue_url)
        assert parse(delivered["Body"]) == timer
        await timers.forward([timer])
    (fired,) = await take(config.queue_url)
    assert parse(fired["Body"]) == timer
    assert len(server.requests("sqs", "SendMessageBatch", "delay")) == 4


async def test_of_several_refusals_the_first_is_the_error(server: Server, aws: Aws) -> None:
    timers = AwsTimers(aws, await deploy([]), ShiftedClock())
    server.fault("scheduler", "POST", "refuse", count=2)
    due = ShiftedClock().now() + 3_600_000
    with pytest.raises(AwsError, match="CreateSchedule: ValidationException"):
        await timers.arm([ArmTimer("e", operation, due) for operation in ("1", "2")])
