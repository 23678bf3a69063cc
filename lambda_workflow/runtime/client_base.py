"""What every part of the Client stands on: the App, the ports, and the way to an execution."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from typing import Final

from lambda_workflow.errors import ExecutionNotFound
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Message
from lambda_workflow.model.payload_shown import values_shown
from lambda_workflow.ports import Backend, Header, SendMessage
from lambda_workflow.runtime.app import App


class ClientBase:
    """See `Client`; its parts are mixed in beside this."""

    def __init__(self, app: App, backend: Backend) -> None:
        self.app: Final = app
        self.backend: Final = backend

    def _within(self) -> AbstractContextManager[None]:
        """Texts that are made inside have values where the App says so."""
        return values_shown(self.app.show_values)

    async def describe(self, execution_id: str) -> Header:
        """Where an execution stands.

        Raises:
            ExecutionNotFound: there is none of this id.
        """
        header = await self.backend.store.header(execution_id)
        if header is None:
            raise not_found(execution_id)
        return header

    async def _send(self, message: Message, dedup: str = "") -> None:
        """Send a message to its execution; without an id of its own it is a message like no other.

        A retry of the request itself is one message all the same.
        """
        kind = type(message).__name__.lower()
        chosen = dedup or deduplication_id(message.execution_id, kind, secrets.token_hex(8))
        await self.backend.queue.send_messages([SendMessage(message, chosen)])


def not_found(execution_id: str) -> ExecutionNotFound:
    """There is no execution of this id."""
    return ExecutionNotFound(
        f"no execution {execution_id}: it was never started here, its first turn is still to come, "
        "or it has expired"
    )
