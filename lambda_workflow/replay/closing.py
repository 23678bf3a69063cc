"""Ending code by hand, where no loop is to run it: it can do nothing that counts.

Laws
 1. The loop of the execution is the running one, and frozen: what the code awaits while it ends
    (`finally: await asyncio.sleep(1)`) reaches no other loop, and starts nothing in this one.
 2. Nothing is left to the garbage collector, which would run the code on within whatever execution
    happens to run at that moment. What refuses to end is kept for good instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context as Variables
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.suspension import suspended

if TYPE_CHECKING:
    from lambda_workflow.replay.loop import Loop

ROUNDS_MAX: Final = 32  # each lets code end that awaits once more while it ends
REFUSING: Final[list[Any]] = []  # law 2


def finish(loop: Loop, closing: Any) -> bool:
    """Run what `aclose()` of a generator gave to its end; whether that needed no waiting."""
    rounds = 0

    def go_on() -> None:
        nonlocal rounds
        rounds += 1
        closing.send(None) if rounds == 1 else closing.throw(suspended())

    if not _end(loop, go_on):
        REFUSING.append(closing)
    return rounds == 1


def close_coroutine(loop: Loop, coro: Any) -> None:
    """End a coroutine that a task of the loop has run till now."""

    def close() -> None:
        try:
            coro.close()
        except RuntimeError as error:
            if coro.cr_frame is not None:
                return  # it awaits once more
            raise _Ended from error
        raise _Ended

    if hasattr(coro, "cr_frame") and not _end(loop, close):
        REFUSING.append(coro)


class _Ended(Exception):
    """The code has no more to run."""


def _end(loop: Loop, go_on: Callable[[], None]) -> bool:
    """Go on until that raises, which says that the code has ended; whether it has."""
    frozen, loop.frozen = loop.frozen, True
    ready, loop.ready = loop.ready, deque()
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        for _ in range(ROUNDS_MAX):
            Variables().run(go_on)
    except BaseException:  # noqa: BLE001  # an end, one way or another: nothing here counts
        return True
    finally:
        asyncio._set_running_loop(before)
        loop.ready, loop.frozen = ready, frozen
    return False
