"""What a deployment decides: which state machines may be run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from lambda_workflow import ServiceError
from lambda_workflow.errors import ConfigurationError

MACHINES_MAX: Final = 50  # each is asked for an execution to stop when a call is given up
_ARN: Final = re.compile(
    r"arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_.-]{1,80}"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """See the module."""

    machines: tuple[str, ...]

    def check(self, wanted: str) -> str:
        """The ARN of a state machine that is named by it, or by its name.

        Raises:
            ServiceError: none that is allowed, or several.
        """
        found = [arn for arn in self.machines if wanted in (arn, arn.rpartition(":")[2])]
        if len(found) == 1:
            return found[0]
        why = "is the name of several: give its ARN" if found else "may not be run from here"
        raise ServiceError(
            f"state machine {wanted!r} {why}; STEPFUNCTIONS_MACHINES allows "
            f"{', '.join(self.machines)}",
            type="NotAllowed",
            retryable=False,
        )


@cache
def settings() -> Settings:
    """Those of this process, read once.

    Raises:
        ConfigurationError: the variable is missing or wrong.
    """
    given = os.environ.get("STEPFUNCTIONS_MACHINES", "").split(",")
    machines = tuple(dict.fromkeys(arn for part in given if (arn := part.strip())))
    if not machines:
        raise ConfigurationError(
            "STEPFUNCTIONS_MACHINES is not set: give the ARNs of the state machines that may be "
            "run, with commas between"
        )
    if wrong := [arn for arn in machines if not _ARN.fullmatch(arn)]:
        raise ConfigurationError(
            f"STEPFUNCTIONS_MACHINES has {', '.join(map(repr, wrong))}: give ARNs of state "
            "machines, without a version, an alias or a *"
        )
    if len(machines) > MACHINES_MAX:
        raise ConfigurationError(
            f"STEPFUNCTIONS_MACHINES has {len(machines)} state machines, and {MACHINES_MAX} are "
            "the most: deploy the service twice, under two names"
        )
    return Settings(machines)
