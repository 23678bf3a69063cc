"""Threads for steps that block: daemons, so that one that is given up holds up no exit.

Laws
 1. Who gives a function up goes on at once: its thread is abandoned, its late result dropped, and
    another thread takes its place.
 2. On an event loop that has no time of its own but a test's (`is_virtual`), functions run as that
    loop runs them: a thread's result would come at no moment of its time.
 3. At most `THREADS_MAX` functions run at a time, those that were given up not counted; more wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")

THREADS_MAX: Final = 32
IDLE_SECONDS: Final = 10.0  # after which a thread without work ends


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    abandoned: bool = False
    begun: bool = False


@dataclass(slots=True)
class StepThreads:
    """A pool of daemon threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _idle: list[SimpleQueue[_Job]] = field(default_factory=list)
    _waiting: deque[_Job] = field(default_factory=deque)
    _busy: int = 0

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in a thread, in a copy of the caller's context variables.

        Raises:
            Exception: that of the function.
        """
        loop, context = asyncio.get_running_loop(), copy_context()
        if getattr(loop, "is_virtual", False):
            return await asyncio.to_thread(function, *args)
        job = _Job(lambda: context.run(function, *args), loop.create_future(), loop)
        with self._lock:
            if self._busy < THREADS_MAX:
                self._begin(job)
            else:
                self._waiting.append(job)
        try:
            result: T = await job.future
            return result
        except asyncio.CancelledError:
            self._abandon(job)
            raise

    def _begin(self, job: _Job) -> None:
        self._busy += 1
        job.begun = True
        inbox: SimpleQueue[_Job]
        if self._idle:
            inbox = self._idle.pop()
        else:
            inbox = SimpleQueue()
            threading.Thread(
                target=self._serve, args=(inbox,), name="lambda-workflow-step", daemon=True
            ).start()
        inbox.put(job)

    def _abandon(self, job: _Job) -> None:
        with self._lock:
            if job.abandoned:
                return  # it has just ended
            job.abandoned = True
            if not job.begun:
                self._waiting.remove(job)
            else:
                self._freed()

    def _freed(self) -> None:
        self._busy -= 1
        if self._waiting:
            self._begin(self._waiting.popleft())

    def _serve(self, inbox: SimpleQueue[_Job]) -> None:
        while True:
            try:
                job = inbox.get(timeout=IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue  # a job is on its way
            outcome = _outcome(job.work)
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                job.loop.call_soon_threadsafe(_resolve, job.future, *outcome)
            with self._lock:
                if job.abandoned:
                    return  # another thread has taken its place
                job.abandoned = True  # its future may still be cancelled: it is counted once
                self._idle.append(inbox)
                self._freed()


def _outcome(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001  # it is the caller's
        return None, error


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


STEP_THREADS: Final = StepThreads()
