"""Inline work of a turn: steps run side by side on the host's event loop or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Self

from lambda_workflow.errors import EncodeError, PayloadTooLarge, WorkflowError
from lambda_workflow.model.events import Failure, StepErrored, StepSucceeded
from lambda_workflow.model.failures import failure_of, stack_of
from lambda_workflow.model.ids import task_id
from lambda_workflow.model.payload import Json
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.replay.operations import Step
from lambda_workflow.runtime.functions import run_function, without_later


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
        f"attempt {step.attempt} was begun and its worker died: nobody knows how far it came",
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
        await asyncio.gather(*self._running, return_exceptions=True)

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

    async def finished(self) -> list[tuple[Step[Any], StepOutcome]]:
        """Wait for at least one to end; those that were cancelled are left out."""
        done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        ended = [(task, self._running.pop(task)) for task in list(self._running) if task in done]
        return [(step, task.result()) for task, step in ended if not task.cancelled()]


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What a step may know of itself.

    Attributes:
        attempt: which attempt this is, from 1.
        idempotency_key: the same for every attempt and every repetition of this step, and no
            other's; give it to whoever can tell a repeated request by it.
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
    execution_id, operation = step.execution_id, step.operation
    key = task_id(execution_id, operation)
    _INFO.set(StepInfo(execution_id, operation, step.name, step.attempt, key))  # of its own task
    name = f"step {step.name}"
    ended = await run_function(step.work, name=name, is_async=step.is_async)
    if ended.error is not None:
        failure = failure_of(without_later(ended.error, name), stack_of(ended.error))
        return StepOutcome(operation, step.attempt, None, failure)
    try:
        payload = bounded(step.codec.encode(ended.value, f"result of {name}"), f"result of {name}")
    except (EncodeError, PayloadTooLarge) as error:
        failure = Failure(f"lambda_workflow.errors.{type(error).__name__}", str(error), False)
        return StepOutcome(operation, step.attempt, None, failure)
    return StepOutcome(operation, step.attempt, payload, None)
