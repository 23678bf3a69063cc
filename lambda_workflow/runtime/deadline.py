"""When the host's own time ends: the deadline of a Lambda function, on the event loop's clock."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

FAIR_SHARE: Final = 0.4  # of the whole time; who had less because of others is tried again
RESERVED_SECONDS: Final = 1.0  # of what is left, for the commit that follows


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of the time that a host has for a batch.

    Attributes:
        at: when it ends, on the clock of the running event loop.
        whole: how long it was when the batch began, in seconds.
    """

    at: float
    whole: float

    def is_fair(self, seconds: float) -> bool:
        """Whether so much of the time is a fair share, so that it is the code that takes long."""
        return seconds >= self.whole * FAIR_SHARE

    def left(self) -> float:
        """Seconds that user code may still take, so that its outcome can be committed in time."""
        left = self.at - asyncio.get_running_loop().time()
        return max(left - RESERVED_SECONDS, left / 2)


DEADLINE: Final[ContextVar[Deadline | None]] = ContextVar("lambda_workflow_deadline", default=None)
