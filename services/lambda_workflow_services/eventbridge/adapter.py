"""The adapters: an event is published; a task waits until one comes."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any, Final

from lambda_workflow import BusEvent, Later, ServiceError, Task, serve
from lambda_workflow.aws.answers import post_result
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow.model.payload import dumps
from lambda_workflow_services.eventbridge import PUBLISH, WAIT, Publish, Published, Wait
from lambda_workflow_services.eventbridge.patterns import fits
from lambda_workflow_services.eventbridge.settings import buses, waiting
from lambda_workflow_services.eventbridge.table import End, Waiter, WaitTable

ENTRY_BYTES_MAX: Final = 1024 * 1024  # PutEvents: "the total entry size must be less than 1MB"
TASK_RESOURCE: Final = "lambda-workflow:task/"
LOOK: Final = timedelta(minutes=15)  # should an answer not have got through
POSTS_MAX: Final = 16  # at the same time

_RETRYABLE: Final = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})
_log = logging.getLogger("lambda_workflow")


@serve(PUBLISH)
async def publish(event: Publish, task: Task) -> Published:
    """Put an event on a bus. Delivered twice, the task publishes it twice, with the same mark."""
    entry = _entry(event, task)
    try:
        answer = await aws_client().call("events", "PutEvents", Entries=[entry])
    except AwsError as error:
        raise ServiceError(
            f"{entry['EventBusName']}: {error.code}: {error.message}",
            type=error.code,
            retryable=error.transient or error.code in _RETRYABLE,
        ) from error
    (told,) = answer["Entries"]
    if code := told.get("ErrorCode"):
        raise ServiceError(
            f"{entry['EventBusName']}: {code}: {told.get('ErrorMessage', '')}",
            type=code,
            retryable=code in _RETRYABLE,
        )
    return Published(event_id=told["EventId"])


def _bus(wanted: str) -> str:
    allowed = buses()
    for bus in allowed:
        if wanted in ("", bus, bus.rpartition("/")[2]):
            return bus
    raise ServiceError(
        f"bus {wanted!r} is not allowed here: EVENTBRIDGE_PUBLISH_BUSES has {', '.join(allowed)}",
        type="BusNotAllowed",
        retryable=False,
    )


def _entry(event: Publish, task: Task) -> dict[str, Any]:
    resources = [*event.resources, TASK_RESOURCE + task.task_id]
    entry = {
        "Source": event.source,
        "DetailType": event.detail_type,
        "Detail": dumps(event.detail),
        "Resources": resources,
        "EventBusName": _bus(event.bus),
        **({"Time": event.time} if event.time else {}),
    }
    texts = [event.source, event.detail_type, entry["Detail"], *resources]
    size = sum(len(str(text).encode()) for text in texts) + (14 if event.time else 0)
    if size >= ENTRY_BYTES_MAX:
        raise ServiceError(
            f"the event has {size:,} bytes, and must have less than {ENTRY_BYTES_MAX:,}: put the "
            "detail into a bucket, and its address into the event",
            type="EventTooLarge",
            retryable=False,
        )
    return entry


@serve(WAIT)
async def wait(wanted: Wait, task: Task) -> BusEvent:
    """Wait for an event. Delivered twice, the task has the same end."""
    table = _table()
    end = await table.end(task.task_id)
    if end is None:
        end = await look(table, task, wanted)
    if end.event is None:
        raise ServiceError(
            f"no {wanted.detail_type!r} of {wanted.source!r} that matches came within "
            f"{wanted.timeout}",
            type="WaitTimedOut",
            retryable=False,
        )
    return end.event


@wait.on_event
async def arrive(event: BusEvent) -> None:
    """Keep an event, and answer those who wait for it."""
    await tell(_table(), event)


async def look(table: WaitTable, task: Task, wanted: Wait) -> End:
    """Put a waiter down, and look whether its event has come already; the end, if that is now.

    A task that comes back before its time is over has been answered by then, or waits on.

    Raises:
        Later: the wait goes on.
    """
    if task.state is None:
        until = table.now() + wanted.timeout // timedelta(milliseconds=1)
        waiter = await table.put_waiter(Waiter(task, wanted, until))
    else:
        waiter = Waiter(task, wanted, task.state["until"])
    left = timedelta(milliseconds=waiter.until - table.now())
    is_over = left <= timedelta(0)
    found = await _kept(table, wanted) if task.state is None or is_over else None
    if found is None and not is_over:
        raise Later(min(LOOK, left), {"until": waiter.until})
    end = await table.settle(task.task_id, found)
    await table.remove(waiter)
    return end


async def _kept(table: WaitTable, wanted: Wait) -> BusEvent | None:
    """The oldest event that matches, of those kept."""
    async for event in table.events(wanted):
        if fits(wanted.match, event.detail):
            return event
    return None


async def tell(table: WaitTable, event: BusEvent) -> None:
    """Keep an event, and answer those who wait for it; an error brings the event back."""
    await table.put_event(event)
    gate = asyncio.Semaphore(POSTS_MAX)

    async def answer(waiter: Waiter) -> None:
        async with gate:
            await _answer(table, waiter, event)

    matching = [waiter for waiter in await table.waiters(event) if _is_for(event, waiter.wait)]
    done = await asyncio.gather(*map(answer, matching), return_exceptions=True)
    for failed in done:
        if isinstance(failed, BaseException):
            raise failed


async def _answer(table: WaitTable, waiter: Waiter, event: BusEvent) -> None:
    end = await table.settle(waiter.task.task_id, event)
    if end.event is not None:  # else the task that found its time over has said so
        try:
            await post_result(WAIT, waiter.task, end.event)
        except AwsError as error:
            if error.transient:
                raise
            _log.warning(
                "the answer to task %s could not be sent: %s; the task comes back for it within %s",
                waiter.task.task_id,
                error,
                LOOK,
            )
    await table.remove(waiter)


def _is_for(event: BusEvent, wanted: Wait) -> bool:
    is_early = wanted.since is not None and event.time < wanted.since.replace(microsecond=0)
    return not is_early and fits(wanted.match, event.detail)


def _table() -> WaitTable:
    chosen = waiting()
    return WaitTable(aws_client(), chosen.table, chosen.keep_seconds, _now)


def _now() -> int:
    return time.time_ns() // 1_000_000
