"""Acts: what somebody outside does to a simulated execution, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from lambda_workflow.model.arguments import check_duration
from lambda_workflow.model.messages import (
    GRACE_MS,
    Cancel,
    Message,
    Pause,
    Resume,
    Terminate,
    UpdateRequest,
)
from lambda_workflow.model.messages import Signal as SignalMessage
from lambda_workflow.model.signal import Signal, Update, is_typed

T = TypeVar("T")
Req = TypeVar("Req")

DEFAULT_GRACE: Final = timedelta(milliseconds=GRACE_MS)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happens to the execution from outside; made by `after(…)`.

    Attributes:
        name: what the timeline and the faults call it.
        message: the message, of the execution's id and an id of its own.
    """

    after: timedelta
    name: str
    message: Callable[[str, str], Message]


class Moment:
    """A moment of a simulation, and what can be done to the execution then."""

    __slots__ = ("_after",)

    def __init__(self, after: timedelta) -> None:
        self._after = after

    def signal(self, signal: Signal[T], payload: T) -> Act:
        """Send a signal.

        Raises:
            EncodeError: the payload is not of the signal's type.
        """
        encoded = signal.accepts(payload)
        return self._act(
            f"signal {signal.name}",
            lambda to, key: SignalMessage(
                to, signal.name, encoded, key, checked=is_typed(signal.codec.type)
            ),
        )

    def update(self, update: Update[Req, Any], payload: Req) -> Act:
        """Ask the workflow for something; its reply stands in the history.

        Raises:
            EncodeError: the payload is not of the update's request type.
        """
        encoded = update.accepts(payload)
        return self._act(
            f"update {update.name}",
            lambda to, key: UpdateRequest(
                to, update.name, encoded, key, checked=is_typed(update.request_codec.type)
            ),
        )

    def cancel(self, reason: str = "", *, grace: timedelta = DEFAULT_GRACE) -> Act:
        """Cancel the execution; its cleanup has `grace` for that."""
        milliseconds = round(grace / timedelta(milliseconds=1))
        return self._act("cancel", lambda to, key: Cancel(to, reason, milliseconds, id=key))

    def terminate(self, reason: str = "") -> Act:
        """End the execution at once."""
        return self._act("terminate", lambda to, key: Terminate(to, reason, id=key))

    def pause(self, reason: str = "") -> Act:
        """Hold the execution's progress."""
        return self._act("pause", lambda to, key: Pause(to, reason, key))

    def resume(self) -> Act:
        """Let it go on."""
        return self._act("resume", Resume)

    def _act(self, name: str, message: Callable[[str, str], Message]) -> Act:
        return Act(self._after, name, message)


now: Final = Moment(timedelta(0))
"""At once: at the start, or when `Simulation.do` is called."""


def after(delay: timedelta) -> Moment:
    """So long after the start, or after the call of `Simulation.do`.

    `after(timedelta(hours=1)).signal(CANCEL, "changed my mind")`

    Raises:
        ConfigurationError: the delay is no timedelta.
    """
    check_duration(delay, "after")
    return Moment(delay)
