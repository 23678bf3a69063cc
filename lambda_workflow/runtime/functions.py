"""Running functions of the App's author, and what is told of one that ends as none should.

Law: the end of one function is no end of anything else: not of the turn, not of its batch. Only
whoever breaks it off, or the process, is let through.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from lambda_workflow.errors import ServiceError, WorkflowError
from lambda_workflow.runtime.later import Later, later_of


async def run_function(function: Callable[..., Any], *args: Any) -> Any:
    """An `async def` function on the event loop, any other in a thread.

    Raises:
        WorkflowError: it was cancelled, and by nobody who waits for it.
    """
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        result = await asyncio.to_thread(function, *args)
        return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError as end:
        raise error_of(end, _name(function)) from end


async def run_handler(function: Callable[..., Any], *args: Any) -> Any:
    """The same for a function that no task waits for, and which therefore cannot come Later.

    Raises:
        ServiceError: (type MisplacedLater) it has raised Later.
        WorkflowError: see `run_function`.
    """
    try:
        return await run_function(function, *args)
    except (Later, BaseExceptionGroup) as end:
        raise error_of(end, _name(function)) from end


def error_of(end: BaseException, name: str) -> Exception:
    """What is told of a function that did not return; never Later, and no cancellation.

    Raises:
        BaseException: whoever awaits the function breaks it off, or the process ends.
    """
    if isinstance(end, BaseExceptionGroup):
        end = later_of(end)
    if isinstance(end, Exception):
        return end
    if isinstance(end, Later):
        return ServiceError(f"{name}: {end}", type="MisplacedLater", retryable=False)
    if isinstance(end, asyncio.CancelledError) and not _is_broken_off():
        return WorkflowError(f"{name} awaited what was cancelled")
    raise end


def _is_broken_off() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
