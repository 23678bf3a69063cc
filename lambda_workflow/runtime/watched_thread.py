"""One thread that runs workflow code, as the watchdog sees it: what runs there, and how it ends."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType
from typing import Final, Protocol

from lambda_workflow.ports import Happening, Observer, Quiet
from lambda_workflow.runtime import interrupts
from lambda_workflow.runtime.frames import (
    frames_from,
    is_debugged,
    is_of_package,
    is_users,
    place_of,
)
from lambda_workflow.runtime.turn_limits import TURN_LIMITS

AIM_LOOKS: Final = 50  # of a millisecond each, for a moment at which the author's code runs
BURST: Final = 1000  # exceptions in a row, for code that catches them: one hits between two `try`
BURST_SWITCH_SECONDS: Final = 1e-6  # between threads meanwhile, so that they hit place after place
GAP_SECONDS_MAX: Final = 1.0  # a longer gap between two looks: the process itself stood still

_log = logging.getLogger("lambda_workflow")
_set_exception: Final = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)
_WATCHDOG: Final = os.path.join(os.path.dirname(__file__), "watchdog.py")
_ASYNCIO: Final = os.path.dirname(threading.__file__) + os.sep + "asyncio" + os.sep


class CutOff(BaseException):
    """Raised in workflow code that is cut off; for the watchdog alone."""


class Runs(Protocol):
    """What is watched: an execution."""

    execution_id: str
    facts: int

    def stop(self) -> None:
        """Let the event loop of the code come to rest after its present step."""
        ...


@dataclass(slots=True)
class Cut:
    """Why a run is cut off, and where it was."""

    seconds: float
    signal: str = ""
    fair: bool = True
    place: str = ""


class WatchedThread:
    """What one thread runs. The thread itself writes `runs`; the watchdog writes `armed` and `cut`.

    The watchdog sets `armed`, then reads `runs`, then raises, all under the lock. The thread clears
    `runs`, then reads `armed`; where it is set, it waits for the lock and lets an exception that is
    pending be raised here. Whichever is first, none is raised after `end`. (To withdraw it, by
    SetAsyncExc(NULL), would leave Python 3.11's flag of pending work set for ever.)
    """

    def __init__(self, ident: int) -> None:
        self.ident: Final = ident
        self.lock: Final = threading.Lock()
        self.number = 0
        self.limits = TURN_LIMITS
        self.observer: Observer = Quiet()
        self.runs: Runs | None = None
        self.deadline: tuple[float, bool] | None = None  # seconds left, and whether that is fair
        self.armed = False
        self.signals: interrupts.Signals | None = None
        self.cut: Cut | None = None
        self.seen = (0, 0)  # the run and its facts at the last look
        self.looked_at = 0.0
        self.ran = 0.0  # seconds without a fact
        self.counted = 0.0  # the same, without the time in which the whole process stood still
        self.named = 0
        self.author = (0, "")  # the last line of the author's code that was seen, and in which run

    def end(self) -> None:
        """The run is over: nothing is raised in this thread any more."""
        while True:
            try:
                self.runs = None
                if self.armed:
                    with self.lock:
                        self.armed = False
                    for _ in range(3):  # a pending exception is raised at a backward jump
                        pass
                if self.signals is not None:
                    self.signals.restore()
                    self.signals = None
                return
            except CutOff:
                continue

    def interrupt(self, name: str, frame: FrameType | None) -> None:
        """A signal has come while this thread runs something; in the thread itself."""
        runs = self.runs
        if runs is not None:
            self.cut = Cut(self.ran, signal=name, place=self._line(frame) if frame else "?")
            runs.stop()
            raise CutOff

    # on the watchdog's thread

    def look(self, now: float) -> None:
        """Look at what runs; name it, or cut it off. The watchdog's thread calls this."""
        runs = self.runs
        if runs is None:
            return
        seen = (self.number, runs.facts)
        if seen != self.seen:
            self.seen, self.ran, self.counted, self.looked_at = seen, 0.0, 0.0, now
            return
        self.ran += now - self.looked_at
        self.counted += min(now - self.looked_at, GAP_SECONDS_MAX)
        self.looked_at = now
        if self.signals is None and self.ident == threading.main_thread().ident:
            self.signals = interrupts.wrap_signals(self.interrupt)
        if (
            self.limits.warning_seconds is not None
            and self.ran >= self.limits.warning_seconds
            and self.named != self.number
        ):
            self.named = self.number
            self._name(runs)
        if (cut := self._cut_of()) is not None:
            self._shoot(cut, runs)

    def _cut_of(self) -> Cut | None:
        if self.cut is not None:
            return self.cut  # the code has caught the exception
        if self.signals is not None and self.signals.came_before:
            return Cut(self.ran, signal="SIGINT")
        limit, fair = self.limits.seconds_max, True
        if limit is not None and self.deadline is not None and self.deadline[0] < limit:
            limit, fair = self.deadline
        if limit is None or self.counted < limit:
            return None
        return Cut(self.ran, fair=fair)

    def _shoot(self, cut: Cut, runs: Runs) -> None:
        frame = self._aim()
        if frame is None or is_debugged(frame):
            return
        if not cut.place:
            cut.place = self._line(frame)
        del frame  # it would keep what the code refers to
        if self.cut is None:
            self._fire(cut, runs)
            return
        interval = sys.getswitchinterval()
        sys.setswitchinterval(BURST_SWITCH_SECONDS)
        try:
            for _ in range(BURST):
                if not self._fire(cut, runs):
                    return
                time.sleep(0)
        finally:
            sys.setswitchinterval(interval)

    def _fire(self, cut: Cut, runs: Runs) -> bool:
        """Raise the exception in the thread, if it is in this run still."""
        runs.stop()
        with self.lock:
            self.armed = True
            if self.runs is not runs or self.seen[0] != self.number:
                return False
            self.cut = cut
            _set_exception(self.ident, CutOff)
            return True

    def _aim(self) -> FrameType | None:
        """The frame to cut off at: best one that runs the author's code, which holds no lock."""
        number, found = self.number, None
        for _ in range(AIM_LOOKS):
            if self.runs is None or self.number != number:
                return None
            frame = sys._current_frames().get(self.ident)
            if frame is not None:
                self._line(frame)  # code that yields is seldom on the stack: keep where it was
            if frame is not None and is_users(frame):
                return frame
            if frame is not None and any(_may_be_cut(one) for one in _of_run(frame)):
                found = frame
            time.sleep(0.001)
        return found

    def _name(self, runs: Runs) -> None:
        frame = self._aim() or sys._current_frames().get(self.ident)
        if frame is None:
            return
        fields = {"line": self._line(frame), "seconds": round(self.ran, 1)}
        try:
            self.observer.notify(Happening("slow", runs.execution_id, fields=fields))
        except Exception:  # noqa: BLE001  # the thread goes on
            _log.exception("an observer raised")

    def _line(self, frame: FrameType) -> str:
        """The innermost line of the author's code, here or when it was last seen in this run.

        A library's where it was never seen.
        """
        frames = _of_run(frame)
        users = next((one for one in frames if is_users(one)), None)
        if users is not None:
            self.author = self.number, place_of(users)
        if self.author[0] == self.number:
            return self.author[1]
        return place_of(next(iter(frames), frame))


def _of_run(frame: FrameType) -> list[FrameType]:
    """The frames within `Watch.run`, the innermost first."""
    found = []
    for one in frames_from(frame):
        if one.f_code.co_name == "run" and one.f_code.co_filename == _WATCHDOG:
            break
        found.append(one)
    return found


def _may_be_cut(frame: FrameType) -> bool:
    return not is_of_package(frame) and not frame.f_code.co_filename.startswith(_ASYNCIO)
