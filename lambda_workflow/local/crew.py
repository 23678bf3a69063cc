"""Service adapters at work, in this process.

Laws
 1. A task's row stays until its result is stored: after a crash the work is done again.
 2. At most `concurrency` adapters work at once; the others' tasks wait their turn in memory.
 3. An adapter's error is a result. Only the host's own trouble makes a task come again; and an
    error at a task whose result nobody waits for, some times, before it becomes a dead letter.
 4. A withdrawal waits for no room. It takes with it what is postponed or was not begun.
 5. A task that is to come back later takes no room: it waits in its row, of which this engine
    remembers the time. When that has come the row is free for any engine.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from lambda_workflow.local.alarm import Alarm
from lambda_workflow.local.backoff import back_off, insist
from lambda_workflow.local.registry import TimerKey
from lambda_workflow.local.sqlite import Receipt, task_receipt
from lambda_workflow.model.messages import Heartbeat, Task, Update
from lambda_workflow.ports import Backend, Happening, SendMessage
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.attend import Postponed
from lambda_workflow.runtime.workshop import Outcome, Unheard, Workshop

# Is given a result and the receipt of its task's row, and makes sure that it is stored.
Deliver = Callable[[Update, Receipt], Awaitable[None]]

SEND_ATTEMPTS_MAX: Final = 5  # at a task that nobody waits for, as a queue's redrive policy has it


class Disposal(Protocol):
    """What becomes of the row of a task that has no result."""

    async def drop(self, receipts: Sequence[Receipt]) -> None:
        """Delete it."""

    async def bury(self, task: Task, reason: str) -> None:
        """Move it to the dead letters."""

    async def postpone(self, task: Task) -> None:
        """Keep the task as it is to come back."""

    async def release(self, keys: Sequence[tuple[str, int]]) -> None:
        """Make rows free, for any engine that serves them."""


class Crew:
    """Performs tasks by the adapters of an App.

    Args:
        held: the receipts of rows that are in work in this engine; shared with the inbox.
        eased: called whenever there is room for more.
        freed: called when rows were made free.
    """

    def __init__(
        self,
        app: App,
        held: set[Receipt],
        eased: Callable[[], None],
        *,
        freed: Callable[[], None],
        backend: Backend,
        concurrency: int,
        disposal: Disposal,
    ) -> None:
        self._app: Final = app
        self._freed = freed
        self._disposal = disposal
        self._shop = Workshop(
            lambda: backend.blobs, self._beat, backend.clock.now, show_values=app.show_values
        )
        self._held = held
        self._eased = eased
        self._backend = backend
        self._concurrency = concurrency
        self._waiting: deque[tuple[Task, Deliver, bool]] = deque()
        self._working: set[asyncio.Task[None]] = set()
        self._releasing: set[asyncio.Task[None]] = set()
        self._postponed: set[TimerKey] = set()
        self._alarm = Alarm(backend.clock, self._read, self._release, eased)
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether a task is in work or waits for room."""
        return bool(self._working or self._waiting or self._releasing)

    @property
    def free(self) -> int:
        """How many more tasks could begin at once."""
        return max(0, self._concurrency - len(self._working) - len(self._waiting))

    def next_due(self) -> int | None:
        """When the next task comes back; None if none is to."""
        if not self._alarm.unread:
            return self._alarm.next_due()
        return min((due for due, *_ in self._postponed), default=None)

    async def run(self) -> None:
        """Bring back what was postponed, until cancelled."""
        await self._alarm.run()

    def has(self, task: Task) -> bool:
        """Whether an attempt of what this withdraws is at work or waits here."""
        return any(task_receipt(one) in self._held for one in _withdrawn(task))

    def take(self, task: Task, deliver: Deliver, *, is_repeat: bool = False) -> None:
        """Perform a task as soon as there is room, unless its row is in work already.

        Args:
            is_repeat: whether another engine may have begun it.
        """
        receipt = task_receipt(task)
        if receipt in self._held or self._stopped:
            return
        self._held.add(receipt)
        if task.cancelled or len(self._working) < self._concurrency:
            self._begin(task, deliver, is_repeat)
        else:
            self._waiting.append((task, deliver, is_repeat))

    async def finish(self, seconds: float) -> None:
        """Begin nothing more; let what is in work end, for so long; then cancel it."""
        self._stopped = True
        self._waiting.clear()
        if self._working:
            _, late = await asyncio.wait(list(self._working), timeout=seconds)
            await _cancel(late)
        await _cancel(self._releasing)

    async def cancel(self) -> None:
        """Break off all work, and forget what waits."""
        self._waiting.clear()
        self._postponed.clear()
        self._alarm.reset()
        await _cancel([*self._working, *self._releasing])

    def _begin(self, task: Task, deliver: Deliver, is_repeat: bool) -> None:
        work = asyncio.create_task(self._work(task, deliver, is_repeat))
        self._working.add(work)
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._working.discard(work)
        if self._waiting:
            self._begin(*self._waiting.popleft())
        else:
            self._eased()

    async def _work(self, task: Task, deliver: Deliver, is_repeat: bool) -> None:
        outcomes: list[Outcome] = []
        failures = 0
        while True:
            try:
                if not outcomes:
                    adapter, again = self._app.adapters[task.service], is_repeat or failures > 0
                    outcomes.append(await self._shop.do(adapter, task, is_repeat=again))
                await self._settle(task, outcomes[0], deliver)
                return
            except Exception as error:  # noqa: BLE001  # the host's trouble: the task is redelivered
                failures += 1
                if isinstance(error, Unheard) and (error.is_final or failures >= SEND_ATTEMPTS_MAX):
                    await insist(self._backend, partial(self._bury, task, str(error)))
                    return
                await back_off(self._backend, task.execution_id, failures, error)

    async def _settle(self, task: Task, outcome: Outcome, deliver: Deliver) -> None:
        receipt = task_receipt(task)
        if isinstance(outcome, Update):
            await deliver(outcome, receipt)
            return
        if isinstance(outcome, Postponed):
            await self._disposal.postpone(outcome.task)
            key = outcome.due, task.task_id, str(task.attempt)
            self._postponed.add(key)
            self._alarm.arm(key)
        else:
            begun = (task_receipt(one) for one in _withdrawn(task))
            await self._disposal.drop([receipt, *(one for one in begun if one not in self._held)])
        self._held.discard(receipt)

    async def _read(self, after: TimerKey) -> tuple[Sequence[TimerKey], TimerKey | None]:
        return sorted(key for key in self._postponed if key > after), None

    def _release(self, keys: Sequence[TimerKey]) -> None:
        self._postponed.difference_update(keys)
        rows = [(task_id, int(attempt)) for _, task_id, attempt in keys]
        work = asyncio.create_task(self._free(rows))
        self._releasing.add(work)
        work.add_done_callback(self._releasing.discard)

    async def _free(self, rows: Sequence[tuple[str, int]]) -> None:
        await insist(self._backend, lambda: self._disposal.release(rows))
        self._freed()

    async def _bury(self, task: Task, reason: str) -> None:
        await self._disposal.bury(task, reason)
        self._held.discard(task_receipt(task))
        fields = {"reason": reason, "service": task.service}
        self._backend.observer.notify(Happening("dead_letter", task.execution_id, fields=fields))

    async def _beat(self, task: Task, message: Heartbeat) -> None:
        send = SendMessage(message, secrets.token_hex(16), task.callback_queue_url)
        await self._backend.queue.send_messages([send])


def _withdrawn(task: Task) -> list[Task]:
    """The attempts that a task withdraws, if it does."""
    attempts = range(1, task.attempt + 1) if task.cancelled else ()
    return [replace(task, attempt=n, cancelled=False) for n in attempts]


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    doomed = list(tasks)
    for task in doomed:
        task.cancel()
    await asyncio.gather(*doomed, return_exceptions=True)
