"""Timers by two routes: a delay queue for up to 15 minutes, EventBridge Scheduler beyond.

A timer on the delay queue costs one send, one receive and delete, and one send to the FIFO queue,
which the workflow function makes when the message reaches it. A schedule costs one creation and, if
it is withdrawn, one deletion. Where no Scheduler is set up, a long timer hops through the delay
queue, 15 minutes at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.sqs import Entry, run_all, send_batch
from lambda_workflow.errors import BackendError
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Timer
from lambda_workflow.model.wire import render
from lambda_workflow.ports import ArmTimer, Clock, DisarmTimer

DELAY_SECONDS_MAX: Final = 900  # SQS's limit for DelaySeconds
SCHEDULES_AT_ONCE_MAX: Final = 16  # requests under way; botocore's threads do them


class AwsTimers:
    """See the module."""

    def __init__(self, aws: Aws, config: AwsConfig, clock: Clock) -> None:
        self._aws = aws
        self._config = config
        self._clock = clock

    async def arm(self, timers: Sequence[ArmTimer]) -> None:
        short = [timer for timer in timers if not self._is_scheduled(timer.due)]
        if short:
            await self.delay([Timer(t.execution_id, t.operation, t.due) for t in short])
        long = [timer for timer in timers if self._is_scheduled(timer.due)]
        gate = asyncio.Semaphore(SCHEDULES_AT_ONCE_MAX)
        await run_all([self._schedule(timer, gate) for timer in long])

    async def disarm(self, timers: Sequence[DisarmTimer]) -> None:
        """Delete the schedules; a message on the delay queue arrives late and is dropped."""
        for timer in timers:
            if self._is_scheduled(timer.due):
                try:
                    await self._aws.call(
                        "scheduler",
                        "DeleteSchedule",
                        Name=schedule_name(timer.execution_id, timer.operation),
                        GroupName=self._config.scheduler_group,
                    )
                except AwsError as error:
                    if error.code != "ResourceNotFoundException":
                        raise

    async def delay(self, timers: Sequence[Timer]) -> None:
        """Send timers towards their due time over the delay queue, as far as one hop goes."""
        if not self._config.delay_queue_url:
            raise BackendError(
                "a timer was started, and there is no delay queue: set "
                "LAMBDA_WORKFLOW_DELAY_QUEUE_URL to the URL of a standard queue"
            )
        now = self._clock.now()
        entries = [
            Entry(render(timer), delay_seconds=_seconds_until(timer.due, now)) for timer in timers
        ]
        await send_batch(self._aws, self._config.delay_queue_url, entries)

    async def forward(self, timers: Sequence[Timer]) -> None:
        """Timers that the delay queue has delivered: to their executions, or on another hop."""
        now = self._clock.now()
        due = [timer for timer in timers if timer.due <= now]
        if early := [timer for timer in timers if timer.due > now]:
            await self.delay(early)
        entries = [
            Entry(
                render(timer),
                timer.execution_id,
                deduplication_id(timer.execution_id, timer.operation, "fired", timer.due),
            )
            for timer in due
        ]
        if entries:
            await send_batch(self._aws, self._config.queue_url, entries)

    def _is_scheduled(self, due: int) -> bool:
        far = due - self._clock.now() > DELAY_SECONDS_MAX * 1000
        return far and bool(self._config.scheduler_group)

    async def _schedule(self, timer: ArmTimer, gate: asyncio.Semaphore) -> None:
        at = datetime.fromtimestamp(-(-timer.due // 1000), UTC)
        async with gate:
            try:
                await self._aws.call(
                    "scheduler",
                    "CreateSchedule",
                    Name=_name(timer),
                    GroupName=self._config.scheduler_group,
                    ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                    ScheduleExpressionTimezone="UTC",
                    FlexibleTimeWindow={"Mode": "OFF"},
                    ActionAfterCompletion="DELETE",
                    Target=self._target(timer),
                )
            except AwsError as error:
                if error.code != "ConflictException":  # the same timer, armed before
                    raise

    def _target(self, timer: ArmTimer) -> dict[str, Any]:
        """Where the timer goes; what cannot be delivered for a day is dropped without a DLQ."""
        target = {
            "Arn": self._config.queue_arn,
            "RoleArn": self._config.scheduler_role_arn,
            "Input": render(Timer(timer.execution_id, timer.operation, timer.due)),
            "SqsParameters": {"MessageGroupId": timer.execution_id},
        }
        if arn := self._config.scheduler_dlq_arn:
            return {**target, "DeadLetterConfig": {"Arn": arn}}
        return target


def schedule_name(execution_id: str, operation: str) -> str:
    """A schedule's name: up to 64 characters of [0-9A-Za-z-_.], the same for the same timer."""
    return hashlib.sha256(f"{execution_id}/{operation}".encode()).hexdigest()[:48]


def _name(timer: ArmTimer) -> str:
    """The schedule of one that is armed again has a name of its own: the first may still be there.

    It is not withdrawn with the timer: it then fires late, which does no harm.
    """
    again = f"@{timer.due}" if timer.again else ""
    return schedule_name(timer.execution_id, f"{timer.operation}{again}")


def _seconds_until(due: int, now: int) -> int:
    return min(DELAY_SECONDS_MAX, max(0, -(-(due - now) // 1000)))
