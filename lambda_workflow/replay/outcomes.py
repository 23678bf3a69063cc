"""How an operation that ended badly reaches the workflow's code."""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.errors import (
    BadResponse,
    CallbackFailed,
    CallbackHeartbeatTimedOut,
    CallbackTimedOut,
    CallFailed,
    CallTimedOut,
    ChildFailed,
    ChildTimedOut,
    HeartbeatTimedOut,
    OperationFailed,
    StartTimedOut,
)
from lambda_workflow.model.events import Failure
from lambda_workflow.replay.bugs import mark_outcome
from lambda_workflow.replay.operations import Call, Callback, Child, Operation, Step
from lambda_workflow.replay.rebuilding import rebuilt


def error_of(
    operation: Operation[Any], failure: Failure, attempts: int, execution_id: str
) -> BaseException:
    """The exception for a failure that is not, or no longer, retried."""
    if isinstance(operation, Step):
        return mark_outcome(rebuilt(operation, failure, attempts), operation.operation)
    place = f"(operation {operation.operation} of execution {execution_id})"
    said = f"{failure.type}: {failure.message} {place}"
    facts = {
        "type": failure.type,
        "message": failure.message,
        "details": failure.details,
        "stack": failure.stack,
        "attempts": attempts,
        "operation": operation.operation,
    }
    is_silent = failure.type == "HeartbeatTimedOut"
    is_new = operation.loop_semantics > 1
    if isinstance(operation, Callback):
        silent = CallbackHeartbeatTimedOut if is_new else CallbackTimedOut
        callback = silent if is_silent else CallbackFailed
        return callback(f"callback {operation.name!r} failed with {said}", **facts)
    if isinstance(operation, Child):
        text = f"child {operation.execution_id} of {operation.workflow!r} failed with {said}"
        return _of_child(ChildFailed, operation, text, facts)
    kind = BadResponse if failure.type == "BadResponse" else CallFailed
    if failure.type in _TIMEOUTS and failure.stack is None:
        kind = HeartbeatTimedOut if is_silent and is_new else CallTimedOut
        if failure.type == START_TIMED_OUT:
            kind = StartTimedOut
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    service = operation.service.name if isinstance(operation, Call) else ""
    return kind(
        f"service {operation.name!r} failed after {tries} with {said}", service=service, **facts
    )


START_TIMED_OUT: Final = "StartTimedOut"
_TIMEOUTS: Final = ("AttemptTimedOut", "HeartbeatTimedOut", START_TIMED_OUT)


def timed_out(operation: Operation[Any], execution_id: str) -> OperationFailed:
    """The exception for an operation that was not answered in time."""
    place = f"(operation {operation.operation}, attempt {operation.attempt} of execution "
    place = f"{place}{execution_id})"
    facts: dict[str, Any] = {
        "attempts": operation.attempt,
        "operation": operation.operation,
    }
    if isinstance(operation, Callback):
        text = f"nobody answered callback {operation.name!r} in time {place}; a late answer is late"
        return CallbackTimedOut(text, type="CallbackTimedOut", message=text, **facts)
    if isinstance(operation, Child):
        text = f"child {operation.execution_id} did not end in time {place}"
        return _of_child(
            ChildTimedOut, operation, text, {"type": "ChildTimedOut", "message": text, **facts}
        )
    text = f"no answer from service {operation.name!r} in time {place}; a late one is dropped"
    return CallTimedOut(text, **_of(operation, "CallTimedOut", text))


def bad_response(operation: Operation[Any], reason: str, execution_id: str) -> OperationFailed:
    """The exception for an answer of another type than the contract says."""
    of = f"{type(operation).__name__.lower()} {operation.operation} ({operation.name})"
    text = f"the answer to {of} of execution {execution_id} is not what its contract says: {reason}"
    facts: dict[str, Any] = {
        "type": "BadResponse",
        "message": reason,
        "operation": operation.operation,
    }
    if isinstance(operation, Callback):
        return CallbackFailed(text, **facts)
    if isinstance(operation, Child):
        return _of_child(ChildFailed, operation, text, facts)
    return BadResponse(text, **_of(operation, "BadResponse", reason))


def _of_child(
    kind: type[ChildFailed], child: Child[Any], text: str, facts: dict[str, Any]
) -> ChildFailed:
    return kind(text, execution_id=child.execution_id, workflow=child.workflow, **facts)


def _of(operation: Operation[Any], kind: str, message: str) -> dict[str, Any]:
    return {
        "service": operation.service.name if isinstance(operation, Call) else operation.name,
        "type": kind,
        "message": message,
        "attempts": operation.attempt,
        "operation": operation.operation,
    }
