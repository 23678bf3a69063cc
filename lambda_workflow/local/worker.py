"""Threads that own a connection each: one writes, in groups; one reads.

Laws
 1. A connection is used by its own thread alone.
 2. All changes that wait when the writer comes round share one transaction, and so one fsync; the
    writer never waits for more to come.
 3. The threads are not in a process that was forked off: what is asked there is refused at once.
 4. A caller hears of success after the COMMIT, on its own event loop; a group is one wake-up of it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from lambda_workflow.errors import BackendError
from lambda_workflow.local.change import Change, write_group
from lambda_workflow.local.damage import FileConnection
from lambda_workflow.local.opening import Place
from lambda_workflow.local.schema import explain

T = TypeVar("T")

GROUP_MAX: Final = 512  # bounds what one failed COMMIT takes back, and how long the first one waits


@dataclass(frozen=True, slots=True)
class _Job:
    work: Change | Callable[[FileConnection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Worker:
    """One thread and its connection. `close` lets it finish what it has been given.

    Args:
        connection: handed over: nobody else uses it from now on.
        place: the open file; looked at before each use, for it may be deleted or replaced.
        name: of the thread.
    """

    def __init__(self, connection: FileConnection, place: Place, name: str) -> None:
        self._connection = connection
        self._place = place
        self._path = place.path
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._process = os.getpid()
        # A daemon, so that a host that forgets to close can still exit; the file stands it.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def write(self, change: Change) -> asyncio.Future[None]:
        """Write a change, together with those that others want written at this moment.

        Raises:
            Conflict: the number of its turn is taken.
            BackendError: the file cannot be written; says what to do.
        """
        return self._submit(change)

    def call(self, work: Callable[[FileConnection], T]) -> asyncio.Future[T]:
        """Run a function on the connection; a transaction it leaves open is rolled back.

        Raises:
            BackendError: the file cannot be read or written; says what to do.
        """
        return self._submit(work)

    def close(self) -> None:
        """Finish what has been given, and close the connection; blocks until then."""
        if not self._closed and self._process == os.getpid():
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _submit(self, work: Change | Callable[[FileConnection], Any]) -> asyncio.Future[Any]:
        if self._closed:
            raise BackendError(f"{self._path} is closed: its engine or backend has been left")
        if self._process != (here := os.getpid()):
            raise BackendError(
                f"{self._path} was opened by process {self._process}, from which process {here} "
                "was forked: neither the connections nor the threads of an engine are usable after "
                "a fork. Enter the Engine, or make the client, after it (in the new process), or "
                "start processes by 'spawn'"
            )
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put(_Job(work, future, loop))
        return future

    def _run(self) -> None:
        while True:
            first = self._jobs.get()
            jobs = [] if first is None else [first]
            last = first is None
            while not last and len(jobs) < GROUP_MAX:
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
                if job is None:
                    last = True
                else:
                    jobs.append(job)
            self._serve(jobs)
            if last:
                self._connection.close()
                return

    def _serve(self, jobs: Sequence[_Job]) -> None:
        writers: list[_Job] = []
        changes: list[Change] = []
        calls: list[tuple[_Job, Callable[[FileConnection], Any]]] = []
        for job in jobs:
            if isinstance(job.work, Change):
                writers.append(job)
                changes.append(job.work)
            else:
                calls.append((job, job.work))
        if changes:
            _answer(writers, self._write(changes))
        for job, work in calls:
            _answer([job], [self._call(work)])

    def _write(self, changes: list[Change]) -> Sequence[Exception | None]:
        try:
            self._place.check()
            return write_group(self._connection, changes)
        except BackendError as error:
            return [error for _ in changes]
        except sqlite3.Error as error:
            return [explain(error, self._path) for _ in changes]

    def _call(self, work: Callable[[FileConnection], Any]) -> Any:
        try:
            self._place.check()
            return work(self._connection)
        except sqlite3.Error as error:
            return explain(error, self._path)
        except Exception as error:  # noqa: BLE001  # it is the caller's, and must not end the thread
            return error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _answer(jobs: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        loops.setdefault(job.loop, []).append((job.future, outcome))
    for loop, answers in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:  # that loop is closed: nobody is waiting there any more
            continue


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
