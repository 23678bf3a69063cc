"""An answer after a time, however many hops it takes; and the forwarder of timers."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lambda_workflow_services import delay as package
from lambda_workflow_services.delay import DELAY, Delay
from lambda_workflow_services.delay.adapter import delay
from lambda_workflow_services.delay.forwarder import forward_handler, handler

from lambda_workflow import Later, Task
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.handlers import AsyncHandler, task_handler
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.messages import Timer, Update
from lambda_workflow.model.wire import parse, render
from tests.aws.deployed import ShiftedClock, deploy, environment, event_of, lease, put, take
from tests.aws.server.process import Server
from tests.docs.blocks import run_page

README = Path(package.__file__).parent / "README.md"
SECONDS_MAX = 366 * 86_400


class Site:
    """A deployment whose clock and server move together."""

    def __init__(self, server: Server, config: AwsConfig) -> None:
        self.server, self.config, self.clock = server, config, ShiftedClock()

    def pass_by(self, seconds: int) -> None:
        self.clock.shift += seconds * 1000
        self.server.advance(seconds)

    async def handled(self, url: str, handle: AsyncHandler) -> int:
        """How many messages of a queue there were to handle; all are."""
        async with lease(url) as (messages, delete):
            if messages:
                answer = await handle(event_of(url.rpartition("/")[2], messages))
                assert answer == {"batchItemFailures": []}
                await delete(messages)
            return len(messages)


@pytest.fixture
async def site(server: Server) -> Site:
    return Site(server, await deploy([DELAY.name], scheduler=False))


async def test_a_task_is_answered_after_its_time_and_not_before(site: Site) -> None:
    url = site.config.service_queue_url(DELAY.name)
    task = {
        "execution_id": "e",
        "task_id": "e/1",
        "callback_queue_url": site.config.queue_url,
        "payload": {"seconds": 2000},
    }
    await put(url, json.dumps(task))
    handle = task_handler(delay, config=site.config, clock=site.clock)
    for seconds in (0, 900, 900):
        site.pass_by(seconds)
        assert await site.handled(url, handle) == 1
        assert await site.handled(url, handle) == 0
        assert await take(site.config.queue_url) == []
    site.pass_by(201)
    assert await site.handled(url, handle) == 1
    (message,) = await take(site.config.queue_url)
    update = parse(message["Body"])
    assert isinstance(update, Update)
    assert (update.operation, update.failure) == ("1", None)
    assert message["Attributes"]["MessageGroupId"] == "e"


@pytest.mark.parametrize("seconds", [0, 0.5, SECONDS_MAX])
async def test_all_that_is_allowed_can_be_waited_for(seconds: float) -> None:
    task = Task("e", "e/1", DELAY.name, None, 1)
    with pytest.raises(Later) as later:
        await delay(Delay(seconds=seconds), task)
    assert later.value.after == timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [-1, SECONDS_MAX + 1, float("nan")])
def test_other_times_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Delay(seconds=seconds)


async def test_the_readme_says_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_delay")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(README, module)


async def test_the_forwarder_sends_timers_on_when_they_are_due(site: Site) -> None:
    config = site.config
    forward = forward_handler(config, clock=site.clock)
    now = site.clock.now()
    for number, seconds in enumerate((0, 1000)):
        timer = Timer("e", str(number), now + seconds * 1000)
        await put(config.delay_queue_url, render(timer))
    assert await site.handled(config.delay_queue_url, forward) == 2
    assert await due(config) == ["0"]
    site.pass_by(900)
    assert await site.handled(config.delay_queue_url, forward) == 1
    assert await due(config) == []
    site.pass_by(101)
    assert await site.handled(config.delay_queue_url, forward) == 1
    assert await due(config) == ["1"]
    assert site.server.requests("dynamodb", name=config.table)[1:] == [], "but its creation"


async def due(config: AwsConfig) -> list[str]:
    messages: list[dict[str, Any]] = await take(config.queue_url)
    found = [parse(message["Body"]) for message in messages]
    return [timer.operation for timer in found if isinstance(timer, Timer)]


async def test_the_forwarder_moves_away_what_is_no_timer(site: Site) -> None:
    config = site.config
    await put(config.delay_queue_url, '{"type": "Redrive", "execution_id": "e"}')
    assert await site.handled(config.delay_queue_url, forward_handler(config)) == 1
    (letter,) = await take(config.dlq_url)
    assert "on the delay queue" in letter["MessageAttributes"]["reason"]["StringValue"]


async def test_the_forwarder_takes_no_messages_of_another_queue(site: Site) -> None:
    forward = forward_handler(site.config)
    await put(site.config.queue_url, '{"type": "Redrive", "execution_id": "e"}', "e")
    with pytest.raises(ConfigurationError, match=r"in\.fifo.*belongs to the workflow function"):
        await site.handled(site.config.queue_url, forward)


def test_the_forwarder_needs_the_two_queues_and_no_table(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"QUEUE_URL is not set.*DELAY_QUEUE_URL"):
        handler({"Records": []}, None)
    only = AwsConfig(
        "", "https://sqs.example.com/in.fifo", delay_queue_url="https://sqs.example.com/delay"
    )
    for name, value in environment(only).items():
        monkeypatch.setenv(name, value)
    assert handler({"Records": []}, None) == {"batchItemFailures": []}
