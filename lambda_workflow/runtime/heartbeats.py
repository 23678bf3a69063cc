"""What a service adapter may say and ask while it works: `heartbeat`, `task_info`.

Laws
 1. A heartbeat costs a message at most every half of the heartbeat timeout; what was kept back is
    sent before an attempt ends in an error, so that the next one knows how far this one came.
 2. A heartbeat that cannot be sent is not the adapter's trouble: the next one is tried.
 3. Once the workflow has withdrawn the task, every heartbeat says so.
 4. The heartbeat that reports the begin of an attempt is the exception to law 2: an attempt whose
    begin cannot be reported is not begun, or it would be given up while it is at work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.errors import BackendError, TaskCancelled, WorkflowError
from lambda_workflow.model.failures import as_details
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import Heartbeat, Task
from lambda_workflow.model.payload import Json
from lambda_workflow.replay.loop import Loop

UNASKED_MS: Final = 60_000  # as if it were the timeout, where the call has none

Post = Callable[[Task, Heartbeat], Awaitable[None]]
"""How a host sends a heartbeat to the execution that waits for a task."""

_log = logging.getLogger("lambda_workflow")


@dataclass(slots=True, eq=False)
class Work:
    """A task that an adapter is at work on.

    Attributes:
        post: None where a heartbeat has nowhere to go, as in a test of the adapter.
        now: milliseconds, of the clock that heartbeats are spaced by.
        is_withdrawn: whether the workflow no longer wants the result.
        goes_on: whether its work goes on elsewhere: it was left by Later.
        is_repeat: whether the task may have been delivered before, and so may have begun.
    """

    task: Task
    post: Post | None = None
    now: Callable[[], int] = lambda: 0
    loop: asyncio.AbstractEventLoop | None = None
    is_withdrawn: bool = False
    goes_on: bool = False
    is_repeat: bool = False
    _sent_at: int | None = None
    _kept: Json = None
    _is_kept: bool = False

    def __post_init__(self) -> None:
        self.goes_on = self.task.not_before > 0
        if self.task.beat_at:  # it was here before
            self._sent_at = self.task.beat_at
            self._kept, self._is_kept = self.task.state, self.task.state is not None

    @property
    def sent_at(self) -> int | None:
        """When it was last heard of; None if not yet."""
        return self._sent_at

    async def begin(self) -> None:
        """Report that the attempt begins; the details of the attempts before stay.

        The adapter's own first heartbeat is sent at once all the same, for its details.

        Raises:
            BackendError: the report could not be sent; the task must come again.
        """
        if self.post is None:
            return
        task = self.task
        operation = operation_of(task.task_id)
        await self.post(task, Heartbeat(task.execution_id, operation, task.details, task.attempt))

    async def beat(self, details: Json) -> None:
        """A sign of life."""
        self.check()
        self._kept, self._is_kept = details, True
        if self._sent_at is None or self.now() - self._sent_at >= self._interval:
            await self.flush()
        self.check()

    @property
    def _interval(self) -> int:
        return (self.task.heartbeat_ms or UNASKED_MS) // 2

    async def leave(self, state: Json, until: int) -> None:
        """The adapter ends until then: a sign of life, unless it is back in time to give one."""
        self._kept, self._is_kept = state, True
        if self._sent_at is None or until - self._sent_at > self._interval:
            await self.flush()

    async def flush(self) -> None:
        """Send what was kept back."""
        if not self._is_kept or self.post is None:
            return
        before, self._sent_at, self._is_kept = self._sent_at, self.now(), False
        task = self.task
        operation = operation_of(task.task_id)
        message = Heartbeat(task.execution_id, operation, self._kept, task.attempt)
        try:
            await self.post(task, message)
        except BackendError as error:
            self._sent_at, self._is_kept = before, True
            _log.warning("a heartbeat of task %s could not be sent: %s", task.task_id, error)

    def check(self) -> None:
        """Raise if the task was withdrawn."""
        if self.is_withdrawn:
            raise TaskCancelled(
                f"the workflow has withdrawn task {self.task.task_id}: its result is not wanted"
            )


WORK: Final[ContextVar[Work | None]] = ContextVar("lambda_workflow_work", default=None)


async def heartbeat(details: Any = None) -> None:
    """Say, within a service adapter, that it is alive; call it as often as you like.

    Without one for as long as the call's `heartbeat_timeout` the attempt counts as failed. Outside
    of a task, as in a test of the adapter, it does nothing.

    Args:
        details: any JSON value; the next attempt finds the last one in `task_info().details`.

    Raises:
        TaskCancelled: the workflow no longer wants the result: tidy up and let it pass.
    """
    if (work := _present()) is not None:
        await work.beat(as_details(details))


def heartbeat_sync(details: Any = None) -> None:
    """The same for an adapter that is a plain function, and so runs in a thread.

    Raises:
        TaskCancelled: as `heartbeat`.
    """
    work = _present()
    if work is None:
        return
    work.check()
    loop = work.loop
    if loop is None or not loop.is_running():
        return
    beat = work.beat(as_details(details))
    if _is_on(loop):  # a test's loop without threads: it may not be waited for
        loop.create_task(_quiet(beat))
        return
    asyncio.run_coroutine_threadsafe(beat, loop).result()


def task_info() -> Task:
    """The task that the calling adapter is at work on.

    `attempt` counts from 1, `task_id` is the idempotency key of all attempts, `details` are those
    of the last heartbeat of the attempts before.

    Raises:
        WorkflowError: no adapter calls this.
    """
    work = WORK.get()
    if work is None:
        raise WorkflowError("task_info() is for service adapters at work on a task")
    return work.task


def _present() -> Work | None:
    if isinstance(asyncio._get_running_loop(), Loop):
        raise WorkflowError(
            "heartbeat() is for service adapters; a workflow needs none, it waits without one"
        )
    return WORK.get()


def _is_on(loop: asyncio.AbstractEventLoop) -> bool:
    return asyncio._get_running_loop() is loop


async def _quiet(beat: Awaitable[None]) -> None:
    with suppress(TaskCancelled):
        await beat
