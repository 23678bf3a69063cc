"""Messages in memory on their way into turns: one turn of an execution at a time.

Laws
 1. All that has arrived for an execution goes into its next turn together, in order of arrival.
 2. The messages of a failed turn are redelivered, first, after a growing wait; their rows stay.
 3. A message is held once: while its row's receipt is in `held`, the same row is not taken again.
 4. What fails the same way each time is tried three times, alone, and then moved to the dead
    letters with its reason; the messages behind it go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from lambda_workflow.local.backoff import back_off, insist
from lambda_workflow.local.sqlite import Receipt
from lambda_workflow.model.failures import words_of
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.messages import Message
from lambda_workflow.ports import Backend, Happening
from lambda_workflow.runtime.deterministic import is_deterministic
from lambda_workflow.runtime.intake import Arrival

# Moves the row of a message aside, for the reason.
Bury = Callable[[Message, Receipt, str], Awaitable[None]]
# Runs a turn, and returns whether its receipts are answered.
Turner = Callable[[str, Sequence[Arrival]], Awaitable[bool]]


class Inbox:
    """Feeds arrivals to turns, `concurrency` executions at a time.

    Args:
        turn: makes one turn.
        drop: deletes rows by their receipts.
        bury: moves a message's row to the dead letters, with a reason.
        rested: called whenever nothing is left to do here.
    """

    def __init__(
        self,
        turn: Turner,
        drop: Callable[[Sequence[Receipt]], Awaitable[None]],
        rested: Callable[[], None],
        *,
        bury: Bury,
        backend: Backend,
        concurrency: int,
    ) -> None:
        self.held: set[Receipt] = set()
        self.waiting = 0  # messages here, those in a turn included
        self._turn = turn
        self._drop = drop
        self._rested = rested
        self._bury = bury
        self._backend = backend
        self._slots = asyncio.Semaphore(concurrency)
        self._boxes: dict[str, list[Arrival]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._backing_off: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether anything waits here or is in a turn."""
        return bool(self._boxes)

    def deliver(self, message: Message, receipt: Receipt) -> None:
        """Take a message in, unless its row is held already."""
        if receipt in self.held:
            return
        self.held.add(receipt)
        self.hand_over(message, receipt)

    def hand_over(self, message: Message, receipt: Receipt) -> None:
        """Take a message in whose receipt is in `held` already."""
        execution_id = message.execution_id
        box = self._boxes.get(execution_id)
        if box is None:
            box = self._boxes[execution_id] = []
            self._tasks[execution_id] = asyncio.create_task(self._empty(execution_id, box))
        box.append(Arrival(message, receipt))
        self.waiting += 1

    async def finish(self, seconds: float) -> None:
        """Let turns that run end, for so long, then cancel; the rest stays in the file."""
        for box in self._boxes.values():
            box.clear()
        await self.cancel([self._tasks[execution_id] for execution_id in self._backing_off])
        running = list(self._tasks.values())
        if running:
            _, late = await asyncio.wait(running, timeout=seconds)
            await self.cancel(late)

    async def cancel(self, tasks: Iterable[asyncio.Task[None]] | None = None) -> None:
        """Break off all turns, and forget what waits."""
        doomed = list(self._tasks.values() if tasks is None else tasks)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        if tasks is None:
            self.held.clear()

    async def _empty(self, execution_id: str, box: list[Arrival]) -> None:
        failures = 0
        is_alone = False  # one message at a time: one of several fails at each try
        try:
            while arrivals := box[: 1 if is_alone else None]:
                del box[: len(arrivals)]
                try:
                    if failures:
                        arrivals = [replace(one, receives=failures + 1) for one in arrivals]
                    async with self._slots:
                        acked = await self._turn(execution_id, arrivals)
                    await self._done(arrivals, acked=acked)
                    failures, is_alone = 0, is_alone and bool(box)
                except Exception as error:  # noqa: BLE001  # whatever it is, the messages come again
                    failures += 1
                    if is_deterministic(error) and len(arrivals) > 1:
                        failures, is_alone = 0, True
                        box[:0] = arrivals
                        continue
                    if is_deterministic(error) and failures >= RECEIVES_MAX:
                        await self._move_aside(arrivals[0], error)
                        failures = 0
                        continue
                    box[:0] = arrivals
                    await self._back_off(execution_id, failures, error)
        finally:
            del self._boxes[execution_id], self._tasks[execution_id]
        if not self._boxes:
            self._rested()

    async def _done(self, arrivals: Sequence[Arrival], *, acked: bool) -> None:
        receipts = [arrival.receipt for arrival in arrivals]
        if not acked:
            await self._drop(receipts)
        self.held.difference_update(receipts)
        self.waiting -= len(receipts)

    async def _move_aside(self, arrival: Arrival, error: Exception) -> None:
        message, reason = arrival.message, words_of(error)
        await insist(self._backend, partial(self._bury, message, arrival.receipt, reason))
        self.held.discard(arrival.receipt)
        self.waiting -= 1
        fields = {"reason": reason, "message": type(message).__name__}
        happening = Happening("dead_letter", message.execution_id, fields=fields)
        self._backend.observer.notify(happening)

    async def _back_off(self, execution_id: str, failures: int, error: Exception) -> None:
        self._backing_off.add(execution_id)
        try:
            await back_off(self._backend, execution_id, failures, error)
        finally:
            self._backing_off.discard(execution_id)
