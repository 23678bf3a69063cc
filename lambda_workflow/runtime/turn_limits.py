"""How long workflow code may run without waiting for anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_workflow.errors import ConfigurationError

WARNING_SECONDS: Final = 2.0
SECONDS_MAX: Final = 10.0


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long workflow code may run without waiting, in seconds; None is for ever.

    Attributes:
        warning_seconds: after this it is named, once.
        seconds_max: after this it is cut off, and its execution is BLOCKED.

    Raises:
        ConfigurationError: a limit is not above 0.
    """

    warning_seconds: float | None = WARNING_SECONDS
    seconds_max: float | None = SECONDS_MAX

    def __post_init__(self) -> None:
        for name, value in (
            ("turn_warning_seconds", self.warning_seconds),
            ("turn_seconds_max", self.seconds_max),
        ):
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} is {value!r}: it must be above 0, or None")


TURN_LIMITS: Final = TurnLimits()
