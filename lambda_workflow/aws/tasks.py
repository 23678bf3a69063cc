"""The tasks of a service's queue: done, answered, broken off, or moved away.

A failed task without an answer (`ctx.send`) is redelivered, as often as the queue's receive count
allows, and then goes to its dead-letter queue. One that is to come back later is sent to the queue
it came from once more, with a delay, before this delivery of it is acknowledged.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow.aws.answers import send_answer
from lambda_workflow.aws.backend import blobs_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.heard import hear
from lambda_workflow.aws.letters import DeadLetterQueue
from lambda_workflow.aws.sqs import Entry, send_batch
from lambda_workflow.errors import BackendError, MessageError
from lambda_workflow.model.failures import words_of
from lambda_workflow.model.ids import TASK_PREFIX
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.messages import Heartbeat, Task, Update
from lambda_workflow.model.references import check_task, service_place
from lambda_workflow.model.wire import parse_task, render, render_task
from lambda_workflow.ports import Blobs, Clock, Happening
from lambda_workflow.runtime.attend import Postponed
from lambda_workflow.runtime.batch import Record
from lambda_workflow.runtime.deterministic import is_deterministic
from lambda_workflow.runtime.log import LogObserver
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.runtime.workshop import Unheard, Workshop

KEPT_SECONDS: Final = 14 * 86_400  # SQS keeps no task longer


@dataclass(slots=True)
class Tasks:
    """The tasks of a service function's queue."""

    aws: Aws
    config: AwsConfig
    adapters: Mapping[str, Adapter[Any, Any]]
    letters: DeadLetterQueue
    clock: Clock
    shop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        self.shop = Workshop(self._blobs, self._beat, self.clock.now)

    async def answer(self, record: Record, seconds_max: float | None) -> bool:
        """Do one task and send its result; False if it must come again."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._answer(record)
        except Exception as error:  # noqa: BLE001  # the task is redelivered, its neighbours do not
            is_of_host = isinstance(error, BackendError) and is_deterministic(error)
            is_last = record.receive_count >= RECEIVES_MAX and is_of_host
            if is_last and await self._moved_aside(record, words_of(error)):
                return True
            _tell_failed(record, error)
            return False
        return True

    async def _moved_aside(self, record: Record, reason: str) -> bool:
        try:
            await self.letters.put(record, reason)
        except BackendError as error:
            _tell_failed(record, error)
            return False
        fields = {"reason": reason, "message_id": record.id}
        LogObserver().notify(Happening("dead_letter", record.group, fields=fields))
        return True

    async def _answer(self, record: Record) -> None:
        try:
            task = parse_task(record.body)
            if task.reply and not task.callback_queue_url:
                raise MessageError("`callback_queue_url` is missing: nobody awaits a result")
            check_task(task)
            adapter = self._adapter(task)
        except MessageError as error:
            await self._no_task(record, str(error))
            return
        try:
            body = await self._body(adapter, task, is_repeat=record.receive_count > 1)
        except Unheard as failed:
            if not failed.is_final:
                raise
            await self.letters.put(record, str(failed))
            return
        if body is not None and task.reply:
            await send_answer(self.aws, task, body)

    async def _no_task(self, record: Record, why: str) -> None:
        try:
            own = self.config.own_service
            adapters = [a for name, a in self.adapters.items() if own in ("", name)]
            await hear(record.body, adapters, why)
        except MessageError as error:
            await self.letters.put(record, str(error))

    def _adapter(self, task: Task) -> Adapter[Any, Any]:
        if not task.service and len(self.adapters) == 1:
            return next(iter(self.adapters.values()))
        if (found := self.adapters.get(task.service)) is None:
            raise MessageError(
                f"service {task.service!r} is not served here: "
                f"service_handler(…) has {', '.join(sorted(self.adapters))}"
            )
        return found

    async def _body(self, adapter: Adapter[Any, Any], task: Task, *, is_repeat: bool) -> str | None:
        service = adapter.service.name
        if task.cancelled and self.config.deduplicate:
            await self._keep(service, task, "")  # should it come back Later to another process
        elif (earlier := await self._earlier(service, task)) is not None:
            return earlier or None
        done = await self.shop.do(adapter, task, is_repeat=is_repeat)
        if isinstance(done, Postponed):
            await self._put_back(service, done)
            return None
        body = "" if done is None else render(done)
        if self.config.deduplicate and not task.cancelled and _is_final(task, done):
            await self._keep(service, task, body)
        return body or None

    async def _put_back(self, service: str, postponed: Postponed) -> None:
        url, seconds = self.config.return_url(service), -(-postponed.delay_ms // 1000)
        entry = Entry(render_task(postponed.task), delay_seconds=seconds)
        await send_batch(self.aws, url, [entry])

    async def _keep(self, service: str, task: Task, body: str) -> None:
        await self.aws.call(
            "dynamodb",
            "PutItem",
            TableName=self.config.table,
            Item={
                "id": {"S": f"{TASK_PREFIX}{service_place(service)}/{task.task_id}"},
                "n": {"N": "0"},
                "d": {"S": body},
                "x": {"N": str(self.clock.now() // 1000 + KEPT_SECONDS)},
            },
        )

    async def _earlier(self, service: str, task: Task) -> str | None:
        """The result of an earlier delivery, where the de-duplication is switched on."""
        if not self.config.deduplicate:
            return None
        found = await self._kept(f"{service_place(service)}/{task.task_id}")
        # an earlier version kept it under a key that any service might write
        return await self._kept(task.task_id) if found is None else found

    async def _kept(self, key: str) -> str | None:
        answer = await self.aws.call(
            "dynamodb",
            "GetItem",
            TableName=self.config.table,
            Key={"id": {"S": f"{TASK_PREFIX}{key}"}, "n": {"N": "0"}},
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return str(item["d"]["S"]) if item else None

    async def _beat(self, task: Task, message: Heartbeat) -> None:
        entry = Entry(render(message), task.execution_id, secrets.token_hex(16))
        if task.callback_queue_url:
            await send_batch(self.aws, task.callback_queue_url, [entry])

    def _blobs(self) -> Blobs:
        return blobs_for(self.aws, self.config, self.clock)


def _tell_failed(record: Record, error: Exception) -> None:
    """By the log line that the alarm on failed tasks counts."""
    told = {"message_id": record.id, "error": words_of(error)}
    LogObserver().notify(Happening("failed", "", fields=told))


def _is_final(task: Task, done: Update | None) -> bool:
    """Whether a repeated delivery is to be answered the same, whichever attempt it is of."""
    return not task.reply if done is None else done.failure is None
