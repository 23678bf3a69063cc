"""Time that a test owns: it moves when it is told to, or when everybody waits for it.

Laws
 1. Time moves only in `advance` and `jump`, never by itself, and never back.
 2. Sleepers wake in the order of their due times, equal ones in the order in which they lay down.
 3. While a sleeper is woken the clock shows its due time, not the end of the jump.
 4. On a `VirtualLoop` time jumps to the next due moment as soon as nothing else can run, so that a
    test of a two-day wait takes no time, and the same program does the same steps each time.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from lambda_workflow.errors import WorkflowError

T = TypeVar("T")

EPOCH: Final = 1_767_225_600_000  # where virtual time begins: 2026-01-01T00:00:00Z, in milliseconds
_RESOLUTION: Final = 1e-6  # seconds; finer than a float of seconds stays exact for a century


class VirtualClock:
    """A `Clock` whose time the test moves.

    On an ordinary event loop the test calls `advance`; on a `VirtualLoop` the time jumps by itself.
    """

    def __init__(self, start: int = EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0  # seconds
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> int:
        """Milliseconds since the epoch, in virtual time."""
        return self._start + round(self._elapsed * 1000)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved on by so much; at least let the others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._elapsed + seconds, self._count, future))
        await future

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    @property
    def next_due(self) -> float | None:
        """When the next sleeper wakes, in the seconds of `elapsed`; None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():  # cancelled in its sleep
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def jump(self, to: float) -> None:
        """Move to a moment, in the seconds of `elapsed`, and wake those who are due by then.

        They run when the caller next gives way.
        """
        while (due := self.next_due) is not None and due <= to + _RESOLUTION:
            self._elapsed = max(self._elapsed, due)
            heapq.heappop(self._sleepers)[2].set_result(None)
        self._elapsed = max(self._elapsed, to)

    async def advance(self, seconds: float) -> None:
        """Move on by so much, stopping at each due moment for the woken to run."""
        end = self._elapsed + seconds
        while (due := self.next_due) is not None and due <= end:
            self.jump(due)
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
        self.jump(end)
        await asyncio.sleep(0)


_ROUNDS: Final = 20  # of the event loop, for the woken to get as far as they can without waiting


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without I/O, on which time jumps when all is blocked.

    `asyncio.Runner(loop_factory=VirtualLoop)` runs a test on it; `asyncio.sleep` and `timeout` go
    by the same `clock`. Functions meant for a thread run on the loop itself, so that nothing
    depends on how threads are scheduled. It raises `WorkflowError` when nothing can ever run again.
    """

    is_virtual: Final = True  # for whoever would run a function in a thread of its own

    def __init__(self, clock: VirtualClock | None = None) -> None:
        super().__init__()
        self.clock: Final = clock or VirtualClock()
        self._selector = self  # BaseEventLoop asks its selector to wait
        self._clock_resolution = _RESOLUTION

    def time(self) -> float:
        """Seconds since the clock was made."""
        return self.clock.elapsed

    def select(self, timeout: float | None) -> list[Any]:
        """Pass the time until the loop's own next timer, or the clock's, whichever is first."""
        if timeout == 0:
            return []
        due = self.clock.next_due
        own = None if timeout is None else self.clock.elapsed + timeout
        moments = [moment for moment in (due, own) if moment is not None]
        if moments:
            self.clock.jump(min(moments))
        else:
            self.idle()
        return []

    def idle(self) -> None:
        """Called when nothing can run any more; a subclass may bring something new to do.

        Raises:
            WorkflowError: it is a deadlock.
        """
        raise WorkflowError(
            "deadlock: every task waits and no timer is set; something was never sent or woken"
        )

    def run_in_executor(  # type: ignore[override]  # its future is no thread's
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function that was meant for a thread, at the loop's next step."""
        future: asyncio.Future[T] = self.create_future()
        self.call_soon(_settle, future, func, args)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to shut down."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


def _settle(future: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever awaits the function
        future.set_exception(error)


def run_virtual(main: Coroutine[Any, Any, T], clock: VirtualClock | None = None) -> T:
    """Run a coroutine to its end in virtual time; as `asyncio.run`, but no wait takes time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main, context=contextvars.copy_context())
