"""The entry points of Lambda functions: one for the workflows, one for services.

Laws
 1. One event loop for the container's life; clients are made once (entry.py).
 2. What the queue gets told: an empty list acknowledges all, ids named in it come again.
 3. A message that nobody can read goes to the dead-letter queue with its body and the reason.
 4. A failure that may pass shortens the wait for the next try before it is reported.
 5. What has not ended a second before the function's time is over is reported as failed: killed
    with the function it would take its whole batch along, and come back minutes later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from lambda_workflow.aws.backend import SystemClock, aws_backend
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.config import AwsConfig, read_config
from lambda_workflow.aws.deployment import deploy, is_deployment
from lambda_workflow.aws.entry import Event, Handler, entry
from lambda_workflow.aws.letters import DeadLetterQueue
from lambda_workflow.aws.present import CONFIG, ENDS_AT, PRESENT
from lambda_workflow.aws.tasks import Tasks
from lambda_workflow.aws.timers import AwsTimers
from lambda_workflow.errors import BackendError, MessageError
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.failures import words_of
from lambda_workflow.model.messages import Timer
from lambda_workflow.model.payload_shown import SHOWS_VALUES
from lambda_workflow.model.usage import Usage
from lambda_workflow.model.wire import parse
from lambda_workflow.ports import Clock, Happening, Observer
from lambda_workflow.runtime.app import APP, App
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.log import LogObserver
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.runtime.turns import Turns

RETRY_SECONDS_MAX: Final = 300  # between two deliveries of what failed
NAMES_SHOWN: Final = 10  # of the fields of an event that is none of SQS


class AsyncHandler(Protocol):
    """A handler for hosts that have an event loop."""

    def __call__(
        self, event: Event, seconds_max: float | None = None
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Answer a batch; what has not ended after `seconds_max` is reported as failed."""
        ...


_log = logging.getLogger("lambda_workflow")


def lambda_handler(app: App, *, config: AwsConfig | None = None, aws: Aws | None = None) -> Handler:
    """The entry point of the workflow function: `handler = lambda_handler(app)`.

    Takes events of the FIFO queue and of the delay queue; the event source mappings must have
    `ReportBatchItemFailures`. A deployment invokes it to make the App's schedules. Environment
    variables are read when the function is loaded in Lambda, at the first event elsewhere.

    Raises:
        ConfigurationError: (from the handler) variables are missing; names all of them.
    """
    check_kind(app, App, "what lambda_handler serves", APP)
    return _entry(lambda: workflow_handler(app, config, aws), "workflow")


def workflow_handler(
    app: App,
    config: AwsConfig | None = None,
    aws: Aws | None = None,
    *,
    clock: Clock | None = None,
    observer: Observer | None = None,
) -> AsyncHandler:
    """The same as a coroutine function, for hosts that have an event loop (the worker, tests)."""
    chosen, aws = config or read_config(), aws or Aws()
    backend = aws_backend(app, chosen, aws, observer=observer or LogObserver(), clock=clock)
    turns = Turns(app, backend, guard=chosen.guard, limits=chosen.turn_limits)
    letters = DeadLetterQueue(aws, chosen.dlq_url)

    async def handle(event: Event, seconds_max: float | None = None) -> dict[str, Any]:
        PRESENT.set(aws)
        if is_deployment(event):
            return await deploy(Client(app, backend), event)
        records = records_of(event, "workflow")
        if _is_from(event, chosen.delay_queue_url):
            timers = AwsTimers(aws, chosen, backend.clock)
            failed = await _forward(timers, records, letters, backend.observer)
        else:
            failed = await run_batch(
                turns,
                records,
                letters,
                consumed=Usage(receives=1, deletes=1, invocations=1),
                observer=backend.observer,
                seconds_max=seconds_max,
            )
        await _hurry(aws, event, failed)
        return _report(failed)

    return handle


def service_handler(
    *adapters: Adapter[Any, Any], config: AwsConfig | None = None, show_values: bool = False
) -> Handler:
    """The entry point of a service function: `handler = service_handler(check_fraud)`.

    Each task's result goes to its `callback_queue_url`; an exception becomes an error result. A
    task is redelivered if its result could not be sent.

    Args:
        show_values: as `App(show_values=…)`, for the texts of errors that are made here.
    """
    for adapter in adapters:
        check_kind(adapter, Adapter, "what service_handler serves", "an adapter, made by @serve")
    return _entry(
        lambda: task_handler(*adapters, config=config, show_values=show_values), "services"
    )


def task_handler(
    *adapters: Adapter[Any, Any],
    config: AwsConfig | None = None,
    aws: Aws | None = None,
    clock: Clock | None = None,
    show_values: bool = False,
) -> AsyncHandler:
    """The same as a coroutine function."""
    chosen, aws = config or read_config(required=()), aws or Aws()
    by_name = {adapter.service.name: adapter for adapter in adapters}
    letters = DeadLetterQueue(aws, chosen.dlq_url)
    tasks = Tasks(aws, chosen, by_name, letters, clock or SystemClock())

    async def handle(event: Event, seconds_max: float | None = None) -> dict[str, Any]:
        PRESENT.set(aws)
        CONFIG.set(chosen)
        if show_values:
            SHOWS_VALUES.set(True)
        ENDS_AT.set(None if seconds_max is None else time.monotonic() + seconds_max)
        records = records_of(event, "service")
        done = await asyncio.gather(*(tasks.answer(record, seconds_max) for record in records))
        failed = {r.id for r, is_done in zip(records, done, strict=True) if not is_done}
        await _hurry(aws, event, failed)
        return _report(failed)

    return handle


