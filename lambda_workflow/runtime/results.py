"""Waiting for an execution's end, and what it came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Self

from lambda_workflow.errors import (
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTerminated,
    ExecutionTimedOut,
    ResultTimeout,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.arguments import check_duration
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.ports import Backend, Header
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client_base import ClientBase
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import fetch
from lambda_workflow.runtime.sent_start import SentStart

POLL_SECONDS: Final = (0.02, 2.0)  # between two looks for a result: the first, and the longest
_ENDS: Final = {
    Status.CANCELLED: ExecutionCancelled,
    Status.TERMINATED: ExecutionTerminated,
    Status.TIMED_OUT: ExecutionTimedOut,
}


class Results(ClientBase):
    """See `Client`."""

    def __init__(
        self, app: App, backend: Backend, wait: Callable[[str, float], Any] | None = None
    ) -> None:
        super().__init__(app, backend)
        self._wait = wait  # a host that is told of ends need not sleep the whole pause

    async def result(self, execution_id: str, *, timeout: timedelta | None = None) -> Any:
        """Wait for an execution to end, and return its result.

        Args:
            timeout: how long to wait; for ever if not given. A BLOCKED or PAUSED execution is
                waited for.

        Raises:
            ExecutionCancelled, ExecutionTerminated, ExecutionTimedOut: it was ended from outside.
            ExecutionFailed: it ended in failure; those above are of this class too.
            ResultTimeout: it did not end in time.
        """
        return await self._result(execution_id, timeout)

    async def _result(
        self, execution_id: str, timeout: timedelta | None, sent: SentStart | None = None
    ) -> Any:
        """`sent` is the start whose result is meant."""
        header: Header | None = None
        async for header in self._looks(execution_id, timeout):
            if header is not None and sent is not None and await sent.is_accepted(self.backend):
                sent = None
            if header is not None and header.status.closed:
                history = await load_history(self.backend, execution_id)
                if history.status.closed:  # or it is replaced, and the listing lags behind
                    return await self._outcome(history)
        raise ResultTimeout(_state(execution_id, header, timeout))

    def _looks(self, execution_id: str, timeout: timedelta | None) -> _Looks:
        return _Looks(self.backend, execution_id, timeout, self._pause)

    async def _pause(self, execution_id: str, seconds: float) -> None:
        if self._wait is not None:
            await self._wait(execution_id, seconds)
        else:
            await self.backend.clock.sleep(seconds)

    async def _outcome(self, history: History) -> Any:
        started, last = history.started, history.turns[-1].commands[-1]
        name = started.workflow if started else ""
        if isinstance(last, c.Complete):
            payload = await fetch(last.payload, self.backend.blobs)
            code = self.app.code_of(name, started.version if started else "")
            with self._within():
                return code.result_codec.decode(payload, f"result of {name}")
        if isinstance(last, c.End):
            kind = _ENDS[last.status]
            word = last.status.value.lower().replace("_", " ")
            told = f": {last.reason}" if last.reason else ""
            text = f"execution {history.execution_id} of {name} was {word}{told}"
            failure = e.Failure(kind.__name__, last.reason)
        else:
            kind = ExecutionFailed
            failure = last.failure if isinstance(last, c.Fail) else e.Failure("Unknown", "")
            text = (
                f"execution {history.execution_id} of {name} failed with {failure.type}: "
                f"{failure.message}"
            )
        raise kind(
            text,
            execution_id=history.execution_id,
            workflow=name,
            type=failure.type,
            message=failure.message,
            details=failure.details,
            stack=failure.stack,
        )


class _Looks:
    """The header of an execution, again and again, with growing pauses, until the time is over.

    No generator: one that is left early has to be closed by a task of the event loop.
    """

    def __init__(
        self,
        backend: Backend,
        execution_id: str,
        timeout: timedelta | None,
        pause: Callable[[str, float], Awaitable[None]],
    ) -> None:
        self._backend = backend
        self._execution_id = execution_id
        begun = self._now()
        if timeout is not None:
            check_duration(timeout, "timeout")
        self._deadline = None if timeout is None else begun + timeout / timedelta(milliseconds=1)
        self._pause = pause
        self._seconds = 0.0

    def __aiter__(self) -> Self:
        return self

    def _now(self) -> float:
        """The host's time, less what a clock has skipped: nobody has waited for that."""
        clock = self._backend.clock
        skipped: int = getattr(clock, "skipped", 0)
        return clock.now() - skipped

    async def __anext__(self) -> Header | None:
        first, longest = POLL_SECONDS
        if self._seconds:
            left = longest
            if self._deadline is not None:
                left = (self._deadline - self._now()) / 1000
                if left <= 0:
                    raise StopAsyncIteration
            await self._pause(self._execution_id, min(self._seconds, left))
        self._seconds = min(self._seconds * 1.5, longest) or first
        return await self._backend.store.header(self._execution_id)


def _state(execution_id: str, header: Header | None, waited: object) -> str:
    """Why there is no result yet, and what to do."""
    if header is None:
        return (
            f"there is no execution {execution_id} after {waited}: its first turn is still to "
            "come, or this is not its id"
        )
    if header.status is Status.BLOCKED:
        return (
            f"execution {execution_id} is BLOCKED after {waited}: {header.reason}\nIt goes on with "
            "its next message, or a redrive, once that is mended"
        )
    if header.status is Status.PAUSED:
        return f"execution {execution_id} is PAUSED after {waited}: `resume` it, then ask again"
    return f"execution {execution_id} is {header.status} after {waited}; it goes on, ask again"
