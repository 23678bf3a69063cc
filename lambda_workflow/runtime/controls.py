"""Ending, holding and prodding executions from outside."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from lambda_workflow.errors import ConfigurationError, ExecutionClosed
from lambda_workflow.model.arguments import check_duration
from lambda_workflow.model.ids import check_text
from lambda_workflow.model.limits import REASON_CHARACTERS_MAX
from lambda_workflow.model.messages import Cancel, Pause, Redrive, Resume, Terminate
from lambda_workflow.runtime.client_base import ClientBase, not_found

Order = Cancel | Terminate | Pause | Resume
GRACE: Final = timedelta(minutes=5)
GRACE_MAX: Final = timedelta(days=365)  # as long as a timer is sure to live


class Controls(ClientBase):
    """See `Client`. Each order is a message: it takes effect in the execution's next turn."""

    async def cancel(
        self, execution_id: str, reason: str = "", *, grace: timedelta = GRACE
    ) -> None:
        """Ask an execution to end: its code gets an `asyncio.CancelledError` where it waits.

        What it does in `finally` and `except` blocks, calls of services included, is done. It ends
        as CANCELLED; code that does not let the error pass goes on. A BLOCKED or PAUSED execution
        takes notice when it goes on; to end it now, `terminate` it. A second order changes nothing.

        Args:
            reason: for the history, the error that callers get, and `ctx` (the error's argument);
                at most 1,000 characters.
            grace: how long the cleanup may take; then it is given up. At most 365 days.

        Raises:
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended.
        """
        await self._order(Cancel(execution_id, checked(reason), grace_ms(grace), id=order_id()))

    async def terminate(self, execution_id: str, reason: str = "") -> None:
        """End an execution at once, whatever its state: its code is not asked, nothing is tidied.

        Its children follow their close policy.

        Raises:
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended.
        """
        await self._order(Terminate(execution_id, checked(reason), id=order_id()))

    async def pause(self, execution_id: str, reason: str = "") -> None:
        """Hold an execution: what arrives is kept, and nothing is made of it until `resume`.

        Calls under way go on, their results wait. Its execution timeout goes on as well.

        Raises:
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended.
        """
        await self._order(Pause(execution_id, checked(reason), order_id()))

    async def resume(self, execution_id: str) -> None:
        """Let a paused execution go on: what has arrived meanwhile takes effect, in order.

        Raises:
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended.
        """
        await self._order(Resume(execution_id, order_id()))

    async def redrive(self, execution_id: str) -> None:
        """Try a BLOCKED execution again; send a running one's unanswered commands once more.

        Raises:
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended, and nothing is done.
        """
        header = await self.describe(execution_id)
        if header.status.closed:
            raise ExecutionClosed(
                f"execution {execution_id} has ended ({header.status}): there is nothing to "
                "redrive, and nothing is done; to do its work again, start another execution"
            )
        await self._send(Redrive(execution_id, order_id()))

    async def _order(self, order: Order, *, is_started: bool = False) -> None:
        """Send an order; `is_started` says that the execution was, even if no turn shows it yet."""
        header = await self.backend.store.header(order.execution_id)
        if header is None and not is_started:
            raise not_found(order.execution_id)
        if header is not None and header.status.closed:
            raise ExecutionClosed(
                f"execution {order.execution_id} has ended ({header.status}): nothing is left to "
                f"{type(order).__name__.lower()}"
            )
        await self._send(order)


def checked(reason: str) -> str:
    """A reason that fits into a listing.

    Raises:
        ConfigurationError: it has more than 1,000 characters, or half of one.
    """
    return check_text("reason", reason, REASON_CHARACTERS_MAX)


def order_id() -> str:
    """What an order is known by when it is delivered once more."""
    return secrets.token_urlsafe(12)


def grace_ms(grace: timedelta) -> int:
    """A grace period in milliseconds.

    Raises:
        ConfigurationError: it is negative, or longer than 365 days.
    """
    check_duration(grace, "grace")
    if not timedelta(0) <= grace <= GRACE_MAX:
        raise ConfigurationError(f"grace={grace}: it must be between nothing and 365 days")
    return round(grace / timedelta(milliseconds=1))
