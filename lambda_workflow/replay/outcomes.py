"""How an operation that ended badly reaches the workflow's code."""

from __future__ import annotations

from typing import Any

from lambda_workflow.errors import BadResponse, CallFailed, CallTimedOut
from lambda_workflow.model.events import Failure
from lambda_workflow.replay.operations import Call, Step, rebuilt


def error_of(
    operation: Call[Any] | Step[Any], failure: Failure, attempts: int, execution_id: str
) -> BaseException:
    """The exception for a failure that is not, or no longer, retried."""
    if isinstance(operation, Step):
        return rebuilt(operation, failure, attempts)
    kind = BadResponse if failure.type == "BadResponse" else CallFailed
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return kind(
        f"service {operation.name!r} failed after {tries} with {failure.type}: {failure.message} "
        f"(operation {operation.operation} of execution {execution_id})",
        service=operation.service.name,
        type=failure.type,
        message=failure.message,
        details=failure.details,
        stack=failure.stack,
        attempts=attempts,
        operation=operation.operation,
    )


def timed_out(call: Call[Any] | Step[Any], execution_id: str) -> CallTimedOut:
    """The exception for a call that was not answered in time."""
    text = (
        f"no answer from service {call.name!r} in time (operation {call.operation}, attempt "
        f"{call.attempt} of execution {execution_id}); a late one is dropped"
    )
    return CallTimedOut(text, **_of(call, "CallTimedOut", text))


def bad_response(operation: Call[Any] | Step[Any], reason: str, execution_id: str) -> BadResponse:
    """The exception for an answer of another type than the contract says."""
    of = f"{type(operation).__name__.lower()} {operation.operation} ({operation.name})"
    text = f"the answer to {of} of execution {execution_id} is not what its contract says: {reason}"
    return BadResponse(text, **_of(operation, "BadResponse", reason))


def _of(operation: Call[Any] | Step[Any], kind: str, message: str) -> dict[str, Any]:
    return {
        "service": operation.service.name if isinstance(operation, Call) else operation.name,
        "type": kind,
        "message": message,
        "attempts": operation.attempt,
        "operation": operation.operation,
    }
