"""Service adapters: the code that does a service's work, and how its end becomes a result.

Law: whatever an adapter does, its task ends in exactly one Update, is redelivered, or comes Later.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar, overload

from lambda_workflow.errors import (
    BackendError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    LimitExceeded,
    ServiceError,
)
from lambda_workflow.model.arguments import check_kind, named
from lambda_workflow.model.bus_events import BusEvent
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.failures import failure_of, stack_of
from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.references import service_place
from lambda_workflow.model.service import Service
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.adapter_types import check_types
from lambda_workflow.runtime.functions import run_function
from lambda_workflow.runtime.heartbeats import WORK, Work
from lambda_workflow.runtime.later import Later, later_of
from lambda_workflow.runtime.offload import deposit, fetch

Req = TypeVar("Req")
Res = TypeVar("Res")
Cancel = TypeVar("Cancel", bound=Callable[[Task], Any])
Hear = TypeVar("Hear", bound=Callable[[BusEvent], Any])


class Adapter(Generic[Req, Res]):
    """A function that does a service's work; made by `@serve`, listed in `App(adapters=[…])`."""

    def __init__(self, service: Service[Req, Res], function: Callable[..., Any]) -> None:
        given: object = function
        if not callable(given) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"@serve: {named(given)} is no adapter of service {service.name!r}: give a "
                "function of the payload that returns the response"
            )
        parameters = len(inspect.signature(function).parameters)
        if parameters not in (1, 2):
            raise ConfigurationError(
                f"adapter {function.__name__!r} of service {service.name!r} takes {parameters} "
                "parameters: it must take the payload, and may take the Task as a second one"
            )
        check_types(service, function)
        self.service: Final = service
        self.function: Final = function
        self.wants_task: Final = parameters == 2
        self.is_async: Final = inspect.iscoroutinefunction(function)
        self.cancel_function: Callable[[Task], Any] | None = None
        self.event_function: Callable[[BusEvent], Any] | None = None
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any) -> Any:
        """The function itself, as in a test of it."""
        return self.function(*args)

    def on_cancel(self, function: Cancel) -> Cancel:
        """Make a function the handler of withdrawals: `@charge.on_cancel`.

        It gets the Task, without its payload, when the workflow gives the call up and the adapter
        is not at work on it in this process: it has ended, runs in another one, or never began.
        What was left by `Later` is told in any case, after the look that was broken off. Only
        services with a `heartbeat_timeout` are told. An error brings the withdrawal back.
        """
        self.cancel_function = function
        return function

    def on_event(self, function: Hear) -> Hear:
        """Make a function the handler of an event bus's events: `@arrival.on_event`.

        It gets each BusEvent that a rule of EventBridge puts on the service's queue, at least once.
        An error brings the event back; a `ServiceError` with `retryable=False` moves it to the
        dead-letter queue. On AWS only: the embedded engine has no event bus.
        """
        self.event_function = function
        return function

    def __repr__(self) -> str:
        return f"Adapter({self.service.name!r}, {self.function.__name__})"


class _Serve(Generic[Req, Res]):
    def __init__(self, service: Service[Req, Res]) -> None:
        self._service = service

    @overload
    def __call__(self, function: Callable[[Req], Awaitable[Res]], /) -> Adapter[Req, Res]: ...
    @overload
    def __call__(self, function: Callable[[Req, Task], Awaitable[Res]], /) -> Adapter[Req, Res]: ...
    @overload
    def __call__(self, function: Callable[[Req], Res], /) -> Adapter[Req, Res]: ...
    @overload
    def __call__(self, function: Callable[[Req, Task], Res], /) -> Adapter[Req, Res]: ...
    def __call__(self, function: Callable[..., Any], /) -> Adapter[Req, Res]:
        return Adapter(self._service, function)


def serve(service: Service[Req, Res]) -> _Serve[Req, Res]:
    """Make an adapter of a function: `@serve(FRAUD)`.

    The function takes the payload, and if it likes the Task (its `task_id` is the idempotency key,
    the same for every attempt). A plain function runs in a thread. What it raises becomes an error
    result, retried by the call's policy; `ServiceError` says type, details and whether to retry.
    Work that takes long says `await heartbeat(details)` now and then; work that goes on elsewhere
    is left with `raise Later(…)`.

    Raises:
        ConfigurationError: it is no Service, or the function takes or returns another type.
    """
    check_kind(service, Service, "what @serve is for", "a Service, as in @serve(FRAUD)")
    return _Serve(service)


async def perform(
    adapter: Adapter[Any, Any], task: Task, blobs: Blobs, *, work: Work | None = None
) -> Update:
    """Do a task; whatever goes wrong in it becomes an error result.

    Args:
        work: what `heartbeat` reaches; without it heartbeats go nowhere.

    Raises:
        BackendError: a payload could not be fetched or stored; the task must come again.
        Later: the adapter raised it; the task must come back then.
    """
    work = work or Work(task)
    token = WORK.set(work)
    try:
        update = await _done(adapter, task, blobs)
    finally:
        WORK.reset(token)
    if update.failure is not None:
        await work.flush()
    return update


async def _done(adapter: Adapter[Any, Any], task: Task, blobs: Blobs) -> Update:
    service = adapter.service
    try:
        payload = await fetch(task.payload, blobs) if _is_ref(task.payload) else task.payload
        request = service.request_codec.decode(payload, service.payload_label)
        args = (request, task) if adapter.wants_task else (request,)
    except BackendError:
        raise
    except DecodeError as error:
        return task.update(failure=Failure("BadRequest", str(error), False))
    ended = await run_function(adapter.function, *args)
    if ended.error is not None:
        return task.update(failure=_told(ended.error))
    try:
        answer = service.response_codec.encode(ended.value, service.response_label)
        place = service_place(service.name)
        return task.update(await deposit(answer, task.execution_id, blobs, place=place))
    except EncodeError as error:
        return task.update(failure=Failure("BadResponse", str(error), False))
    except LimitExceeded as error:  # done again it would be as large
        return task.update(failure=Failure(type(error).__name__, str(error), False))


def _told(error: BaseException) -> Failure:
    """What the workflow is told of an adapter's end.

    Raises:
        BackendError, Later: the task is redelivered.
    """
    if isinstance(error, BaseExceptionGroup):  # of a task group, perhaps with a Later in it
        error = later_of(error)
    if isinstance(error, BackendError | Later):
        raise error
    if isinstance(error, ServiceError):
        return failure_of(error)
    if isinstance(error, DecodeError | EncodeError):
        kind = "BadRequest" if isinstance(error, DecodeError) else "BadResponse"
        return Failure(kind, str(error), False)
    return failure_of(error, stack_of(error))


def _is_ref(payload: object) -> bool:
    return isinstance(payload, BlobRef)
