"""What arrives on a service's queue beside its tasks, and answers from another invocation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from lambda_workflow import (
    BusEvent,
    EncodeError,
    Later,
    MessageError,
    Service,
    ServiceError,
    Task,
    serve,
)
from lambda_workflow.aws.answers import parse_task, post_error, post_result, render_task
from lambda_workflow.aws.backend import blobs_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.handlers import task_handler
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse
from lambda_workflow.runtime.offload import INLINE_BYTES_MAX, fetch
from tests.aws.deployed import ARN, deploy
from tests.aws.queues import Queues, lasting_client
from tests.aws.server.process import Server
from tests.aws.test_services import NAME, WORK

TEXT: Service[int, str] = Service("text", int, str)
EVENT: Final[dict[str, Any]] = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Paid",
    "source": "shop.till",
    "account": "111122223333",
    "time": "2026-11-20T18:43:48Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:shop:::order/7"],
    "detail": {"order": 7},
}


@dataclass
class Bench:
    """A service's queue, and where its results arrive."""

    server: Server
    config: AwsConfig
    aws: Aws

    async def put(self, body: str) -> None:
        await Queues(self.aws).put(self.config.service_queue_url("work"), body)

    async def handled(self, *adapters: Any, own: str = "") -> list[str]:
        """What failed of all that is on the service's queue."""
        config = replace(self.config, own_service=own)
        handle = task_handler(*adapters, config=config, aws=self.aws)
        return await Queues(self.aws).handled(config.service_queue_url("work"), handle)

    async def results(self) -> list[Update]:
        found = [parse(message["Body"]) for message in await self.messages()]
        return [update for update in found if isinstance(update, Update)]

    async def messages(self, queue: str = "queue_url") -> list[dict[str, Any]]:
        return await Queues(self.aws).take(getattr(self.config, queue))


@pytest.fixture(scope="module")
async def aws(server_of_session: Server) -> AsyncIterator[Aws]:
    async with lasting_client(server_of_session, 2) as made:
        yield made


@pytest.fixture
async def bench(server: Server, aws: Aws) -> Bench:
    return Bench(server, await deploy(["work"], scheduler=False, client=aws), aws)


class Ear:
    """An adapter that hears events: async, or in a thread."""

    def __init__(self, *, is_async: bool = True, error: Exception | None = None) -> None:
        self.heard: list[BusEvent] = []
        self.error = error

        @serve(WORK)
        async def double(number: int) -> int:
            return 2 * number

        def hear(event: BusEvent) -> None:
            self.heard.append(event)
            if self.error is not None:
                raise self.error

        @double.on_event
        async def hear_async(event: BusEvent) -> None:
            hear(event)

        self.adapter = double
        if not is_async:
            double.on_event(hear)


class Other:
    """The adapter of another service, which hears events too."""

    def __init__(self) -> None:
        self.heard: list[str] = []

        @serve(TEXT)
        async def text(number: int) -> str:
            return str(number)

        @text.on_event
        def hear(event: BusEvent) -> None:
            self.heard.append(event.id)

        self.adapter = text


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_an_event_on_the_queue_goes_to_the_adapters_handler(
    bench: Bench, is_async: bool
) -> None:
    ear = Ear(is_async=is_async)
    await bench.put(json.dumps(EVENT))
    await bench.put(render_task(Task("e", "e/1", "work", 1, 1, bench.config.queue_url)))
    assert await bench.handled(ear.adapter) == []
    assert ear.heard == [
        BusEvent(
            EVENT["id"],
            "shop.till",
            "Paid",
            {"order": 7},
            datetime(2026, 11, 20, 18, 43, 48, tzinfo=UTC),
            ("arn:aws:shop:::order/7",),
            "111122223333",
            "eu-central-1",
        )
    ]
    assert ear.heard[0].to_json() == EVENT
    assert await bench.results() == [Update("e", "1", 2, None, 1)]


