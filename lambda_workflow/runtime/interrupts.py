"""Ctrl-C while workflow code holds the event loop: signals end the run that is in their way.

asyncio's own handler of SIGINT cancels the main task, a web server's notes that it is to stop: both
wait for the event loop, which workflow code may hold for ever. While the main thread has been in
one run for a moment, the handlers of SIGINT and SIGTERM are wrapped: the host's own is called
first, then the run is ended. Handlers belong to the main thread, so a call that is pending there
(`Py_AddPendingCall`) installs them, between two steps of the code that runs.
"""

from __future__ import annotations

import ctypes
import functools
import signal
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)

Ended = Callable[[str, FrameType | None], None]  # the signal's name, and where it came


class Signals:
    """Handlers that are wrapped for one run.

    Args:
        ended: ends the run; called in the main thread by the signal, and may raise.

    Attributes:
        came_before: whether the host was told to stop before the handlers were wrapped.
    """

    def __init__(self, ended: Ended) -> None:
        self.came_before = False
        self._ended: Final = ended
        self._over = False
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def install(self) -> None:
        """Wrap the handlers; in the main thread."""
        if self._over:
            return
        for number in NUMBERS:
            before = signal.getsignal(number)
            if callable(before) and before is not signal.default_int_handler:
                self._before[number] = before
                signal.signal(number, self._handle)
                self.came_before = self.came_before or _is_told(before)

    def restore(self) -> None:
        """Put back what was there, unless somebody else has put a handler there meanwhile."""
        self._over = True
        for number, before in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)
                if before.__module__ == "asyncio.unix_events":  # as asyncio itself sets it
                    signal.siginterrupt(number, False)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._before[number](number, frame)
        if not self._over:
            self._ended(signal.Signals(number).name, frame)


def wrap_signals(ended: Ended) -> Signals:
    """Wrap the handlers from another thread; they are there as soon as the main thread runs on."""
    signals = Signals(ended)
    _to_install.append(signals)
    ctypes.pythonapi.Py_AddPendingCall(_INSTALL, None)  # where too many wait, with the next one
    return signals


def _install(_: object) -> int:
    while _to_install:
        _to_install.popleft().install()
    return 0


def _is_told(handler: object) -> bool:
    """Whether asyncio's runner has cancelled its main task on SIGINT."""
    if not isinstance(handler, functools.partial):
        return False
    cancelling = getattr(handler.keywords.get("main_task"), "cancelling", None)
    return cancelling is not None and cancelling() > 0


_to_install: deque[Signals] = deque()
_INSTALL: Final = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_install)
