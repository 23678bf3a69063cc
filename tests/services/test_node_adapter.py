"""The adapter in JavaScript: by the wire format alone it serves a workflow in Python.

Node.js runs its handler on the events that Lambda would make of what the service's queue holds.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from examples.node_adapter.app import app
from examples.node_adapter.workflow import LABEL, Shipment, ship
from lambda_workflow import Task
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.messages import Heartbeat, Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import (
    RECEIVES_MAX,
    VISIBILITY_SECONDS,
    deploy,
    event_of,
    lease,
    put,
    take,
    working,
)
from tests.aws.server.process import Server
from tests.sam.cli import sam

ROOT = Path(__file__).parents[2]
HOME = ROOT / "examples" / "node_adapter"
MODULES = ROOT / ".venv" / "node"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (MODULES / ".made").exists(),
        reason="the AWS SDK for JavaScript is not installed: make node",
    ),
]


@dataclass
class Site:
    """A service's queue, and the process that serves it."""

    server: Server
    config: AwsConfig
    node: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return self.config.service_queue_url(LABEL.name)

    def task(self, parcels: Any, number: int = 1) -> Task:
        shipment = {"recipient": "Ada", "parcels": parcels}
        return Task("e", f"e/{number}", LABEL.name, shipment, 2, self.config.queue_url)

    async def handled(self) -> int:
        """Give the handler what the queue holds, take the successes off; how many have failed."""
        assert self.node.stdin is not None
        assert self.node.stdout is not None
        async with lease(self.url) as (messages, delete):
            event = event_of("service-label", messages)
            self.node.stdin.write(json.dumps(event).encode() + b"\n")
            answer = json.loads(await self.node.stdout.readline())
            failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
            await delete([m for m in messages if m["MessageId"] not in failed])
            return len(failed)

    async def serve(self) -> None:
        """As the event source mapping does."""
        while True:
            await self.handled()
            await asyncio.sleep(0.1)

    async def told(self) -> list[Any]:
        """What has come to the workflow's queue."""
        messages = await take(self.config.queue_url)
        assert {m["Attributes"]["MessageGroupId"] for m in messages} <= {"e"}
        return [parse(message["Body"]) for message in messages]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter beside its packages, as in Lambda."""
    folder = tmp_path_factory.mktemp("adapter")
    for file in HOME.glob("*.mjs"):
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(MODULES / "node_modules")
    return folder


@asynccontextmanager
async def running(code: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    assert NODE is not None
    process = await asyncio.create_subprocess_exec(
        NODE,
        "run.mjs",
        cwd=code,
        env={**os.environ, "LABELS_TABLE": "labels", "AWS_MAX_ATTEMPTS": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@pytest.fixture
async def site(server: Server, code: Path) -> AsyncIterator[Site]:
    config = await deploy([LABEL.name])
    aws = Aws()
    await aws.call(
        "dynamodb",
        "CreateTable",
        TableName="labels",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    await aws.close()
    async with running(code) as node:
        yield Site(server, config, node)


async def test_a_workflow_gets_results_and_errors(site: Site) -> None:
    async with working(app, site.config) as client:
        light = await client.start(ship, Shipment("Ada", [700, 1200]))
        heavy = await client.start(ship, Shipment("Bob", [700, 40_000]))
        serving = asyncio.create_task(site.serve())
        assert (await light.result()).endswith(" for 9.48")
        refused = await heavy.result()
        assert refused == "not sent: TooHeavy: a parcel of 40000 g: 31500 g at most"
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_a_repeated_task_has_the_same_result_and_is_done_once(site: Site) -> None:
    for parcels in ([100], [200, 300]):  # its labels would be others
        await put(site.url, render_task(site.task(parcels)))
        assert await site.handled() == 0
        site.server.advance(301)  # or SQS would drop the repeated result
    first, second = await site.told()
    assert first == second
    assert isinstance(first, Update)
    assert (first.operation, first.attempt, first.failure) == ("1", 2, None)
    assert len(site.server.requests("dynamodb", "PutItem", "labels")) == 1


async def test_of_two_deliveries_at_once_both_have_the_labels_of_the_first(site: Site) -> None:
    for parcels in ([100], [200]):
        await put(site.url, render_task(site.task(parcels)))
    assert await site.handled() == 0
    (told,) = await site.told()  # the second has the deduplication id of the first
    row = await row_of("e/1")
    assert told.payload == row


async def row_of(task_id: str) -> Any:
    aws = Aws()
    try:
        answer = await aws.call(
            "dynamodb", "GetItem", TableName="labels", Key={"id": {"S": task_id}}
        )
    finally:
        await aws.close()
    return json.loads(answer["Item"]["labels"]["S"])


async def test_an_error_says_its_type_its_details_and_whether_to_retry(site: Site) -> None:
    for number, parcels in enumerate([[40_000], [0], "many"]):
        await put(site.url, render_task(site.task(parcels, number)))
    assert await site.handled() == 0
    failures = {update.operation: update.failure for update in await site.told()}
    assert (failures["0"].type, failures["0"].retryable) == ("TooHeavy", False)
    assert failures["0"].details == {"grams": 40_000, "max": 31_500}
    assert (failures["1"].type, failures["1"].retryable) == ("TypeError", True)


async def test_a_payload_that_lies_elsewhere_is_refused(site: Site) -> None:
    task = replace(site.task([]), payload=BlobRef("key", "digest", 40_000))
    await put(site.url, render_task(task))
    assert await site.handled() == 0
    (update,) = await site.told()
    assert (update.failure.type, update.failure.retryable) == ("PayloadTooLarge", False)


async def test_long_work_is_heard_of(site: Site) -> None:
    task = replace(site.task([100, 200, 300]), heartbeat_ms=2)
    await put(site.url, render_task(task))
    assert await site.handled() == 0
    *beats, result = await site.told()
    assert isinstance(result, Update)
    assert beats[0] == Heartbeat("e", "1", {"printed": 0}, 2)
    assert all(isinstance(beat, Heartbeat) for beat in beats)


async def test_the_begin_is_reported_and_what_comes_too_late_is_not_begun(site: Site) -> None:
    now = time.time_ns() // 1_000_000
    task = replace(site.task([100]), start_by_ms=now + 60_000, details={"printed": 7})
    await put(site.url, render_task(task))
    late = replace(site.task([100], 2), start_by_ms=now - 120_000)
    await put(site.url, render_task(late))
    assert await site.handled() == 0
    begin, result = await site.told()
    assert begin == Heartbeat("e", "1", {"printed": 7}, 2)
    assert isinstance(result, Update)
    await put(site.url, render_task(late))
    site.server.fault("sqs", "SendMessage", "error", name="in.fifo")
    async with lease(site.url):  # as a process that died at it
        pass
    site.server.advance(VISIBILITY_SECONDS + 1)
    assert await site.handled() == 1  # its begin cannot be reported
    assert await site.told() == []
    site.server.advance(VISIBILITY_SECONDS + 1)
    assert await site.handled() == 0
    assert [type(told) for told in await site.told()] == [Heartbeat, Update]


async def test_what_is_withdrawn_or_wants_no_result_has_none(site: Site) -> None:
    task = site.task([100])
    withdrawal = replace(task, payload=None, reply=False, cancelled=True)
    await put(site.url, render_task(withdrawal))
    await put(site.url, render_task(replace(task, reply=False, callback_queue_url="")))
    assert await site.handled() == 0
    assert await site.told() == []
    assert len(site.server.requests("dynamodb", "PutItem", "labels")) == 1


async def test_an_unreadable_message_goes_to_the_dead_letters_as_it_is(site: Site) -> None:
    await put(site.url, "{no json – ü")
    await put(site.url, render_task(site.task([100])))
    for delivery in range(RECEIVES_MAX):
        assert await site.handled() == 1, delivery
        site.server.advance(VISIBILITY_SECONDS + 1)
    assert await site.handled() == 0
    dead = await take(site.url.replace("service-label", "service-dead"))
    assert [letter["Body"] for letter in dead] == ["{no json – ü"]
    assert len(await site.told()) == 1


async def test_a_result_that_could_not_be_sent_brings_the_task_again(site: Site) -> None:
    await put(site.url, render_task(site.task([100])))
    site.server.fault("sqs", "SendMessage", "error", name="in.fifo")
    assert await site.handled() == 1
    assert await site.told() == []
    site.server.advance(VISIBILITY_SECONDS + 1)
    assert await site.handled() == 0
    (update,) = await site.told()
    assert update.payload == await row_of("e/1")


@pytest.mark.sam
@pytest.mark.thorough
def test_what_sam_builds_is_the_code_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(HOME, source, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    sam(f"build -t {source}/template.yaml --build-dir {tmp_path}/made", cwd=source)
    built = {path.name for path in (tmp_path / "made" / "LabelFunction").iterdir()}
    assert built == {file.name for file in HOME.glob("*.mjs")} | {"README.md", "package.json"}
