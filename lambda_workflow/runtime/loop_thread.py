"""An event loop in a thread of its own, for calls from threads that have none.

Laws
 1. Any number of threads may call at once; a call that waits long holds up no other.
 2. All calls run on one event loop, which is made at the first: connections belong to a loop.
 3. The thread is not in a process that was forked off: a call there is refused, and waits for
    nothing. Where the first call comes after the fork there is no difference.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, TypeVar

from lambda_workflow.errors import WorkflowError

T = TypeVar("T")


class LoopThread:
    """See the module. `close` ends the loop; a later call would begin another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self._end: weakref.finalize[..., LoopThread] | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return its result; Ctrl-C while it waits cancels it.

        Raises:
            WorkflowError: this process was forked from the one that the loop runs in.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        except BaseException:
            coroutine.close()
            raise
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its thread, if they are of this process."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
            if self._end is not None:
                self._end.detach()
        if loop is None or thread is None or self._process != os.getpid():
            return
        _stop(loop)
        thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is not None and self._process != os.getpid():
            raise WorkflowError(
                f"`client.sync` was used by process {self._process} before process {os.getpid()} "
                "was forked from it, and its event loop is there: make the client after the fork "
                "(in gunicorn's `post_fork`, at a worker's first request, or start processes by "
                "'spawn'), or use it first after the fork"
            )
        with self._lock:
            if self._loop is None:
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                # A daemon, so that a program that forgets to close can still exit.
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="lambda-workflow client", daemon=True
                )
                self._thread.start()
                self._end = weakref.finalize(self, _stop, self._loop)  # of a client nobody closed
                self._end.atexit = False
            return self._loop


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
