"""Waiting for an execution's end, and what it came to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

from lambda_workflow.errors import (
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTerminated,
    ExecutionTimedOut,
    ResultTimeout,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.ports import Backend, Header
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client_base import ClientBase
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import fetch

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
        header: Header | None = None
        async for header in self._looks(execution_id, timeout):
            if header is not None and header.status.closed:
                history = await load_history(self.backend, execution_id)
                if history.status.closed:  # or it is replaced, and the listing lags behind
                    return await self._outcome(history)
        raise ResultTimeout(_state(execution_id, header, timeout))

    async def _looks(
        self, execution_id: str, timeout: timedelta | None
    ) -> AsyncIterator[Header | None]:
        """The header, again and again, with growing pauses, until the time is over."""
        clock = self.backend.clock
        deadline = None if timeout is None else clock.now() + timeout / timedelta(milliseconds=1)
        pause, longest = POLL_SECONDS
        while True:
            yield await self.backend.store.header(execution_id)
            if deadline is not None and clock.now() >= deadline:
                return
            left = longest if deadline is None else max(0.0, (deadline - clock.now()) / 1000)
            await self._pause(execution_id, min(pause, left))
            pause = min(pause * 1.5, longest)

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


def _state(execution_id: str, header: Header | None, waited: object) -> str:
    """Why there is no result yet, and what to do."""
    if header is None:
        return f"execution {execution_id} is not started yet after {waited}; it goes on, ask again"
    if header.status is Status.BLOCKED:
        return (
            f"execution {execution_id} is BLOCKED after {waited}: {header.reason}\nIt goes on with "
            "its next message, or a redrive, once that is mended"
        )
    if header.status is Status.PAUSED:
        return f"execution {execution_id} is PAUSED after {waited}: `resume` it, then ask again"
    return f"execution {execution_id} is {header.status} after {waited}; it goes on, ask again"