async def test_what_a_rule_sends_is_heard(bench: Bench) -> None:
    ear = Ear()
    aws = bench.aws
    pattern = json.dumps({"source": ["shop.till"]})
    await aws.call("events", "PutRule", Name="paid", EventPattern=pattern)
    await aws.call("events", "PutTargets", Rule="paid", Targets=[{"Id": "q", "Arn": ARN + NAME}])
    entry = {"Source": "shop.till", "DetailType": "Paid", "Detail": '{"order": 8}'}
    await aws.call("events", "PutEvents", Entries=[entry])
    assert await bench.handled(ear.adapter) == []
    (event,) = ear.heard
    assert (event.source, event.detail_type, event.detail) == ("shop.till", "Paid", {"order": 8})
    assert event.time.utcoffset() is not None


async def test_an_event_whose_handler_fails_comes_again(bench: Bench) -> None:
    ear = Ear(error=ConnectionError("not now"))
    await bench.put(json.dumps(EVENT))
    assert len(await bench.handled(ear.adapter)) == 1
    ear.error = None
    bench.server.advance(3)
    assert await bench.handled(ear.adapter) == []
    assert [event.id for event in ear.heard] == [EVENT["id"]] * 2


async def refused(bench: Bench, ear: Ear | None, body: dict[str, Any]) -> str:
    """Why a message is moved to the dead-letter queue."""

    @serve(WORK)
    async def deaf(number: int) -> int:
        return number

    await bench.put(json.dumps(body))
    adapter = deaf if ear is None else ear.adapter
    assert await bench.handled(adapter) == []
    (letter,) = await bench.messages("dlq_url")
    assert json.loads(letter["Body"]) == body
    return str(letter["MessageAttributes"]["reason"]["StringValue"])


async def test_an_event_that_is_refused_for_good_is_moved_away(bench: Bench) -> None:
    ear = Ear(error=ServiceError("no such order", type="NoOrder", retryable=False))
    assert "NoOrder: no such order" in await refused(bench, ear, EVENT)


async def test_an_event_that_nobody_takes_is_moved_away(bench: Bench) -> None:
    assert "@ADAPTER.on_event" in await refused(bench, None, EVENT)


@pytest.mark.parametrize(
    "broken",
    [
        {"detail": None},
        {"detail": [7]},
        {"id": 7},
        {"source": ""},
        {"time": "noon"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"resources": 7},
        {"resources": "arn:aws:shop:::order/7"},
    ],
    ids=str,
)
async def test_what_is_neither_task_nor_event_is_moved_away(
    bench: Bench, broken: dict[str, Any]
) -> None:
    body = {name: value for name, value in {**EVENT, **broken}.items() if value is not None}
    assert "execution_id" in await refused(bench, Ear(), body)


S3_RECORD = {"eventSource": "aws:s3", "s3": {"object": {"key": "a"}}}


@pytest.mark.parametrize(
    "body", [{"Service": "Amazon S3", "Event": "s3:TestEvent"}, {"Records": [S3_RECORD]}], ids=str
)
async def test_a_notification_of_s3_that_came_by_no_bus_is_moved_away(
    bench: Bench, body: dict[str, Any]
) -> None:
    ear = Ear()
    assert "execution_id" in await refused(bench, ear, body)
    assert ear.heard == []


async def test_a_handler_that_reads_something_wrong_gets_the_event_again(bench: Bench) -> None:
    """A MessageError of the handler's own is not one about the event."""
    ear = Ear(error=MessageError("what was kept is no task"))
    await bench.put(json.dumps(EVENT))
    assert len(await bench.handled(ear.adapter)) == 1
    assert await bench.messages("dlq_url") == []


async def test_a_handler_that_raises_later_harms_no_other_message(bench: Bench) -> None:
    ear = Ear()

    @ear.adapter.on_event
    async def leave(event: BusEvent) -> None:
        raise Later(timedelta(seconds=1))

    await bench.put(json.dumps(EVENT))
    await bench.put(render_task(Task("e", "e/1", "work", 1, 1, bench.config.queue_url)))
    assert await bench.handled(ear.adapter) == []
    assert await bench.results() == [Update("e", "1", 2, None, 1)]
    (letter,) = await bench.messages("dlq_url")
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert "only the adapter of a service may raise Later" in reason


