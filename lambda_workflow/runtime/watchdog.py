"""The watchdog: names workflow code that runs for long without waiting, and cuts it off at a limit.

Workflow code runs on the host's event loop. A loop that never waits would hold up every other
execution, Ctrl-C and the host's own time-outs. One daemon thread for each process looks at what
runs under `Watch.run`.

Laws
 1. Progress is a fact taken in: a long replay is no endless loop, however long it takes in all.
 2. The code is named once for each run, with its line, from the watchdog's own thread.
 3. The cut is an exception (`CutOff`) that is raised in the running code, again and again while
    the code catches it. It cannot hit after `Watch.run` has returned: see `WatchedThread`.
 4. Code that a debugger holds is named and never cut off.
 5. A call of C code (`time.sleep`, a huge `sum`) is not interrupted; the cut follows its return.
 6. While nothing runs the thread sleeps; to be watched costs a run a few attribute stores.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from threading import get_ident
from typing import Final

from lambda_workflow.errors import BackendError, TurnTimedOut, WorkflowError
from lambda_workflow.ports import Observer, Quiet
from lambda_workflow.runtime.deadline import DEADLINE
from lambda_workflow.runtime.turn_limits import TURN_LIMITS, TurnLimits
from lambda_workflow.runtime.watched_thread import Cut, CutOff, Runs, WatchedThread

LOOK_SECONDS: Final = 0.1
IDLE_LOOKS: Final = 20  # without anything to see, before the thread sleeps

_log = logging.getLogger("lambda_workflow")


class Watch:
    """Runs workflow code under the watchdog; one for each Turns, usable from any thread.

    Args:
        observer: is told of `slow` runs, from the watchdog's thread.
        interrupted: what is raised where a signal of the process ends the run.
    """

    def __init__(
        self,
        limits: TurnLimits = TURN_LIMITS,
        observer: Observer | None = None,
        interrupted: Callable[[str], BaseException] = BackendError,
    ) -> None:
        self.limits: Final = limits
        self.observer: Final = observer or Quiet()
        self.interrupted: Final = interrupted

    def run(self, runs: Runs, code: Callable[[], None]) -> WorkflowError | None:
        """Run code; the error to block the execution with, if the code was cut off.

        Raises:
            BackendError: (or what `interrupted` makes) a signal has ended it, or the host's time
                was over before it had its fair share: the same messages must come again.
        """
        slot = _slots.get(get_ident()) or _new_slot()
        if slot.runs is not None:  # a simulation within a step, say: the outer run is watched
            code()
            return None
        deadline = DEADLINE.get()
        slot.deadline = None
        if deadline is not None:
            slot.deadline = (left := deadline.left()), deadline.is_fair(left)
        slot.number += 1
        slot.limits, slot.observer = self.limits, self.observer
        slot.runs = runs
        if _dog.parked:
            _dog.wake()
        failed: BaseException | None = None
        try:
            try:
                code()
            except CutOff:
                pass
            except BaseException as error:  # noqa: BLE001  # it is raised again below
                failed = error
            slot.runs = None  # as `end` begins; there is rarely more to do
            if slot.armed or slot.signals is not None:
                slot.end()
        except CutOff:  # it came as the code ended
            slot.end()
        if slot.cut is None and failed is None:
            return None
        cut, slot.cut = slot.cut, None
        if failed is not None and (cut is None or not isinstance(failed, Exception)):
            try:
                raise failed
            finally:
                del failed  # its traceback holds this frame
        return None if cut is None else self._outcome(cut)

    def _outcome(self, cut: Cut) -> WorkflowError:
        """The error of a run that was cut off."""
        if cut.signal:
            raise self.interrupted(
                f"interrupted by {cut.signal}: the workflow ran at {cut.place}; its turn is made "
                "again from the same messages"
            )
        if not cut.fair:
            raise BackendError(
                f"the host's time ended while the workflow ran at {cut.place}; the messages are "
                "redelivered"
            )
        return TurnTimedOut(
            f"{cut.place}: the workflow ran for {cut.seconds:.3g} s without waiting for anything, "
            "and was cut off: look for a loop that does not end; put long work into `await "
            "ctx.step(function)`, which runs in a thread; or raise the limit, turn_seconds_max"
        )


def _look_at(slot: WatchedThread, now: float) -> None:
    try:
        slot.look(now)
    except Exception:  # noqa: BLE001  # the thread goes on
        _log.exception("the watchdog could not look at what runs")


class _Thread:
    """The one thread of this process. `parked` is read by whoever starts a run."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """There is no thread: it is not started yet, or this is a forked child."""
        self.parked = True
        self._started = False
        self._starting = threading.Lock()
        self._wanted = threading.Event()

    def wake(self) -> None:
        """Look again from now on."""
        with self._starting:
            self.parked = False
            self._wanted.set()
            if self._started:
                return
            self._started = True
            try:
                threading.Thread(
                    target=self._look, name="lambda-workflow-watchdog", daemon=True
                ).start()
            except RuntimeError:  # the interpreter shuts down: what still runs is not watched
                self._started = False

    def _look(self) -> None:
        idle = 0
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for slot in list(_slots.values()):
                if slot.runs is not None:
                    idle = 0
                    _look_at(slot, now)
            idle += 1
            if idle > IDLE_LOOKS:
                self._park()
                idle = 0

    def _park(self) -> None:
        self._wanted.clear()
        self.parked = True
        if any(slot.runs is not None for slot in list(_slots.values())):
            self.parked = False  # it began before it could see that nobody looks
            return
        self._wanted.wait()


_slots: dict[int, WatchedThread] = {}
_dog = _Thread()


def _new_slot() -> WatchedThread:
    slot = _slots[get_ident()] = WatchedThread(get_ident())
    return slot


def _after_fork() -> None:
    _slots.clear()
    _dog.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
