"""Wire messages: what travels on the queues, parsed once at the wall.

To an execution (its FIFO queue, tagged by `type`): Request, Update, Timer, Redrive.
To a service: Task. To the response queue: Response.
A payload over the inline limit travels as `payload_ref`; the receiving side fetches it.
Fields that a reader does not know are ignored, so that either side can be deployed first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, assert_never

from lambda_workflow.errors import ConfigurationError, MessageError
from lambda_workflow.model.events import BlobRef, Callback, Failure
from lambda_workflow.model.ids import check_execution_id, operation_of, task_id
from lambda_workflow.model.payload import Json, dumps, loads


@dataclass(frozen=True, slots=True)
class Request:
    """Start an execution; a second one with the same id, workflow and request changes nothing."""

    execution_id: str
    workflow: str
    request: Json | BlobRef
    callback: Callback | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Update:
    """The result of one attempt of a call: a payload, or a failure when `failure` is set.

    `attempt` 0 means that the adapter did not say: the attempt under way is taken.
    """

    execution_id: str
    operation: str
    payload: Json | BlobRef = None
    failure: Failure | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer's time has come; `due` in milliseconds since the epoch."""

    execution_id: str
    operation: str
    due: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """Try a BLOCKED execution again; send a running one's unanswered commands once more."""

    execution_id: str


