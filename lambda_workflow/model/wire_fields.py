"""Reading the fields of a JSON message: each by its type and within its limit, or refused by name.

An error names the field, what was found of it (its type or size, never its value) and the limit.
"""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.errors import ConfigurationError, MessageError
from lambda_workflow.model import limits
from lambda_workflow.model.bounded import clipped
from lambda_workflow.model.events import BlobRef, Callback
from lambda_workflow.model.ids import check_execution_id, operation_of, task_id
from lambda_workflow.model.payload import Json, dumps, loads
from lambda_workflow.model.payload_text import is_within_depth

_TASK_CHARACTERS_MAX: Final = limits.EXECUTION_ID_CHARACTERS_MAX + limits.OPERATION_CHARACTERS_MAX
_DIGEST_CHARACTERS_MAX: Final = 128  # of any digest that a hexadecimal text can show
_LEVELS_MAX: Final = {"error": limits.DEPTH_MAX + 1, "options": limits.DEPTH_MAX + 1}


def message_object(body: str) -> dict[str, Any]:
    """The JSON object of a message's body, no payload in it deeper than the limit."""
    try:
        data = loads(body)
    except ValueError as error:
        raise MessageError(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise MessageError(f"a JSON {type(data).__name__}, not an object")
    # no value nests deeper than the text has brackets
    if body.count("[") + body.count("{") > limits.DEPTH_MAX:
        for field, value in data.items():
            if not is_within_depth(value, _LEVELS_MAX.get(field, limits.DEPTH_MAX)):
                raise MessageError(
                    f"`{clipped(field, 60)}` nests more than {limits.DEPTH_MAX} levels deep, which "
                    "not every version of Python reads"
                )
    return data


def text(data: dict[str, Any], field: str, most: int = limits.ID_CHARACTERS_MAX) -> str:
    """A text that must be there, and not empty."""
    value = data.get(field)
    if not isinstance(value, str) or not value:
        raise MessageError(f"`{field}` is missing or not a non-empty string")
    if len(value) > most:
        raise _too_long(field, len(value), most)
    return value


def optional_text(data: dict[str, Any], field: str, most: int = limits.ID_CHARACTERS_MAX) -> str:
    """A text that is empty where there is none."""
    value = data.get(field)
    if not value:
        return ""
    found = value if isinstance(value, str) else str(value)
    if len(found) > most:
        raise _too_long(field, len(found), most)
    return found


def reason(data: dict[str, Any]) -> str:
    """Why somebody wants what the message says; cut, so that no order is lost by its words."""
    value = data.get("reason")
    return clipped(str(value), limits.REASON_CHARACTERS_MAX) if value else ""


def whole(
    data: dict[str, Any], field: str, default: int | None = None, most: int = limits.TIME_MS_MAX
) -> int:
    """A whole number from 0 up."""
    value = data.get(field, default)
    if type(value) is not int or value < 0:
        raise MessageError(f"`{field}` is missing or not a whole number")
    if value > most:
        raise MessageError(f"`{field}` is out of range: at most {most:,}")
    return value


def execution(data: dict[str, Any]) -> str:
    """A legal execution id."""
    given = data.get("execution_id", data.get("invocation_id"))
    try:
        return check_execution_id(given if isinstance(given, str) else "")
    except ConfigurationError as error:
        raise MessageError(f"`execution_id`: {error}") from error


def task(data: dict[str, Any]) -> str:
    """A task id, of whatever form."""
    return text(data, "task_id", _TASK_CHARACTERS_MAX)


def operation(execution_id: str, data: dict[str, Any]) -> str:
    """The operation that `task_id` names; it may be bare, but must not be another execution's."""
    named = task(data)
    found = operation_of(named)
    if named not in (found, task_id(execution_id, found)):
        raise MessageError(
            f"`task_id` {named!r} is not one of `execution_id` {execution_id!r}: an adapter sends "
            "both back as it got them"
        )
    return found


def callback(data: dict[str, Any]) -> Callback | None:
    """Where the outcome of an execution is owed, if it is."""
    given = data.get("callback")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise MessageError("`callback` is not an object")
    if not given:
        return None
    url = text(given, "queue_url", limits.URL_CHARACTERS_MAX)
    if not isinstance(given.get("execution_id"), str):
        raise MessageError("`execution_id` is missing or not a non-empty string")
    return Callback(url, execution({"execution_id": given["execution_id"]}), task(given))


def tags(data: dict[str, Any]) -> dict[str, str]:
    """Tags within the limits of a listing."""
    given = data.get("tags") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise MessageError("`options.tags` is not an object of strings")
    if len(given) > limits.TAGS_MAX:
        raise MessageError(f"`options.tags` has {len(given)} tags, at most {limits.TAGS_MAX}")
    for name, value in given.items():
        if len(name) > limits.TAG_NAME_CHARACTERS_MAX:
            raise _too_long("options.tags: a name", len(name), limits.TAG_NAME_CHARACTERS_MAX)
        if len(value) > limits.TAG_CHARACTERS_MAX:
            raise _too_long("options.tags: a text", len(value), limits.TAG_CHARACTERS_MAX)
    return given


def memo(data: dict[str, Any]) -> Json:
    """What a listing shows, small enough for one."""
    given: Json = data.get("memo")
    if given is None:
        return None
    if (size := len(dumps(given).encode())) > limits.MEMO_BYTES_MAX:
        raise MessageError(
            f"`options.memo` has {size:,} bytes of JSON, at most {limits.MEMO_BYTES_MAX:,}"
        )
    return given


def payload(data: dict[str, Any], field: str) -> Json | BlobRef:
    """A payload, or the reference that stands for one."""
    ref = data.get(f"{field}_ref")
    if ref is None:
        found: Json = data.get(field)
        return found
    if not isinstance(ref, dict):
        raise MessageError(f"`{field}_ref` is not an object")
    size = whole(ref, "bytes", most=limits.PAYLOAD_BYTES_MAX)
    return BlobRef(text(ref, "key"), text(ref, "digest", _DIGEST_CHARACTERS_MAX), size)


def _too_long(field: str, length: int, most: int) -> MessageError:
    return MessageError(f"`{field}` has {length:,} characters, at most {most:,}")
