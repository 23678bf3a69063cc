"""What each fact does to the code that waits for it.

Laws
 1. A fact takes effect between two rests of the code, never while it runs.
 2. Whether an error is retried, and whether another look for a heartbeat follows, is decided when
    the code first gets there, and read from the history ever after.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import DecodeError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.ids import run_prefix
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.declaring import note_arrival
from lambda_workflow.replay.ledger import chance
from lambda_workflow.replay.loop import DurableHandle
from lambda_workflow.replay.operations import Call, Operation
from lambda_workflow.replay.outcomes import (
    START_TIMED_OUT,
    bad_response,
    error_of,
    timed_out,
)
from lambda_workflow.replay.tools import Info
from lambda_workflow.replay.unreadable import blocks_on_operation, blocks_on_request

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


def succeeded(execution: Execution, event: e.CallSucceeded | e.StepSucceeded) -> None:
    """An operation was answered."""
    ledger = execution.ledger
    operation = ledger.operations.pop(event.operation, None)
    if operation is None:
        if isinstance(event, e.CallSucceeded):
            ledger.early[event.operation] = event
        return
    if operation.own_timers:
        ledger.stop_own_timers(operation)
    if operation.done():
        return
    try:
        operation.resolve(event.payload)
    except DecodeError as error:
        if blocks_on_operation(execution, operation, error):
            return
        operation.set_exception(bad_response(operation, str(error), execution.execution_id))


def feed_rarer(execution: Execution, event: e.Event) -> None:
    """Any other fact."""
    if (effect := _EFFECTS.get(type(event))) is not None:
        effect(execution, event)


def _started(execution: Execution, event: e.Started) -> None:
    loop, run = execution.loop, event.run
    loop.semantics = event.semantics
    loop.root.name = prefix = run_prefix(run.number)
    loop.callbacks.name = f"{prefix}_."
    since, options = run.since or event.at, event.options
    execution.options = options
    execution.info = Info(
        execution.execution_id,
        execution.workflow.name,
        event.attempt,
        datetime.fromtimestamp(since / 1000, UTC),
        event.version,
        run.number,
        options.tags,
        options.memo,
    )
    for told in run.untaken:
        feed_rarer(execution, told)
    if (limit := execution_timeout(event)) is not None:
        execution.ledger.arm_own(limit.operation, limit.due, "timeout")
    try:
        request = execution.workflow.request_codec.decode(event.request, where="request")
    except DecodeError as error:
        if not blocks_on_request(execution, error):
            execution.end(c.Fail(failure_of(error)))
        return
    execution.context = Context(execution, execution.info, request)
    if not run.since and options.not_before > event.at:
        execution.ledger.arm_own(f"{prefix}~start", options.not_before, "start")
    else:
        execution.start(execution.context)


def execution_timeout(started: e.Started) -> c.StartTimer | None:
    """The timer that ends an execution; one that is held from its first turn on has it too."""
    run, options = started.run, started.options
    if not options.timeout_ms:
        return None
    begins = max(run.since or started.at, options.not_before)
    return c.StartTimer(f"{run_prefix(run.number)}~timeout", begins + options.timeout_ms)


def _errored(execution: Execution, event: e.CallErrored | e.StepErrored) -> None:
    operation = execution.ledger.operations.get(event.operation)
    if operation is None:
        if isinstance(event, e.CallErrored):
            execution.ledger.early[event.operation] = event
    elif not operation.done() and not operation.resting and event.attempt == operation.attempt:
        # else the attempt is over: it had timed out when this came, while the execution was held
        attempt_failed(execution, operation, event.failure, event.attempt)


def attempt_failed(
    execution: Execution, operation: Operation[Any], failure: e.Failure, attempt: int
) -> None:
    """An attempt ended in an error: another one follows, or the code learns of it."""
    ledger, policy = execution.ledger, operation.retry
    recorded = ledger.retries(operation, attempt)
    retry = policy.retries(failure.type, failure.retryable, attempt)
    if retry if recorded is None else recorded:
        luck = chance(execution.execution_id, f"{operation.operation}:retry{attempt}")
        delay = policy.delay_ms(attempt, luck)
        if failure.retry_after is not None:
            delay = min(round(failure.retry_after * 1000), _RETRY_AFTER_MS_MAX)
        ledger.rest(operation, attempt, delay)
        return
    ledger.operations.pop(operation.operation, None)
    ledger.stop_own_timers(operation)
    operation.set_exception(error_of(operation, failure, attempt, execution.execution_id))


def _fired(execution: Execution, event: e.TimerFired) -> None:
    ledger, timer = execution.ledger, event.operation
    waiting = ledger.take_timer(timer)
    if isinstance(waiting, DurableHandle):
        execution.loop.fire(waiting)
    elif isinstance(waiting, Operation):
        _own_timer_fired(execution, waiting, timer)
    elif waiting == "start":
        if execution.context is not None:
            execution.start(execution.context)
    elif waiting == "grace":
        reason = f"{execution.state.cancelled} (its cleanup did not end within the grace period)"
        execution.end(c.End(Status.CANCELLED, reason.lstrip()))


def _own_timer_fired(execution: Execution, operation: Operation[Any], timer: str) -> None:
    ledger, purpose = execution.ledger, timer.partition(":")[2]
    if purpose == "timeout":
        ledger.give_up(operation)
        if not operation.done():
            operation.set_exception(timed_out(operation, execution.execution_id))
    elif purpose.startswith("retry"):
        ledger.try_again(operation)
    elif purpose.startswith("attempt"):
        seconds = operation.attempt_ms / 1000
        within = f"within {seconds:g} s" if seconds else "in time"
        failure = e.Failure("AttemptTimedOut", f"no answer {within}")
        attempt_failed(execution, operation, failure, operation.attempt)
    elif purpose.startswith("start"):
        seconds = operation.start_ms / 1000
        within = f"within {seconds:g} s" if seconds else "in time"
        failure = e.Failure(START_TIMED_OUT, f"no adapter began the attempt {within}")
        attempt_failed(execution, operation, failure, operation.attempt)
    elif not ledger.look_again(operation, timer):
        seconds = operation.beat_ms / 1000
        failure = e.Failure("HeartbeatTimedOut", f"no heartbeat within {seconds:g} s")
        attempt_failed(execution, operation, failure, operation.attempt)


def _beaten(execution: Execution, event: e.Heartbeat) -> None:
    if (operation := execution.ledger.operations.get(event.operation)) is not None:
        operation.beat_at = execution.loop.now
        if operation.own_timers:
            execution.ledger.begun(operation)
        if isinstance(operation, Call):
            operation.details = event.details


def _signalled(execution: Execution, event: e.Signalled) -> None:
    note_arrival(execution, "signal", event)
    execution.state.signals[event.name].put_nowait(event)


def _update_requested(execution: Execution, event: e.UpdateRequested) -> None:
    note_arrival(execution, "update", event)
    execution.state.updates[event.name].put_nowait(event)


def _cancel_requested(execution: Execution, event: e.CancelRequested) -> None:
    if execution.state.cancelled is not None:
        return
    execution.state.cancelled = event.reason
    if execution.root is None:
        execution.end(c.End(Status.CANCELLED, event.reason))
        return
    # a cancellation that was kept while BLOCKED or PAUSED leaves its cleanup as much time
    due = execution.ledger.told_at() + event.grace_ms
    execution.ledger.arm_own(f"{execution.loop.root.name}~grace", due, "grace")
    execution.root.cancel(event.reason or None)


_RETRY_AFTER_MS_MAX: Final = 365 * 24 * 3_600_000  # as long as a timer is sure to live
_EFFECTS: Final[dict[type, Callable[[Execution, Any], None]]] = {
    e.Started: _started,
    e.CallErrored: _errored,
    e.StepErrored: _errored,
    e.TimerFired: _fired,
    e.Heartbeat: _beaten,
    e.Signalled: _signalled,
    e.UpdateRequested: _update_requested,
    e.CancelRequested: _cancel_requested,
}
"""The rest ends, holds or resumes an execution, which its code is not asked about."""
