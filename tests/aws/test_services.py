"""Service functions: what becomes of a task."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambda_workflow import Service, ServiceError, Task, serve
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.entry import Handler
from lambda_workflow.aws.handlers import AsyncHandler, service_handler, task_handler
from lambda_workflow.aws.present import aws_client
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import deploy, event_of, lease, put, take
from tests.aws.server.process import Server

WORK: Service[int, int] = Service("work", int, int)
NAME = "service-work"
CONTAINER: list[Handler] = []  # a handler's event loop lives as long as its container


@dataclass
class Bench:
    """A service's queue, and where its results arrive."""

    server: Server
    config: AwsConfig
    served: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.config.service_queue_url("work")

    async def task(self, number: int, payload: Any, *, attempt: int = 1) -> None:
        task = Task("e", f"e/{number}", "work", payload, attempt, self.config.queue_url)
        await put(self.url, render_task(task))

    async def handled(self, handle: AsyncHandler) -> list[str]:
        """Give the handler what the queue holds, and take the successes off it; the failures."""
        async with lease(self.url) as (messages, delete):
            answer = await handle(event_of(NAME, messages))
            failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
            await delete([m for m in messages if m["MessageId"] not in failed])
            return failed

    async def results(self) -> list[Update]:
        messages = await take(self.config.queue_url)
        assert {m["Attributes"]["MessageGroupId"] for m in messages} <= {"e"}
        updates = [parse(message["Body"]) for message in messages]
        return [update for update in updates if isinstance(update, Update)]

    async def dead(self) -> list[dict[str, Any]]:
        return await take(self.config.dlq_url)


@pytest.fixture
async def bench(server: Server) -> Bench:
    return Bench(server, await deploy(["work"]))


@serve(WORK)
async def double(number: int) -> int:
    return 2 * number


@serve(WORK)
def double_in_a_thread(number: int) -> int:
    return 2 * number


@serve(WORK)
async def fail(number: int) -> int:
    if number == 0:
        raise ServiceError("closed", type="Closed", retryable=False, details={"until": 8})
    raise LookupError(f"no account {number}")


@pytest.mark.parametrize("adapter", [double, double_in_a_thread], ids=["async", "sync"])
async def test_results_go_to_the_callback_queue(bench: Bench, adapter: Any) -> None:
    for number in range(3):
        await bench.task(number, number)
    assert await bench.handled(task_handler(adapter, config=bench.config)) == []
    results = {update.operation: update for update in await bench.results()}
    assert results == {str(n): Update("e", str(n), 2 * n, None, 1) for n in range(3)}


async def test_one_handler_serves_event_after_event(bench: Bench) -> None:
    handler = service_handler(double, config=bench.config)
    CONTAINER.append(handler)
    for number in range(2):
        await bench.task(number, number)
        async with lease(bench.url) as (messages, delete):
            event = event_of(NAME, messages)
            assert await asyncio.to_thread(handler, event, None) == {"batchItemFailures": []}
            await delete(messages)
    assert [update.payload for update in await bench.results()] == [0, 2]


async def test_an_exception_becomes_an_error_result(bench: Bench) -> None:
    await bench.task(0, 0)
    await bench.task(1, 1)
    await bench.task(2, "two")
    assert await bench.handled(task_handler(fail, config=bench.config)) == []
    failures = {update.operation: update.failure for update in await bench.results()}
    closed, missing, wrong = failures["0"], failures["1"], failures["2"]
    assert closed is not None
    assert (closed.type, closed.message, closed.retryable) == ("Closed", "closed", False)
    assert closed.details == {"until": 8}
    assert missing is not None
    assert (missing.type, missing.retryable) == ("LookupError", True)
    assert "no account 1" in missing.message
    assert "LookupError" in (missing.stack or "")
    assert wrong is not None
    assert (wrong.type, wrong.retryable) == ("BadRequest", False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{no json – ü", "not JSON"),
        ("[1]", "not an object"),
        ('{"task_id":"e/1","payload":1}', "execution_id"),
        ('{"execution_id":"e","task_id":"e/1","payload":1}', "callback_queue_url"),
        (render_task(Task("e", "e/1", "other", 1, 1, "https://sqs.example.com/q")), "not served"),
    ],
)
@pytest.mark.parametrize("fifo", [True, False], ids=["fifo", "standard"])
async def test_a_task_that_nobody_can_do_is_moved_away_with_the_reason(
    bench: Bench, body: str, reason: str, fifo: bool
) -> None:
    if not fifo:
        dead = bench.config.dlq_url.replace("dead.fifo", "service-dead")
        bench.config = replace(bench.config, dlq_url=dead)
    await put(bench.url, body)
    await bench.task(1, 1)
    assert await bench.handled(task_handler(double, config=bench.config)) == []
    (letter,) = await bench.dead()
    assert letter["Body"] == body
    assert reason in letter["MessageAttributes"]["reason"]["StringValue"]
    assert [update.payload for update in await bench.results()] == [2]


async def test_without_a_dead_letter_queue_it_comes_again(bench: Bench) -> None:
    bench.config = replace(bench.config, dlq_url="")
    await put(bench.url, "{no json")
    handle = task_handler(double, config=bench.config)
    assert len(await bench.handled(handle)) == 1
    bench.server.advance(3)
    assert len(await bench.handled(handle)) == 1


