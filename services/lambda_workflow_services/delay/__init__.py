"""Be answered after a time: `await ctx.call(DELAY, Delay(seconds=86_400))`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from lambda_workflow import Service

__all__ = ["DELAY", "Delay", "Delayed"]

SECONDS_MAX: Final = 366 * 86_400  # as long as a timer may be, and the SDK's Later


class Delay(BaseModel):
    """How long to wait, from when the task is first delivered.

    Attributes:
        seconds: 0 to 31,622,400, which is 366 days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(ge=0, le=SECONDS_MAX, allow_inf_nan=False)


class Delayed(BaseModel):
    """The time has come.

    Attributes:
        since: when the task was first delivered, by the clock of the adapter.
    """

    since: datetime


DELAY: Final[Service[Delay, Delayed]] = Service("delay", Delay, Delayed)
