"""What the parts of a Context share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from lambda_workflow.errors import UsageError
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.model.service import RETRY_FORM, check_timeout
from lambda_workflow.replay.loop import OrderedFuture
from lambda_workflow.replay.tools import Info

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


class ContextBase:
    """One per run; see `Context`."""

    request: Any
    execution_id: str
    info: Info
    _execution: Execution

    def _is_frozen(self) -> bool:
        """Whether the code is only unwinding, and nothing that it does counts.

        Raises:
            UsageError: a query tries to change something; or see `Loop.check_caller`.
        """
        execution = self._execution
        if execution.read_only:
            raise UsageError(
                "a query can change nothing: it may read what the workflow keeps, and return it"
            )
        execution.loop.check_caller()
        return execution.loop.frozen

    def _check_reader(self) -> None:
        """What only tells something is for queries, too; raises as `Loop.check_caller`."""
        if not self._execution.read_only:
            self._execution.loop.check_caller()

    def _never(self) -> Any:
        """What a frozen context answers with: nobody will ever resolve it."""
        return cast("Any", OrderedFuture(self._execution.loop))


def milliseconds(duration: timedelta) -> int:
    """A duration in whole milliseconds, at least one."""
    return max(1, round(duration / timedelta(milliseconds=1)))


def limit_ms(timeout: timedelta | None, of: str) -> int:
    """A timeout in milliseconds, 0 if there is none.

    Raises:
        ConfigurationError: it is out of its limits.
    """
    return 0 if timeout is None or check_timeout(timeout, of) is None else milliseconds(timeout)


def checked_retry(retry: RetryPolicy, of: str) -> RetryPolicy:
    """The policy, if it is one.

    Raises:
        ConfigurationError: it is something else, such as a number of attempts.
    """
    check_kind(retry, RetryPolicy, f"retry of a {of}", RETRY_FORM)
    return retry
