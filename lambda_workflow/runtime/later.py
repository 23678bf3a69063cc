"""What a service adapter raises when the work goes on elsewhere: `Later`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, final

from lambda_workflow.errors import ConfigurationError, LimitExceeded
from lambda_workflow.model.arguments import check_duration
from lambda_workflow.model.failures import leaves_of
from lambda_workflow.model.payload import Json, codec_for, dumps
from lambda_workflow.model.service import TIMEOUT_MAX

STATE_BYTES_MAX: Final = 16_000  # it travels in each message, and may be a heartbeat's details


@final
class Later(BaseException):
    """Raise this in a service adapter: the work goes on elsewhere; come back to the task later.

        raise Later(timedelta(minutes=1), {"job": job.id})

    The invocation ends, and no result is posted. After the delay the adapter gets the task again,
    as the same attempt, with `task.state`; it may be in another process. It is no error, and so no
    `Exception`: an `except Exception` in the adapter lets it pass.

    Args:
        after: the delay, 0 to 366 days; on AWS in whole seconds.
        state: any JSON value of at most 16,000 bytes.

    Raises:
        ConfigurationError: the delay is out of its limits.
        EncodeError: the state is no JSON.
        LimitExceeded: the state is too large.
    """

    def __init__(self, after: timedelta, state: Any = None) -> None:
        super().__init__(f"only the adapter of a service may raise Later (here of {after})")
        check_duration(after, "the delay of Later")
        if not timedelta(0) <= after <= TIMEOUT_MAX:
            raise ConfigurationError(
                f"the delay of Later is {after}: it must be 0 to {TIMEOUT_MAX.days} days"
            )
        self.after: Final = after
        self.state: Final[Json] = codec_for(Any).encode(state, "state of Later")
        if (size := len(dumps(self.state).encode())) > STATE_BYTES_MAX:
            raise LimitExceeded(
                f"the state of Later is {size:,} bytes of JSON, and at most {STATE_BYTES_MAX:,} "
                "travel with a task: leave the rest where the work is, and say here where that is"
            )


def later_of(group: BaseExceptionGroup) -> BaseException:
    """What a group stands for that has a Later in it, as a task group makes of one.

    Its errors, where it has others: they are the answer. Otherwise the Later.
    """
    leaves = leaves_of(group)
    laters = [leaf for leaf in leaves if isinstance(leaf, Later)]
    if not laters:
        return group
    if len(laters) == len(leaves):
        return laters[0]
    try:
        return group.split(Later)[1] or group
    except RecursionError:  # groups in groups, a thousand deep
        return group.derive([leaf for leaf in leaves if not isinstance(leaf, Later)])
