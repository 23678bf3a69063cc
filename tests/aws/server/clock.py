"""The server's clock: the machine's, and an offset that tests move."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Final

import moto.core.utils

_real_utcnow: Final = moto.core.utils.utcnow
_offset: timedelta = timedelta()


def now() -> datetime:
    """The time that every part of moto sees, without a zone as moto wants it."""
    return _real_utcnow() + _offset


def advance(seconds: float) -> None:
    """Move the clock forward."""
    global _offset  # noqa: PLW0603  # there is one clock in a process
    _offset += timedelta(seconds=seconds)


def reset() -> None:
    """Back to the machine's time."""
    global _offset  # noqa: PLW0603
    _offset = timedelta()


def install() -> None:
    """Put the clock into moto: into the module that tells the time, and where it was copied to."""
    for module in list(sys.modules.values()):
        if module.__dict__.get("utcnow") is _real_utcnow:
            module.__dict__["utcnow"] = now
