"""The arguments that an exception was made with, as JSON that has them back as they were.

Laws
 1. Reading and writing gives equal values of the same types, or there is no JSON form: None.
 2. Nothing here raises, whatever the exception is: its attributes and methods are code.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any, Final

from lambda_workflow.model.limits import ERROR_ARGS_CHARACTERS_MAX
from lambda_workflow.model.payload import Json, dumps

_TUPLE: Final = "$tuple"
_PATH: Final = "$path"
_PATH_CLASS: Final = type(Path())
_DEPTH_MAX: Final = 20  # of lists within lists
_INTEGER_BITS_MAX: Final = 1_000  # Python writes and reads no integer of thousands of digits


class _NoForm(Exception):
    """A value has no JSON form (law 1)."""


def args_of(error: BaseException) -> Json:
    """The arguments as a list; None where the message alone says them, or they have no form.

    They are those of `__reduce__`, which has the file's name of an OSError as well.
    """
    try:
        args = _given(error)
        if not args or args == (str(error),):
            return None
        form = [_form(arg, 0) for arg in args]
        return form if len(dumps(form)) <= ERROR_ARGS_CHARACTERS_MAX else None
    except (Exception, SystemExit, GeneratorExit):  # noqa: BLE001  # law 2
        return None


def args_from(form: Json) -> tuple[Any, ...] | None:
    """What `args_of` was given; None where nothing was kept, or it is not of its making."""
    if not isinstance(form, list):
        return None
    try:
        return tuple(map(_value, form))
    except (TypeError, ValueError, RecursionError):
        return None


def _given(error: BaseException) -> tuple[Any, ...]:
    reduced = error.__reduce__()
    if isinstance(reduced, tuple) and reduced[0] is type(error) and type(reduced[1]) is tuple:
        return reduced[1]
    return ()


def _form(value: Any, depth: int) -> Json:
    if depth > _DEPTH_MAX:
        raise _NoForm
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int and value.bit_length() <= _INTEGER_BITS_MAX:
        return value
    if kind is float and isfinite(value):
        return value
    if kind is str:
        value.encode()  # raises for half a character
        return value
    if kind is list:
        return [_form(one, depth + 1) for one in value]
    if kind is tuple:
        return {_TUPLE: [_form(one, depth + 1) for one in value]}
    if kind is _PATH_CLASS:
        return {_PATH: _form(str(value), depth)}
    if kind is dict and all(type(key) is str and key not in (_TUPLE, _PATH) for key in value):
        return {key: _form(one, depth + 1) for key, one in value.items()}
    raise _NoForm


def _value(form: Any) -> Any:
    if isinstance(form, list):
        return [_value(one) for one in form]
    if not isinstance(form, dict):
        return form
    if _TUPLE in form:
        return tuple(map(_value, form[_TUPLE]))
    if _PATH in form:
        return Path(form[_PATH])
    return {key: _value(one) for key, one in form.items()}
