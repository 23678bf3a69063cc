"""Run a state machine of AWS Step Functions: `ctx.call(STEPFUNCTIONS, Run(state_machine=…))`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from lambda_workflow import Service

__all__ = ["STEPFUNCTIONS", "Execution", "Run"]


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

    state_machine: str = Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9:_.-]+$")
    input: Any = Field(default_factory=dict)
    rerun: bool = False


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
