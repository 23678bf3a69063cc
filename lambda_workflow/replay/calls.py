"""The operations that a Context starts: calls, children, callbacks, steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar, TypeVarTuple, cast, overload

from lambda_workflow.errors import ConfigurationError, UnknownService
from lambda_workflow.model.arguments import check_kind, check_type
from lambda_workflow.model.commands import OpenCallback, RunStep, ScheduleCall, Send
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.payload_bounds import SIZED, bounded
from lambda_workflow.model.payload_schema import schema_of
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.replay.base import checked_retry, limit_ms
from lambda_workflow.replay.children import Children, ParentClosePolicy
from lambda_workflow.replay.guarding import unguarded
from lambda_workflow.replay.identity import identify
from lambda_workflow.replay.operations import Call, Callback, Child, Step
from lambda_workflow.replay.origins import branch_of, name_of_type
from lambda_workflow.replay.places import caller, calling_frame, line_of
from lambda_workflow.replay.reasons import of_execution
from lambda_workflow.replay.step_functions import facts_of
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow

Req = TypeVar("Req")
Res = TypeVar("Res")
In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
Args = TypeVarTuple("Args")

CALLBACK: Final = "the type of the answer, such as ctx.callback(Approval, name=…, timeout=…)"


class Calls(Children):
    """See `Context`."""

    @overload
    def call(
        self, target: Service[Req, Res], payload: Req, *, timeout: timedelta | None = ...,
        attempt_timeout: timedelta | None = ..., heartbeat_timeout: timedelta | None = ...,
        start_timeout: timedelta | None = ..., retry: RetryPolicy | None = ..., name: str = ...,
    ) -> Call[Res]: ...  # fmt: skip
    @overload
    def call(
        self, target: Workflow[In, Out] | RemoteWorkflow[In, Out], payload: In, *,
        id: str | None = ..., parent_close: ParentClosePolicy = ...,
        timeout: timedelta | None = ..., name: str = ...,
    ) -> Child[Out]: ...  # fmt: skip
    def call(
        self,
        target: Service[Any, Any] | Workflow[Any, Any] | RemoteWorkflow[Any, Any],
        payload: Any,
        *,
        timeout: timedelta | None = None,
        name: str = "",
        retry: RetryPolicy | None = None,
        **options: Any,
    ) -> Call[Any] | Child[Any]:
        """Call a service or another workflow; it is under way at once, `await` gives its result.

        Args:
            timeout: how long it may take in all, retries included; the service's own if not given.
            name: what the history shows beside the service's name.
            retry: (services) the service's own if not given. To retry a child, retry the block.
            attempt_timeout: (services) how long one attempt may take; then it counts as an error.
            heartbeat_timeout: (services) how long an attempt may be silent; see `heartbeat`.
            start_timeout: (services) how long a task may wait before an adapter begins the attempt.
            id: (workflows) the child's execution id; derived from this one's if not given.
            parent_close: (workflows) "cancel" it when this execution ends or gives it up before it
                has ended, "terminate" it, or "abandon" it: let it go on.

        Raises:
            EncodeError: the payload is not of the declared request type.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
            UnknownService, UnknownWorkflow: the App does not list it.
            CallFailed, BadResponse, CallTimedOut: (when awaited, of a service) it failed for good,
                answered with another type, or did not answer in time.
            StartTimedOut: (when awaited, of a service) no adapter began the last attempt in time.
            ChildFailed, ChildTimedOut: (when awaited, of a workflow) it did not complete.
            LimitExceeded: children of children, more than 16 deep.
        """
        execution = self._execution
        loop = execution.loop
        if loop.guard is not None or not isinstance(target, Service):
            options |= {"timeout": timeout, "name": name, "retry": retry}
            return _call_otherwise(self, target, payload, options)
        if loop.frozen and self._is_frozen():
            return cast("Call[Any]", self._never())
        services = execution.tools.services
        if services is not None and services.get(target.name) is not target:
            self._check_service(target)
        if name:
            name = display_name("call", name)
        within_ms = target.timeout_ms
        if timeout is not None:
            within_ms = limit_ms(timeout, f"call of {target.name!r}")
        attempt_ms, beat_ms, start_ms = target.attempt_ms, target.heartbeat_ms, target.start_ms
        if options:
            attempt_ms, beat_ms, start_ms = _attempt_limits(target, options)
        encoded = target.request_codec.encode(payload, target.payload_label)
        if type(encoded) in SIZED:
            bounded(encoded, target.payload_label)
        operation = loop.operation()
        command = ScheduleCall(operation, target.name, encoded, name, beat_ms)
        call: Call[Any] = Call(execution, command, caller(2), target)
        if retry is not None:
            call.retry = checked_retry(retry, "call")
        execution.ledger.register(call, command)
        if within_ms or attempt_ms or beat_ms or start_ms:
            self._limit(call, within_ms, (attempt_ms, beat_ms, start_ms))
        return call

    def _limit(self, call: Call[Any], within_ms: int, limits: tuple[int, int, int]) -> None:
        ledger = self._execution.ledger
        if within_ms:
            ledger.deadline(call, within_ms)
        if any(limits):
            call.attempt_ms, call.beat_ms, call.start_ms = limits
            ledger.watch(call)

    def send(self, service: Service[Req, Any], payload: Req, *, name: str = "") -> None:
        """Hand work to a service, and wait for nothing: its result and its errors go nowhere.

        The adapter gets the task at least once. An error that it raises brings the task back, as
        often as its queue's receive count allows, and then to the dead-letter queue.

        Raises:
            EncodeError: the payload is not of the service's request type.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
            UnknownService: the App does not list the service.
        """
        if self._is_frozen():
            return
        check_kind(service, Service, "what ctx.send is to send to", "a Service")
        self._check_service(service)
        if name:
            name = display_name("send", name)
        execution = self._execution
        label = service.payload_label
        encoded = bounded(service.request_codec.encode(payload, label), label)
        operation = execution.loop.operation()
        execution.ledger.add(Send(operation, service.name, encoded, name), caller(2))

    @overload
    def callback(
        self, *, timeout: timedelta | None = ..., heartbeat_timeout: timedelta | None = ...,
        name: str = ...,
    ) -> Callback[Any]: ...  # fmt: skip
    @overload
    def callback(
        self, answer: type[T], *, timeout: timedelta | None = ...,
        heartbeat_timeout: timedelta | None = ..., name: str = ...,
    ) -> Callback[T]: ...  # fmt: skip
    @overload
    def callback(
        self, answer: None, *, timeout: timedelta | None = ...,
        heartbeat_timeout: timedelta | None = ..., name: str = ...,
    ) -> Callback[None]: ...  # fmt: skip
    @overload
    def callback(
        self, answer: Any, *, timeout: timedelta | None = ...,
        heartbeat_timeout: timedelta | None = ..., name: str = ...,
    ) -> Callback[Any]: ...  # fmt: skip
    def callback(
        self,
        answer: Any = Any,
        *,
        timeout: timedelta | None = None,
        heartbeat_timeout: timedelta | None = None,
        name: str = "",
    ) -> Callback[Any]:
        """Wait for somebody outside: hand out `.token`, then `await` the answer.

        Args:
            answer: the type of the answer; one of another type is refused where it is given.
            timeout: how long it may take; for ever if not given.
            heartbeat_timeout: the longest time between two heartbeats of the answering party.
            name: what the history shows.

        Raises:
            PayloadError: the type of the answer cannot be one.
            CallbackFailed: (when awaited) the answer was an error.
            CallbackTimedOut: (when awaited) there was no answer, or no heartbeat, in time.
        """
        if self._is_frozen():
            return cast("Callback[Any]", _NoCallback(self._execution.loop))
        if name:
            name = display_name("callback", name)
        label = f"callback {name!r}" if name else "a callback"
        within_ms = limit_ms(timeout, label)
        beat_ms = limit_ms(heartbeat_timeout, f"heartbeats of {label}")
        check_type(answer, "the answer of ctx.callback", CALLBACK)
        codec = codec_for(answer)
        codec.prepare()  # here, not where somebody answers
        execution = self._execution
        operation = execution.loop.operation()
        schema = schema_of(answer) if execution.live and answer is not Any else None
        command = OpenCallback(
            operation, name, name_of_type(answer), branch_of(execution.loop), beat_ms, schema
        )
        callback: Callback[Any] = Callback(execution, command, caller(2), codec)
        execution.ledger.register(callback, command)
        if within_ms:
            execution.ledger.deadline(callback, within_ms)
        if beat_ms:
            callback.beat_ms = beat_ms
            execution.ledger.watch(callback)
        execution.take_early(operation)
        return callback

    @overload
    def step(
        self, function: Callable[[*Args], Awaitable[T]], *args: *Args,
        retry: RetryPolicy = ..., name: str = ..., at_most_once: bool = ...,
        timeout: timedelta | None = ...,
    ) -> Step[T]: ...  # fmt: skip
    @overload
    def step(
        self, function: Callable[[*Args], T], *args: *Args,
        retry: RetryPolicy = ..., name: str = ..., at_most_once: bool = ...,
        timeout: timedelta | None = ...,
    ) -> Step[T]: ...  # fmt: skip
    def step(  # type: ignore[misc]  # mypy cannot match *args: *Args with *args: Any
        self, function: Callable[..., Any], *args: Any,
        retry: RetryPolicy = NO_RETRY, name: str = "", at_most_once: bool = False,
        timeout: timedelta | None = None,
    ) -> Step[Any]:  # fmt: skip
        """Do a piece of work inline, once; its result is recorded with the turn.

        An `async def` function runs on the host's event loop, any other in a thread. It runs again
        if the process dies before the turn is committed: at least once. The result is encoded by
        the function's return annotation (any JSON value where there is none). `step_info()` tells
        the function its attempt and its idempotency key.

        Args:
            retry: what happens when it raises; by default the first error is final.
            name: what the history shows; the function's own name if not given.
            at_most_once: record that an attempt begins before it does, and never begin it again: if
                the process dies in it, the attempt ends as `StepInterrupted`. One write more.
            timeout: how long an attempt may take; then it ends as `StepTimedOut`, which is retried
                like any error. An `async def` function is cancelled; a thread goes on, unheeded.

        Raises:
            The function's own exception, else a StepFailed that is of the nearest class above too.
        """
        execution = self._execution
        if execution.loop.guard is not None:
            options = {"retry": retry, "name": name, "at_most_once": at_most_once}
            begin: Any = self.step
            again: Step[Any] = unguarded(
                execution.loop, begin, function, *args, timeout=timeout, **options
            )
            return again
        if self._is_frozen():
            return cast("Step[Any]", self._never())
        facts = facts_of(function)
        operation = execution.loop.operation()
        shown = display_name("step", name) if name else facts.name
        frame = calling_frame(2)
        known = identify(function, args, frame)
        command = RunStep(operation, shown, at_most_once, known.function, known.arguments)
        if known.enclosing is not None:
            execution.ledger.enclosing[operation] = known.enclosing
        site = frame.f_code, frame.f_lasti
        step: Step[Any] = Step(execution, command, site, lambda: function(*args))
        step.is_async, step.codec = facts.is_async, facts.codec
        if retry is not NO_RETRY:
            step.retry = checked_retry(retry, "step")
        if timeout is not None:
            step.timeout_ms = limit_ms(timeout, f"attempts of step {shown!r}")
        execution.ledger.register(step, command)
        return step

    def _check_service(self, service: Service[Any, Any]) -> None:
        execution = self._execution
        services = execution.tools.services
        if services is not None and services.get(service.name) is not service:
            constant = service.name.upper().replace("-", "_")
            execution.fault = UnknownService(
                f"workflow {self.info.workflow!r} calls service {service.name!r}, which its App "
                f"does not list: add it, App(…, services=[…, {constant}]) "
                f"({line_of(caller(2))}; {of_execution(execution)})"
            )
            raise execution.fault


def _call_otherwise(
    ctx: Calls, target: Any, payload: Any, options: dict[str, Any]
) -> Call[Any] | Child[Any]:
    """A call of a workflow; or one while the guard is away: what runs is this package's code."""
    begin: Any = ctx.call if isinstance(target, Service) else ctx.call_child
    begun: Call[Any] | Child[Any] = unguarded(
        ctx._execution.loop, begin, target, payload, **options
    )
    return begun


class _NoCallback:
    """A callback of a frozen context: it can be awaited and asked for its token, to no effect."""

    token = ""

    def __init__(self, loop: Any) -> None:
        self._future = loop.create_future()

    def __await__(self) -> Any:
        return self._future.__await__()


def _attempt_limits(service: Service[Any, Any], options: dict[str, Any]) -> tuple[int, int, int]:
    if unknown := options.keys() - {"attempt_timeout", "heartbeat_timeout", "start_timeout"}:
        raise ConfigurationError(
            f"call of service {service.name!r} has no {min(unknown)}=: id= and parent_close= are "
            "for calls of workflows; name= is what the history shows"
        )
    attempt, beat = options.get("attempt_timeout"), options.get("heartbeat_timeout")
    return (
        limit_ms(attempt, f"attempts of {service.name!r}") or service.attempt_ms,
        limit_ms(beat, f"heartbeats of {service.name!r}") or service.heartbeat_ms,
        limit_ms(options.get("start_timeout"), f"starts of {service.name!r}") or service.start_ms,
    )
