"""The JSON of messages, parsed once at the wall.

Fields that a reader does not know are ignored, so that either side can be deployed first; what is
usual is left out. A payload over the inline limit stands as `payload_ref`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from lambda_workflow.errors import ConfigurationError, MessageError
from lambda_workflow.model.events import NO_OPTIONS, BlobRef, Callback, Failure, StartOptions
from lambda_workflow.model.ids import check_execution_id, operation_of, task_id
from lambda_workflow.model.messages import (
    GRACE_MS,
    Cancel,
    Heartbeat,
    Message,
    Pause,
    Redrive,
    Request,
    Response,
    Resume,
    Signal,
    Task,
    Terminate,
    Timer,
    Update,
    UpdateRequest,
)
from lambda_workflow.model.payload import Json, dumps, loads

_PAYLOAD: Final = "payload"
_TIMES: Final = ("deadline_ms", "not_before", "beat_at")
_TIME_MAX: Final = 253_402_300_799_000  # the end of the year 9999, the last that a datetime has


def render(message: Message) -> str:
    """The JSON body of a message to an execution."""
    data: dict[str, Any] = {
        "type": type(message).__name__,
        "execution_id": message.execution_id,
    }
    match message:
        case Request():
            _put_request(data, message)
        case Update():
            _put_update(data, message)
        case Timer():
            data["task_id"] = task_id(message.execution_id, message.operation)
            data["due"] = message.due
        case Heartbeat():
            data["task_id"] = task_id(message.execution_id, message.operation)
            data |= {"attempt": message.attempt, "details": message.details}
            if message.token:
                data["token"] = message.token
        case Signal() | UpdateRequest():
            data |= {"name": message.name, "id": message.id}
            data |= {"start": message.start} if message.start else {}
            data |= {"checked": True} if message.checked else {}
            _put(data, _PAYLOAD, message.payload)
        case Cancel():
            data |= {"reason": message.reason, "grace_ms": message.grace_ms}
            data |= {"start": message.start} if message.start else {}
            data |= {"id": message.id} if message.id else {}
        case Terminate():
            data["reason"] = message.reason
            data |= {"start": message.start} if message.start else {}
            data |= {"id": message.id} if message.id else {}
        case Pause():
            data["reason"] = message.reason
            data |= {"id": message.id} if message.id else {}
        case Redrive() | Resume():
            data |= {"id": message.id} if message.id else {}
        case _:
            assert_never(message)
    return dumps(data)


def _put_update(data: dict[str, Any], message: Update) -> None:
    data["task_id"] = task_id(message.execution_id, message.operation)
    if message.attempt:
        data["attempt"] = message.attempt
    if message.token:
        data["token"] = message.token
    if message.failure is not None:
        data["error"] = message.failure.to_json()
    else:
        _put(data, _PAYLOAD, message.payload)


def _put_request(data: dict[str, Any], message: Request) -> None:
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
    options = {
        name: value
        for name, usual in _OPTIONS.items()
        if (value := getattr(message.options, name)) != usual
    }
    if options:
        data["options"] = options
    if message.replace:
        data["replace"] = True


def render_task(task: Task) -> str:
    """The JSON body of a task to a service."""
    data: dict[str, Any] = {
        "execution_id": task.execution_id,
        "task_id": task.task_id,
        "service": task.service,
        "callback_queue_url": task.callback_queue_url,
        "attempt": task.attempt,
    }
    if task.heartbeat_ms:
        data["heartbeat_ms"] = task.heartbeat_ms
    if task.details is not None:
        data["details"] = task.details
    if not task.reply:
        data["reply"] = False
    if task.cancelled:
        data["cancelled"] = True
    for name in _TIMES:
        if value := getattr(task, name):
            data[name] = value
    if task.state is not None:
        data["state"] = task.state
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
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise MessageError(f"`type` is {kind!r}: expected one of {', '.join(_KINDS)}")
    return read(execution_id, data)


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
        _whole(data, "heartbeat_ms", 0),
        data.get("details"),
        data.get("reply") is not False,
        data.get("cancelled") is True,
        min(_whole(data, "deadline_ms", 0), _TIME_MAX),
        data.get("state"),
        _whole(data, "not_before", 0),
        _whole(data, "beat_at", 0),
    )


def _request(execution_id: str, data: dict[str, Any]) -> Request:
    callback = data.get("callback")
    if callback is not None and not isinstance(callback, dict):
        raise MessageError("`callback` is not an object")
    owed = callback and Callback(
        _text(callback, "queue_url"), _text(callback, "execution_id"), _text(callback, "task_id")
    )
    workflow, attempt = _text(data, "workflow"), _whole(data, "attempt", 1)
    return Request(
        execution_id, workflow, _get(data, "request"), owed or None, attempt, _options(data),
        data.get("replace") is True,
    )  # fmt: skip


def _options(data: dict[str, Any]) -> StartOptions:
    given = data.get("options")
    if given is None:
        return NO_OPTIONS
    if not isinstance(given, dict):
        raise MessageError("`options` is not an object")
    tags = given.get("tags") or {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise MessageError("`options.tags` is not an object of strings")
    return StartOptions(
        str(given.get("id") or ""),
        str(given.get("secret") or ""),
        _whole(given, "timeout_ms", 0),
        _whole(given, "not_before", 0),
        _whole(given, "depth", 0),
        tags,
        given.get("memo"),
    )


def _update(execution_id: str, data: dict[str, Any]) -> Update:
    operation, attempt = _operation(execution_id, data), _whole(data, "attempt", 0)
    token = str(data.get("token") or "")
    if (error := data.get("error")) is None:
        return Update(execution_id, operation, _get(data, _PAYLOAD), None, attempt, token)
    if not isinstance(error, dict):
        error = {"message": str(error)}
    return Update(execution_id, operation, None, Failure.from_json(error), attempt, token)


def _heartbeat(execution_id: str, data: dict[str, Any]) -> Heartbeat:
    operation, attempt = _operation(execution_id, data), _whole(data, "attempt", 0)
    token = str(data.get("token") or "")
    return Heartbeat(execution_id, operation, data.get("details"), attempt, token)


def _start(data: dict[str, Any]) -> str:
    return str(data.get("start") or "")


def _is_checked(data: dict[str, Any]) -> bool:
    return data.get("checked") is True


def _id(data: dict[str, Any]) -> str:
    return str(data.get("id") or "")


def _reason(data: dict[str, Any]) -> str:
    return str(data.get("reason") or "")


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


_OPTIONS: Final = {
    "id": "", "secret": "", "timeout_ms": 0, "not_before": 0, "depth": 0, "tags": {}, "memo": None,
}  # fmt: skip
"""The fields of StartOptions on the wire, and what they usually are."""

_KINDS: Final[dict[str, Callable[[str, dict[str, Any]], Message]]] = {
    "Request": _request,
    "Update": _update,
    "Timer": lambda x, d: Timer(x, _operation(x, d), _whole(d, "due")),
    "Heartbeat": _heartbeat,
    "Signal": lambda x, d: Signal(
        x, _text(d, "name"), _get(d, _PAYLOAD), _text(d, "id"), _start(d), _is_checked(d)
    ),
    "UpdateRequest": lambda x, d: UpdateRequest(
        x, _text(d, "name"), _get(d, _PAYLOAD), _text(d, "id"), _start(d), _is_checked(d)
    ),
    "Cancel": lambda x, d: Cancel(
        x, _reason(d), _whole(d, "grace_ms", GRACE_MS), _start(d), _id(d)
    ),
    "Terminate": lambda x, d: Terminate(x, _reason(d), _start(d), _id(d)),
    "Pause": lambda x, d: Pause(x, _reason(d), _id(d)),
    "Resume": lambda x, d: Resume(x, _id(d)),
    "Redrive": lambda x, d: Redrive(x, _id(d)),
}
