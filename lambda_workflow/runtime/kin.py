"""What one execution owes to others: to its children, to its parent, to adapters at work for it.

Law: these effects follow from the history alone, and may be sent any number of times: a child's
start is known by its id, and who has ended takes no notice.
"""

from __future__ import annotations

from lambda_workflow.model import commands as c
from lambda_workflow.model.events import BlobRef, Callback, Failure, Started, StartOptions
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import deduplication_id, operation_of, task_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Cancel, Request, Response, Task, Terminate, Update
from lambda_workflow.model.payload import Json
from lambda_workflow.model.tokens import derived_secret
from lambda_workflow.ports import (
    APP_ADDRESS,
    DisarmTimer,
    Effect,
    SendMessage,
    SendResponse,
    SendTask,
)

_ERRORS = {
    Status.CANCELLED: "ExecutionCancelled",
    Status.TERMINATED: "ExecutionTerminated",
    Status.TIMED_OUT: "ExecutionTimedOut",
}


def child_request(
    command: c.StartChild, history: History, inbox_url: str, fresh: str = ""
) -> SendMessage:
    """The start of a child."""
    parent, operation = history.execution_id, command.operation
    given = history.started.options if history.started else StartOptions()
    named = task_id(parent, operation)
    options = StartOptions(
        id=named, secret=derived_secret(given.secret, operation), depth=given.depth + 1
    )
    callback = None if command.detached else Callback(inbox_url, parent, named)
    message = Request(command.child, command.workflow, command.payload, callback, options=options)
    return SendMessage(message, dedup_of(parent, operation, "child", fresh), _queue(command))


def withdrawal(operation: str, history: History, inbox_url: str, fresh: str = "") -> list[Effect]:
    """What tells a child or an adapter that its result is no longer wanted.

    The child's start goes before it once more: should it still be on its way, or have been lost
    with a worker, nobody would tell the child that begins after this. A redrive sends the end
    alone: the child may have ended long ago and expired, and its start would run it once more.
    """
    opened = history.opened.get(operation)
    parent = history.execution_id
    dedup = dedup_of(parent, operation, "withdraw", fresh)
    if isinstance(opened, c.StartChild) and opened.policy != "abandon":
        reason, start = f"its parent {parent} gave it up or ended", task_id(parent, operation)
        message: Cancel | Terminate = Cancel(opened.child, reason, start=start, id=start)
        if opened.policy == "terminate":
            message = Terminate(opened.child, reason, start, start)
        end = SendMessage(message, dedup, _queue(opened))
        return [end] if fresh else [child_request(opened, history, inbox_url), end]
    if isinstance(opened, c.ScheduleCall) and opened.heartbeat_ms:
        task = Task(
            parent, task_id(parent, operation), opened.service, None, history.attempt(operation),
            heartbeat_ms=opened.heartbeat_ms, reply=False, cancelled=True,
        )  # fmt: skip
        return [SendTask(task, dedup)]
    return []


def ending_effects(command: c.Ending, history: History, inbox_url: str, fresh: str) -> list[Effect]:
    """What the end of a run, or of the execution, causes."""
    execution_id, started = history.execution_id, history.started
    effects: list[Effect] = [
        DisarmTimer(execution_id, timer.operation, timer.due)
        for timer in history.open.values()
        if isinstance(timer, c.StartTimer)
    ]
    for operation in [*history.open, *_given_up(history)]:
        effects += withdrawal(operation, history, inbox_url, fresh)
    if started is None or isinstance(command, c.ContinueAsNew):
        return effects
    return effects + _outcome(command, history, started, fresh)


def _given_up(history: History) -> list[str]:
    """Calls whose timeout is recorded, where the execution ended before its code withdrew them."""
    if history.ended is None:
        return []
    commands = [command for turn in history.run_turns() for command in turn.commands]
    withdrawn = {x.operation for x in commands if isinstance(x, c.CancelCall)}
    return [x for x in history.opened if f"-{x}" in history.taken and x not in withdrawn]


def _outcome(
    command: c.Complete | c.Fail | c.End, history: History, started: Started, fresh: str
) -> list[Effect]:
    execution_id = history.execution_id
    result: Json | BlobRef = None
    failure: Failure | None = None
    status = Status.COMPLETED
    if isinstance(command, c.Complete):
        result = command.payload
    elif isinstance(command, c.Fail):
        failure, status = command.failure, Status.FAILED
    else:
        status = command.status
        failure = Failure(_ERRORS[status], command.reason, False)
    turn = history.next_number - 1
    dedup = dedup_of(execution_id, "outcome", turn, fresh)
    id_ = deduplication_id(execution_id, "outcome", started.options.id, turn)
    response = Response(execution_id, started.workflow, status.value, result, failure, id_)
    effects: list[Effect] = [SendResponse(response, dedup)]
    if (owed := started.callback) is not None:
        update = Update(owed.execution_id, operation_of(owed.task_id), result, failure)
        effects.append(SendMessage(update, dedup, owed.queue_url))
    return effects


def refusal(message: Request, reason: str) -> SendMessage | None:
    """The answer to a parent whose child's id belongs to somebody else."""
    if (owed := message.callback) is None:
        return None
    failure = Failure("ExecutionAlreadyStarted", f"{message.execution_id}: {reason}", False)
    update = Update(owed.execution_id, operation_of(owed.task_id), None, failure)
    dedup = dedup_of(owed.execution_id, operation_of(owed.task_id), "refused", "")
    return SendMessage(update, dedup, owed.queue_url)


def _queue(command: c.StartChild) -> str:
    return f"{APP_ADDRESS}{command.app}" if command.app else ""


def dedup_of(execution_id: str, operation: str, what: object, fresh: str) -> str:
    """The deduplication id of an effect; `fresh` makes another one of it."""
    return deduplication_id(*filter(None, (execution_id, operation, str(what), fresh)))
