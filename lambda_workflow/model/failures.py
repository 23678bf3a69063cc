"""What a history keeps of an exception: names and words of bounded length, JSON details.

Law: nothing here raises, whatever the exception is: its attributes and its text are code.
"""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import Any, Final

from lambda_workflow.errors import ServiceError
from lambda_workflow.model.bounded import as_details, clipped, text_of
from lambda_workflow.model.events import Failure
from lambda_workflow.model.payload_shown import are_values_shown

__all__ = ["as_details", "clipped", "failure_of", "stack_of", "words_of"]

_WORDS_CHARACTERS_MAX: Final = 1_000  # of an error in a log or a dead letter


_LEAVES_TOLD: Final = 5  # of a group, in its message
_LEAVES_KEPT: Final = 20  # in its details
_LEAF_CHARACTERS_MAX: Final = 300
_TASK_GROUPS: Final = ("unhandled errors in a TaskGroup",)


def failure_of(error: BaseException, stack: str | None = None) -> Failure:
    """The facts of an exception; a ServiceError says its own, a group those of its leaves."""
    name = type_name(type(error))
    if isinstance(error, BaseExceptionGroup):
        leaves = leaves_of(error)
        kept = [{"type": type_name(type(leaf)), "message": _words(leaf)} for leaf in leaves]
        own = _attribute(error, "details", None)
        details = kept[:_LEAVES_KEPT] if own is None else own
        return Failure(name, _group_words(error, leaves), True, details, stack or None)
    after = None
    if isinstance(error, ServiceError):
        name, after = text_of(error.type) or name, error.retry_after
    return Failure(
        name,
        text_of(error),
        _attribute(error, "retryable", True) is not False,
        _attribute(error, "details", None),
        stack or None,
        max(0.0, after.total_seconds()) if isinstance(after, timedelta) else None,
    )


def type_name(kind: type) -> str:
    """What a failure calls a class: with its module, but for builtins and this library's errors."""
    plain = kind.__module__ in ("builtins", "lambda_workflow.errors")
    return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def leaves_of(error: BaseException) -> list[BaseException]:
    """The exceptions of a group and of the groups in it; of any other exception itself."""
    left, found = [error], []
    while left:
        first = left.pop(0)
        if isinstance(first, BaseExceptionGroup):
            left[:0] = first.exceptions
        else:
            found.append(first)
    return found


def _group_words(group: BaseExceptionGroup[Any], leaves: list[BaseException]) -> str:
    """What went wrong in a group; this library's groups say it themselves."""
    if type(group).__module__ == "lambda_workflow.errors":
        return text_of(group)
    told = [f"{type(leaf).__name__}: {_words(leaf)}".removesuffix(": ") for leaf in leaves]
    more = f"; and {len(told) - _LEAVES_TOLD} more" if len(told) > _LEAVES_TOLD else ""
    count = "1 error" if len(told) == 1 else f"{len(told)} errors"
    in_group = group.message in _TASK_GROUPS
    head = f"{count} in a TaskGroup" if in_group else f"{group.message} ({count})"
    return f"{head}: {'; '.join(told[:_LEAVES_TOLD])}{more}"


def _words(leaf: BaseException) -> str:
    return clipped(text_of(leaf), _LEAF_CHARACTERS_MAX)


def stack_of(error: BaseException) -> str:
    """The traceback of an exception as text."""
    try:
        return "".join(traceback.format_exception(error))
    except (Exception, SystemExit, GeneratorExit) as failed:  # noqa: BLE001  # the law above
        return f"(the traceback cannot be written: {type(failed).__qualname__})"


def _attribute(error: BaseException, name: str, default: object) -> Any:
    try:
        return getattr(error, name, default)
    except (Exception, SystemExit, GeneratorExit):  # noqa: BLE001  # the law: a property is code
        return default


def words_of(error: BaseException) -> str:
    """An error's type and message for a log: bounded, and never its `repr`, which has its object.

    The `repr` of a UnicodeEncodeError, for one, is the whole record that could not be encoded.
    """
    if isinstance(error, ValueError | LookupError) and not are_values_shown():
        return type(error).__name__  # their messages have the value that was wrong
    return clipped(f"{type(error).__name__}: {text_of(error)}", _WORDS_CHARACTERS_MAX)
