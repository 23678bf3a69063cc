"""The settings of the adapters: environment variables, which the README lists."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from lambda_workflow import ConfigurationError

KEEP_SECONDS: Final = 3_600
KEEP_SECONDS_MAX: Final = 14 * 86_400  # as long as a queue keeps the event itself


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where waits and events are kept, and events for how long."""

    table: str
    keep_seconds: int = KEEP_SECONDS


@cache
def buses() -> tuple[str, ...]:
    """The buses that may be published to, by name or ARN.

    Raises:
        ConfigurationError: there is none.
    """
    return read_buses(os.environ)


@cache
def waiting() -> Waiting:
    """The settings of `eventbridge_wait`.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them.
    """
    return read_waiting(os.environ)


def read_buses(environ: Mapping[str, str]) -> tuple[str, ...]:
    """See `buses`."""
    given = environ.get("EVENTBRIDGE_PUBLISH_BUSES", "default").split(",")
    found = tuple(bus.strip() for bus in given if bus.strip())
    if not found:
        raise ConfigurationError(
            "EVENTBRIDGE_PUBLISH_BUSES is empty: name the event buses, with commas between"
        )
    return found


def read_waiting(environ: Mapping[str, str]) -> Waiting:
    """See `waiting`."""
    table = environ.get("EVENTBRIDGE_WAIT_TABLE", "").strip()
    keep = environ.get("EVENTBRIDGE_WAIT_KEEP_SECONDS", "").strip() or str(KEEP_SECONDS)
    wrong = []
    if not table:
        wrong.append("EVENTBRIDGE_WAIT_TABLE is not set: the name of the service's own table")
    if not (keep.isascii() and keep.isdigit() and 1 <= int(keep) <= KEEP_SECONDS_MAX):
        wrong.append(
            f"EVENTBRIDGE_WAIT_KEEP_SECONDS is {keep!r}: it must be a whole number, 1 to "
            f"{KEEP_SECONDS_MAX}"
        )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return Waiting(table, int(keep))
