"""The entry points of Lambda functions: one for the workflows, one for services.

Laws
 1. One event loop for the container's life; clients are made once.
 2. What the queue gets told: an empty list acknowledges all, ids named in it come again.
 3. A message that nobody can read goes to the dead-letter queue with its body and the reason.
 4. A failure that may pass shortens the wait for the next try before it is reported.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.backend import aws_backend, blobs_for
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.config import AwsConfig, read_config
from lambda_workflow.aws.sqs import Entry, send_batch
from lambda_workflow.aws.timers import AwsTimers
from lambda_workflow.errors import BackendError, MessageError
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Task, Timer, parse, parse_task, render
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Happening
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.serve import Adapter, perform
from lambda_workflow.runtime.turns import Turns

RETRY_SECONDS_MAX: Final = 300  # between two deliveries of what failed
REASON_CHARACTERS_MAX: Final = 1000

Event = Mapping[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]
AsyncHandler = Callable[[Event], Awaitable[dict[str, Any]]]

_log = logging.getLogger("lambda_workflow")


class LogObserver:
    """Writes what is worth a look as JSON lines; the turns themselves at debug level."""

    _LEVELS: Final = {"turn": logging.DEBUG, "duplicate": logging.DEBUG, "closed": logging.INFO}

    def notify(self, happening: Happening) -> None:
        """Log it."""
        level = self._LEVELS.get(happening.kind, logging.WARNING)
        if happening.fields.get("expected"):
            level = logging.DEBUG
        if _log.isEnabledFor(level):
            line = {"happening": happening.kind, "execution_id": happening.execution_id}
            _log.log(level, "%s", json.dumps({**line, **happening.fields}, default=str))


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """The dead-letter queue; its messages keep the body, and carry the reason as an attribute."""

    aws: Aws
    url: str

    async def put(self, record: Record, reason: str) -> None:
        """Keep a record.

        Raises:
            BackendError: there is no queue for it, or it could not be sent.
        """
        if not self.url:
            raise BackendError("no dead-letter queue: set LAMBDA_WORKFLOW_DLQ_URL")
        attributes = {**record.attributes, "reason": reason[:REASON_CHARACTERS_MAX]}
        fifo = {
            "MessageGroupId": record.group or "unreadable",
            "MessageDeduplicationId": deduplication_id(record.id, "dead"),
        }
        await self.aws.call(
            "sqs",
            "SendMessage",
            QueueUrl=self.url,
            MessageBody=record.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value or "-"}
                for name, value in list(attributes.items())[:10]
            },
            **(fifo if self.url.endswith(".fifo") else {}),
        )


def lambda_handler(app: App, *, config: AwsConfig | None = None, aws: Aws | None = None) -> Handler:
    """The entry point of the workflow function: `handler = lambda_handler(app)`.

    Takes events of the FIFO queue and of the delay queue; the event source mappings must have
    `ReportBatchItemFailures`. Environment variables are read at the first event.

    Raises:
        ConfigurationError: (from the handler) variables are missing; names all of them.
    """
    return _entry(lambda: workflow_handler(app, config, aws))


def workflow_handler(
    app: App, config: AwsConfig | None = None, aws: Aws | None = None
) -> AsyncHandler:
    """The same as a coroutine function, for hosts that have an event loop (the worker, tests)."""
    chosen, aws = config or read_config(), aws or Aws()
    backend = aws_backend(app, chosen, aws, observer=LogObserver())
    turns = Turns(app, backend)
    letters = DeadLetterQueue(aws, chosen.dlq_url)

    async def handle(event: Event) -> dict[str, Any]:
        records = [_record(found) for found in event["Records"]]
        if _is_from(event, chosen.delay_queue_url):
            timers = AwsTimers(aws, chosen, backend.clock)
            return _report(await _forward(timers, records, letters))
        consumed = Usage(receives=1, deletes=1, invocations=1)
        failed = await run_batch(
            turns, records, letters, consumed=consumed, observer=backend.observer
        )
        await _hurry(aws, chosen.queue_url, event, failed)
        return _report(failed)

    return handle


def service_handler(*adapters: Adapter[Any, Any], config: AwsConfig | None = None) -> Handler:
    """The entry point of a service function: `handler = service_handler(check_fraud)`.

    Each task's result goes to its `callback_queue_url`; an exception becomes an error result. A
    task comes again if its result could not be sent.
    """
    return _entry(lambda: task_handler(*adapters, config=config))


def task_handler(*adapters: Adapter[Any, Any], config: AwsConfig | None = None) -> AsyncHandler:
    """The same as a coroutine function."""
    chosen = config or read_config(required=())
    aws = Aws()
    by_name = {adapter.service.name: adapter for adapter in adapters}
    letters = DeadLetterQueue(aws, chosen.dlq_url)
    tasks = _Tasks(aws, chosen, by_name, letters)

    async def handle(event: Event) -> dict[str, Any]:
        records = [_record(found) for found in event["Records"]]
        done = await asyncio.gather(*(tasks.answer(record) for record in records))
        return _report({r.id for r, is_done in zip(records, done, strict=True) if not is_done})

    return handle


@dataclass(frozen=True, slots=True)
class _Tasks:
    aws: Aws
    config: AwsConfig
    adapters: Mapping[str, Adapter[Any, Any]]
    letters: DeadLetterQueue

    async def answer(self, record: Record) -> bool:
        """Do one task and send its result; False if it must come again."""
        try:
            try:
                task = parse_task(record.body)
                if not task.callback_queue_url:
                    raise MessageError("`callback_queue_url` is missing: nobody awaits a result")
                adapter = self._adapter(task)
            except MessageError as error:
                await self.letters.put(record, str(error))
                return True
            body = await self._earlier(task) or await self._result(adapter, task)
            entry = Entry(
                body,
                task.execution_id,
                deduplication_id(task.task_id, task.attempt, "result"),
            )
            await send_batch(self.aws, task.callback_queue_url, [entry])
        except Exception as error:  # noqa: BLE001  # the task comes again, its neighbours do not
            _log.warning("task %s comes again: %s: %s", record.id, type(error).__name__, error)
            return False
        return True

    def _adapter(self, task: Task) -> Adapter[Any, Any]:
        if not task.service and len(self.adapters) == 1:
            return next(iter(self.adapters.values()))
        if (found := self.adapters.get(task.service)) is None:
            raise MessageError(
                f"service {task.service!r} is not served here: "
                f"service_handler(…) has {', '.join(sorted(self.adapters))}"
            )
        return found

    async def _result(self, adapter: Adapter[Any, Any], task: Task) -> str:
        update = await perform(adapter, task, blobs_for(self.aws, self.config))
        body = render(update)
        if self.config.deduplicate and update.failure is None:
            await self.aws.call(
                "dynamodb",
                "PutItem",
                TableName=self.config.table,
                Item={
                    "id": {"S": f"task:{task.task_id}"},
                    "n": {"N": "0"},
                    "d": {"S": body},
                    "x": {"N": str(_seconds_now() + 14 * 86_400)},  # SQS keeps no task longer
                },
            )
        return body

    async def _earlier(self, task: Task) -> str | None:
        """The result of an earlier delivery, where the de-duplication is switched on."""
        if not self.config.deduplicate:
            return None
        answer = await self.aws.call(
            "dynamodb",
            "GetItem",
            TableName=self.config.table,
            Key={"id": {"S": f"task:{task.task_id}"}, "n": {"N": "0"}},
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return str(item["d"]["S"]) if item else None


async def _forward(
    timers: AwsTimers, records: Sequence[Record], letters: DeadLetterQueue
) -> set[str]:
    known: list[tuple[Record, Timer]] = []
    failed: set[str] = set()
    for record in records:
        try:
            message = parse(record.body)
            if not isinstance(message, Timer):
                raise MessageError(f"a {type(message).__name__} on the delay queue")
            known.append((record, message))
        except MessageError as error:
            try:
                await letters.put(record, str(error))
            except BackendError:
                failed.add(record.id)
    try:
        await timers.forward([timer for _, timer in known])
    except BackendError as error:
        _log.warning("timers come again: %s", error)
        failed |= {record.id for record, _ in known}
    return failed


async def _hurry(aws: Aws, url: str, event: Event, failed: set[str]) -> None:
    """Law 4: the more often it was tried, the longer the wait."""
    for found in event["Records"]:
        if found["messageId"] in failed:
            count = int(found.get("attributes", {}).get("ApproximateReceiveCount", 1))
            try:
                await aws.call(
                    "sqs",
                    "ChangeMessageVisibility",
                    QueueUrl=url,
                    ReceiptHandle=found["receiptHandle"],
                    VisibilityTimeout=min(RETRY_SECONDS_MAX, 2 ** min(count, 9)),
                )
            except AwsError as error:
                _log.debug("the wait for %s stays as it is: %s", found["messageId"], error)


def _entry(make: Callable[[], AsyncHandler]) -> Handler:
    runner = asyncio.Runner()
    handlers: list[AsyncHandler] = []

    async def run(event: Event) -> dict[str, Any]:
        if not handlers:
            handlers.append(make())
        return await handlers[0](event)

    def handler(event: Event, context: Any) -> dict[str, Any]:
        return runner.run(run(event))

    return handler


def _record(found: Mapping[str, Any]) -> Record:
    attributes = found.get("attributes", {})
    group = attributes.get("MessageGroupId", "")
    count = int(attributes.get("ApproximateReceiveCount", 1))
    return Record(found["messageId"], found["body"], group, count)


def _is_from(event: Event, url: str) -> bool:
    """Whether an event's queue is the one of a URL: both end in its name."""
    arn = event["Records"][0].get("eventSourceARN", "") if event["Records"] else ""
    return bool(url) and arn.rpartition(":")[2] == url.rpartition("/")[2]


def _report(failed: set[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in sorted(failed)]}


def _seconds_now() -> int:
    from time import time

    return int(time())
