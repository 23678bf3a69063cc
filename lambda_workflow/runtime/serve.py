"""Service adapters: the code that does a service's work, and how its end becomes a result.

Law: whatever an adapter does, its task ends in exactly one Update, or comes again.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar, overload

from lambda_workflow.errors import (
    BackendError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    ServiceError,
)
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.service import Service
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.offload import deposit, fetch

Req = TypeVar("Req")
Res = TypeVar("Res")


class Adapter(Generic[Req, Res]):
    """A function that does a service's work; made by `@serve`, listed in `App(adapters=[…])`."""

    def __init__(self, service: Service[Req, Res], function: Callable[..., Any]) -> None:
        parameters = len(inspect.signature(function).parameters)
        if parameters not in (1, 2):
            raise ConfigurationError(
                f"adapter {function.__name__!r} of service {service.name!r} takes {parameters} "
                "parameters: it must take the payload, and may take the Task as a second one"
            )
        self.service: Final = service
        self.function: Final = function
        self.wants_task: Final = parameters == 2
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any) -> Any:
        """The function itself, as in a test of it."""
        return self.function(*args)

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
    """
    return _Serve(service)


async def perform(adapter: Adapter[Any, Any], task: Task, blobs: Blobs) -> Update:
    """Do a task; whatever goes wrong in it becomes an error result.

    Raises:
        BackendError: a payload could not be fetched or stored; the task must come again.
    """
    service = adapter.service
    try:
        payload = await fetch(task.payload, blobs) if _is_ref(task.payload) else task.payload
        request = service.request_codec.decode(payload, service.payload_label)
        result = await _run(adapter, request, task)
        answer = service.response_codec.encode(result, service.response_label)
    except BackendError:
        raise
    except DecodeError as error:
        return task.update(failure=Failure("BadRequest", str(error), False))
    except EncodeError as error:
        return task.update(failure=Failure("BadResponse", str(error), False))
    except ServiceError as error:
        return task.update(failure=failure_of(error))
    except Exception as error:  # noqa: BLE001  # the law above: the workflow decides about it
        stack = "".join(traceback.format_exception(error))
        return task.update(failure=failure_of(error, stack))
    return task.update(await deposit(answer, task.execution_id, blobs))


def _is_ref(payload: object) -> bool:
    return isinstance(payload, BlobRef)


async def _run(adapter: Adapter[Any, Any], request: Any, task: Task) -> Any:
    args = (request, task) if adapter.wants_task else (request,)
    if inspect.iscoroutinefunction(adapter.function):
        return await adapter.function(*args)
    result = await asyncio.to_thread(adapter.function, *args)
    return await result if inspect.isawaitable(result) else result
