"""The Context: everything that workflow code may ask for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast, get_type_hints, overload
from uuid import UUID

from lambda_workflow.errors import UnknownService, WorkflowError
from lambda_workflow.model.commands import RunStep, ScheduleCall
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import Codec, codec_for
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy
from lambda_workflow.model.service import Service, check_timeout
from lambda_workflow.replay.anyio_rules import apply_rules_to_anyio
from lambda_workflow.replay.loop import OrderedFuture
from lambda_workflow.replay.operations import Call, Step, caller
from lambda_workflow.replay.patterns import Patterns
from lambda_workflow.replay.tools import Info

if TYPE_CHECKING:
    import logging
    import random  # noqa: TID251  # the type alone; the host lends the generator

    from lambda_workflow.replay.execution import Execution

Req = TypeVar("Req")
Res = TypeVar("Res")
T = TypeVar("T")
Args = TypeVarTuple("Args")


class Context(Patterns):
    """One per execution; the same values at the same places on every replay.

    Attributes:
        request: what the execution was started with, of the workflow's request type.
        execution_id: the id of this execution.
        info: its workflow, attempt, version and start.
    """

    def __init__(self, execution: Execution, info: Info, request: Any) -> None:
        self.request = request
        self.execution_id = info.execution_id
        self.info = info
        self._execution = execution
        self._random: random.Random | None = None
        self._logger: logging.LoggerAdapter[Any] | None = None
        apply_rules_to_anyio()  # before the code runs that may use them

    def call(
        self,
        service: Service[Req, Res],
        payload: Req,
        *,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
        name: str = "",
    ) -> Call[Res]:
        """Call a service; the call is under way at once, `await` gives its result.

        Args:
            timeout: how long it may take in all, retries included; the service's own if not given.
            retry: the service's own if not given.
            name: what the history shows beside the service's name.

        Raises:
            EncodeError: the payload is not of the service's request type.
            UnknownService: the App does not list the service.
            CallFailed: (when awaited) the service failed for good.
            BadResponse: (when awaited) it answered with another type.
            CallTimedOut: (when awaited) it did not answer in time.
        """
        execution = self._execution
        if execution.loop.frozen:
            return cast("Call[Res]", OrderedFuture(execution.loop))
        services = execution.tools.services
        if services is not None and services.get(service.name) is not service:
            execution.fault = UnknownService(
                f"workflow {self.info.workflow!r} calls service {service.name!r}, which its App "
                f"does not list: add it, App(…, services=[…, {service.name.upper()}])"
            )
            raise execution.fault
        if name:
            check_name("call", name)
        limit = service.timeout
        if timeout is not None:
            limit = check_timeout(timeout, f"call of {service.name!r}")
        encoded = service.request_codec.encode(payload, service.payload_label)
        operation = execution.loop.path().operation()
        command = ScheduleCall(operation, service.name, encoded, name)
        call: Call[Res] = Call(execution, command, caller(2), service)
        if retry is not None:
            call.retry = retry
        execution.ledger.register(call, command)
        if limit is not None:
            execution.ledger.deadline(call, max(1, round(limit / timedelta(milliseconds=1))))
        return call

    @overload
    def step(
        self, function: Callable[[*Args], Awaitable[T]], *args: *Args,
        retry: RetryPolicy = ..., name: str = ...,
    ) -> Step[T]: ...  # fmt: skip
    @overload
    def step(
        self, function: Callable[[*Args], T], *args: *Args,
        retry: RetryPolicy = ..., name: str = ...,
    ) -> Step[T]: ...  # fmt: skip
    def step(  # type: ignore[misc]  # mypy cannot match *args: *Args with *args: Any
        self, function: Callable[..., Any], *args: Any,
        retry: RetryPolicy = NO_RETRY, name: str = "",
    ) -> Step[Any]:  # fmt: skip
        """Do a piece of work inline, once; its result is recorded with the turn.

        An `async def` function runs on the host's event loop, any other in a thread. It runs again
        if the process dies before the turn is committed: at least once. The result is encoded by
        the function's return annotation (any JSON value where there is none).

        Args:
            retry: what happens when it raises; by default the first error is final.
            name: what the history shows; the function's own name if not given.

        Raises:
            The function's own exception (when awaited), or StepFailed where its class cannot be
            rebuilt from its message.
        """
        execution = self._execution
        if execution.loop.frozen:
            return cast("Step[Any]", OrderedFuture(execution.loop))
        operation = execution.loop.path().operation()
        shown = name or getattr(function, "__name__", "step").strip("<>")
        command = RunStep(operation, shown)
        step: Step[Any] = Step(execution, command, caller(2), lambda: function(*args))
        step.is_async = inspect.iscoroutinefunction(function)
        step.codec = _result_codec(function)
        step.retry = retry
        execution.ledger.register(step, command)
        return step

    async def sleep(self, duration: timedelta | datetime) -> None:
        """Wait, durably and without a process: for a duration, or until a moment.

        Args:
            duration: at most 366 days; what is over already returns at once. A datetime needs a
                time zone. Timers are exact to a millisecond on a laptop, to about a second up to
                15 minutes and to about a minute beyond on AWS.
        """
        if isinstance(duration, datetime):
            if duration.tzinfo is None:
                raise WorkflowError(
                    f"ctx.sleep until {duration!r}: it has no time zone; add tzinfo=UTC"
                )
            duration = duration - self.now()
        await asyncio.sleep(max(0.0, duration.total_seconds()))

    def now(self) -> datetime:
        """The time of the fact that woke the workflow, in UTC; stands still while code runs."""
        return datetime.fromtimestamp(self._execution.loop.now / 1000, UTC)

    def uuid(self) -> UUID:
        """A random UUID (version 4), the same on every replay."""
        return UUID(int=self.random.getrandbits(128), version=4)

    @property
    def random(self) -> random.Random:
        """A generator seeded by the execution id: the same numbers on every replay."""
        if self._random is None:
            self._random = self._execution.tools.make_random(self.execution_id)
        return self._random

    @property
    def logger(self) -> logging.LoggerAdapter[Any]:
        """A standard logger that knows the execution and is silent on replay."""
        if self._logger is None:
            execution = self._execution
            self._logger = execution.tools.make_logger(self.info, lambda: execution.live)
        return self._logger


def _result_codec(function: Callable[..., Any]) -> Codec[Any]:
    try:
        return codec_for(get_type_hints(function, include_extras=True).get("return", Any))
    except (NameError, TypeError, AttributeError):
        return codec_for(Any)