async def _forward(
    timers: AwsTimers, records: Sequence[Record], letters: DeadLetterQueue, observer: Observer
) -> set[str]:
    def tell(kind: str, **fields: str) -> None:
        observer.notify(Happening(kind, "", fields=fields))

    known: list[tuple[Record, Timer]] = []
    failed: set[str] = set()
    for record in records:
        try:
            message = parse(record.body)
            if not isinstance(message, Timer):
                raise MessageError(f"a {type(message).__name__} on the delay queue")
            known.append((record, message))
        except Exception as error:  # noqa: BLE001  # what a body raises once it raises always
            try:
                await letters.put(record, words_of(error))
            except BackendError as unsent:
                tell("failed", error=f"dead-letter queue: {words_of(unsent)}")
                failed.add(record.id)
            else:
                tell("dead_letter", reason=words_of(error), message_id=record.id)
    try:
        await timers.forward([timer for _, timer in known])
    except BackendError as error:
        tell("failed", error=f"timers are forwarded later: {words_of(error)}")
        failed |= {record.id for record, _ in known}
    return failed


async def _hurry(aws: Aws, event: Event, failed: set[str]) -> None:
    """Law 4: the more often it was tried, the longer the wait."""
    entries = [
        {
            "Id": str(n),
            "ReceiptHandle": found["receiptHandle"],
            "VisibilityTimeout": min(RETRY_SECONDS_MAX, 2 ** min(_receive_count(found), 9)),
        }
        for n, found in enumerate(event["Records"])
        if found["messageId"] in failed
    ]
    if not entries:
        return
    url = _queue_url(event["Records"][0]["eventSourceARN"])
    try:
        await aws.call("sqs", "ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)
    except AwsError as error:
        _log.warning(
            "%d messages of %s are redelivered after the visibility timeout, not sooner: %s",
            len(entries), url, error,
        )  # fmt: skip


def _entry(make: Callable[[], AsyncHandler], kind: str) -> Handler:
    return entry(make, lambda handle, event, seconds_max: handle(event, seconds_max), kind=kind)


def _queue_url(arn: str) -> str:
    """A queue's URL by its ARN; a configured endpoint replaces the host (client.py, law 4)."""
    _, _, _, region, account, name = arn.split(":")
    host = f"sqs.{region}.amazonaws.com"
    return f"https://{host}/{account}/{name}"


def records_of(event: object, kind: str) -> list[Record]:
    """The messages of SQS's event.

    Raises:
        MessageError: it is another event; says what came, by its names and without its values.
    """
    known = type(event) is dict or isinstance(event, Mapping)
    found = event.get("Records") if known else None  # type: ignore[attr-defined]
    if isinstance(found, list) and all(map(_is_message, found)):
        return [_record(one) for one in found]
    others = " or the deployment's (an object with ResponseURL)" if kind == "workflow" else ""
    raise MessageError(
        f"the {kind} function was invoked with {_described(event)}; it takes SQS's events{others}: "
        "`Records`, each with `messageId`, `body`, `receiptHandle` and `eventSourceARN`. Invoke it "
        "by an event source mapping of its queue; to start an execution, send to the queue, or use "
        "`Client.start`"
    )


def _is_message(record: object) -> bool:
    if type(record) is not dict and not isinstance(record, Mapping):
        return False
    return "messageId" in record and "body" in record


def _described(event: object) -> str:
    """What an event is, by the names that its kind has: no values but AWS's own."""
    if not isinstance(event, Mapping):
        return f"a JSON value of type {type(event).__name__}"
    names = ", ".join(sorted(map(str, event))[:NAMES_SHOWN]) or "nothing in it"
    source = event.get("source")  # EventBridge's
    if not isinstance(source, str):
        found = event.get("Records")
        first = found[0] if isinstance(found, list) and found else {}
        first = first if isinstance(first, Mapping) else {}
        source = first.get("eventSource") or first.get("EventSource")
    known = f" of {source}" if isinstance(source, str) and source.startswith("aws") else ""
    return f"an event{known} with {names}"


def _record(found: Mapping[str, Any]) -> Record:
    attributes = found.get("attributes", {})
    group = attributes.get("MessageGroupId", "")
    return Record(found["messageId"], found["body"], group, _receive_count(found))


def _receive_count(found: Mapping[str, Any]) -> int:
    return int(found.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _is_from(event: Event, url: str) -> bool:
    """Whether an event's queue is the one of a URL: both end in its name."""
    arn = event["Records"][0].get("eventSourceARN", "") if event["Records"] else ""
    return bool(url) and arn.rpartition(":")[2] == url.rpartition("/")[2]


def _report(failed: set[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in sorted(failed)]}
