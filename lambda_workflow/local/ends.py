"""Those who wait for executions to end in this engine, on whichever event loop they wait."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Ends:
    """Wakes what waits for an execution as soon as it ends here: another engine may own it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # `client.sync` waits in a thread of its own
        self._waiting: dict[str, dict[asyncio.Event, asyncio.AbstractEventLoop]] = {}

    def tell(self, execution_id: str) -> None:
        """It has ended."""
        if execution_id not in self._waiting:
            return
        with self._lock:
            waiting = list(self._waiting.pop(execution_id, {}).items())
        here = asyncio.get_running_loop()
        for ended, loop in waiting:
            if loop is here:
                ended.set()
            else:
                with suppress(RuntimeError):  # that loop is closed: nothing waits there any more
                    loop.call_soon_threadsafe(ended.set)

    async def wait(self, execution_id: str, seconds: float) -> None:
        """Until the execution ends in this engine, or for so long."""
        ended = asyncio.Event()
        with self._lock:
            waiting = self._waiting.setdefault(execution_id, {})
            waiting[ended] = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                waiting.pop(ended, None)
                if not waiting and self._waiting.get(execution_id) is waiting:
                    del self._waiting[execution_id]
