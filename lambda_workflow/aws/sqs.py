"""Queues on SQS: sends in batches of ten, per-entry failures sent again.

Law: no two messages to one execution travel in one request. SQS may refuse the first of them and
take the second; sent again, the first comes too late: a signal before its start would be lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.client import REFUSALS, Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.errors import BackendError, ConfigurationError
from lambda_workflow.model.messages import Task
from lambda_workflow.model.wire import render, render_response, render_task
from lambda_workflow.ports import SendMessage, SendResponse, SendTask, Unprocessable

BATCH_ENTRIES_MAX: Final = 10  # SQS's own limits of one SendMessageBatch request
BATCH_BYTES_MAX: Final = 1024 * 1024
ATTEMPTS_MAX: Final = 5  # for entries that SQS failed within an accepted request
BACKOFF_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to send; group and deduplication id count on FIFO queues alone."""

    body: str
    group: str = ""
    deduplication: str = ""
    delay_seconds: int = 0


class SqsQueue:
    """Sends tasks, messages and outcomes to the queues that the configuration names."""

    def __init__(self, aws: Aws, config: AwsConfig) -> None:
        self._aws = aws
        self._config = config

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        by_url: dict[str, list[Entry]] = {}
        for send in sends:
            url = self._config.service_queue_url(send.task.service)
            by_url.setdefault(url, []).append(_task_entry(send.task, send.deduplication))
        await run_all([send_batch(self._aws, url, entries) for url, entries in by_url.items()])

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        by_url: dict[str, list[Entry]] = {}
        for send in sends:
            url = self._url(send)
            entry = Entry(render(send.message), send.message.execution_id, send.deduplication)
            by_url.setdefault(url, []).append(entry)
        await run_all([self._send_ordered(url, entries) for url, entries in by_url.items()])

    def _url(self, send: SendMessage) -> str:
        try:
            return self._config.inbox_url(send.queue_url)
        except ConfigurationError as error:  # the address is of a message, or of code
            raise Unprocessable(
                f"a {type(send.message).__name__} for execution {send.message.execution_id} "
                f"cannot be sent: {error}"
            ) from error

    async def _send_ordered(self, url: str, entries: Sequence[Entry]) -> None:
        for layer in _layers(entries):
            await send_batch(self._aws, url, layer)

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        if url := self._config.response_queue_url:
            entries = [
                Entry(
                    render_response(send.response), send.response.execution_id, send.deduplication
                )
                for send in sends
            ]
            await send_batch(self._aws, url, entries)


async def send_batch(aws: Aws, url: str, entries: Sequence[Entry]) -> None:
    """Send entries in order, in as few requests as SQS allows.

    Raises:
        BackendError: not all were sent; those that were are sent again with the rest.
    """
    fifo = url.endswith(".fifo")
    for batch in _batches(entries):
        left = [_fields(str(n), entry, fifo) for n, entry in enumerate(batch)]
        for attempt in range(ATTEMPTS_MAX):
            answer = await aws.call("sqs", "SendMessageBatch", QueueUrl=url, Entries=left)
            failed = {failure["Id"]: failure for failure in answer.get("Failed", [])}
            left = [fields for fields in left if fields["Id"] in failed]
            if not left:
                break
            first = failed[left[0]["Id"]]
            if first.get("SenderFault"):
                code = first["Code"].rpartition(".")[2]
                kind = Unprocessable if code in REFUSALS else BackendError
                raise kind(f"{url} refused a message: {first.get('Message', code)}")
            await asyncio.sleep(BACKOFF_SECONDS * 2**attempt)
        else:
            raise BackendError(f"{len(left)} messages could not be sent to {url}")


def _layers(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The first entries of all groups, then the second ones, and so on."""
    layers: list[list[Entry]] = []
    places: Counter[str] = Counter()
    for entry in entries:
        place = places[entry.group]
        places[entry.group] += 1
        if place == len(layers):
            layers.append([])
        layers[place].append(entry)
    return layers


def _batches(entries: Sequence[Entry]) -> list[list[Entry]]:
    batches: list[list[Entry]] = []
    size = BATCH_BYTES_MAX
    for entry in entries:
        own = len(entry.body.encode())
        if size + own > BATCH_BYTES_MAX or len(batches[-1]) == BATCH_ENTRIES_MAX:
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += own
    return batches


def _fields(id_: str, entry: Entry, fifo: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"Id": id_, "MessageBody": entry.body}
    if fifo:
        fields["MessageGroupId"] = entry.group
        fields["MessageDeduplicationId"] = entry.deduplication
    elif entry.delay_seconds:
        fields["DelaySeconds"] = entry.delay_seconds
    return fields


def _task_entry(task: Task, deduplication: str) -> Entry:
    return Entry(render_task(task), task.execution_id, deduplication)


async def run_all(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Await them side by side; of several errors the first is raised, by itself."""
    if len(coroutines) == 1:
        await coroutines[0]
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            for coroutine in coroutines:
                tasks.create_task(coroutine)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
