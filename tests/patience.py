"""How long a test waits for what must come about: longer where the machine is slower.

    async with asyncio.timeout(patience(30)): …

A limit is there so that something that hangs is seen to hang; nothing waits for it where all is
well. So it is generous, and it grows with the time that a fixed piece of work takes here and now,
which says how fast the machine is and how much else it has to do. `TEST_PATIENCE=3` triples it.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from functools import cache
from typing import Final

FACTOR_MAX: Final = 20.0  # of a machine that is busy beyond this something else is wrong
_ROUNDS: Final = 100_000
_SECONDS: Final = 0.005  # that they take on the machine on which the limits were chosen
_TRIES: Final = 3


def patience(seconds: float) -> float:
    """A limit of so many seconds on a fast machine, as seconds for this one."""
    return seconds * factor()


def patient(seconds: float) -> timedelta:
    """The same as a duration."""
    return timedelta(seconds=patience(seconds))


@cache
def factor() -> float:
    """How much longer this machine takes than a fast one; at least 1."""
    given = float(os.environ.get("TEST_PATIENCE") or 1)
    return given * min(FACTOR_MAX, max(1.0, _seconds_of_work() / _SECONDS))


def _seconds_of_work() -> float:
    """The longest of some tries: one that is interrupted says how busy the machine is."""
    longest = 0.0
    for _ in range(_TRIES):
        begun = time.perf_counter()
        found = 0
        for number in range(_ROUNDS):
            found += number & 7
        longest = max(longest, time.perf_counter() - begun)
    return longest
