"""The non-determinism error: what the code did, what the history has, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lambda_workflow.errors import NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.history import digest
from lambda_workflow.model.payload import Json, dumps
from lambda_workflow.model.turn import Turn

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

_PAYLOAD_CHARACTERS_SHOWN = 120


def difference(
    execution: Execution, turn: Turn, made: list[c.Command]
) -> NonDeterminismError | None:
    """The error for the first difference that matters; None where only details differ.

    The time of a timer, and what a policy decided, may change with the code: the history's counts.
    """
    recorded = list(turn.commands)
    for index in range(max(len(made), len(recorded))):
        ours = made[index] if index < len(made) else None
        theirs = recorded[index] if index < len(recorded) else None
        if ours is None or theirs is None or not _same(ours, theirs):
            return NonDeterminismError(
                _told(execution, (ours, theirs), f"turn {turn.number}, command {index + 1}")
            )
    return None


def _same(ours: c.Command, theirs: c.Command) -> bool:
    if isinstance(ours, c.StartTimer) and isinstance(theirs, c.StartTimer):
        return ours.operation == theirs.operation
    if isinstance(ours, c.ScheduleCall) and isinstance(theirs, c.ScheduleCall):
        return (ours.operation, ours.service, ours.name) == (
            theirs.operation,
            theirs.service,
            theirs.name,
        ) and digest(ours.payload) == digest(theirs.payload)
    if isinstance(ours, c.Complete) and isinstance(theirs, c.Complete):
        return digest(ours.payload) == digest(theirs.payload)
    if isinstance(ours, c.Fail) and isinstance(theirs, c.Fail):
        return ours.failure.type == theirs.failure.type
    return ours == theirs


def _told(execution: Execution, pair: tuple[c.Command | None, c.Command | None], place: str) -> str:
    ours, theirs = pair
    operation = _operation(ours) or _operation(theirs) or "the end"
    where = f"(operation {operation}, {place})"
    site = execution.ledger.site_of(_operation(ours))
    subject = site if site not in ("", "?") else f"workflow `{execution.workflow.name}`"
    if ours is None:
        head = f"{subject} no longer reaches {_noun(theirs)}, which the history has {where}"
    elif _differ_inside(ours, theirs):
        head = f"{subject} {_verb(ours)} otherwise than the history has it {where}"
    else:
        head = f"{subject} {_verb(ours)} where the history has {_noun(theirs)} {where}"
    return (
        f"{head}; execution {execution.execution_id}\n"
        f"  - history: {_shown(theirs)}\n"
        f"  + code:    {_shown(ours)}\n"
        "Restore the earlier order of operations, or give the changed workflow a new name; the "
        "execution keeps what arrives and goes on once the code fits."
    )


def _operation(command: c.Command | None) -> str:
    return getattr(command, "operation", "")


def _differ_inside(ours: c.Command, theirs: c.Command | None) -> bool:
    """Whether they are the same operation with another payload or name."""
    return (_operation(ours), _verb(ours)) == (_operation(theirs), theirs and _verb(theirs))


def _verb(command: c.Command) -> str:
    match command:
        case c.ScheduleCall():
            return f"calls `{command.service}`"
        case c.RetryCall():
            return f"makes attempt {command.attempt} of a call"
        case c.StartTimer():
            return "starts a timer"
        case c.CancelCall() | c.CancelTimer():
            return f"gives up operation {command.operation}"
        case c.RunStep():
            return f"runs step `{command.name}`"
        case c.Complete():
            return "completes"
        case c.Fail():
            return f"fails with {command.failure.type}"
        case _:
            assert_never(command)


def _noun(command: c.Command | None) -> str:
    match command:
        case c.ScheduleCall():
            return f"`{command.service}`"
        case c.RetryCall():
            return f"attempt {command.attempt} of a call"
        case c.StartTimer():
            return "a timer"
        case c.CancelCall() | c.CancelTimer():
            return f"the giving up of operation {command.operation}"
        case c.RunStep():
            return f"step `{command.name}`"
        case c.Complete() | c.Fail():
            return "its end"
        case None:
            return "nothing more"
        case _:
            assert_never(command)


def _shown(command: c.Command | None) -> str:
    match command:
        case c.ScheduleCall():
            named = f" name={command.name!r}" if command.name else ""
            return f"call {command.operation} {command.service}({_text(command.payload)}){named}"
        case c.RetryCall():
            return f"attempt {command.attempt} of call {command.operation}"
        case c.StartTimer():
            return f"timer {command.operation}"
        case c.CancelCall():
            return f"give up call {command.operation}"
        case c.CancelTimer():
            return f"give up timer {command.operation}"
        case c.RunStep():
            return f"step {command.operation} {command.name}"
        case c.Complete():
            return f"complete({_text(command.payload)})"
        case c.Fail():
            shown = f"{command.failure.type}: {command.failure.message}"
            return f"fail({shown[:_PAYLOAD_CHARACTERS_SHOWN]})"
        case None:
            return "nothing"
        case _:
            assert_never(command)


def _text(payload: Json | BlobRef) -> str:
    if isinstance(payload, BlobRef):
        return "(stored apart)"
    return dumps(payload)[:_PAYLOAD_CHARACTERS_SHOWN]
