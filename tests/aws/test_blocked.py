"""Code that does not fit the history, or is missing: BLOCKED, and on again with the right code."""

from __future__ import annotations

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.model.events import CallSucceeded
from lambda_workflow.model.messages import Task
from lambda_workflow.model.turn import decode_turns
from lambda_workflow.model.wire import parse_task, render
from lambda_workflow.runtime.client import Client
from tests.aws.deployed import SOON, deploy, put, take, until, until_left, working
from tests.aws.server.process import Server

ONE: Service[int, int] = Service("one", int, int)
TWO: Service[int, int] = Service("two", int, int)
SERVICES = ("one", "two")


@workflow(name="flow")
async def right(ctx: Context, start: int) -> int:
    first = ctx.call(ONE, start)
    second = ctx.call(ONE, start + 1)
    return await first + await second + await ctx.call(TWO, start)


@workflow(name="flow")
async def wrong(ctx: Context, start: int) -> int:
    return await ctx.call(TWO, start)


@workflow(name="other")
async def other(ctx: Context, start: int) -> int:
    return start


RIGHT = App("app", workflows=[right], services=[ONE, TWO])
WRONG = App("app", workflows=[wrong], services=[ONE, TWO])
UNKNOWING = App("app", workflows=[other], services=[ONE, TWO])


async def status_is(client: Client, status: Status, *, turns: int) -> None:
    """Wait until an execution has that status and as many records."""

    async def it_is() -> bool:
        loaded = await client.backend.store.load("e")
        made = decode_turns(loaded.texts)
        return len(made) >= turns and made[-1].status is status

    await until(it_is)


async def tasks_of(config: AwsConfig, service: str, *, wait: int = 10) -> list[Task]:
    messages = await take(config.service_queue_url(service), wait=wait)
    return sorted((parse_task(m["Body"]) for m in messages), key=lambda task: task.task_id)


async def answer(config: AwsConfig, task: Task, value: int) -> None:
    await put(config.queue_url, render(task.update(value)), "e")


async def started(config: AwsConfig) -> list[Task]:
    """Run the first turn with the right code; the tasks of its two calls."""
    async with working(RIGHT, config) as client:
        await client.start(right, 1, execution_id="e")
        await status_is(client, Status.RUNNING, turns=1)
        tasks = await tasks_of(config, "one")
        await until_left(config.queue_url, 0)  # else a worker that ends keeps the group locked
    assert len(tasks) == 2
    return tasks


@pytest.mark.parametrize("app", [WRONG, UNKNOWING], ids=["diverges", "unknown"])
async def test_what_arrives_while_blocked_is_kept_and_the_next_message_goes_on(
    server: Server, app: App
) -> None:
    config = await deploy(SERVICES)
    first, second = await started(config)
    async with working(app, config) as client:
        await answer(config, first, 10)
        await status_is(client, Status.BLOCKED, turns=2)
        header = await client.describe("e")
        assert header.status is Status.BLOCKED
        assert ("NonDeterminismError" if app is WRONG else "UnknownWorkflow") in header.reason
        await until_left(config.queue_url, 0)
    assert await take(config.queue_url) == [], "nothing waits in a queue to be lost"
    assert await take(config.dlq_url) == []
    async with working(RIGHT, config) as client:
        await answer(config, second, 100)
        (third,) = await tasks_of(config, "two")
        await answer(config, third, 1000)
        assert await client.result("e", timeout=SOON) == 1110
        history = await client.history("e")
    facts = [event for turn in history.turns for event in turn.events]
    results = [event.payload for event in facts if isinstance(event, CallSucceeded)]
    assert results == [10, 100, 1000]


async def test_a_redrive_sets_a_blocked_execution_going_again(server: Server) -> None:
    config = await deploy(SERVICES)
    tasks = await started(config)
    async with working(WRONG, config) as client:
        for task in tasks:
            await answer(config, task, 10)
        await status_is(client, Status.BLOCKED, turns=2)
        await until_left(config.queue_url, 0)
        await client.redrive("e")  # the code is still wrong: it stays as it is
        await until_left(config.queue_url, 0)
        assert (await client.describe("e")).status is Status.BLOCKED
    async with working(RIGHT, config) as client:
        await client.redrive("e")
        (third,) = await tasks_of(config, "two")
        await answer(config, third, 1000)
        assert await client.result("e", timeout=SOON) == 1020
        assert (await client.describe("e")).status is Status.COMPLETED


async def test_a_workflow_that_is_unknown_from_the_start_is_kept(server: Server) -> None:
    config = await deploy(SERVICES)
    async with working(UNKNOWING, config) as client:
        await Client(RIGHT, client.backend).start(right, 1, execution_id="e")
        await status_is(client, Status.BLOCKED, turns=1)
        assert "UnknownWorkflow" in (await client.describe("e")).reason
        await until_left(config.queue_url, 0)
    async with working(RIGHT, config) as client:
        await put(config.queue_url, '{"type":"Redrive","execution_id":"e"}', "e")
        for task in await tasks_of(config, "one"):
            await answer(config, task, 10)
        (third,) = await tasks_of(config, "two")
        await answer(config, third, 1000)
        assert await client.result("e", timeout=SOON) == 1020
