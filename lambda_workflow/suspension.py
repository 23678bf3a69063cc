"""What unwinds a workflow's stack: no errors, and in no `except Exception`."""

from __future__ import annotations

from typing import Any, Final, final

_TOKEN: Final = object()


@final
class Suspended(BaseException):
    """Unwinds a workflow's stack at the end of a turn; its outcome is fixed already.

    Only the replayer can raise it. Do not catch it: a `finally` may run, but calls made while it
    unwinds do nothing, and are made for real when the code gets there for good.
    """

    def __init__(self, token: object = None) -> None:
        if token is not _TOKEN:
            raise TypeError(
                "Suspended cannot be raised by hand: to wait, `await` a call, a timer or a step, "
                "and the turn ends by itself"
            )
        super().__init__(
            "the turn has ended and this workflow waits for a result; what you see is its stack "
            "being unwound. The workflow goes on from its history when the result arrives"
        )


def suspended() -> Suspended:
    """The replayer's way to make one."""
    return Suspended(_TOKEN)


class RunEnded(BaseException):
    """What `ctx.continue_as_new` raises to end the run; for the replayer alone."""

    def __init__(self, request: Any) -> None:
        super().__init__("this run has ended, the next begins: let this exception pass")
        self.request = request
