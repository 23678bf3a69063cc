"""Unwinding: how the stack of a workflow that waits is taken down without effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.replay.closing import close_coroutine
from lambda_workflow.replay.loop import Loop, OrderedTask
from lambda_workflow.replay.operations import pending_leaf
from lambda_workflow.suspension import suspended

UNWIND_ROUNDS_MAX: Final = 32  # each gives every task one more chance to end


Watched = Callable[[Callable[[], None]], WorkflowError | None]


def unwind(loop: Loop, watched: Watched) -> str | None:
    """Unwind the code's stack without effect; returns the line of code that refuses to end.

    Args:
        watched: runs code under the watchdog: what is unwound may run into an endless loop, too.
    """
    loop.frozen, loop.stopped = True, False
    loop.ready.clear()
    for _ in range(UNWIND_ROUNDS_MAX):
        tasks = [task for task in loop.tasks if not task.done()]
        if not tasks:
            return None
        leaves = [leaf for task in tasks if (leaf := pending_leaf(task)) is not None]
        for leaf in leaves:
            if not leaf.done():
                leaf.set_exception(suspended())
        if not leaves:
            for task in tasks:
                task.cancel()
        try:
            if watched(loop.drain) is not None:
                break
        except BaseException:  # noqa: BLE001  # the turn is over: nothing here counts
            continue
        finally:
            loop.stopped = False
    left = [task for task in loop.tasks if not task.done()]
    loop.tasks.clear()  # closing once more changes nothing
    loop.ready.clear()
    # what closes an `async for` that the code has left has no frame, and is nobody's fault
    refusing = [task for task in left if hasattr(task.get_coro(), "cr_frame")]
    place = _abandon(loop, left, watched)
    return place if refusing else None


def _abandon(loop: Loop, tasks: list[OrderedTask[Any]], watched: Watched) -> str:
    place = "?"
    for task in tasks:
        coro: Any = task.get_coro()
        if frame := getattr(coro, "cr_frame", None):
            place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
        watched(partial(close_coroutine, loop, coro))
    return place
