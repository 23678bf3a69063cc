"""Where in asyncio's own code the code is that runs."""

from __future__ import annotations

import asyncio
import sys
from types import FrameType
from typing import Final

_ASYNCIO_TASKS: Final = asyncio.tasks.__file__


def asyncio_caller() -> FrameType | None:
    """The frame of `wait_for` or `as_completed`, when it is asyncio that creates the task."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(5):
        if frame is None or frame.f_code.co_filename != _ASYNCIO_TASKS:
            return None
        name = frame.f_code.co_name
        if name == "wait_for":
            return frame if sys.version_info < (3, 12) else None
        if name == "as_completed" or (name == "__init__" and "aws" in frame.f_locals):
            return frame
        frame = frame.f_back
    return None
