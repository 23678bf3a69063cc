"""What a Context hears from outside: signals, updates, and conditions over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Generic, TypeVar

from lambda_workflow.errors import ConfigurationError, DecodeError
from lambda_workflow.model.arguments import check_kind, check_plain
from lambda_workflow.model.commands import Answer
from lambda_workflow.model.events import Failure, Signalled, UpdateRequested
from lambda_workflow.model.payload import Json
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.replay.base import ContextBase
from lambda_workflow.replay.declaring import declare, fitted
from lambda_workflow.replay.loop import OrderedFuture
from lambda_workflow.replay.unreadable import block_on_told, follows_earlier_rules, set_aside

T = TypeVar("T")
Req = TypeVar("Req")
Res = TypeVar("Res")

SIGNAL: Final = "a Signal; updates are taken by `async for call in ctx.updates(…)`"
UPDATE: Final = "an Update; signals are taken by ctx.wait_signal and ctx.signals"


class UpdateCall(Generic[Req, Res]):
    """An update that somebody waits for; answer it once, by `respond` or `reject`.

    Attributes:
        payload: what is asked, of the update's request type.
        id: of the request.
    """

    def __init__(
        self, context: ContextBase, update: Update[Req, Res], event: UpdateRequested, payload: Req
    ) -> None:
        self.payload = payload
        self.id = event.id
        self._context = context
        self._update = update
        self._is_answered = False

    def respond(self, response: Res) -> None:
        """Reply; it reaches who asked when the turn is committed.

        Raises:
            EncodeError: the response is not of the update's response type.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
            ConfigurationError: it is answered already.
        """
        label = f"response of {self._update.name}"
        payload = bounded(self._update.response_codec.encode(response, label), label)
        self._answer(Answer(self.id, payload))

    def reject(self, message: str, *, type: str = "Rejected", details: Json = None) -> None:
        """Refuse; who asked gets `UpdateRejected` with these words."""
        self._answer(Answer(self.id, None, Failure(type, message, False, details)))

    def _answer(self, command: Answer) -> None:
        if self._context._is_frozen():
            return
        if self._is_answered:
            raise ConfigurationError(f"update {self._update.name!r} {self.id} is answered already")
        self._is_answered = True
        self._context._execution.ledger.add(command)


class Inbox(ContextBase):
    """See `Context`."""

    async def wait_signal(self, signal: Signal[T]) -> T:
        """The next signal of this name; one that came before is kept until somebody takes it.

        A signal that is not of the signal's type, from a sender without a type for it, is set aside
        with a warning, and the next one is waited for. One whose sender had a type that the code no
        longer reads blocks the execution (`UnreadableFact`).
        """
        check_kind(signal, Signal, "what ctx.wait_signal waits for", SIGNAL)
        while True:
            if self._is_frozen():
                await self._never()
            declare(self._execution, "signal", signal.name, signal.codec.type)
            event = await self._execution.state.signals[signal.name].get()
            read: list[T] = []
            if await self._reads_signal(signal, event, read):
                return read[0]

    async def _reads_signal(self, signal: Signal[T], event: Signalled, read: list[T]) -> bool:
        """Whether a signal is of its type; `read` has it then. It may be set aside, or block."""
        execution = self._execution
        recorded = execution.ledger.find(f"aside:{event.name}:{event.id}")
        if recorded is not None:
            execution.ledger.add(recorded)
            return False
        try:
            read.append(signal.codec.decode(event.payload, f"signal {signal.name}"))
        except DecodeError as error:
            if follows_earlier_rules(execution):
                raise
            if not execution.live or fitted(execution, "signal", event):
                block_on_told(execution, "signal", event, error)
                await self._never()
            set_aside(execution, event, error)
            return False
        return True

    async def signals(self, signal: Signal[T]) -> AsyncIterator[T]:
        """Every signal of this name, in order, without end: `async for s in ctx.signals(S)`."""
        while True:
            yield await self.wait_signal(signal)

    async def updates(self, update: Update[Req, Res]) -> AsyncIterator[UpdateCall[Req, Res]]:
        """Every update of this name, in order, without end; answer each one.

        One whose payload is not of the update's request type is rejected here. If its sender had a
        type that the code no longer reads, it blocks the execution (`UnreadableFact`).
        """
        check_kind(update, Update, "what ctx.updates takes", UPDATE)
        while True:
            if self._is_frozen():
                await self._never()
            declare(self._execution, "update", update.name, update.request_codec.type)
            event = await self._execution.state.updates[update.name].get()
            try:
                payload = update.request_codec.decode(event.payload, f"update {update.name}")
            except DecodeError as error:
                if self._blocks_on_update(event):
                    block_on_told(self._execution, "update", event, error)
                    await self._never()
                UpdateCall[Any, Any](self, update, event, None).reject(
                    str(error), type="DecodeError"
                )
            else:
                yield UpdateCall(self, update, event, payload)

    def _blocks_on_update(self, event: UpdateRequested) -> bool:
        execution = self._execution
        recorded = execution.ledger.find(f"answer:{event.id}")
        if isinstance(recorded, Answer) and recorded.failure is not None:
            return False  # it was rejected then
        if follows_earlier_rules(execution):
            return False
        return not execution.live or fitted(execution, "update", event)

    async def wait_until(self, predicate: Callable[[], object]) -> None:
        """Wait until a condition over what the workflow itself keeps is true.

        It is asked whenever the code has come to rest, so keep it quick and without effects. To
        wait no longer than a time, use `asyncio.timeout`.
        """
        if self._is_frozen():
            await self._never()
        check_plain(predicate, "the condition of ctx.wait_until", "a plain function")
        if predicate():
            return
        execution = self._execution
        waiter: OrderedFuture[Any] = OrderedFuture(execution.loop)
        execution.state.conditions[waiter] = partial(copy_context().run, predicate)
        try:
            await waiter
        finally:
            execution.state.conditions.pop(waiter, None)
