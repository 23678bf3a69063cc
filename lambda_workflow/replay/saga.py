"""Sagas: what was done is undone when the rest does not succeed.

Laws
 1. Compensations run when the block ends in an error or a cancellation, in the reverse order of
    their registration; never when it succeeds, and never when the stack is unwound at a suspension.
 2. All of them run, to their end: one that fails does not keep the others from running, nor does
    another cancellation of the task that rolls back.
 3. The block's own error goes on; where compensations failed, a SagaFailed carries it and theirs.
 4. What a compensation is called with is looked at when it is registered: at the rollback it would
    be too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, TypeVarTuple, overload

from lambda_workflow.errors import (
    ConfigurationError,
    SagaFailed,
    UsageError,
    WorkflowError,
)
from lambda_workflow.model.arguments import named
from lambda_workflow.model.callables import form_with
from lambda_workflow.model.commands import OpenScope
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.model.service import Service, check_timeout
from lambda_workflow.replay.base import checked_retry
from lambda_workflow.replay.block_retry import retry_block
from lambda_workflow.replay.bugs import block_on, blocks, bug_in
from lambda_workflow.replay.nesting import outlast
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow
from lambda_workflow.suspension import RunEnded, Suspended

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context
    from lambda_workflow.replay.execution import Execution

Req = TypeVar("Req")
Args = TypeVarTuple("Args")

_NO_FAILURE: Final = (Suspended, RunEnded, GeneratorExit)
Compensation = Callable[[], Awaitable[object]]


class Saga:
    """Use as `async with ctx.saga() as saga`; see `Context.saga`."""

    def __init__(self, ctx: Context, *, parallel: bool) -> None:
        self._ctx = ctx
        self._loop = ctx._execution.loop
        self._parallel = parallel
        self._compensations: list[Compensation] = []
        self._failures: dict[int, Exception] = {}
        self._is_open = True

    @overload
    def on_rollback(
        self, target: Service[Req, Any] | Workflow[Req, Any] | RemoteWorkflow[Req, Any],
        payload: Req, /, *,
        retry: RetryPolicy | None = ..., timeout: timedelta | None = ..., name: str = ...,
    ) -> None: ...  # fmt: skip
    @overload
    def on_rollback(
        self, target: Callable[[Context, *Args], Awaitable[object]], /, *args: *Args,
        retry: RetryPolicy | None = ...,
    ) -> None: ...  # fmt: skip
    def on_rollback(  # type: ignore[misc]  # mypy cannot match *args: *Args with *args: Any
        self, target: Any, /, *args: Any,
        retry: RetryPolicy | None = None, timeout: timedelta | None = None, name: str = "",
    ) -> None:  # fmt: skip
        """Say how to undo what was just done.

        Args:
            target: a service or workflow that is called with the payload, or an async function of
                the context and the arguments.
            retry: the service's own if not given; a workflow or function is retried as a unit, by
                default as `RetryPolicy()` says.
            timeout: of the call, in all; the service's own if not given.
            name: of the call, as the history shows it.

        Raises:
            EncodeError: the payload is not of the service's request type.
            UsageError: the saga has ended.
        """
        if self._loop.frozen:
            return
        if not self._is_open:
            raise UsageError(
                "on_rollback after the saga has ended: register inside of `async with ctx.saga()`"
            )
        if retry is not None:
            checked_retry(retry, "compensation")
        if isinstance(target, Service | Workflow | RemoteWorkflow):
            if len(args) != 1:
                raise ConfigurationError(
                    f"on_rollback: {target!r} is called with one payload, and {len(args)} are "
                    "given: write on_rollback(TARGET, payload)"
                )
            options: dict[str, Any] = {"timeout": timeout, "name": name, "retry": retry}
            self._compensations.append(self._call(target, *args, **options))
        elif callable(target):
            form = form_with("on_rollback", target, args)
            form.check(target, self._ctx, *args)
            block = partial(form.called, target, self._ctx, *args)
            policy = retry or RetryPolicy()
            self._compensations.append(partial(retry_block, self._ctx, block, policy))
        else:
            raise ConfigurationError(
                f"on_rollback: {named(target)} cannot undo anything; give a Service, a Workflow, "
                "or an async function of the context"
            )

    def _call(
        self, target: Any, payload: Any, *,
        timeout: timedelta | None, name: str, retry: RetryPolicy | None,
    ) -> Compensation:  # fmt: skip
        """Law 4."""
        label = f"payload of {target.name}"
        bounded(target.request_codec.encode(payload, label), label)
        if name:
            name = display_name("call", name)
        if timeout is not None:
            check_timeout(timeout, f"compensation by {target.name!r}")
        call: Any = partial(self._ctx.call, target, payload, timeout=timeout, name=name)
        if isinstance(target, Service):
            return partial(call, retry=retry)
        return partial(retry_block, self._ctx, call, retry or RetryPolicy())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        if error is None or self._loop.frozen or isinstance(error, _NO_FAILURE):
            return
        undo = self._compensations[::-1]
        if not undo:
            return
        execution = self._ctx._execution
        if (bug := bug_in(execution, error)) is not None and not _has_rolled_back(execution):
            block_on(execution, bug)  # the corrected code may yet succeed: nothing is undone
            return
        # a task of its own: whatever cancels this one does not reach the compensations
        rolling = self._loop.create_task(self._roll_back(undo))
        interrupted = await outlast(self._loop, [rolling])
        rolling.result()
        if self._failures:
            raise self._failed(error, len(undo))
        if interrupted and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError from error

    async def _roll_back(self, undo: Sequence[Compensation]) -> None:
        ledger = self._ctx._execution.ledger
        ledger.groups[self._loop.path().name] = "the saga's rollback"
        ledger.add(OpenScope(self._loop.path().name, "rollback", "rollback"))
        if self._parallel:
            tasks = [self._loop.create_task(self._make(*numbered)) for numbered in enumerate(undo)]
            await asyncio.wait(tasks)
        else:
            for number, compensation in enumerate(undo):
                await self._make(number, compensation)

    async def _make(self, number: int, compensation: Compensation) -> None:
        try:
            await compensation()
        except Exception as failure:  # noqa: BLE001  # the others are to run
            if blocks(self._ctx._execution, failure):
                return
            self._failures[number] = failure
        except asyncio.CancelledError:
            if self._loop.frozen:
                raise
            self._failures[number] = WorkflowError("the compensation was cancelled")

    def _failed(self, cause: BaseException, total: int) -> SagaFailed:
        failures = [self._failures[number] for number in sorted(self._failures)]
        told = "; ".join(f"{type(one).__name__}: {one}" for one in failures)
        return SagaFailed(
            f"{len(failures)} of {total} compensations failed after "
            f"{type(cause).__name__}: {cause}: {told}. What they were to undo is still done",
            failures,
            cause,
        )


def _has_rolled_back(execution: Execution) -> bool:
    """Whether the history has a rollback here: under earlier rules every exception led to one."""
    recorded = execution.ledger.recorded or ()
    return any(isinstance(one, OpenScope) and one.name == "rollback" for one in recorded)
