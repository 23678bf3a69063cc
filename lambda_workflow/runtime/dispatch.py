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
from lambda_workflow.model.bounded import clipped
from lambda_workflow.model.events import NO_OPTIONS, BlobRef
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import run_of, run_prefix, task_id
from lambda_workflow.model.limits import HEADER_REASON_BYTES_MAX
from lambda_workflow.model.messages import Task
from lambda_workflow.model.payload import dumps
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
from lambda_workflow.runtime.kin import child_request, dedup_of, ending_effects, withdrawal

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
        elif isinstance(command, c.Complete | c.Fail | c.End | c.ContinueAsNew):
            effects += ending_effects(command, history, inbox_url, fresh)
        elif isinstance(command, c.CancelCall):
            effects += withdrawal(command.operation, history, inbox_url, fresh)
    return effects


def header_of(history: History) -> Header:
    """The listing's line."""
    started, last = history.started, history.turns[-1]
    options = started.options if started else NO_OPTIONS
    custom = history.custom_status
    return Header(
        history.execution_id,
        started.workflow if started else "",
        last.status,
        history.since,
        last.number,
        last.at if last.status.closed else None,
        _reason(last),
        last.usage,
        None if isinstance(custom, BlobRef) else custom,
        options.tags,
        options.memo,
    )


def status_changed(history: History) -> bool:
    """Whether the listing has to be told of the last turn (the first one carries its header).

    Who waits for the reply to an update looks for it when the listing has moved.
    """
    turns = history.turns
    if len(turns) < 2:
        return history.next_number > 2  # the first of a later run
    said = any(isinstance(command, c.SetStatus | c.Answer) for command in turns[-1].commands)
    began = history.run_begins == turns[-1].number
    stands = turns[-1].status is turns[-2].status and turns[-1].reason == turns[-2].reason
    return said or began or not stands


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


def _reason(last: Turn) -> str:
    """Why it is BLOCKED or PAUSED, or was ended from outside."""
    command = last.commands[-1] if last.commands else None
    reason = command.reason if isinstance(command, c.End) else last.reason
    if not reason or len(dumps(reason).encode()) <= HEADER_REASON_BYTES_MAX:
        return reason
    return clipped(reason, HEADER_REASON_BYTES_MAX // 6)  # bytes of an escape


def _effect(command: c.Command, history: History, inbox_url: str, fresh: str) -> Effect | None:
    execution_id = history.execution_id
    match command:
        case c.ScheduleCall() | c.RetryCall():
            return _task(command, history, inbox_url, fresh)
        case c.StartTimer():
            over = history.status.closed or history.renewal is not None
            if over or command.operation not in history.open:
                return None
            dedup = dedup_of(execution_id, command.operation, "timer", fresh)
            return ArmTimer(execution_id, command.operation, command.due, dedup)
        case c.CancelTimer():
            timer = history.opening(command.operation, c.StartTimer)
            return DisarmTimer(execution_id, timer.operation, timer.due) if timer else None
        case c.StartChild():
            if not command.detached and command.operation not in history.open:
                return None
            return child_request(command, history, inbox_url, fresh)
        case c.Send() if not fresh:  # a redrive is for what is unanswered; this never will be
            operation = task_id(execution_id, command.operation)
            task = Task(execution_id, operation, command.service, command.payload, 1, reply=False)
            return SendTask(task, dedup_of(execution_id, command.operation, 1, fresh))
        case _:
            return None


def _task(
    command: c.ScheduleCall | c.RetryCall, history: History, inbox_url: str, fresh: str
) -> Effect | None:
    operation = command.operation
    call = history.open.get(operation)
    attempt = command.attempt if isinstance(command, c.RetryCall) else 1
    if not isinstance(call, c.ScheduleCall) or history.attempt(operation) != attempt:
        return None
    if f"{operation}#{attempt}" in history.taken:  # it has failed, and waits for the next one
        return None
    execution_id = history.execution_id
    task = Task(
        execution_id,
        task_id(execution_id, operation),
        call.service,
        call.payload,
        attempt,
        inbox_url,
        call.heartbeat_ms,
        history.details.get(operation),
        deadline_ms=_deadline(operation, attempt, history),
        start_by_ms=_start_by(operation, attempt, history),
    )
    return SendTask(task, dedup_of(execution_id, operation, attempt, fresh))


def _deadline(operation: str, attempt: int, history: History) -> int:
    """When the first timer strikes that ends an attempt, its call, or the execution."""
    timers = (
        history.opening(name, c.StartTimer)
        for name in (
            f"{operation}:attempt{attempt}",
            f"{operation}:timeout",
            f"{run_prefix(run_of(operation))}~timeout",
        )
    )
    return min((timer.due for timer in timers if timer is not None), default=0)


def _start_by(operation: str, attempt: int, history: History) -> int:
    """Until when an attempt is to begin; 0 where it has no limit, or is known to have begun."""
    timer = history.open.get(f"{operation}:start{attempt}")
    return timer.due if isinstance(timer, c.StartTimer) else 0
