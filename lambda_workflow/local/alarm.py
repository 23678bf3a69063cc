"""The timers of one engine: a heap over the rows of `timers`.

Laws
 1. Every timer that this engine has to fire and that is due before `_until` is in the heap; later
    ones stand in the file, and are read when the heap has run empty.
 2. A timer never fires early; it fires as soon as the clock allows.
 3. Nothing is polled: the loop sleeps until the next timer, or until one comes before it. Once a
    second it compares with the clock again: that may be set, and a machine that was asleep finds
    that a wait has lasted longer than its event loop knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from heapq import heappop, heappush
from typing import Final

from lambda_workflow.local.registry import TimerKey
from lambda_workflow.ports import Clock

HELD_MAX: Final = 20_000  # timers in memory, some MB; the others wait in the file
RECHECK_SECONDS: Final = 1.0  # how late a timer may be after the clock was set; costs 0.1 ms
FIRST: Final[TimerKey] = (-1, "", "")  # before every timer
_FOREVER: Final[TimerKey] = (1 << 63, "", "")  # after every timer

# Reads a page of timers after a key: the keys, and where the file is read up to (None: to its end).
Reader = Callable[[TimerKey], Awaitable[tuple[Sequence[TimerKey], TimerKey | None]]]


class Alarm:
    """Fires timers when they are due.

    Args:
        clock: whose time counts.
        read: reads further timers from the file.
        fire: is given what is due, in order.
        eased: called whenever nothing is left but to wait.
    """

    def __init__(
        self,
        clock: Clock,
        read: Reader,
        fire: Callable[[Sequence[TimerKey]], None],
        eased: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._read = read
        self._fire = fire
        self._eased = eased
        self._heap: list[TimerKey] = []
        self._armed: set[TimerKey] = set()
        self._until = FIRST
        self._resets = 0
        self._meanwhile: list[TimerKey] | None = None  # armed while a page is being read
        self._changed = asyncio.Event()

    def arm(self, key: TimerKey) -> None:
        """Take in a timer whose row is stored."""
        if self._meanwhile is not None:
            self._meanwhile.append(key)
        if key > self._until or key in self._armed:
            return
        self._armed.add(key)
        heappush(self._heap, key)
        if self._heap[0] == key:
            self._changed.set()
        if len(self._heap) > HELD_MAX:
            self._compact()

    def disarm(self, key: TimerKey) -> None:
        """Forget a timer whose row is gone; one that is not held is no error."""
        self._armed.discard(key)

    def reset(self) -> None:
        """Forget all, and read the file anew: other executions may be this engine's now."""
        self._heap.clear()
        self._armed.clear()
        self._until = FIRST
        self._resets += 1
        self._changed.set()

    def next_due(self) -> int | None:
        """When the next timer in memory is due; None when there is none."""
        heap = self._heap
        while heap and heap[0] not in self._armed:
            heappop(heap)
        return heap[0][0] if heap else None

    @property
    def unread(self) -> bool:
        """Whether the next timer may stand in the file only."""
        return not self._heap and self._until != _FOREVER

    async def run(self) -> None:
        """Fire timers until cancelled."""
        while True:
            self._changed.clear()
            due = self.next_due()
            if due is None and self.unread:
                await self._refill()
                continue
            self._eased()
            if due is None:
                await self._changed.wait()
                continue
            if due > self._clock.now():
                await self._sleep(due)
                continue
            self._fire(self._pop(self._clock.now()))

    def _pop(self, now: int) -> list[TimerKey]:
        fired: list[TimerKey] = []
        while self._heap and self._heap[0][0] <= now:
            key = heappop(self._heap)
            if key in self._armed:
                self._armed.remove(key)
                fired.append(key)
        return fired

    async def _sleep(self, due: int) -> None:
        sleeping = asyncio.ensure_future(self._wait_for(due))
        changing = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait(
                (sleeping, changing),
                timeout=RECHECK_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            sleeping.cancel()
            changing.cancel()

    async def _wait_for(self, due: int) -> None:
        """The wait is worked out when it begins: the clock may jump before this task is run."""
        await self._clock.sleep(max(0, due - self._clock.now()) / 1000)

    async def _refill(self) -> None:
        resets, self._meanwhile = self._resets, []
        try:
            keys, end = await self._read(self._until)
        finally:
            meanwhile, self._meanwhile = self._meanwhile, None
        if self._resets != resets:
            return
        self._until = _FOREVER if end is None else end
        for key in (*keys, *meanwhile):
            self.arm(key)

    def _compact(self) -> None:
        """Let go of what was disarmed and, if there are still too many, of the latest ones."""
        kept = sorted(self._armed)
        if len(kept) > HELD_MAX // 2:
            del kept[HELD_MAX // 2 :]
            self._until = kept[-1]
            self._armed = set(kept)
        self._heap = kept  # sorted, and so a heap
