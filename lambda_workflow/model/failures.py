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


def failure_of(error: BaseException, stack: str | None = None) -> Failure:
    """The facts of an exception; a ServiceError says its own."""
    kind = type(error)
    plain = kind.__module__ in ("builtins", "lambda_workflow.errors")
    name = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
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
