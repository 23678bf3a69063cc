"""The Client for code that has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.history import History
from lambda_workflow.model.payload import Json
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.ports import Header, Page
from lambda_workflow.replay.query import Query
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.controls import GRACE
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.loop_thread import LoopThread
from lambda_workflow.runtime.sent_start import SentStart

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

In = TypeVar("In")
T = TypeVar("T")
Arg = TypeVar("Arg")
Req = TypeVar("Req")
Res = TypeVar("Res")


class SyncClient:
    """The Client's methods, each run to its end, from any number of threads at once.

    They run on an event loop in a thread of its own, made at the first use: in a process that is
    forked after that, every method raises WorkflowError. A client is used by its coroutines or
    through this door, not both. With an engine, use it in another thread than the engine's:
    `await asyncio.to_thread(…)`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = LoopThread()

    def start(self, workflow: Workflow[In, Any], request: In, **options: Any) -> str:
        """As `Client.start`, with its options; returns the execution id.

        Where another start takes the id at the same moment, `result` with this very string raises
        ExecutionAlreadyStarted; an equal one from elsewhere means whatever execution has the id.
        """
        return self._run(self._started(workflow, request, options))

    def start_with_update(
        self,
        workflow: Workflow[In, Any],
        request: In,
        update: Update[Req, Res],
        payload: Req,
        **options: Any,
    ) -> tuple[str, Res]:
        """As `Client.start_with_update`, with its options; returns the execution id and reply."""
        starting = self._client.start_with_update(workflow, request, update, payload, **options)
        return self._run(self._updated(starting))

    def result(self, execution_id: str, *, timeout: timedelta | None = None) -> Any:
        """As `Client.result`."""
        sent = getattr(execution_id, "sent", None)
        return self._run(self._client._result(execution_id, timeout, sent))

    def describe(self, execution_id: str) -> Header:
        """As `Client.describe`."""
        return self._run(self._client.describe(execution_id))

    def list(self, workflow: str | None = None, **where: Any) -> Page:
        """As `Client.list`."""
        return self._run(self._client.list(workflow, **where))

    def list_all(self, workflow: str | None = None, **where: Any) -> Iterator[Header]:
        """As `Client.list_all`."""
        cursor: str | None = None
        while True:
            page = self.list(workflow, cursor=cursor, **where)
            yield from page.headers
            if (cursor := page.cursor) is None:
                return

    def history(self, execution_id: str) -> History:
        """As `Client.history`."""
        return self._run(self._client.history(execution_id))

    def export(self, execution_id: str) -> str:
        """As `Client.export`."""
        return self._run(self._client.export(execution_id))

    def signal(
        self, execution_id: str, signal: Signal[T], payload: T, *, id: str | None = None
    ) -> None:
        """As `Client.signal`."""
        self._run(self._client.signal(execution_id, signal, payload, id=id))

    def update(
        self,
        execution_id: str,
        update: Update[Req, Res],
        payload: Req,
        *,
        timeout: timedelta | None = None,
        id: str | None = None,
    ) -> Res:
        """As `Client.update`."""
        return self._run(self._client.update(execution_id, update, payload, timeout=timeout, id=id))

    @overload
    def query(self, execution_id: str, query: Query[None, Res]) -> Res: ...
    @overload
    def query(self, execution_id: str, query: Query[Arg, Res], argument: Arg) -> Res: ...
    def query(self, execution_id: str, query: Query[Any, Any], argument: Any = None) -> Any:
        """As `Client.query`."""
        return self._run(self._client.query(execution_id, query, argument))

    def query_by_name(self, execution_id: str, query: str, argument: Json = None) -> Json:
        """As `Client.query_by_name`."""
        return self._run(self._client.query_by_name(execution_id, query, argument))

    def cancel(self, execution_id: str, reason: str = "", *, grace: timedelta = GRACE) -> None:
        """As `Client.cancel`."""
        self._run(self._client.cancel(execution_id, reason, grace=grace))

    def terminate(self, execution_id: str, reason: str = "") -> None:
        """As `Client.terminate`."""
        self._run(self._client.terminate(execution_id, reason))

    def pause(self, execution_id: str, reason: str = "") -> None:
        """As `Client.pause`."""
        self._run(self._client.pause(execution_id, reason))

    def resume(self, execution_id: str) -> None:
        """As `Client.resume`."""
        self._run(self._client.resume(execution_id))

    def redrive(self, execution_id: str) -> None:
        """As `Client.redrive`."""
        self._run(self._client.redrive(execution_id))

    def complete_callback(self, token: str, result: Any = None) -> None:
        """As `Client.complete_callback`."""
        self._run(self._client.complete_callback(token, result))

    def fail_callback(
        self, token: str, type: str = "CallbackFailed", message: str = "", details: Any = None
    ) -> None:
        """As `Client.fail_callback`."""
        self._run(self._client.fail_callback(token, type, message, details))

    def heartbeat(self, token: str, details: Any = None) -> None:
        """As `Client.heartbeat`."""
        self._run(self._client.heartbeat(token, details))

    def close(self) -> None:
        """Close the client's connections, and the event loop behind this door."""
        self._run(self._client.close())
        self._loop.close()

    async def _started(
        self, workflow: Workflow[In, Any], request: In, options: dict[str, Any]
    ) -> str:
        handle = await self._client.start(workflow, request, **options)
        return await _id_of(handle)

    async def _updated(
        self, starting: Coroutine[Any, Any, tuple[Handle[Any], Res]]
    ) -> tuple[str, Res]:
        handle, reply = await starting
        return await _id_of(handle), reply

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run(coroutine)
        coroutine.close()
        raise WorkflowError(
            "`client.sync` was used where an event loop runs: there, `await` the client's own "
            "methods, as in `await client.start(…)`"
        )


class _StartedId(str):
    """An execution id that knows the start it came of, as a handle does."""

    __slots__ = ("sent",)

    sent: SentStart


async def _id_of(handle: Handle[Any]) -> str:
    sent = handle._sent
    if sent is None:
        return handle.execution_id
    if sent.replaces:
        await handle._begun()  # until then the id means the execution before
        return handle.execution_id
    known = _StartedId(handle.execution_id)
    known.sent = sent
    return known
