"""Later on AWS: a task goes back to the service's own queue, with a delay."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, ConfigurationError, Context, Later, Service, Task, serve, workflow
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX, AwsConfig, read_config
from lambda_workflow.aws.handlers import AsyncHandler, task_handler
from lambda_workflow.model.wire import render_task
from tests.aws.deployed import RECEIVES_MAX, SOON, ShiftedClock, deploy, put, take, working
from tests.aws.server.process import Server
from tests.aws.test_services import Bench

WORK: Service[float, str] = Service("work", float, str)
VARIABLE = f"{PREFIX}SERVICE_QUEUE_URL"
visits: list[Task] = []


@serve(WORK)
async def work(seconds: float, task: Task) -> str:
    """Is away twice, for so long."""
    visits.append(task)
    away = task.state or 0
    if away < 2:
        raise Later(timedelta(seconds=seconds), away + 1)
    return f"done at visit {away}"


@workflow
async def works(ctx: Context, seconds: float) -> str:
    return await ctx.call(WORK, seconds)


@pytest.fixture
async def bench(server: Server) -> Bench:
    visits.clear()
    return Bench(server, await deploy(["work"]))


class Time:
    """Moves the server's clock and the handler's."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.clock = ShiftedClock()

    def handler(self, config: AwsConfig | None = None) -> AsyncHandler:
        return task_handler(work, config=config or self.bench.config, clock=self.clock)

    def move(self, seconds: float) -> None:
        self.clock.shift += round(seconds * 1000)
        self.bench.server.advance(seconds)


async def test_a_task_is_away_for_its_delay_and_comes_back_with_its_state(bench: Bench) -> None:
    time = Time(bench)
    handle = time.handler()
    await bench.task(1, 60)
    for _ in range(2):
        assert await bench.handled(handle) == []
        time.move(50)
        assert await bench.handled(handle) == []  # nothing is there yet
        time.move(11)
    assert await bench.handled(handle) == []
    assert [task.state for task in visits] == [None, 1, 2]
    assert [update.payload for update in await bench.results()] == ["done at visit 2"]


async def test_a_delay_over_a_quarter_of_an_hour_is_sent_on(bench: Bench) -> None:
    time = Time(bench)
    handle = time.handler()
    await bench.task(1, 2000)
    for _ in range(3):
        assert await bench.handled(handle) == []
        time.move(901)
    assert await bench.handled(handle) == []
    assert [task.state for task in visits] == [None, 1]
    sends = bench.server.requests("sqs", "SendMessageBatch", "service-work")
    assert len(sends) == 4


async def test_without_its_queue_s_address_the_task_comes_again_and_is_a_dead_letter_at_last(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time(bench)
    handle = time.handler(replace(bench.config, service_queue_urls={}))
    await bench.task(1, 60)
    for _ in range(RECEIVES_MAX):
        assert len(await bench.handled(handle)) == 1
        time.move(600)
    assert f"set {VARIABLE} to the URL of its own standard queue" in caplog.text
    assert await bench.handled(handle) == []
    answer = await Aws().call("sqs", "GetQueueUrl", QueueName="service-dead")
    [letter] = await take(answer["QueueUrl"])
    assert json.loads(letter["Body"])["payload"] == 60


async def test_being_away_is_no_result_and_is_not_kept_as_one(bench: Bench) -> None:
    time = Time(bench)
    handle = time.handler(replace(bench.config, deduplicate=True))
    await bench.task(1, 60)
    for _ in range(3):
        assert await bench.handled(handle) == []
        time.move(61)
    await bench.task(1, 60)  # delivered twice: answered from the result
    assert await bench.handled(handle) == []
    assert len(visits) == 3
    [update] = await bench.results()  # the second is a repetition that SQS drops
    assert update.payload == "done at visit 2"


async def test_what_was_withdrawn_while_away_is_begun_by_no_container_where_results_are_kept(
    bench: Bench,
) -> None:
    time = Time(bench)
    config = replace(bench.config, deduplicate=True)
    task = Task("e", "e/1", "work", 60, 1, config.queue_url, heartbeat_ms=600_000)
    await put(bench.url, render_task(task))
    assert await bench.handled(time.handler(config)) == []
    withdrawal = replace(task, payload=None, reply=False, cancelled=True)
    await put(bench.url, render_task(withdrawal))
    assert await bench.handled(time.handler(config)) == []
    time.move(61)
    assert await bench.handled(time.handler(config)) == []
    assert len(visits) == 1


async def test_what_is_dropped_after_its_deadline_leaves_the_next_attempt_alone(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time(bench)
    handle = time.handler(replace(bench.config, deduplicate=True))
    late = Task("e", "e/1", "work", 0, 1, bench.config.queue_url, deadline_ms=1_000)
    late = replace(late, not_before=1_000)
    with caplog.at_level(logging.INFO, logger="lambda_workflow"):
        await put(bench.url, render_task(late))
        assert await bench.handled(handle) == []
    assert "nobody waits for attempt 1 after 1970-01-01 00:00:01+00:00" in caplog.text
    await put(bench.url, render_task(replace(late, attempt=2, deadline_ms=0)))
    for _ in range(3):
        assert await bench.handled(handle) == []
    assert [update.attempt for update in await bench.results()] == [2]
    assert await bench.dead() == []


async def test_a_worker_puts_a_task_back_on_the_queue_it_came_from(bench: Bench) -> None:
    config = replace(bench.config, own_queue_url="https://sqs.example.com/1/of-another-service")
    async with working(App("later", workflows=[works], adapters=[work]), config) as client:
        handle = await client.start(works, 0.0)
        assert await handle.result(timeout=SOON) == "done at visit 2"


def test_the_address_is_a_variable_of_its_own_and_no_service_s() -> None:
    environ: dict[str, Any] = {VARIABLE: "https://sqs.example.com/1/own"}
    config = read_config(environ, required=())
    assert config.return_url("work") == "https://sqs.example.com/1/own"
    assert config.service_queue_urls == {}


def test_a_fifo_queue_cannot_delay_one_message_and_is_refused() -> None:
    config = read_config({VARIABLE: "https://sqs.example.com/1/own.fifo"}, required=())
    with pytest.raises(ConfigurationError, match=r"its own standard queue .*own\.fifo"):
        config.return_url("work")
