"""The Client: start executions, wait for them, look at them, set them going again.

Its methods stand with what they are about: `results`, `controls`, `schedules`; here is the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from lambda_workflow.errors import ExecutionAlreadyStarted
from lambda_workflow.model import events as e
from lambda_workflow.model.exported import write_history
from lambda_workflow.model.history import History, digest
from lambda_workflow.model.ids import check_execution_id, deduplication_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Request
from lambda_workflow.model.payload import fingerprint
from lambda_workflow.model.turn import decode_turn
from lambda_workflow.ports import Backend, Header, Page, Query, SendMessage
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.callbacks import Callbacks
from lambda_workflow.runtime.client_base import not_found
from lambda_workflow.runtime.controls import Controls
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import deposit, fetch_records, inflate
from lambda_workflow.runtime.results import Results
from lambda_workflow.runtime.schedules import Schedules
from lambda_workflow.runtime.sync_client import SyncClient

__all__ = ["Client", "Handle", "SyncClient"]

In = TypeVar("In")
Out = TypeVar("Out")


class Client(Results, Controls, Callbacks):
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
        super().__init__(app, backend, wait)
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
        options = e.StartOptions(id=secrets.token_urlsafe(12), secret=secrets.token_urlsafe(16))
        message = Request(chosen, workflow.name, kept, options=options)
        dedup = deduplication_id(chosen, "start", fingerprint([workflow.name, payload]))
        await self.backend.queue.send_messages([SendMessage(message, dedup)])
        return Handle(self, chosen, workflow)

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
        """The whole history, that of earlier runs included, payloads in place.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        found = await load_history(self.backend, execution_id, whole=True)
        if not found.turns:
            raise not_found(execution_id)
        return History(execution_id, await inflate(found.turns, self.backend.blobs))

    async def export(self, execution_id: str) -> str:
        """The history as a JSON document, to be kept and replayed by `testing.assert_replays`.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        return write_history(await self.history(execution_id))

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
