"""How workflow code comes to its end, and what that makes of the execution."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lambda_workflow.errors import EncodeError, PayloadTooLarge
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.failures import failure_of, leaves_of, stack_of
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.replay.bugs import block_on, bug_in
from lambda_workflow.replay.loop import OrderedTask
from lambda_workflow.replay.places import line_of
from lambda_workflow.suspension import RunEnded

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


def finish(execution: Execution, root: OrderedTask[Any]) -> None:
    """The root task is done: its end is the execution's, or the run's."""
    try:
        result = root.result()
    except asyncio.CancelledError as error:
        reason = execution.state.cancelled
        if reason is None:
            execution.end(c.Fail(failure_of(error)))
        else:
            execution.end(c.End(Status.CANCELLED, reason))
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the outcome
        if (renewed := _renewal(error)) is not None:
            _renew(execution, renewed)
            return
        if (bug := bug_in(execution, error)) is not None and not _has_failed(execution):
            block_on(execution, bug)
            return
        execution.end(c.Fail(failure_of(error, stack_of(error))))
    else:
        if execution.renewal is not None:  # caught by `gather(return_exceptions=True)`, for one
            _renew(execution, execution.renewal)
        else:
            _completed(execution, result)


def _renew(execution: Execution, ended: RunEnded) -> None:
    execution.end(c.ContinueAsNew(ended.request, execution.state.untaken()))


def _completed(execution: Execution, result: Any) -> None:
    name, codec = execution.workflow.name, execution.workflow.result_codec
    try:
        payload = bounded(codec.encode(result, where=f"result of {name}"), f"result of {name}")
        execution.end(_strict_outcome(execution) or c.Complete(payload))
    except (EncodeError, PayloadTooLarge) as error:
        if bug_in(execution, error) is not None and not _has_failed(execution):
            block_on(execution, error)
            return
        execution.end(c.Fail(failure_of(error)))


def _has_failed(execution: Execution) -> bool:
    """Whether the history has a failure here: the bugs of that time were a smaller set."""
    recorded = execution.ledger.recorded or ()
    return any(isinstance(command, c.Fail) for command in recorded)


def _renewal(error: BaseException) -> RunEnded | None:
    """A run may be ended within task groups, which wrap what is raised in them."""
    return next((leaf for leaf in leaves_of(error) if isinstance(leaf, RunEnded)), None)


def _strict_outcome(execution: Execution) -> c.Fail | None:
    unawaited = execution.ledger.unawaited
    if not (execution.tools.strict and unawaited):
        return None
    first = next(iter(unawaited.values()))
    message = (
        f"{line_of(first.site)} starts `{first.name}` (operation {first.operation}) and nobody "
        "awaits it: await it, or gather it with the others"
    )
    return c.Fail(e.Failure("UnawaitedCall", message, False))


def status_after(outcome: c.Ending | None) -> Status:
    """The status of an execution whose code has, or has not yet, come to this end."""
    match outcome:
        case None | c.ContinueAsNew():
            return Status.RUNNING
        case c.Complete():
            return Status.COMPLETED
        case c.Fail():
            return Status.FAILED
        case c.End():
            return outcome.status


def end_without_code(ended: e.Terminated | e.TimerFired) -> c.End:
    """The end of an execution whose code is not asked."""
    if isinstance(ended, e.Terminated):
        return c.End(Status.TERMINATED, ended.reason)
    return c.End(Status.TIMED_OUT, "it did not end within its execution timeout")