@pytest.mark.parametrize("deduplicate", [True, False])
async def test_a_repeated_task_is_answered_from_its_first_result_if_asked(
    bench: Bench, deduplicate: bool
) -> None:
    bench.config = replace(bench.config, deduplicate=deduplicate)
    done: list[int] = []

    @serve(WORK)
    async def counting(number: int) -> int:
        done.append(number)
        return len(done)

    handle = task_handler(counting, config=bench.config)
    for _ in range(3):
        await bench.task(1, 7)
        await bench.handled(handle)
        bench.server.advance(301)  # or SQS would drop the repeated result
    payloads = [update.payload for update in await bench.results()]
    assert (done, payloads) == (([7], [1, 1, 1]) if deduplicate else ([7, 7, 7], [1, 2, 3]))


async def test_a_withdrawn_task_that_comes_again_has_no_result(bench: Bench) -> None:
    bench.config = replace(bench.config, deduplicate=True)
    began = asyncio.Event()

    @serve(WORK)
    async def lasting(number: int) -> int:
        began.set()
        await asyncio.Event().wait()
        return number

    handle = task_handler(lasting, config=bench.config)
    task = Task("e", "e/1", "work", 1, 1, bench.config.queue_url, heartbeat_ms=60_000)
    await put(bench.url, render_task(task), deduplication="one")
    doing = asyncio.create_task(bench.handled(handle))
    await began.wait()
    withdrawal = replace(task, payload=None, reply=False, cancelled=True)
    await put(bench.url, render_task(withdrawal), deduplication="two")
    await bench.handled(handle)
    assert await doing == []
    other = task_handler(lasting, config=bench.config)  # a container that knows nothing of it
    await put(bench.url, render_task(task), deduplication="three")
    assert await bench.handled(other) == []
    assert await bench.results() == []


async def test_a_failure_is_not_remembered(bench: Bench) -> None:
    bench.config = replace(bench.config, deduplicate=True)
    done: list[int] = []

    @serve(WORK)
    async def first_fails(number: int) -> int:
        done.append(number)
        if len(done) == 1:
            raise LookupError("once")
        return number

    handle = task_handler(first_fails, config=bench.config)
    for attempt in (1, 2):
        await bench.task(1, 7, attempt=attempt)
        await bench.handled(handle)
    failed, succeeded = await bench.results()
    assert failed.failure is not None
    assert succeeded == Update("e", "1", 7, None, 2)


async def test_a_task_whose_result_could_not_be_sent_comes_again_soon(bench: Bench) -> None:
    handle = task_handler(double, config=bench.config)
    await bench.task(1, 1)
    bench.server.fault("sqs", "SendMessageBatch", "error", name="in.fifo", count=6)
    assert len(await bench.handled(handle)) == 1
    assert await bench.results() == []
    bench.server.advance(3)  # not the visibility timeout's 30
    assert await bench.handled(handle) == []
    assert [update.payload for update in await bench.results()] == [2]


async def test_one_task_fails_and_its_neighbours_are_answered(bench: Bench) -> None:
    for number in range(5):
        await bench.task(number, number)
    slow = asyncio.Event()

    @serve(WORK)
    async def one_hangs(number: int) -> int:
        if number == 3:
            await slow.wait()
        return number

    handle = task_handler(one_hangs, config=bench.config)
    async with lease(bench.url) as (messages, _):
        answer = await handle(event_of(NAME, messages), 0.3)
    failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    bodies = [json.loads(m["Body"]) for m in messages if m["MessageId"] in failed]
    assert [body["payload"] for body in bodies] == [3]
    assert sorted(str(update.payload) for update in await bench.results()) == ["0", "1", "2", "4"]


async def test_a_result_that_has_no_place_is_an_error_and_not_done_again(bench: Bench) -> None:
    text: Service[int, str] = Service("work", int, str)

    @serve(text)
    async def write(number: int) -> str:
        return "x" * number

    bench.config = replace(bench.config, table="")
    await bench.task(1, 33_000)
    await bench.task(2, 17 * 1024 * 1024)
    assert await bench.handled(task_handler(write, config=bench.config)) == []
    failures = [update.failure for update in await bench.results()]
    assert {(f.type, f.retryable) for f in failures if f} == {
        ("LimitExceeded", False),
        ("PayloadTooLarge", False),
    }
    assert any("LAMBDA_WORKFLOW_BUCKET" in failure.message for failure in failures if failure)


async def test_an_adapter_calls_aws_by_the_connections_of_its_function(bench: Bench) -> None:
    @serve(WORK)
    async def count(number: int) -> int:
        return len((await aws_client().call("sqs", "ListQueues"))["QueueUrls"])

    aws = Aws()
    await bench.task(1, 1)
    try:
        assert await bench.handled(task_handler(count, config=bench.config, aws=aws)) == []
        assert aws.counts["sqs", "ListQueues"] == 1
    finally:
        await aws.close()
    assert [update.payload for update in await bench.results()] != [0]


async def test_outside_of_a_function_an_event_loop_has_one_client(server: Server) -> None:
    assert aws_client() is aws_client()
    await aws_client().close()
