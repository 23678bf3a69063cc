"""Timers that are due while steps of the same turn run.

Laws
 1. They take effect in this turn: `asyncio.timeout(1)` around a step of an hour ends the await
    after a second. Their messages come later, and are repetitions.
 2. The timers of a call's attempts are left to the queue, where an answer or a heartbeat that was
    in time may stand before them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.messages import Timer
from lambda_workflow.ports import Clock


class StepTimers:
    """The recorded timers of one execution, while its steps run."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._looked_at: tuple[int, int] = (-1, 0)  # the last turn, and how many have fired
        self._fired = 0
        self._next: c.StartTimer | None = None

    def take_due(self) -> e.TimerFired | None:
        """The fact of the timer whose time has come first, taken in; None if there is none."""
        timer, now = self._first(), self._clock.now()
        if timer is None or timer.due > now:
            return None
        history = self._history
        self._fired += 1
        fired = history.accept(Timer(history.execution_id, timer.operation, timer.due), now)
        return fired if isinstance(fired, e.TimerFired) else None

    def sleep(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """Waits for the next one; None if there is none."""
        if (timer := self._first()) is None:
            return None
        seconds = max(0, timer.due - self._clock.now()) / 1000
        return lambda: self._clock.sleep(seconds)

    def _first(self) -> c.StartTimer | None:
        """The one that is due first; looked for where a turn or a timer has changed them."""
        now = (self._history.next_number, self._fired)
        if now != self._looked_at:
            self._looked_at = now
            timers = (found for found in self._history.open.values() if _counts(found))
            self._next = min(timers, key=_due, default=None)  # type: ignore[assignment]
        return self._next


def _counts(command: c.Opening) -> bool:
    if not isinstance(command, c.StartTimer):
        return False
    return ":" not in command.operation or ":retry" in command.operation


def _due(command: c.Opening) -> int:
    return command.due if isinstance(command, c.StartTimer) else 0