async def posting(bench: Bench, what: Any, *, reply: bool = True) -> list[Update]:
    """Keep a task that is done by nobody, and answer it when an event comes, twice; the results."""
    ear = Ear()
    task = Task("e", "e/1", "work", 1, 3, bench.config.queue_url, reply=reply)
    kept = render_task(task)

    @ear.adapter.on_event
    async def answer(event: BusEvent) -> None:
        for _ in range(2):
            if isinstance(what, Exception):
                await post_error(parse_task(kept), what)
            else:
                await post_result(WORK, parse_task(kept), what)

    await bench.put(json.dumps(EVENT))
    assert await bench.handled(ear.adapter) == []
    return await bench.results()


async def test_a_task_is_answered_by_another_invocation(bench: Bench) -> None:
    assert await posting(bench, 9) == [Update("e", "1", 9, None, 3)]


async def test_an_answer_is_the_same_message_as_the_adapters_own(bench: Bench) -> None:
    task = Task("e", "e/1", "work", 1, 3, bench.config.queue_url)
    await bench.put(render_task(task))
    await bench.handled(Ear().adapter)
    (message,) = await bench.messages()
    bench.server.advance(301)
    ear = Ear()

    @ear.adapter.on_event
    async def answer(event: BusEvent) -> None:
        await post_result(WORK, task, 2)

    await bench.put(json.dumps(EVENT))
    await bench.handled(ear.adapter)
    (posted,) = await bench.messages()
    assert posted["Body"] == message["Body"]
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        assert posted["Attributes"][name] == message["Attributes"][name]


async def test_a_task_is_answered_with_an_error(bench: Bench) -> None:
    (update,) = await posting(bench, ServiceError("too late", type="Late", retryable=False))
    assert update.failure is not None
    assert (update.failure.type, update.failure.message) == ("Late", "too late")
    assert not update.failure.retryable


async def test_a_task_that_nobody_waits_for_is_answered_to_nobody(bench: Bench) -> None:
    assert await posting(bench, 9, reply=False) == []


async def test_a_large_answer_is_stored_apart(bench: Bench) -> None:
    text = "ü" * INLINE_BYTES_MAX
    ear = Ear()

    @ear.adapter.on_event
    async def answer(event: BusEvent) -> None:
        await post_result(TEXT, Task("e", "e/1", "text", 1, 1, bench.config.queue_url), text)

    await bench.put(json.dumps(EVENT))
    assert await bench.handled(ear.adapter) == []
    (update,) = await bench.results()
    assert await fetch(update.payload, blobs_for(bench.aws, bench.config)) == text


async def test_an_answer_is_of_the_services_type(bench: Bench) -> None:
    task = Task("e", "e/1", "work", 1, 1, bench.config.queue_url)
    answer: Any = "nine"
    with pytest.raises(EncodeError, match="response of work"):
        await post_result(WORK, task, answer)
    assert await bench.results() == []


async def test_a_task_of_the_embedded_engine_is_answered_by_its_adapter_only(bench: Bench) -> None:
    with pytest.raises(MessageError, match="callback_queue_url"):
        await post_result(WORK, Task("e", "e/1", "work", 1, 1), 2)


@pytest.mark.parametrize(("own", "hearing"), [("", 2), ("text", 1)])
async def test_of_several_adapters_those_of_the_queues_service_hear_it(
    bench: Bench, own: str, hearing: int
) -> None:
    ear, other = Ear(), Other()
    await bench.put(json.dumps(EVENT))
    assert await bench.handled(ear.adapter, other.adapter, own=own) == []
    assert [event.id for event in ear.heard] + other.heard == [EVENT["id"]] * hearing
    assert other.heard == [EVENT["id"]]


@pytest.mark.parametrize("retryable", [False, True])
async def test_an_event_that_one_refuses_is_heard_by_the_others(
    bench: Bench, retryable: bool
) -> None:
    ear = Ear(error=ServiceError("no such order", type="NoOrder", retryable=retryable))
    other = Other()
    await bench.put(json.dumps(EVENT))
    failed = await bench.handled(ear.adapter, other.adapter)
    assert other.heard == [EVENT["id"]]
    assert (len(failed), len(await bench.messages("dlq_url"))) == ((1, 0) if retryable else (0, 1))
