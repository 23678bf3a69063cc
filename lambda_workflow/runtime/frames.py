"""Frames of running code: whose they are, and what an operator is to read of them."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from types import FrameType
from typing import Final

from lambda_workflow.replay.places import shown_path

_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)).replace("\\", "/") + "/"
_OUTSIDE: Final = _PACKAGE + "testing/"  # the workflows of the simulation are users of the package
_DEBUGGERS: Final = frozenset({"pdb", "bdb", "pydevd", "_pydevd_bundle", "debugpy", "ipdb"})


def frames_from(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def place_of(frame: FrameType) -> str:
    """`flows/order.py:42`: the path below the folder that Python imports it from, or is run in."""
    path = frame.f_code.co_filename
    here = os.getcwd() + os.sep
    return f"{shown_path(path.removeprefix(here))}:{frame.f_lineno}"


def is_of_package(frame: FrameType) -> bool:
    """Whether the code is this package's own."""
    return _is_of_package(frame.f_code.co_filename)


def is_users(frame: FrameType) -> bool:
    """Whether the code belongs to neither Python, an installed library, nor this package."""
    return _is_users(frame.f_code.co_filename)


def is_debugged(frame: FrameType) -> bool:
    """Whether a debugger has stopped in these frames, or traces them; coverage does not count."""
    for one in frames_from(frame):
        if (one.f_globals.get("__name__") or "").partition(".")[0] in _DEBUGGERS:
            return True
        trace = one.f_trace
        if trace is not None and not _measures_coverage(trace):
            return True
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def _measures_coverage(trace: object) -> bool:
    module = getattr(trace, "__module__", None) or type(trace).__module__
    return str(module).partition(".")[0] == "coverage" or type(trace).__name__ == "CTracer"


@cache
def _is_of_package(filename: str) -> bool:
    path = filename.replace("\\", "/")
    return path.startswith(_PACKAGE) and not path.startswith(_OUTSIDE)


@cache
def _is_users(filename: str) -> bool:
    path = filename.replace("\\", "/")
    if path.startswith("<frozen") or _is_of_package(path):
        return False
    if path.startswith(_PACKAGE):
        return True
    return not (path.startswith(_libraries()) or any(part in path for part in _INSTALLED))


@cache
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths["stdlib"], paths["platstdlib"], os.path.dirname(os.__file__)}
    return tuple(folder.replace("\\", "/") + "/" for folder in folders)
