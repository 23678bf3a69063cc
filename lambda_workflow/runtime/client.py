"""The Client: start executions, wait for them, look at them, set them going again.

Its methods stand with what they are about: `starting`, `results`,
`talk`, `controls`, `callbacks`, `schedules`; here is the rest.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, Final

from lambda_workflow.model.arguments import check_kind, check_moment
from lambda_workflow.model.callables import show_as
from lambda_workflow.model.exported import write_history
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.ports import Backend, Header, Page, Query
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.callbacks import Callbacks
from lambda_workflow.runtime.client_base import not_found
from lambda_workflow.runtime.controls import Controls
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.living import damaged, load_history
from lambda_workflow.runtime.offload import inflate
from lambda_workflow.runtime.schedules import Schedules
from lambda_workflow.runtime.starting import Starting
from lambda_workflow.runtime.sync_client import SyncClient

__all__ = ["Client", "Handle", "SyncClient"]

_MAKING: Final = threading.Lock()  # of the one door that a client has


class Client(Starting, Controls, Callbacks):
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

    async def list(
        self,
        workflow: str | None = None,
        *,
        status: Status | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """A page of executions, newest first; the listing may lag behind by seconds.

        Args:
            tags: those that an execution must have, all of them, with these texts. On AWS this
                reads the listing of all executions that fit the other arguments: give a time range.
        """
        check_kind(workflow, (str, NoneType), "workflow", "its name, such as workflow.name")
        check_kind(status, (Status, NoneType), "status", "a Status, such as Status.RUNNING")
        for moment, told in ((started_after, "started_after"), (started_before, "started_before")):
            if moment is not None:
                check_moment(moment, told)
        after = round(started_after.timestamp() * 1000) if started_after else None
        before = round(started_before.timestamp() * 1000) if started_before else None
        query = Query(workflow, status, after, before, limit, cursor, dict(tags or {}))
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
        if (damage := damaged(found)) is not None:
            raise damage
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
        """The same methods for threads without an event loop; always the same door."""
        with _MAKING:
            if self._sync is None:
                self._sync = SyncClient(self)
            return self._sync

    async def close(self) -> None:
        """Close the connections that were opened for this client; an engine's has none."""
        if self._close is not None:
            await self._close()

    def _end_sync(self) -> None:
        """End the event loop behind `sync`, if there is one; what waits there is cancelled."""
        if self._sync is not None:
            self._sync._loop.close()


show_as("Client", *Client.__mro__[:-1])
