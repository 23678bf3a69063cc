"""What a committed turn causes, and sending it off.

Laws
 1. The effects of a turn follow from its record and the history alone, so that any worker can send
    them again after a crash.
 2. Sent again, they carry the same deduplication ids; a redrive's carry fresh ones.
 3. What has been answered or withdrawn since is not sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lambda_workflow.model import commands as c
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import deduplication_id, operation_of, task_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Response, Task, Update
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import (
    ArmTimer,
    Backend,
    DisarmTimer,
    Effect,
    Header,
    PutHeader,
    SendMessage,
    SendResponse,
    SendTask,
)

BATCH_ENTRIES_MAX: Final = 10  # of one SQS batch request


def effects_of(turn: Turn, history: History, inbox_url: str, *, fresh: str = "") -> list[Effect]:
    """What the commands of a turn cause, as far as it is still wanted.

    Args:
        history: with the turn appended.
        fresh: set by a redrive; makes the deduplication ids new ones.
    """
    effects: list[Effect] = []
    for command in turn.commands:
        effect = _effect(command, history, inbox_url, fresh)
        if effect is not None:
            effects.append(effect)
        elif isinstance(command, c.Complete | c.Fail):
            effects += _ending(command, history, fresh)
    return effects


def header_of(history: History) -> Header:
    """The listing's line."""
    started, last = history.started, history.turns[-1]
    workflow, at = (started.workflow, started.at) if started else ("", last.at)
    return Header(
        history.execution_id,
        workflow,
        last.status,
        at,
        last.number,
        last.at if last.status.closed else None,
        last.reason,
        last.usage,
    )


def status_changed(history: History) -> bool:
    """Whether the listing has to be told of the last turn (the first one carries its header)."""
    turns = history.turns
    return len(turns) > 1 and turns[-1].status is not turns[-2].status


def units_of(effects: Iterable[Effect]) -> Usage:
    """The requests that sending these takes."""
    tasks: dict[str, int] = {}
    others = writes = 0
    for effect in effects:
        if isinstance(effect, SendTask):
            tasks[effect.task.service] = tasks.get(effect.task.service, 0) + 1
        elif isinstance(effect, PutHeader):
            writes += 1
        else:
            others += 1
    batches = sum(-(-count // BATCH_ENTRIES_MAX) for count in tasks.values())
    return Usage(sends=batches + -(-others // BATCH_ENTRIES_MAX), writes=writes)


async def dispatch(effects: Sequence[Effect], backend: Backend) -> None:
    """Send effects through the ports, the listing last.

    Raises:
        BackendError: not all was sent; the message that caused it must come again.
    """
    tasks = [e for e in effects if isinstance(e, SendTask)]
    if tasks:
        await backend.queue.send_tasks(tasks)
    if messages := [e for e in effects if isinstance(e, SendMessage)]:
        await backend.queue.send_messages(messages)
    if responses := [e for e in effects if isinstance(e, SendResponse)]:
        await backend.queue.send_responses(responses)
    if arming := [e for e in effects if isinstance(e, ArmTimer)]:
        await backend.timers.arm(arming)
    if disarming := [e for e in effects if isinstance(e, DisarmTimer)]:
        await backend.timers.disarm(disarming)
    for effect in effects:
        if isinstance(effect, PutHeader):
            await backend.store.put_header(effect.header)


def _effect(command: c.Command, history: History, inbox_url: str, fresh: str) -> Effect | None:
    execution_id = history.execution_id
    match command:
        case c.ScheduleCall() | c.RetryCall():
            call = history.open.get(command.operation)
            attempt = command.attempt if isinstance(command, c.RetryCall) else 1
            if not isinstance(call, c.ScheduleCall) or history.attempt(call.operation) != attempt:
                return None
            task = Task(
                execution_id,
                task_id(execution_id, call.operation),
                call.service,
                call.payload,
                attempt,
                inbox_url,
            )
            return SendTask(task, _dedup(execution_id, call.operation, attempt, fresh))
        case c.StartTimer():
            if command.operation not in history.open or history.status.closed:
                return None
            dedup = _dedup(execution_id, command.operation, "timer", fresh)
            return ArmTimer(execution_id, command.operation, command.due, dedup)
        case c.CancelTimer():
            timer = history.timers.get(command.operation)
            return DisarmTimer(execution_id, timer.operation, timer.due) if timer else None
        case _:
            return None


def _ending(command: c.Complete | c.Fail, history: History, fresh: str) -> list[Effect]:
    started = history.started
    execution_id = history.execution_id
    effects: list[Effect] = [
        DisarmTimer(execution_id, timer.operation, timer.due)
        for timer in history.open.values()
        if isinstance(timer, c.StartTimer)
    ]
    if started is None:
        return effects
    dedup = _dedup(execution_id, "outcome", history.next_number - 1, fresh)
    failure = command.failure if isinstance(command, c.Fail) else None
    result = command.payload if isinstance(command, c.Complete) else None
    status = Status.FAILED if failure else Status.COMPLETED
    response = Response(execution_id, started.workflow, status.value, result, failure)
    effects.append(SendResponse(response, dedup))
    if (owed := started.callback) is not None:
        update = Update(owed.execution_id, operation_of(owed.task_id), result, failure)
        effects.append(SendMessage(update, dedup, owed.queue_url))
    return effects


def _dedup(execution_id: str, operation: str, attempt: object, fresh: str) -> str:
    return deduplication_id(*filter(None, (execution_id, operation, str(attempt), fresh)))
