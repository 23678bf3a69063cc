"""Places in the author's code, as errors and reasons name them: `orders/flow.py:42`."""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from types import CodeType, FrameType
from typing import Any, Final

from lambda_workflow.replay.loop import Loop

Site = tuple[CodeType, int]  # a code object and an instruction in it: the line, worked out late


def line_of(site: Site | None) -> str:
    """`orders/flow.py:42`, or a question mark where it is not known."""
    if site is None or not is_of_author(site):
        return "?"
    code, instruction = site
    positions = list(code.co_positions())
    line = positions[instruction // 2][0] if instruction // 2 < len(positions) else None
    return f"{shown_path(code.co_filename)}:{line or code.co_firstlineno}"


def first_line_of(function: Any) -> str:
    """Where a function begins."""
    code = function.__code__
    return f"{shown_path(code.co_filename)}:{code.co_firstlineno}"


def shown_path(filename: str) -> str:
    """A file's path below the folder that Python imports it from."""
    named = filename.replace("\\", "/")
    folders = (folder.replace("\\", "/").rstrip("/") + "/" for folder in sys.path if folder)
    longest = max((one for one in folders if named.startswith(one)), key=len, default="")
    return named[len(longest) :]


def caller(depth: int) -> Site:
    """Where the running code of the workflow is, `depth` frames up or higher."""
    first = sys._getframe(depth)
    code = first.f_code
    if not _is_machinery(code.co_filename):
        return code, first.f_lasti
    frame: FrameType | None = first
    while frame is not None and _is_machinery(frame.f_code.co_filename):
        if frame.f_code is _DRAIN:  # no code of the author's runs: see where its task was started
            loop = asyncio._get_running_loop()
            task: Any = asyncio.current_task(loop) if isinstance(loop, Loop) else None
            return getattr(task, "site", None) or (_DRAIN, 0)
        frame = frame.f_back
    return (_DRAIN, 0) if frame is None else (frame.f_code, frame.f_lasti)


def calling_frame(depth: int) -> FrameType:
    """The frame of that code; the library's own where there is none."""
    first = frame = sys._getframe(depth)
    while _is_machinery(frame.f_code.co_filename):
        if frame.f_code is _DRAIN or frame.f_back is None:
            return first
        frame = frame.f_back
    return frame


def _folder(code: CodeType, up: int) -> str:
    parts = code.co_filename.replace("\\", "/").split("/")
    return "/".join(parts[:-up]) + "/"


_DRAIN: Final = Loop.drain.__code__
_OWN: Final = _folder(_DRAIN, 2)  # of this package
_ASYNCIO: Final = _folder(asyncio.sleep.__code__, 1)


@cache
def _is_machinery(filename: str) -> bool:
    named = filename.replace("\\", "/")
    if named.startswith(_OWN):
        return not named.startswith(f"{_OWN}testing/simulation/corpus/")
    return named.startswith(_ASYNCIO) or "/site-packages/anyio/" in named


def is_of_author(site: Site | None) -> bool:
    """Whether a place is in the author's code."""
    return site is not None and not _is_machinery(site[0].co_filename)
