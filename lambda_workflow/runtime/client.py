"""The Client: start executions, wait for them, look at them, set them going again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from lambda_workflow.errors import (
    ExecutionAlreadyStarted,
    ExecutionFailed,
    ExecutionNotFound,
    ResultTimeout,
    WorkflowError,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.exported import write_history
from lambda_workflow.model.history import History, digest
from lambda_workflow.model.ids import check_execution_id, deduplication_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Redrive, Request
from lambda_workflow.model.payload import fingerprint
from lambda_workflow.model.turn import decode_turn, decode_turns
from lambda_workflow.ports import Backend, Header, Page, Query, SendMessage
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.offload import deposit, fetch, fetch_records, inflate
from lambda_workflow.runtime.schedules import Schedules

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")

POLL_SECONDS: Final = (0.02, 2.0)  # between two looks for a result: the first, and the longest


class Handle(Generic[Out]):
    """A started execution."""

    def __init__(self, client: Client, execution_id: str, workflow: Workflow[Any, Out]) -> None:
        self.execution_id: Final = execution_id
        self._client = client
        self.workflow: Final = workflow

    async def result(self, timeout: timedelta | None = None) -> Out:
        """Wait for the result; see `Client.result`."""
        result: Out = await self._client.result(self.execution_id, timeout=timeout)
        return result

    def __repr__(self) -> str:
        return f"Handle({self.execution_id!r})"


class Client:
    """Talks to the executions of an App through a backend.

    Every method is a coroutine and may raise BackendError; `Client.sync` is a door for code that
    has no event loop.
    """

    def __init__(
        self,
        app: App,
        backend: Backend,
        *,
        wait: Callable[[str, float], Any] | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.app: Final = app
        self.backend: Final = backend
        self._wait = wait  # a host that is told of ends need not sleep the whole pause
        self._close = close
        self._sync: SyncClient | None = None

    async def start(
        self, workflow: Workflow[In, Out], request: In, *, execution_id: str | None = None
    ) -> Handle[Out]:
        """Start an execution; starting it again with the same id and request changes nothing.

        Args:
            execution_id: up to 128 letters, digits and punctuation; a random one if not given.

        Raises:
            EncodeError: the request is not of the workflow's request type.
            UnknownWorkflow: the App does not list the workflow, or has a newer version of it.
            ExecutionAlreadyStarted: the id belongs to another workflow or request.
        """
        self.app.check_newest(workflow)
        payload = workflow.request_codec.encode(request, "request")
        chosen = check_execution_id(execution_id or f"{workflow.name}-{secrets.token_hex(8)}")
        if execution_id is not None and await self._is_started(chosen, workflow, payload):
            return Handle(self, chosen, workflow)
        kept = await deposit(payload, chosen, self.backend.blobs)
        message = Request(chosen, workflow.name, kept)
        dedup = deduplication_id(chosen, "start", fingerprint([workflow.name, payload]))
        await self.backend.queue.send_messages([SendMessage(message, dedup)])
        return Handle(self, chosen, workflow)

    async def result(self, execution_id: str, *, timeout: timedelta | None = None) -> Any:
        """Wait for an execution to end, and return its result.

        Args:
            timeout: how long to wait; for ever if not given. A BLOCKED execution is waited for.

        Raises:
            ExecutionFailed: it ended in failure.
            ResultTimeout: it did not end in time.
        """
        clock = self.backend.clock
        deadline = None if timeout is None else clock.now() + timeout / timedelta(milliseconds=1)
        pause, longest = POLL_SECONDS
        while (header := await self.backend.store.header(execution_id)) is None or (
            not header.status.closed
        ):
            if deadline is not None and clock.now() >= deadline:
                raise ResultTimeout(_state(execution_id, header, timeout))
            left = longest if deadline is None else max(0.0, (deadline - clock.now()) / 1000)
            await self._pause(execution_id, min(pause, left))
            pause = min(pause * 1.5, longest)
        return await self._outcome(await self.history(execution_id))

    async def describe(self, execution_id: str) -> Header:
        """Where an execution stands.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        header = await self.backend.store.header(execution_id)
        if header is None:
            raise _not_found(execution_id)
        return header

    async def list(
        self,
        workflow: str | None = None,
        *,
        status: Status | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """A page of executions, newest first; the listing may lag behind by seconds."""
        after = round(started_after.timestamp() * 1000) if started_after else None
        before = round(started_before.timestamp() * 1000) if started_before else None
        query = Query(workflow, status, after, before, limit, cursor)
        return await self.backend.store.list(query)

    async def list_all(self, workflow: str | None = None, **where: Any) -> AsyncIterator[Header]:
        """Every execution that `list` would page through."""
        cursor: str | None = None
        while True:
            page = await self.list(workflow, cursor=cursor, **where)
            for header in page.headers:
                yield header
            if (cursor := page.cursor) is None:
                return

    async def history(self, execution_id: str) -> History:
        """The whole history, payloads in place.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        loaded = await self.backend.store.load(execution_id)
        if not loaded.texts:
            raise _not_found(execution_id)
        turns = decode_turns(await fetch_records(loaded.texts, self.backend.blobs))
        return History(execution_id, await inflate(turns, self.backend.blobs))

    async def export(self, execution_id: str) -> str:
        """The history as a JSON document, to be kept and replayed by `testing.assert_replays`.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        return write_history(await self.history(execution_id))

    async def redrive(self, execution_id: str) -> None:
        """Try a BLOCKED execution again; send a running one's unanswered commands once more.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        await self.describe(execution_id)
        dedup = deduplication_id(execution_id, "redrive", self.backend.clock.now())
        await self.backend.queue.send_messages([SendMessage(Redrive(execution_id), dedup)])

    @property
    def schedules(self) -> Schedules:
        """The schedules of the App; see `Schedules`."""
        return Schedules(self)

    @property
    def sync(self) -> SyncClient:
        """The same methods for code without an event loop; always the same door."""
        if self._sync is None:
            self._sync = SyncClient(self)
        return self._sync

    async def close(self) -> None:
        """Close the connections that were opened for this client; an engine's has none."""
        if self._close is not None:
            await self._close()

    async def _is_started(
        self, execution_id: str, workflow: Workflow[Any, Any], payload: Any
    ) -> bool:
        loaded = await self.backend.store.load(execution_id)
        if not loaded.texts:
            return False
        texts = await fetch_records(loaded.texts[:1], self.backend.blobs)
        first = decode_turn(texts[0]).events[0]
        if isinstance(first, e.Started) and (
            first.workflow == workflow.name and digest(first.request) == fingerprint(payload)
        ):
            return True
        raise ExecutionAlreadyStarted(
            f"execution id {execution_id} belongs to another workflow or another request: "
            "choose another id, or start with the same request"
        )

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
        failure = last.failure if isinstance(last, c.Fail) else e.Failure("Unknown", "")
        raise ExecutionFailed(
            f"execution {history.execution_id} of {name} failed with {failure.type}: "
            f"{failure.message}",
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
    return f"execution {execution_id} is {header.status} after {waited}; it goes on, ask again"


def _not_found(execution_id: str) -> ExecutionNotFound:
    return ExecutionNotFound(
        f"no execution {execution_id}: it was never started here, its first turn is still to come, "
        "or it has expired"
    )


class SyncClient:
    """The Client's methods, each run to its end, on an event loop of its own.

    A client is used by its coroutines or through this door, not both. With an engine, use it in
    another thread than the engine's: `await asyncio.to_thread(…)`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def start(
        self, workflow: Workflow[In, Any], request: In, *, execution_id: str | None = None
    ) -> str:
        """As `Client.start`; returns the execution id."""
        handle = self._run(self._client.start(workflow, request, execution_id=execution_id))
        return handle.execution_id

    def result(self, execution_id: str, *, timeout: timedelta | None = None) -> Any:
        """As `Client.result`."""
        return self._run(self._client.result(execution_id, timeout=timeout))

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

    def redrive(self, execution_id: str) -> None:
        """As `Client.redrive`."""
        self._run(self._client.redrive(execution_id))

    def close(self) -> None:
        """Close the client's connections, and the event loop behind this door."""
        self._run(self._client.close())
        self._runner.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._runner.run(coroutine)
        coroutine.close()
        raise WorkflowError(
            "`client.sync` was used where an event loop runs: there, `await` the client's own "
            "methods, as in `await client.start(…)`"
        )
