"""A started execution, as whoever started it holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lambda_workflow.model.messages import Cancel, Pause, Resume, Terminate
from lambda_workflow.ports import Header
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.controls import GRACE, grace_ms

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

Out = TypeVar("Out")


class Handle(Generic[Out]):
    """A started execution; its methods are the Client's.

    Attributes:
        execution_id: its id.
        workflow: what it runs.
    """

    def __init__(self, client: Client, execution_id: str, workflow: Workflow[Any, Out]) -> None:
        self.execution_id: Final = execution_id
        self._client = client
        self.workflow: Final = workflow

    async def result(self, timeout: timedelta | None = None) -> Out:
        """Wait for the result; see `Client.result`."""
        result: Out = await self._client.result(self.execution_id, timeout=timeout)
        return result

    async def describe(self) -> Header:
        """Where it stands; see `Client.describe`."""
        return await self._client.describe(self.execution_id)

    async def cancel(self, reason: str = "", *, grace: timedelta = GRACE) -> None:
        """Ask it to end; see `Client.cancel`."""
        order = Cancel(self.execution_id, reason, grace_ms(grace))
        await self._client._order(order, is_started=True)

    async def terminate(self, reason: str = "") -> None:
        """End it at once; see `Client.terminate`."""
        await self._client._order(Terminate(self.execution_id, reason), is_started=True)

    async def pause(self, reason: str = "") -> None:
        """Hold it; see `Client.pause`."""
        await self._client._order(Pause(self.execution_id, reason), is_started=True)

    async def resume(self) -> None:
        """Let it go on; see `Client.resume`."""
        await self._client._order(Resume(self.execution_id), is_started=True)

    def __repr__(self) -> str:
        return f"Handle({self.execution_id!r})"
