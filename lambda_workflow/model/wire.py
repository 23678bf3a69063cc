"""The JSON of messages, parsed once at the wall.

Fields that a reader does not know are ignored, so that either side can be deployed first; what is
usual is left out. A payload over the inline limit stands as `payload_ref`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from lambda_workflow.errors import MessageError
from lambda_workflow.model import limits
from lambda_workflow.model import wire_fields as f
from lambda_workflow.model.arguments import named
from lambda_workflow.model.bounded import as_details
from lambda_workflow.model.events import NO_OPTIONS, BlobRef, Failure, StartOptions
from lambda_workflow.model.ids import NAME_CHARACTERS_MAX, task_id
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
from lambda_workflow.model.payload import Json, dumps

_PAYLOAD: Final = "payload"
_TIMES: Final = ("deadline_ms", "not_before", "beat_at", "start_by_ms")
_ANY: Final = 10**limits.INT_DIGITS_MAX  # a deadline that no clock shows is none that ends
_OPERATION: Final = limits.OPERATION_CHARACTERS_MAX  # the start of a child is known by its task


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
    if response.id:
        data["id"] = response.id
    if response.failure is not None:
        data["error"] = response.failure.to_json()
    else:
        _put(data, "result", response.result)
    return dumps(data)


def parse(body: str) -> Message:
    """The message to an execution in a queue message's body.

    Raises:
        MessageError: it is no JSON object, has an unknown `type`, lacks a field, or has one that is
            over its limit; says which.
    """
    data = f.message_object(body)
    kind = data.get("type")
    execution_id = f.execution(data)
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    if read is None:
        is_name = isinstance(kind, str) and kind.isidentifier() and len(kind) <= NAME_CHARACTERS_MAX
        told = repr(kind) if is_name else named(kind)
        raise MessageError(f"`type` is {told}: expected one of {', '.join(_KINDS)}")
    return read(execution_id, data)


def parse_task(body: str) -> Task:
    """The task in a service queue's message.

    Raises:
        MessageError: it is no JSON object, lacks a field, or has one that is over its limit; says
            which.
    """
    data = f.message_object(body)
    execution_id = data.get("execution_id", data.get("invocation_id"))
    if not isinstance(execution_id, str):
        raise MessageError("`execution_id` is missing or not a string")
    return Task(
        f.execution(data),
        f.task(data),
        f.optional_text(data, "service"),
        f.payload(data, _PAYLOAD),
        f.whole(data, "attempt", 1, limits.ATTEMPTS_MAX),
        f.optional_text(data, "callback_queue_url", limits.URL_CHARACTERS_MAX),
        f.whole(data, "heartbeat_ms", 0, limits.DURATION_MS_MAX),
        as_details(data.get("details")),
        data.get("reply") is not False,
        data.get("cancelled") is True,
        min(f.whole(data, "deadline_ms", 0, _ANY), limits.TIME_MS_MAX),
        data.get("state"),
        f.whole(data, "not_before", 0),
        f.whole(data, "beat_at", 0),
        min(f.whole(data, "start_by_ms", 0, _ANY), limits.TIME_MS_MAX),
    )


def _request(execution_id: str, data: dict[str, Any]) -> Request:
    owed = f.callback(data)
    workflow = f.text(data, "workflow", limits.NAME_CHARACTERS_MAX)
    attempt = f.whole(data, "attempt", 1, limits.ATTEMPTS_MAX)
    request = f.payload(data, "request")
    replace = data.get("replace") is True
    return Request(execution_id, workflow, request, owed, attempt, _options(data), replace)


def _options(data: dict[str, Any]) -> StartOptions:
    given = data.get("options")
    if given is None:
        return NO_OPTIONS
    if not isinstance(given, dict):
        raise MessageError("`options` is not an object")
    return StartOptions(
        f.optional_text(given, "id", limits.EXECUTION_ID_CHARACTERS_MAX + _OPERATION),
        f.optional_text(given, "secret", limits.SECRET_CHARACTERS_MAX),
        f.whole(given, "timeout_ms", 0, limits.DURATION_MS_MAX),
        f.whole(given, "not_before", 0),
        f.whole(given, "depth", 0, limits.CHILDREN_DEPTH_MAX),
        f.tags(given),
        f.memo(given),
    )


def _update(execution_id: str, data: dict[str, Any]) -> Update:
    operation, attempt = f.operation(execution_id, data), _attempt(data)
    token = f.optional_text(data, "token", limits.TOKEN_CHARACTERS_MAX)
    if (error := data.get("error")) is None:
        payload = f.payload(data, _PAYLOAD)
        return Update(execution_id, operation, payload, None, attempt, token)
    if not isinstance(error, dict):
        error = {"message": str(error)}
    return Update(execution_id, operation, None, Failure.from_json(error), attempt, token)


def _heartbeat(execution_id: str, data: dict[str, Any]) -> Heartbeat:
    operation, attempt = f.operation(execution_id, data), _attempt(data)
    token = f.optional_text(data, "token", limits.TOKEN_CHARACTERS_MAX)
    details = as_details(data.get("details"))
    return Heartbeat(execution_id, operation, details, attempt, token)


def _told(
    execution_id: str, data: dict[str, Any]
) -> tuple[str, str, Json | BlobRef, str, str, bool]:
    """What a signal and an update request have."""
    name, known = f.text(data, "name", limits.NAME_CHARACTERS_MAX), f.text(data, "id")
    payload, is_checked = f.payload(data, _PAYLOAD), data.get("checked") is True
    return execution_id, name, payload, known, _start(data), is_checked


def _attempt(data: dict[str, Any]) -> int:
    return f.whole(data, "attempt", 0, limits.ATTEMPTS_MAX)


def _start(data: dict[str, Any]) -> str:
    return f.optional_text(data, "start", limits.EXECUTION_ID_CHARACTERS_MAX + _OPERATION)


def _id(data: dict[str, Any]) -> str:
    return f.optional_text(data, "id", limits.EXECUTION_ID_CHARACTERS_MAX + _OPERATION)


def _put(data: dict[str, Any], field: str, payload: Json | BlobRef) -> None:
    if isinstance(payload, BlobRef):
        ref = {"key": payload.key, "digest": payload.digest, "bytes": payload.bytes}
        data[f"{field}_ref"] = ref
    else:
        data[field] = payload


_OPTIONS: Final = {
    "id": "", "secret": "", "timeout_ms": 0, "not_before": 0, "depth": 0, "tags": {}, "memo": None,
}  # fmt: skip
"""The fields of StartOptions on the wire, and what they usually are."""

_KINDS: Final[dict[str, Callable[[str, dict[str, Any]], Message]]] = {
    "Request": _request,
    "Update": _update,
    "Timer": lambda x, d: Timer(x, f.operation(x, d), f.whole(d, "due")),
    "Heartbeat": _heartbeat,
    "Signal": lambda x, d: Signal(*_told(x, d)),
    "UpdateRequest": lambda x, d: UpdateRequest(*_told(x, d)),
    "Cancel": lambda x, d: Cancel(
        x, f.reason(d), f.whole(d, "grace_ms", GRACE_MS, limits.GRACE_MS_MAX), _start(d), _id(d)
    ),
    "Terminate": lambda x, d: Terminate(x, f.reason(d), _start(d), _id(d)),
    "Pause": lambda x, d: Pause(x, f.reason(d), _id(d)),
    "Resume": lambda x, d: Resume(x, _id(d)),
    "Redrive": lambda x, d: Redrive(x, _id(d)),
}
