"""A started execution, as whoever started it holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from lambda_workflow.model.history import History
from lambda_workflow.model.messages import Cancel, Pause, Resume, Terminate
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.ports import Header
from lambda_workflow.replay.query import Query
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.controls import GRACE, checked, grace_ms, order_id
from lambda_workflow.runtime.sent_start import SentStart
from lambda_workflow.runtime.talk import asking, replied, telling

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

FIRST_TURN: Final = timedelta(seconds=10)  # a function's cold start, and some

Out = TypeVar("Out")
T = TypeVar("T")
Arg = TypeVar("Arg")
Req = TypeVar("Req")
Res = TypeVar("Res")


class Handle(Generic[Out]):
    """A started execution; its methods are the Client's.

    Attributes:
        execution_id: its id.
        workflow: what it runs.
    """

    def __init__(
        self,
        client: Client,
        execution_id: str,
        workflow: Workflow[Any, Out],
        sent: SentStart | None = None,  # the start to look for, where another may have the id
    ) -> None:
        self.execution_id: Final = execution_id
        self._client = client
        self.workflow: Final = workflow
        self._sent = sent

    async def result(self, timeout: timedelta | None = None) -> Out:
        """Wait for the result; see `Client.result`.

        Raises:
            ExecutionAlreadyStarted: another start took the id at the same moment (all methods).
        """
        await self._begun(timeout)
        result: Out = await self._client._result(self.execution_id, timeout, self._sent)
        return result

    async def describe(self) -> Header:
        """Where it stands; waits for its first turn, up to 10 s. See `Client.describe`."""
        await self._begun()
        async for header in self._client._looks(self.execution_id, FIRST_TURN):
            if header is not None:
                await self._begun()
                return header
        return await self._client.describe(self.execution_id)

    async def history(self) -> History:
        """Its whole history; waits as `describe` does. See `Client.history`."""
        await self.describe()
        return await self._client.history(self.execution_id)

    async def export(self) -> str:
        """Its history as a JSON document; waits as `describe` does. See `Client.export`."""
        await self.describe()
        return await self._client.export(self.execution_id)

    async def signal(self, signal: Signal[T], payload: T, *, id: str | None = None) -> None:
        """Tell it something, which may be before its first turn; see `Client.signal`."""
        await self._begun()
        with self._client._within():
            message = telling(self.execution_id, signal, payload, id)
        await self._client._signal(message, is_started=True)

    async def update(
        self,
        update: Update[Req, Res],
        payload: Req,
        *,
        timeout: timedelta | None = None,
        id: str | None = None,
    ) -> Res:
        """Ask it for something, which may be before its first turn; see `Client.update`."""
        await self._begun()
        with self._client._within():
            request = asking(self.execution_id, update, payload, id)
        known = id is not None
        reply = await self._client._update(request, timeout, is_known=known, is_started=True)
        await self._begun()
        with self._client._within():
            return replied(update, reply)

    @overload
    async def query(self, query: Query[None, Res]) -> Res: ...
    @overload
    async def query(self, query: Query[Arg, Res], argument: Arg) -> Res: ...
    async def query(self, query: Query[Any, Any], argument: Any = None) -> Any:
        """Ask a query of its code; waits as `describe` does. See `Client.query`."""
        await self.describe()
        return await self._client.query(self.execution_id, query, argument)

    async def cancel(self, reason: str = "", *, grace: timedelta = GRACE) -> None:
        """Ask it to end; see `Client.cancel`."""
        await self._begun()
        order = Cancel(self.execution_id, checked(reason), grace_ms(grace), id=order_id())
        await self._client._order(order, is_started=True)

    async def terminate(self, reason: str = "") -> None:
        """End it at once; see `Client.terminate`."""
        await self._begun()
        order = Terminate(self.execution_id, checked(reason), id=order_id())
        await self._client._order(order, is_started=True)

    async def pause(self, reason: str = "") -> None:
        """Hold it; see `Client.pause`."""
        await self._begun()
        order = Pause(self.execution_id, checked(reason), order_id())
        await self._client._order(order, is_started=True)

    async def resume(self) -> None:
        """Let it go on; see `Client.resume`."""
        await self._begun()
        await self._client._order(Resume(self.execution_id, order_id()), is_started=True)

    async def redrive(self) -> None:
        """Set it going again; waits as `describe` does. See `Client.redrive`."""
        await self.describe()
        await self._client.redrive(self.execution_id)

    async def _begun(self, timeout: timedelta | None = None) -> None:
        """Make sure that the execution is the one that was started, as far as that can be seen.

        A start that replaces an earlier execution is waited for.
        """
        if (sent := self._sent) is None:
            return
        if sent.replaces:
            await self._client._wait_begun(self.execution_id, sent.id, timeout)
        elif not await sent.is_accepted(self._client.backend):
            return
        self._sent = None

    def __repr__(self) -> str:
        return f"Handle({self.execution_id!r})"
