"""Run a state machine of AWS Step Functions: `ctx.call(STEPFUNCTIONS, Run(state_machine=…))`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lambda_workflow import Service

__all__ = ["STEPFUNCTIONS", "Execution", "Run"]

_MACHINE: Final = re.compile(
    r"(?:arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:)?[A-Za-z0-9_.-]{1,80}"
)


class Run(BaseModel):
    """What to run.

    Attributes:
        state_machine: the ARN of a standard state machine that the stack allows, or its name, where
            the stack allows one of that name.
        input: its input; any JSON value of at most 262,144 bytes.
        rerun: whether an execution that ended badly may be followed by another one: as many as the
            call's retry policy says. By default its error ends the call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    state_machine: str
    input: Any = Field(default_factory=dict)
    rerun: bool = False

    @field_validator("state_machine")
    @classmethod
    def _check_machine(cls, machine: str) -> str:
        if not _MACHINE.fullmatch(machine):
            raise ValueError(
                "write the name of a state machine, such as render, or its ARN, "
                "arn:aws:states:REGION:ACCOUNT:stateMachine:render, without a version or an alias"
            )
        return machine


class Execution(BaseModel):
    """An execution that has succeeded.

    Attributes:
        output: what the state machine gave.
        arn: of the execution, as the console shows it.
        began, ended: when, as Step Functions says.
    """

    output: Any = None
    arn: str
    began: datetime
    ended: datetime


STEPFUNCTIONS: Final[Service[Run, Execution]] = Service(
    "stepfunctions",
    Run,
    Execution,
    # The adapter is away while it runs; this makes it hear of a call that is given up.
    heartbeat_timeout=timedelta(hours=1),
)
