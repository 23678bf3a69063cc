"""Where Lambda comes in: a plain function around one event loop, which the container keeps.

The clients are made in Lambda's init phase, which has the full CPU however small the function is.
What is wrong there is told at the first event, where somebody sees it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar

IN_LAMBDA: Final = "AWS_LAMBDA_FUNCTION_NAME"
KIND: Final = "lambda_workflow_kind"  # the attribute of a handler
RESERVED_SECONDS: Final = 1.0  # of the function's time, for the answer

Event = Mapping[str, Any]
Handler = Callable[[Event, Any], Any]
T = TypeVar("T")


def entry(
    make: Callable[[], T],
    answer: Callable[[T, Event, float | None], Coroutine[Any, Any, Any]],
    *,
    kind: str = "",
) -> Handler:
    """A handler for Lambda.

    Args:
        make: makes what answers, once: at import in Lambda, at the first event elsewhere, where an
            import must not go and look for credentials.
        answer: the answer to an event, given what was made and the seconds left, None outside of
            Lambda.
        kind: what it is the handler of, for whoever looks before it is deployed.
    """
    runner, variables = asyncio.Runner(), copy_context()
    made: list[T] = []
    if IN_LAMBDA in os.environ:
        with suppress(Exception):
            made.append(make())

    async def run(event: Event, seconds_max: float | None) -> Any:
        if not made:
            made.append(make())
        return await answer(made[0], event, seconds_max)

    def handler(event: Event, context: Any) -> Any:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "a Lambda handler was called within a running event loop: call it in a thread"
            )
        # Elsewhere `runner.run` would set a handler of SIGINT for each event, and take it away: a
        # tenth of the CPU time of a turn.
        loop = runner.get_loop()
        task = loop.create_task(run(event, _seconds_left(context)), context=variables)
        try:
            return loop.run_until_complete(task)
        except KeyboardInterrupt:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
            raise

    setattr(handler, KIND, kind)
    return handler


def _seconds_left(context: Any) -> float | None:
    """Of the function's time, less what the answer takes; None outside of Lambda."""
    ask = getattr(context, "get_remaining_time_in_millis", None)
    if ask is None:
        return None
    left: float = ask() / 1000
    return max(left - RESERVED_SECONDS, left / 2)
