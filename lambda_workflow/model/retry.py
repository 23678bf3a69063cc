"""Retries: how often a failed attempt is made again, and how long after.

1. The delay is a function of its arguments: chance is a number that the caller supplies.
2. The delay is the same on every machine: multiplied out, because `**` on floats is the C
   library's and may differ in its last digit, which replay would see.
3. A delay is at most `cap`, with jitter less, never more.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from lambda_workflow import errors
from lambda_workflow.errors import ConfigurationError

__all__ = ["NO_RETRY", "RetryPolicy"]

ATTEMPTS_MAX: Final = 1000  # each one is an event in the history
DELAY_MAX: Final = timedelta(days=365)  # as long as a timer is sure to live
BACKOFF_MAX: Final = 100.0  # any more goes from a second to the cap at once

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What happens when an attempt ends in an error.

    Args:
        attempts: how many are made in all, the first included; 1 to 1000.
        initial: the delay before the second attempt; 0 to 365 days.
        cap: no delay is longer; `initial` to 365 days.
        backoff: what the delay is multiplied by after each attempt; 1 to 100.
        jitter: the share of each delay that is left to chance, 0 to 1: with 0.5 a delay of
            4 seconds is one of 2 to 4 seconds, so that what failed together does not come back
            together.
        non_retryable: the errors that end a call at once, as exception classes or names. Compared
            by name, with or without the module; a class takes in those below it, where the class
            of the error is known to the process.
        retryable: where it is given, only these errors are followed by another attempt; compared
            likewise. An attempt that took too long is an `AttemptTimedOut`, a silent one a
            `HeartbeatTimedOut`, one that no adapter began in time a `StartTimedOut`.

    Raises:
        ConfigurationError: an argument is out of its limits; says which, and what they are.
    """

    attempts: int = 3
    initial: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=5)
    backoff: float = 2.0
    jitter: float = 0.5
    non_retryable: tuple[type[BaseException] | str, ...] = ()
    retryable: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        _check_number("attempts", self.attempts, int, (1, ATTEMPTS_MAX))
        _check_duration("initial", self.initial, timedelta(0))
        _check_duration("cap", self.cap, self.initial)
        _check_number("backoff", self.backoff, float, (1, BACKOFF_MAX))
        _check_number("jitter", self.jitter, float, (0, 1))
        _check_names("non_retryable", self.non_retryable)
        _check_names("retryable", self.retryable)

    def delay_ms(self, attempt: int, uniform: float) -> int:
        """The delay after an attempt that failed, in whole milliseconds.

        Args:
            attempt: the number of the attempt that failed, from 1.
            uniform: a number of the caller's chance, at least 0 and below 1.
        """
        cap = self.cap / _MILLISECOND
        delay = self.initial / _MILLISECOND
        if self.backoff > 1 and delay > 0:
            for _ in range(attempt - 1):
                if delay >= cap:
                    break
                delay *= self.backoff
        return round(min(delay, cap) * (1 - self.jitter * uniform))

    def retries(self, error_type: str, retryable: bool, attempt: int) -> bool:
        """Whether another attempt is made.

        Args:
            error_type: the name of the error, with or without its module.
            retryable: what the error itself says of it.
            attempt: the number of the attempt that failed, from 1.
        """
        return (
            retryable
            and attempt < self.attempts
            and not any(_is_named(error, error_type) for error in self.non_retryable)
            and (not self.retryable or any(_is_named(x, error_type) for x in self.retryable))
        )


def _is_named(error: type[BaseException] | str, name: str) -> bool:
    """Whether a failure is of this class or name, or of a class below it that is known here."""
    if isinstance(error, type):
        module, _, last = name.rpartition(".")
        found = getattr(sys.modules.get(module or "builtins"), last, None)
        if found is None and not module:
            found = getattr(errors, last, None)  # a failure has this library's without their module
        if isinstance(found, type) and issubclass(found, error):
            return True
    own = error if isinstance(error, str) else f"{error.__module__}.{error.__qualname__}"
    return own == name or own.endswith(f".{name}") or name.endswith(f".{own}")


def _check_names(name: str, errors: Any) -> None:
    if not isinstance(errors, tuple) or not all(map(_is_name, errors)):
        raise ConfigurationError(
            f"RetryPolicy: {name} is {errors!r}: it must be a tuple of "
            "exception classes and their names, such as (ValueError, 'CardDeclined')"
        )


def _is_name(error: Any) -> bool:
    if isinstance(error, str):
        return bool(error.strip("."))
    return isinstance(error, type) and issubclass(error, BaseException)


def _check_number(name: str, value: Any, kind: type, limits: tuple[float, float]) -> None:
    low, high = limits
    is_number = isinstance(value, int | kind) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):
        raise ConfigurationError(
            f"RetryPolicy: {name} is {value!r}: it must be "
            f"{'a whole number' if kind is int else 'a number'} from {low} to {high:g}"
        )


def _check_duration(name: str, value: Any, low: timedelta) -> None:
    if not (isinstance(value, timedelta) and low <= value <= DELAY_MAX):
        raise ConfigurationError(
            f"RetryPolicy: {name} is {value!r}: it must be a timedelta from "
            f"{low or 0} to {DELAY_MAX.days} days"
        )


NO_RETRY: Final = RetryPolicy(attempts=1)
"""The first error is final."""
