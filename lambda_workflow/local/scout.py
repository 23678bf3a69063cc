"""Finds in the file what an engine has to do, and brings it into memory.

Laws
 1. Messages are read in order, from a mark on; when another engine goes, from the start again.
 2. No more is brought in than there is room for; the rest is fetched when there is room again.
 3. It looks when this process has sent something, and when the file says that another has written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from lambda_workflow.local import registry
from lambda_workflow.local.backoff import insist
from lambda_workflow.local.crew import Crew, Deliver
from lambda_workflow.local.damage import FileConnection
from lambda_workflow.local.inbox import Inbox
from lambda_workflow.local.registry import Claimant, Found, TimerKey
from lambda_workflow.local.schema import MEMORY
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.ports import Happening

T = TypeVar("T")

FIRST_MARK: Final = -(1 << 63)  # before every message
POLL_SECONDS: Final = 0.1  # how late another process's message may be seen; asking costs 0.1 ms
WAITING_MAX: Final = 10_000  # messages in memory; the rest waits in the file


class Scout:
    """Watches a file for one engine.

    Args:
        claimant: the engine, as it is entered at the moment.
        post: stores the result of a task that came from the file.
        eased: called whenever nothing is left to look for.
    """

    def __init__(
        self,
        file: SqliteFile,
        inbox: Inbox,
        crew: Crew,
        *,
        claimant: Callable[[], Claimant],
        post: Deliver,
        eased: Callable[[], None],
    ) -> None:
        self._file = file
        self._inbox = inbox
        self._crew = crew
        self._claimant = claimant
        self._post = post
        self._eased = eased
        self._wake = asyncio.Event()
        self._wake.set()
        self._looking = False
        self._messages_left = False
        self._tasks_left = False
        self._mark = FIRST_MARK
        self._restarts = 0

    @property
    def busy(self) -> bool:
        """Whether it is looking, or about to."""
        return self._looking or self._wake.is_set()

    def wake(self) -> None:
        """Look at once: this process has stored something."""
        self._wake.set()

    def start_over(self) -> None:
        """Look at everything again: what was another's may be this engine's now."""
        self._mark = FIRST_MARK
        self._restarts += 1
        self._wake.set()

    def make_room(self) -> None:
        """Something was finished: fetch what did not fit before, if it does now."""
        if (self._tasks_left and self._crew.free) or (
            self._messages_left and self._inbox.waiting < WAITING_MAX // 2
        ):
            self._wake.set()

    async def run(self) -> None:
        """Look whenever there may be something, until cancelled."""
        seconds = None if self._file.path == MEMORY else POLL_SECONDS
        seen = -1
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                version = await self._insist(_data_version)
                if version == seen:
                    continue
                seen = version
            self._looking = True
            self._wake.clear()
            await self._fetch_messages()
            await self._fetch_tasks()
            self._looking = False
            self._eased()

    async def read_timers(self, after: TimerKey) -> tuple[Sequence[TimerKey], TimerKey | None]:
        """See `alarm.Reader`."""
        keys: list[Any] = []
        while True:
            found = await self._insist(partial(registry.take_timers, self._claimant(), after))
            keys += [receipt.row for _, receipt in found.messages]
            if not found.more:
                return keys, None
            after = found.mark
            if len(keys) >= registry.PAGE:
                return keys, after

    async def _fetch_messages(self) -> None:
        self._messages_left = True
        while self._inbox.waiting < WAITING_MAX:
            restarts = self._restarts
            found = await self._insist(
                partial(registry.take_messages, self._claimant(), self._mark, self._now())
            )
            if restarts == self._restarts:
                self._mark = found.mark
            self._report(found)
            for message, receipt in found.messages:
                self._inbox.deliver(message, receipt)
            if not found.more:
                self._messages_left = False
                return

    async def _fetch_tasks(self) -> None:
        self._tasks_left = False
        free = self._crew.free
        if not self._claimant().services:
            return
        if not free:
            self._tasks_left = True  # perhaps; it is cheaper to look later than to count now
            return
        found = await self._insist(
            partial(registry.take_tasks, self._claimant(), free, self._now())
        )
        self._tasks_left = found.more
        self._report(found)
        for task in found.tasks:
            self._crew.take(task, self._post, is_repeat=True)

    def _report(self, found: Found) -> None:
        for execution_id, reason in found.buried:
            happening = Happening("dead_letter", execution_id, fields={"reason": reason})
            self._file.backend.observer.notify(happening)

    def _now(self) -> int:
        return self._file.backend.clock.now()

    async def _insist(self, work: Callable[[FileConnection], T]) -> T:
        return await insist(self._file.backend, lambda: self._file.writer.call(work))


def _data_version(connection: FileConnection) -> int:
    """A number that changes when another connection has committed to the file."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
