"""Invoke any Lambda function: `ctx.call(LAMBDA, Invocation(function="resize", payload=…))`."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lambda_workflow import Service

__all__ = ["LAMBDA", "Invocation", "InvocationResult"]

_FUNCTION: Final = re.compile(r"[A-Za-z0-9_.:$-]{1,256}")


class Invocation(BaseModel):
    """What to invoke, and how.

    Attributes:
        function: a name, a partial or a whole ARN, with or without `:ALIAS` or `:VERSION`; one that
            the stack allows.
        payload: the event that the function gets; any JSON value.
        qualifier: an alias or a version, where `function` has none.
        invocation_type: "RequestResponse" waits for the result; "Event" is done once Lambda has
            accepted the event, which Lambda then retries by itself.
        envelope: whether the function gets {"task": {"task_id", "execution_id", "attempt"},
            "payload": …} instead of the bare payload. An "Event" has no other way to tell it.
        client_context: for the function's `context.client_context.custom`, beside `task_id`,
            `execution_id` and `attempt`; up to about 2.5 KB of JSON, and not for an "Event".
        log_tail: whether the last 4 KB of the function's log come along with its error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    function: str
    payload: Any = None
    qualifier: str = Field(default="", max_length=128, pattern=r"^[A-Za-z0-9_$.-]*$")
    invocation_type: Literal["RequestResponse", "Event"] = "RequestResponse"
    envelope: bool = False
    client_context: dict[str, Any] = Field(default_factory=dict)
    log_tail: bool = False

    @field_validator("function")
    @classmethod
    def _check_function(cls, function: str) -> str:
        if not _FUNCTION.fullmatch(function):
            raise ValueError(
                "write the name of a function, such as resize, resize:ALIAS, or its ARN, "
                "arn:aws:lambda:REGION:ACCOUNT:function:resize"
            )
        return function

    @model_validator(mode="after")
    def _check_event(self) -> Self:
        if self.invocation_type == "Event":
            names = ("client_context", "log_tail")
            if wrong := [name for name in names if getattr(self, name)]:
                raise ValueError(
                    f"an Event has no {' and no '.join(wrong)}: Lambda accepts it, and nobody "
                    "hears of what the function makes of it"
                )
        return self


class InvocationResult(BaseModel):
    """What the function answered.

    Attributes:
        payload: what it returned; null for an "Event".
        status: 200, or 202 for an "Event" that Lambda has accepted.
        executed_version: what an alias led to; empty for an "Event".
        request_id: as it stands in the function's log.
    """

    payload: Any = None
    status: int = 200
    executed_version: str = ""
    request_id: str = ""


LAMBDA: Final[Service[Invocation, InvocationResult]] = Service(
    "lambda_invoke", Invocation, InvocationResult
)
