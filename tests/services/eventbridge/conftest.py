"""The services' queues and table on the server, and their functions at work."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from lambda_workflow_services.eventbridge import PUBLISH, WAIT, Publish, Wait, settings
from lambda_workflow_services.eventbridge.adapter import publish, wait

from lambda_workflow import BusEvent, Task
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, variable_of
from lambda_workflow.aws.handlers import AsyncHandler, task_handler
from lambda_workflow.aws.present import CONFIG, PRESENT
from lambda_workflow.model.bus_events import render_bus_event
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import ARN, deploy
from tests.aws.queues import Queues, lasting_client
from tests.aws.server.process import Server

TABLE: Final = "waits"
PATTERN: Final = json.dumps({"source": ["shop", "carrier"]})


def event(order: Any = 7, *, id_: str = "1", second: int = 0, **detail: Any) -> BusEvent:
    """An event as a bus has it."""
    time = datetime(2026, 11, 20, 12, 0, second, tzinfo=UTC)
    return BusEvent(id_, "shop", "Paid", {"order": order, **detail}, time)


@dataclass
class Bench:
    """The two services, as their functions have them."""

    server: Server
    config: AwsConfig
    aws: Aws
    handle: AsyncHandler

    @property
    def url(self) -> str:
        return self.config.service_queue_url(WAIT.name)

    def task(self, number: int, wanted: Wait, attempt: int = 1) -> Task:
        payload = WAIT.request_codec.encode(wanted, WAIT.payload_label)
        return Task("e", f"e/{number}", WAIT.name, payload, attempt, self.config.queue_url)

    async def give(self, *what: Task | BusEvent) -> None:
        """Put messages on the waits' queue, and have all that is on it handled."""
        for one in what:
            body = render_task(one) if isinstance(one, Task) else render_bus_event(one)
            await self.queues.put(self.url, body)
        assert await self.handled() == []

    @property
    def queues(self) -> Queues:
        return Queues(self.aws)

    async def handled(self, service: str = WAIT.name) -> list[str]:
        """What of the service's batch failed; the rest is taken off its queue."""
        return await self.queues.handled(self.config.service_queue_url(service), self.handle)

    async def publish(self, wanted: Publish, number: int = 1) -> Update:
        """Have an event published; what the workflow gets."""
        payload = PUBLISH.request_codec.encode(wanted, PUBLISH.payload_label)
        task = Task("e", f"e/{number}", PUBLISH.name, payload, 1, self.config.queue_url)
        await self.queues.put(self.config.service_queue_url(PUBLISH.name), render_task(task))
        assert await self.handled(PUBLISH.name) == []
        (update,) = await self.results()
        return update

    async def results(self) -> list[Update]:
        """What came to the execution, by operation."""
        messages = await self.queues.take(self.config.queue_url)
        found = [parse(message["Body"]) for message in messages]
        updates = [update for update in found if isinstance(update, Update)]
        return sorted(updates, key=lambda update: update.operation)

    async def rows(self, kind: str) -> list[dict[str, Any]]:
        """The items of a kind in the services' table."""
        items = (await self.aws.call("dynamodb", "Scan", TableName=TABLE))["Items"]
        return [item for item in items if item["id"]["S"].partition("\n")[0] == kind]

    async def change(self, item: dict[str, Any], **values: int) -> None:
        """Let time have passed for an item."""
        numbers = {name: {"N": str(value)} for name, value in values.items()}
        await self.aws.call("dynamodb", "PutItem", TableName=TABLE, Item={**item, **numbers})


async def made(aws: Aws) -> AwsConfig:
    """What the template makes, but for the rule: queues and the table."""
    config = await deploy([PUBLISH.name, WAIT.name], scheduler=False, client=aws)
    keys = {"id": "HASH", "n": "RANGE"}
    await aws.call(
        "dynamodb",
        "CreateTable",
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )
    url = config.service_queue_urls[variable_of(WAIT.name)]
    return replace(config, own_queue_url=url)


@pytest.fixture(scope="module")
async def aws(server_of_session: Server) -> AsyncIterator[Aws]:
    async with lasting_client(server_of_session, 2) as made:
        yield made


@pytest.fixture
async def bench(server: Server, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("EVENTBRIDGE_WAIT_TABLE", TABLE)
    settings.waiting.cache_clear()
    settings.buses.cache_clear()
    config = await made(aws)
    PRESENT.set(aws)
    CONFIG.set(config)
    yield Bench(server, config, aws, task_handler(publish, wait, config=config, aws=aws))
    settings.waiting.cache_clear()
    settings.buses.cache_clear()


@pytest.fixture
async def rule(bench: Bench) -> None:
    """What leads from the bus to the waits' queue."""
    await bench.aws.call("events", "PutRule", Name="waits", EventPattern=PATTERN)
    target = {"Id": "queue", "Arn": f"{ARN}service-{WAIT.name}"}
    await bench.aws.call("events", "PutTargets", Rule="waits", Targets=[target])
