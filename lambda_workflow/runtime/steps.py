"""Inline work of a turn: steps run side by side on the host's event loop or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from lambda_workflow.errors import EncodeError, PayloadTooLarge, WorkflowError
from lambda_workflow.model.events import Failure, StepErrored, StepSucceeded
from lambda_workflow.model.exception_args import args_of
from lambda_workflow.model.failures import failure_of, stack_of
from lambda_workflow.model.ids import task_id
from lambda_workflow.model.payload import Json
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.replay.operations import Step
from lambda_workflow.runtime.deadline import DEADLINE
from lambda_workflow.runtime.functions import run_function, without_later
from lambda_workflow.runtime.step_threads import STEP_THREADS

CANCELLED_SECONDS: Final = 5.0  # that a cancelled step may take to end


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How one attempt of a step ended."""

    operation: str
    attempt: int
    payload: Json
    failure: Failure | None

    def at(self, now: int) -> StepSucceeded | StepErrored:
        """The fact."""
        if self.failure is None:
            return StepSucceeded(now, self.operation, self.payload)
        return StepErrored(now, self.operation, self.attempt, self.failure)


def interrupted(step: Step[Any]) -> StepOutcome:
    """The end of a step that runs at most once, and was begun by a worker that is gone."""
    failure = Failure(
        "lambda_workflow.errors.StepInterrupted",
        f"attempt {step.attempt} was begun and its worker died: how far it came is not known",
    )
    return StepOutcome(step.operation, step.attempt, None, failure)


class Steps:
    """Use as `async with`; leaving it cancels what still runs.

    Args:
        begun: told of every step as it begins.
    """

    def __init__(self, begun: Callable[[Step[Any]], None]) -> None:
        self._begun = begun
        self._running: dict[asyncio.Task[StepOutcome], Step[Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        if self._running:  # one that catches its cancellation is waited for no longer than that
            await asyncio.wait(self._running, timeout=CANCELLED_SECONDS)

    def begin(self, pending: Sequence[Step[Any]]) -> bool:
        """Start those that do not run yet; whether any runs now."""
        under_way = {id(step) for step in self._running.values()}
        for task, step in self._running.items():
            if step.done():  # given up by the code
                task.cancel()
        for step in pending:
            if id(step) not in under_way:
                self._running[asyncio.create_task(_attempt(step))] = step
                self._begun(step)
        return bool(self._running)

    async def finished(
        self, sleep: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> list[tuple[Step[Any], StepOutcome]]:
        """Wait for at least one to end; those that were cancelled are left out.

        Args:
            sleep: waits for no longer than this takes.
        """
        waited: set[asyncio.Future[Any]] = {*self._running}
        alarm = asyncio.ensure_future(sleep()) if sleep is not None else None
        if alarm is not None:
            waited.add(alarm)
        try:
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if alarm is not None:
                alarm.cancel()
        ended = [(task, self._running.pop(task)) for task in list(self._running) if task in done]
        return [(step, task.result()) for task, step in ended if not task.cancelled()]


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What a step may know of itself.

    Attributes:
        attempt: which attempt this is, from 1.
        idempotency_key: the same for every attempt and every repetition of this step, and no
            other's; give it to a party that can tell a repeated request by it.
    """

    execution_id: str
    operation: str
    name: str
    attempt: int
    idempotency_key: str


_INFO: Final[ContextVar[StepInfo | None]] = ContextVar("lambda_workflow_step", default=None)


def step_info() -> StepInfo:
    """What the calling step may know of itself.

    Raises:
        WorkflowError: no step calls this.
    """
    info = _INFO.get()
    if info is None:
        raise WorkflowError("step_info() is for functions that `ctx.step` runs, while they run")
    return info


async def _attempt(step: Step[Any]) -> StepOutcome:
    """One attempt, for no longer than its timeout: what does not end then is given up."""
    seconds = _seconds_of(step)
    if seconds is None:
        return await _work_of(step)
    work = asyncio.ensure_future(_work_of(step))
    try:
        await asyncio.wait((work,), timeout=seconds)
    finally:
        if not work.done():
            work.cancel()
    if work.done():
        return work.result()
    message = f"no result within {seconds:g} s"
    if not step.is_async:
        message += "; its thread is left alone, and what it returns is dropped"
    failure = Failure("lambda_workflow.errors.StepTimedOut", message)
    return StepOutcome(step.operation, step.attempt, None, failure)


def _seconds_of(step: Step[Any]) -> float | None:
    """The timeout of an attempt; it ends before the host's own time does.

    An attempt that would have less than a fair share of that time is not cut short by it: the turn
    fails, and is made again by a host that has more.
    """
    if not step.timeout_ms:
        return None
    seconds, deadline = step.timeout_ms / 1000, DEADLINE.get()
    if deadline is not None and deadline.is_fair(left := deadline.left()):
        seconds = min(seconds, left)
    return seconds


async def _work_of(step: Step[Any]) -> StepOutcome:
    execution_id, operation = step.execution_id, step.operation
    key = task_id(execution_id, operation)
    _INFO.set(StepInfo(execution_id, operation, step.name, step.attempt, key))  # of its own task
    name = f"step {step.name}"
    ended = await run_function(
        step.work, name=name, is_async=step.is_async, in_thread=STEP_THREADS.run
    )
    if ended.error is not None:
        error = without_later(ended.error, name)
        failure = replace(failure_of(error, stack_of(ended.error)), args=args_of(error))
        return StepOutcome(operation, step.attempt, None, failure)
    try:
        payload = bounded(step.codec.encode(ended.value, f"result of {name}"), f"result of {name}")
    except (EncodeError, PayloadTooLarge) as error:
        failure = Failure(f"lambda_workflow.errors.{type(error).__name__}", str(error), False)
        return StepOutcome(operation, step.attempt, None, failure)
    return StepOutcome(operation, step.attempt, payload, None)
