"""Code of this package that a workflow's code calls: the guard does not watch it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lambda_workflow.replay.loop import Loop

T = TypeVar("T")


def unguarded(loop: Loop, code: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run code with the guard of a loop paused, and out of sight: it is not paused once more."""
    guard = loop.guard
    if guard is None:
        return code(*args, **options)
    guard.pause()
    loop.guard = None
    try:
        return code(*args, **options)
    finally:
        loop.guard = guard
        guard.resume()
