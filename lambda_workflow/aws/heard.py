"""What arrives on a service's queue beside tasks: events of an event bus.

A rule's target is the queue. Each adapter with an `on_event` handler gets each event, and a failure
of one brings the event back to all; those are the adapters of the service whose queue it is, or all
that the function has, where it was not told which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lambda_workflow.errors import MessageError, ServiceError, WorkflowError
from lambda_workflow.model.bus_events import BusEvent, parse_bus_event
from lambda_workflow.runtime.functions import run_handler
from lambda_workflow.runtime.serve import Adapter


async def hear(body: str, adapters: Iterable[Adapter[Any, Any]], why: str) -> None:
    """Give a message that is no task to those who take events.

    Args:
        why: what is wrong with it as a task.

    Raises:
        MessageError: it is no event either, nobody takes events, or one refuses it for good.
        WorkflowError: a handler has failed; the event must come again.
    """
    try:
        event = parse_bus_event(body)
    except MessageError:
        raise MessageError(why) from None
    handlers = [a.event_function for a in adapters if a.event_function is not None]
    if not handlers:
        raise MessageError(
            f"{_named(event)} is no task, and no adapter here takes events: @ADAPTER.on_event"
        )
    errors = [e for handler in handlers if (e := await _heard(handler, event)) is not None]
    for error in errors:
        if not _is_final(error):  # and so no MessageError, which would be one about the event
            raise WorkflowError(f"{_named(event)}: {_kind(error)}: {error}") from error
    for error in errors:
        raise MessageError(f"{_named(event)}: {_kind(error)}: {error}") from error


async def _heard(handler: Callable[[BusEvent], Any], event: BusEvent) -> Exception | None:
    """What went wrong; the others are to hear the event all the same."""
    try:
        await run_handler(handler, event)
    except Exception as error:  # noqa: BLE001  # raised when all have heard it
        return error
    return None


def _is_final(error: Exception) -> bool:
    return isinstance(error, ServiceError) and not error.retryable


def _kind(error: Exception) -> str:
    return error.type if isinstance(error, ServiceError) else type(error).__name__


def _named(event: BusEvent) -> str:
    return f"event {event.id} ({event.source}: {event.detail_type})"
