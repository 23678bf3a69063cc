"""What fails in a batch is told by the log line that alarms count: Lambda counts no error."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.handlers import task_handler, workflow_handler
from lambda_workflow.aws.synth.watch import TROUBLED
from lambda_workflow.model.messages import Timer
from lambda_workflow.model.wire import render
from tests.aws.apps import app
from tests.aws.deployed import deploy, event_of, lease, put
from tests.aws.server.process import Server

COUNTED = re.compile(TROUBLED.strip("%"))
ATTEMPTS = 9  # more than the client makes


async def delivered(handle: Any, url: str, queue: str) -> list[str]:
    """One delivery of what a queue holds; the ids that failed."""
    async with lease(url) as (messages, _):
        assert messages
        answer = await handle(event_of(queue, messages))
    return [found["itemIdentifier"] for found in answer["batchItemFailures"]]


def counted(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that the alarm on failed turns, or tasks, counts."""
    return [line for line in (r.getMessage() for r in caplog.records) if COUNTED.search(line)]


@pytest.fixture
async def config(server: Server, caplog: pytest.LogCaptureFixture) -> AwsConfig:
    caplog.set_level(logging.INFO, "lambda_workflow")
    return await deploy(app.adapters)


async def test_a_timer_that_cannot_be_forwarded(
    server: Server, config: AwsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    await put(config.delay_queue_url, render(Timer("e", "1", 1)))
    server.fault("sqs", "SendMessageBatch", "deny", count=ATTEMPTS, name="in.fifo")
    assert await delivered(workflow_handler(app, config), config.delay_queue_url, "delay")
    (line,) = counted(caplog)
    assert "AccessDenied" in line


@pytest.mark.parametrize("fails", [True, False])
async def test_a_message_of_the_delay_queue_that_is_no_timer(
    server: Server, config: AwsConfig, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    await put(config.delay_queue_url, "unreadable")
    if fails:
        server.fault("sqs", "SendMessage", "deny", count=ATTEMPTS, name="dead.fifo")
    failed = await delivered(workflow_handler(app, config), config.delay_queue_url, "delay")
    assert bool(failed) == fails
    (line,) = counted(caplog)
    assert ("AccessDenied" in line) == fails


async def test_a_task_whose_answer_cannot_be_sent(
    server: Server, config: AwsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    (name, adapter), *_ = app.adapters.items()
    url = next(iter(config.service_queue_urls.values()))
    body = (
        f'{{"execution_id": "e", "task_id": "e/1", "service": "{name}", "payload": 1, '
        f'"callback_queue_url": "{config.queue_url}"}}'
    )
    await put(url, body)
    server.fault("sqs", "SendMessageBatch", "deny", count=ATTEMPTS, name="in.fifo")
    assert await delivered(task_handler(adapter, config=config), url, f"service-{name}")
    (line,) = counted(caplog)
    assert "AccessDenied" in line


async def test_a_wait_that_cannot_be_shortened_is_warned_of(
    server: Server, config: AwsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    await put(config.delay_queue_url, render(Timer("e", "1", 1)))
    server.fault("sqs", "SendMessageBatch", "deny", count=ATTEMPTS, name="in.fifo")
    server.fault("sqs", "ChangeMessageVisibilityBatch", "deny", count=ATTEMPTS)
    await delivered(workflow_handler(app, config), config.delay_queue_url, "delay")
    assert "redelivered after the visibility timeout, not sooner" in caplog.text
