"""The non-determinism error: what the code did, what the history has, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from lambda_workflow.errors import NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.history import digest
from lambda_workflow.model.payload import Json
from lambda_workflow.model.payload_words import failure_words, payload_digest
from lambda_workflow.model.turn import Turn

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


def difference(
    execution: Execution, turn: Turn, made: list[c.Command]
) -> NonDeterminismError | None:
    """The error for the first difference that matters; None where only details differ.

    The time of a timer, and what a policy decided, may change with the code: the history's counts.
    What a patch or a malformed signal recorded has had its effect where the code asked for it.
    """
    recorded = [command for command in turn.commands if not isinstance(command, _NOT_COMPARED)]
    made = [command for command in made if not isinstance(command, _NOT_COMPARED)]
    for index in range(max(len(made), len(recorded))):
        ours = made[index] if index < len(made) else None
        theirs = recorded[index] if index < len(recorded) else None
        if ours is None or theirs is None or not _same(ours, theirs):
            return NonDeterminismError(
                _told(execution, (ours, theirs), f"turn {turn.number}, command {index + 1}")
            )
    return None


def answered_otherwise(execution: Execution, operation: str) -> NonDeterminismError:
    """The error for code that gives another operation the id of a callback that was answered."""
    return NonDeterminismError(
        f"{execution.ledger.site_of(operation)} begins operation {operation}, which is no callback "
        "in this code; the code that this execution ran till now opens one there, and it is "
        f"answered already; execution {execution.execution_id}\nRestore the earlier order of "
        "operations, or list the changed workflow as another version beside the old."
    )


def _same(ours: c.Command, theirs: c.Command) -> bool:
    if type(ours) is not type(theirs):
        return False
    return all(
        _essence(field, getattr(ours, field)) == _essence(field, getattr(theirs, field))
        for field in _COMPARED.get(type(ours), ours.__dataclass_fields__)
    )


def _essence(field: str, value: object) -> object:
    """What counts of a field: a payload's fingerprint, an error's type, everything of the rest."""
    if isinstance(value, Failure):
        return value.type
    return digest(value) if field == "payload" else value


_NOT_COMPARED: Final = (c.Patch, c.SetAside)
_COMPARED: Final[dict[type, tuple[str, ...]]] = {
    c.StartTimer: ("operation",),
    c.ScheduleCall: ("operation", "service", "name", "payload"),
    c.StartChild: ("operation", "workflow", "child", "name", "payload"),
    c.RunStep: ("operation", "name"),
    c.End: ("status",),
    c.ContinueAsNew: ("payload",),
}
"""The fields that must be the same, where a change of the others is none of the history's."""


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
        "Restore the earlier order of operations, guard the change by `if ctx.patched(…)`, or list "
        "the changed workflow as another version beside the old; the execution keeps what arrives "
        "and goes on once the code fits."
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
            return f"makes attempt {command.attempt} of operation {command.operation}"
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
        case c.OpenCallback():
            return "opens a callback"
        case c.StartChild():
            return f"starts workflow `{command.workflow}`"
        case c.Send():
            return f"sends to `{command.service}`"
        case c.OpenScope():
            return f"opens scope `{command.name}`"
        case c.SetStatus():
            return "sets its status"
        case c.Answer():
            return f"answers update {command.id}"
        case c.End():
            return f"ends as {command.status}"
        case c.ContinueAsNew():
            return "continues as new"
        case c.Patch():
            return f"is patched by `{command.name}`"
        case c.SetAside():
            return f"sets a signal `{command.name}` aside"
        case _:
            assert_never(command)


def _noun(command: c.Command | None) -> str:
    match command:
        case None:
            return "nothing more"
        case c.ScheduleCall():
            return f"`{command.service}`"
        case c.RetryCall():
            return f"attempt {command.attempt} of operation {command.operation}"
        case c.StartTimer():
            return "a timer"
        case c.CancelCall() | c.CancelTimer():
            return f"the giving up of operation {command.operation}"
        case c.RunStep():
            return f"step `{command.name}`"
        case c.OpenCallback():
            return "a callback"
        case c.StartChild():
            return f"workflow `{command.workflow}`"
        case c.Send():
            return f"a task sent to `{command.service}`"
        case c.OpenScope():
            return f"scope `{command.name}`"
        case c.SetStatus():
            return "a status"
        case c.Answer():
            return f"an answer to update {command.id}"
        case c.Patch():
            return f"patch `{command.name}`"
        case c.SetAside():
            return f"a signal `{command.name}` set aside"
        case c.Complete() | c.Fail() | c.End() | c.ContinueAsNew():
            return "its end"
        case _:
            assert_never(command)


def _shown(command: c.Command | None) -> str:
    match command:
        case None:
            return "nothing"
        case c.ScheduleCall() | c.Send():
            named = f" name={command.name!r}" if command.name else ""
            verb = "call" if isinstance(command, c.ScheduleCall) else "send"
            return f"{verb} {command.operation} {command.service}({_text(command.payload)}){named}"
        case c.RetryCall():
            return f"attempt {command.attempt} of call {command.operation}"
        case c.StartTimer():
            return f"timer {command.operation}"
        case c.CancelCall():
            return f"give up call {command.operation}"
        case c.CancelTimer():
            return f"give up timer {command.operation}"
        case c.RunStep() | c.OpenScope():
            return f"{_KINDS[type(command)]} {command.operation} {command.name}"
        case c.OpenCallback():
            return f"callback {command.operation} {command.name}".rstrip()
        case c.StartChild():
            text = f"{command.workflow}({_text(command.payload)})"
            return f"child {command.operation} {text} as {command.child}"
        case c.SetStatus() | c.Complete() | c.ContinueAsNew():
            return f"{_KINDS[type(command)]}({_text(command.payload)})"
        case c.Answer():
            failure = command.failure
            told = failure_words(failure) if failure else _text(command.payload)
            return f"answer to {command.id} ({told})"
        case c.Patch():
            return f"patch {command.name}"
        case c.SetAside():
            return f"set signal {command.name} aside"
        case c.End():
            return f"end({command.status}: {command.reason})"
        case c.Fail():
            return f"fail({failure_words(command.failure)})"
        case _:
            assert_never(command)


_KINDS: Final[dict[type, str]] = {
    c.RunStep: "step",
    c.OpenScope: "scope",
    c.SetStatus: "status",
    c.Complete: "complete",
    c.ContinueAsNew: "continue as new",
}


def _text(payload: Json | BlobRef) -> str:
    return payload_digest(payload)
