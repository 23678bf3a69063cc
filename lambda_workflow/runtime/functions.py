"""Running functions of the App's author, and how each of them ended: a value, never an exception.

Laws
 1. How a function ends crosses threads, tasks and futures as a value. A Future cannot carry a
    StopIteration, and an event loop ends at a SystemExit.
 2. The end of one function is no end of anything else: not of the turn, not of its batch. Only a
    KeyboardInterrupt of the main thread, and the cancellation of the task that awaits the function,
    are let through.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.errors import ServiceError, WorkflowError
from lambda_workflow.model.bounded import text_of
from lambda_workflow.runtime.later import Later, later_of


@dataclass(frozen=True, slots=True)
class Ended:
    """How a function ended: `error` is None when it returned `value`.

    `error` is never the main thread's KeyboardInterrupt, and never the cancellation of the awaiting
    task. It may be any other BaseException: report it, do not raise it.
    """

    value: Any = None
    error: BaseException | None = None


async def run_function(
    function: Callable[..., Any], *args: Any, name: str = "", is_async: bool | None = None,
    in_thread: Callable[..., Awaitable[Ended]] = asyncio.to_thread,
) -> Ended:  # fmt: skip
    """Run an `async def` function on the event loop, any other in a thread.

    A plain function that returns an awaitable is awaited.

    Args:
        name: what errors call the function; its own name if not given.
        is_async: whether calling it gives a coroutine at once; asked of the function if not given.
        in_thread: runs a function in a thread.
    """
    name = name or _name(function)
    if inspect.iscoroutinefunction(function) if is_async is None else is_async:
        return await _awaited(function, args, name)
    ended = await in_thread(_called, function, args, name)
    if ended.error is None and inspect.isawaitable(ended.value):
        return await _awaited(lambda: ended.value, (), name)
    return ended


async def run_handler(function: Callable[..., Any], *args: Any) -> None:
    """The same for a function that no task waits for, and which therefore cannot come Later.

    Raises:
        ServiceError: (type MisplacedLater) it has raised Later.
        WorkflowError: it ended by what is no Exception, such as sys.exit().
        Exception: its own error.
    """
    if (error := (await run_function(function, *args)).error) is None:
        return
    name = _name(function)
    told = without_later(error, name)
    if isinstance(told, Exception) and not isinstance(told, _NOT_TO_BE_RAISED):
        raise told
    raise WorkflowError(f"{name} ended by {type(told).__name__}: {text_of(told)}") from told


def without_later(error: BaseException, name: str) -> BaseException:
    """The error of a function that must not come Later: of a group with one, its errors."""
    if isinstance(error, BaseExceptionGroup):
        error = later_of(error)
    if not isinstance(error, Later):
        return error
    told = ServiceError(f"{name}: {error}", type="MisplacedLater", retryable=False)
    told.__cause__ = error
    return told


def _called(function: Callable[..., Any], args: tuple[Any, ...], name: str) -> Ended:
    try:
        return Ended(function(*args))
    except KeyboardInterrupt as end:
        if threading.current_thread() is threading.main_thread():
            raise
        return _ended(end, name)  # Ctrl-C reaches the main thread alone: the function raised it
    except BaseException as end:  # noqa: BLE001  # law 1
        return _ended(end, name)


async def _awaited(
    function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], name: str
) -> Ended:
    try:
        return Ended(await function(*args))
    except KeyboardInterrupt:
        raise
    except asyncio.CancelledError as end:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return _ended(end, name)
    except BaseException as end:  # noqa: BLE001  # law 1
        return _ended(end, name)


def _ended(end: BaseException, name: str) -> Ended:
    if isinstance(end, asyncio.CancelledError):
        error = WorkflowError(f"{name} awaited what was cancelled")
        error.__cause__ = end
        return Ended(error=error)
    return Ended(error=end)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


_NOT_TO_BE_RAISED: Final = (StopIteration, StopAsyncIteration)
"""What Python turns into a RuntimeError where a coroutine or a generator raises it."""
