"""What is wrong with a turn record whose rows have the right shape and parts of the wrong type.

Law: reading a record checks no types, because a replay reads thousands; what fails later on is
checked here, so that the error names the record and the part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.payload import dumps
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage


def damage_in(turns: Iterable[Turn]) -> str:
    """The first part of a record that has the wrong type; empty if each has the right one."""
    for place, turn in enumerate(turns):
        if wrong := _wrong(turn):
            return f"record {place + 1}: {wrong}"
    return ""


def _wrong(value: Any) -> str:
    kind: type[object] = type(value)
    for name, hint in _hints(kind):  # type: ignore[arg-type]  # a class can be hashed
        part = getattr(value, name)
        if not _fits(part, hint):
            return f"`{name}` of {kind.__name__} is no sound {type(part).__name__}"
        for inner in part if type(part) is tuple else (part,):
            if is_dataclass(inner) and (wrong := _wrong(inner)):
                return wrong
    return ""


@cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _is_payload(value)
    if origin is Final:
        return _fits(value, arguments[0])
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is tuple:
        return type(value) is tuple and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(_fits(item, arguments[1]) for item in value.values())
    if hint is Usage:
        return type(value) is Usage and all(type(count) is int for count in value)
    if hint is float:
        return type(value) in (int, float)
    return type(value) is (hint or type(None))


def _is_payload(value: Any) -> bool:
    """Whether it can be written again; 1e400 was read as infinity."""
    if type(value) is BlobRef:
        return True
    try:
        dumps(value).encode()
    except (ValueError, TypeError, RecursionError):
        return False
    return True