Message = Request | Update | Timer | Redrive


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a call, as a service's queue carries it. `task_id` is its idempotency key."""

    execution_id: str
    task_id: str
    service: str
    payload: Json | BlobRef
    attempt: int
    callback_queue_url: str = ""

    def update(self, payload: Json | BlobRef = None, failure: Failure | None = None) -> Update:
        """The answer to this very attempt."""
        operation = operation_of(self.task_id)
        return Update(self.execution_id, operation, payload, failure, self.attempt)


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of an execution, for the response queue; `failure` is None when it completed."""

    execution_id: str
    workflow: str
    status: str
    result: Json | BlobRef = None
    failure: Failure | None = None


_PAYLOAD: Final = "payload"


def render(message: Message) -> str:
    """The JSON body of a message to an execution."""
    data: dict[str, Any] = {
        "type": type(message).__name__,
        "execution_id": message.execution_id,
    }
    match message:
        case Request():
            data["workflow"] = message.workflow
            _put(data, "request", message.request)
            if message.attempt != 1:
                data["attempt"] = message.attempt
            if (owed := message.callback) is not None:
                data["callback"] = {
                    "queue_url": owed.queue_url,
                    "execution_id": owed.execution_id,
                    "task_id": owed.task_id,
                }
        case Update():
            data["task_id"] = task_id(message.execution_id, message.operation)
            if message.attempt:
                data["attempt"] = message.attempt
            if message.failure is not None:
                data["error"] = message.failure.to_json()
            else:
                _put(data, _PAYLOAD, message.payload)
        case Timer():
            data["task_id"] = task_id(message.execution_id, message.operation)
            data["due"] = message.due
        case Redrive():
            pass
        case _:
            assert_never(message)
    return dumps(data)


def render_task(task: Task) -> str:
    """The JSON body of a task to a service."""
    data: dict[str, Any] = {
        "execution_id": task.execution_id,
        "task_id": task.task_id,
        "service": task.service,
        "callback_queue_url": task.callback_queue_url,
        "attempt": task.attempt,
    }
    _put(data, _PAYLOAD, task.payload)
    return dumps(data)


def render_response(response: Response) -> str:
    """The JSON body of an outcome for the response queue."""
    data: dict[str, Any] = {
        "type": "Response",
        "execution_id": response.execution_id,
        "workflow": response.workflow,
        "status": response.status,
    }
    if response.failure is not None:
        data["error"] = response.failure.to_json()
    else:
        _put(data, "result", response.result)
    return dumps(data)


def parse(body: str) -> Message:
    """The message to an execution in a queue message's body.

    Raises:
        MessageError: it is no JSON object, has an unknown `type`, or lacks a field; says which.
    """
    data = _object(body)
    kind = data.get("type")
    execution = data.get("execution_id", data.get("invocation_id"))
    try:
        execution_id = check_execution_id(execution if isinstance(execution, str) else "")
    except ConfigurationError as error:
        raise MessageError(f"`execution_id`: {error}") from error
    if kind == "Request":
        return _request(execution_id, data)
    if kind == "Update":
        return _update(execution_id, data)
    if kind == "Timer":
        return Timer(execution_id, _operation(execution_id, data), _whole(data, "due"))
    if kind == "Redrive":
        return Redrive(execution_id)
    raise MessageError(f"`type` is {kind!r}: expected Request, Update, Timer or Redrive")


def parse_task(body: str) -> Task:
    """The task in a service queue's message.

    Raises:
        MessageError: it is no JSON object, or lacks a field; says which.
    """
    data = _object(body)
    execution_id = data.get("execution_id", data.get("invocation_id"))
    if not isinstance(execution_id, str):
        raise MessageError("`execution_id` is missing or not a string")
    return Task(
        execution_id,
        _text(data, "task_id"),
        str(data.get("service") or ""),
        _get(data, _PAYLOAD),
        _whole(data, "attempt", 1),
        str(data.get("callback_queue_url") or ""),
    )


def _request(execution_id: str, data: dict[str, Any]) -> Request:
    callback = data.get("callback")
    if callback is not None and not isinstance(callback, dict):
        raise MessageError("`callback` is not an object")
    owed = callback and Callback(
        _text(callback, "queue_url"), _text(callback, "execution_id"), _text(callback, "task_id")
    )
    workflow, attempt = _text(data, "workflow"), _whole(data, "attempt", 1)
    return Request(execution_id, workflow, _get(data, "request"), owed or None, attempt)


def _update(execution_id: str, data: dict[str, Any]) -> Update:
    operation, attempt = _operation(execution_id, data), _whole(data, "attempt", 0)
    if (error := data.get("error")) is None:
        return Update(execution_id, operation, _get(data, _PAYLOAD), None, attempt)
    if not isinstance(error, dict):
        error = {"message": str(error)}
    return Update(execution_id, operation, None, Failure.from_json(error), attempt)


def _operation(execution_id: str, data: dict[str, Any]) -> str:
    """The operation that `task_id` names; it may be bare, but must not be another execution's."""
    task = _text(data, "task_id")
    operation = operation_of(task)
    if task not in (operation, task_id(execution_id, operation)):
        raise MessageError(
            f"`task_id` {task!r} is not one of `execution_id` {execution_id!r}: an adapter sends "
            "both back as it got them"
        )
    return operation


def _object(body: str) -> dict[str, Any]:
    try:
        data = loads(body)
    except ValueError as error:
        raise MessageError(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise MessageError(f"a JSON {type(data).__name__}, not an object")
    return data


def _text(data: dict[str, Any], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str) or not value:
        raise MessageError(f"`{field}` is missing or not a non-empty string")
    return value


def _whole(data: dict[str, Any], field: str, default: int | None = None) -> int:
    value = data.get(field, default)
    if type(value) is not int or value < 0:
        raise MessageError(f"`{field}` is missing or not a whole number")
    return value


def _put(data: dict[str, Any], field: str, payload: Json | BlobRef) -> None:
    if isinstance(payload, BlobRef):
        ref = {"key": payload.key, "digest": payload.digest, "bytes": payload.bytes}
        data[f"{field}_ref"] = ref
    else:
        data[field] = payload


def _get(data: dict[str, Any], field: str) -> Json | BlobRef:
    ref = data.get(f"{field}_ref")
    if ref is None:
        payload: Json = data.get(field)
        return payload
    if not isinstance(ref, dict):
        raise MessageError(f"`{field}_ref` is not an object")
    return BlobRef(_text(ref, "key"), _text(ref, "digest"), _whole(ref, "bytes"))
