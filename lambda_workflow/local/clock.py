"""Clocks of the embedded engine: the wall's, and one that skips the waits."""

from __future__ import annotations

import asyncio
import time


class WallClock:
    """The machine's own time."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


class SkippingClock:
    """Time flows as on the wall, but an engine with nothing to do but wait jumps to what it awaits.

    A workflow that sleeps for two days takes no time, while a service that works for a second
    takes its second, and no timeout strikes early because of it.
    """

    def __init__(self) -> None:
        self._skipped = 0
        self._jumped = asyncio.Event()

    def now(self) -> int:
        """Milliseconds since the epoch, and what has been skipped on top."""
        return time.time_ns() // 1_000_000 + self._skipped

    @property
    def skipped(self) -> int:
        """Milliseconds that `now` is ahead of the wall's time."""
        return self._skipped

    async def sleep(self, seconds: float) -> None:
        """Wait for real, or until a jump has gone past the end of the wait."""
        end = self.now() + seconds * 1000
        while (left := end - self.now()) > 0:
            jumped = self._jumped
            try:
                async with asyncio.timeout(left / 1000):
                    await jumped.wait()
            except TimeoutError:
                return

    def skip_to(self, time_ms: int) -> None:
        """Make it this late, unless it is later already. The engine calls it when it is idle."""
        ahead = time_ms - self.now()
        if ahead > 0:
            self._skipped += ahead
            self._jumped.set()
            self._jumped = asyncio.Event()
