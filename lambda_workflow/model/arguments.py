"""Arguments of a wrong kind, told in words: what a type checker refuses, where there is one.

What is told names nothing that differs from process to process, such as an address in memory: it
may end up in a history, and has to be the same on replay.
"""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from typing import Any, Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.payload_shown import are_values_shown, cut, kind_of

_VALUES: Final = (str, bytes, bool, int, float, list, dict, tuple, set, timedelta, datetime)


def check_kind(value: object, kinds: type | tuple[type, ...], what: str, give: str) -> None:
    """Refuse a value that is of none of the kinds.

    Raises:
        ConfigurationError: `{what} is {value}: give {give}`.
    """
    if not isinstance(value, kinds):
        raise ConfigurationError(f"{what} is {named(value)}: give {give}")


def check_type(value: object, what: str, give: str = "the type itself") -> None:
    """Refuse a value, or the name of a type, where a type belongs.

    Raises:
        ConfigurationError: says what to give.
    """
    if isinstance(value, _VALUES):
        raise ConfigurationError(f"{what} is {named(value)}, which is no type: give {give}")


def check_duration(value: object, what: str) -> None:
    """Refuse what is no timedelta, such as a number of seconds.

    Raises:
        ConfigurationError: says what to write.
    """
    if not isinstance(value, timedelta):
        is_number = isinstance(value, int | float)
        example = f"timedelta(seconds={value})" if is_number else "timedelta(seconds=30)"
        told = value if is_number else named(value)
        raise ConfigurationError(f"{what} is {told}: give a timedelta, such as {example}")


def check_moment(value: object, what: str) -> None:
    """Refuse what is no datetime, or has no time zone.

    Raises:
        ConfigurationError: says what to write.
    """
    check_kind(value, datetime, what, "a datetime with a time zone")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ConfigurationError(f"{what}={value!r}: it needs a time zone: tzinfo=UTC")


def check_plain(function: Any, what: str, give: str) -> None:
    """Refuse a condition that is no function, or `async`: its coroutine would always be true.

    Raises:
        ConfigurationError: `{what} is {function}: give {give}`.
    """
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{what} is {named(function)}: give {give}")


def named(value: object) -> str:
    """A value for a reader, the same in each process."""
    if inspect.iscoroutinefunction(value):
        return f"the async function {value.__name__!r}"
    if inspect.isroutine(value):
        return f"the function {value.__name__!r}"
    if inspect.iscoroutine(value):
        return f"the coroutine of {value.__qualname__!r}"
    if isinstance(value, type) or type(value).__module__.startswith("lambda_workflow."):
        return cut(value)
    return cut(value) if are_values_shown() else kind_of(value)
