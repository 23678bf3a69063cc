"""The work: an invocation becomes one request, and what comes back a result or a clear error."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from lambda_workflow import ServiceError, Task, serve
from lambda_workflow.aws.present import aws_client, seconds_left
from lambda_workflow.errors import ConfigurationError
from lambda_workflow_services.lambda_invoke import LAMBDA, Invocation, InvocationResult
from lambda_workflow_services.lambda_invoke.invoking import Reply, invoke
from lambda_workflow_services.lambda_invoke.settings import settings

BYTES_MAX: Final = {"RequestResponse": 6 * 2**20, "Event": 2**20}  # Lambda's quotas
CONTEXT_CHARACTERS_MAX: Final = 3_583  # of the client context in base64, says the API reference
ANSWER_SECONDS: Final = 1.0  # of the adapter's own time, to tell of a function's silence
TEXT_CHARACTERS_MAX: Final = 4_000  # of each text from the function in an error's details
FRAMES_MAX: Final = 20
_RETRIED_STATUS: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
# Lambda answers these with 5xx or 409, and yet somebody has to mend the function first.
_PERMANENT: Final = frozenset(
    {
        "CodeArtifactUserDeletedException",
        "DurableExecutionAlreadyStartedException",
        "EC2AccessDeniedException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "RuntimeAliasDeletedException",
        "RuntimeVersionDeletedException",
    }
)
_TOO_LARGE: Final = "Function.ResponseSizeTooLarge"  # it would be as large the next time


@serve(LAMBDA)
async def lambda_invoke(invocation: Invocation, task: Task) -> InvocationResult:
    """Invoke the function once for each delivery of the task."""
    chosen = settings()
    function = chosen.check(invocation)
    request = _request(invocation, function, task)
    wait = chosen.wait_seconds
    if (left := seconds_left()) is not None:
        wait = min(wait, left - ANSWER_SECONDS)
    try:
        reply = await invoke(aws_client().region, wait, request)
    except TimeoutError as error:
        raise _silent(function, wait) from error
    except ClientError as error:
        raise _refused(function, error) from error
    except BotoCoreError as error:
        raise _unanswered(function, error) from error
    if reply.function_error:
        raise _failed(function, reply)
    return _result(function, reply)


def _request(invocation: Invocation, function: str, task: Task) -> dict[str, Any]:
    known: dict[str, Any] = {
        "task_id": task.task_id,
        "execution_id": task.execution_id,
        "attempt": task.attempt,
    }
    kind = invocation.invocation_type
    payload = invocation.payload
    if invocation.envelope:
        payload = {"task": known, "payload": payload}
    request = {"FunctionName": function, "InvocationType": kind, "Payload": _payload(kind, payload)}
    if kind == "RequestResponse":
        request["ClientContext"] = _client_context({**invocation.client_context, **known})
    if invocation.log_tail:
        request["LogType"] = "Tail"
    return request


def _payload(kind: str, payload: Any) -> bytes:
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > BYTES_MAX[kind]:
        raise ServiceError(
            f"the payload is {len(text):,} bytes of JSON, and Lambda takes at most "
            f"{BYTES_MAX[kind]:,} for {kind}: put it into S3, and pass on where it is",
            type="PayloadTooLarge",
            retryable=False,
        )
    return text


def _client_context(custom: dict[str, Any]) -> str:
    text = base64.b64encode(json.dumps({"custom": custom}).encode()).decode()
    if len(text) > CONTEXT_CHARACTERS_MAX:
        raise ServiceError(
            f"the client context is {len(text):,} characters of base64, and Lambda takes at most "
            f"{CONTEXT_CHARACTERS_MAX:,}: pass on what it has in the payload",
            type="ClientContextTooLarge",
            retryable=False,
        )
    return text


def _result(function: str, reply: Reply) -> InvocationResult:
    try:
        payload = json.loads(reply.body) if reply.body else None
    except ValueError as error:
        raise ServiceError(
            f"function {function!r} was invoked, and its answer is no JSON: {error}",
            type="BadResponse",
            retryable=False,
            details={"function": function, "request_id": reply.request_id},
        ) from error
    return InvocationResult(
        payload=payload,
        status=reply.status,
        executed_version=reply.executed_version,
        request_id=reply.request_id,
    )


def _failed(function: str, reply: Reply) -> ServiceError:
    """The function's own error, as the runtimes of Lambda write it."""
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = reply.body.decode(errors="replace")
    if not isinstance(told, dict):
        told = {"errorMessage": str(told)}
    kind = str(told.get("errorType") or reply.function_error)[:TEXT_CHARACTERS_MAX]
    message = str(told.get("errorMessage") or "it gave no message")
    details: dict[str, Any] = {
        "function": function,
        "request_id": reply.request_id,
        "errorType": kind,
        "errorMessage": message[:TEXT_CHARACTERS_MAX],
    }
    if trace := told.get("stackTrace") or told.get("trace"):  # Node.js says trace
        details["stackTrace"] = _shortened(trace)
    if reply.log:
        details["log_tail"] = base64.b64decode(reply.log).decode(errors="replace")
    return ServiceError(
        f"function {function!r} failed: {kind}: {message}",
        type=kind,
        retryable=kind != _TOO_LARGE,
        details=details,
    )


def _shortened(trace: Any) -> list[str]:
    frames = trace if isinstance(trace, list) else [trace]
    return [str(frame)[: TEXT_CHARACTERS_MAX // FRAMES_MAX] for frame in frames[-FRAMES_MAX:]]


def _refused(function: str, error: ClientError) -> ServiceError:
    found = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    code, status = str(found.get("Code", "UnknownError")), int(meta.get("HTTPStatusCode", 0))
    after = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    details = {
        "function": function,
        "status": status,
        "request_id": meta.get("RequestId", ""),
        **({"reason": error.response["Reason"]} if "Reason" in error.response else {}),
    }
    return ServiceError(
        f"Lambda did not invoke {function!r}: {code}: {found.get('Message') or 'no message'}",
        type=code,
        retryable=status in _RETRIED_STATUS and code not in _PERMANENT,
        details=details,
        retry_after=timedelta(seconds=int(after)) if after.isascii() and after.isdigit() else None,
    )


def _silent(function: str, seconds: float) -> ServiceError:
    return ServiceError(
        f"function {function!r} was invoked and has not answered for {seconds:.3g} s; it may still "
        "be at work. What takes so long is better told where to answer: invoke it as an "
        '"Event" with the token of a ctx.callback in its payload',
        type="TimedOut",
        retryable=False,
        details={"function": function},
    )


def _unanswered(function: str, error: BotoCoreError) -> Exception:
    details = {"function": function}
    match error:
        case EndpointConnectionError() | ConnectTimeoutError():
            text = f"function {function!r} was not invoked: {error}"
            return ServiceError(text, type="Unreachable", details=details)
        case HTTPClientError():
            text = f"the connection broke off, and {function!r} may have been invoked: {error}"
            return ServiceError(text, type="NoAnswer", details=details)
        case _:
            return ConfigurationError(f"function {function!r} was not invoked: {error}")
