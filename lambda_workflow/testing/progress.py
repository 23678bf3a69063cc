"""How far a long exploration is, said on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

EVERY_SECONDS: Final = 2.0  # between two lines, and before the first: a short exploration says none


class Progress:
    """Counts runs, and writes a line to stderr every two seconds.

    Args:
        name: of the workflow.
        clock: seconds, of a clock that never goes back.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._begun = self._told = clock()
        self._runs = 0

    def count(self, doing: str) -> None:
        """One run more was made; `doing` says in which part of the work."""
        self._runs += 1
        now = self._clock()
        if now - self._told < EVERY_SECONDS:
            return
        self._told = now
        seconds = now - self._begun
        sys.stderr.write(f"explore {self._name}: {doing}, {self._runs:,} runs in {seconds:.0f} s\n")
        sys.stderr.flush()

    def is_over(self, limit: timedelta | None) -> bool:
        """Whether the work has lasted this long."""
        return limit is not None and self._clock() - self._begun >= limit.total_seconds()
