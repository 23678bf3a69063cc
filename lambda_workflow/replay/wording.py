"""Commands in an author's words: `the timeout of the call of charge`, not `3:timeout`."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model.payload_words import payload_digest

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


def named_operation(execution: Execution, operation: str) -> str:
    """An operation by what it does and where it belongs."""
    owner, _, purpose = operation.partition(":")
    opened = _opened(execution, owner)
    match opened:
        case c.ScheduleCall():
            said = f"the call of `{opened.service}`"
        case c.RunStep():
            said = f"step `{opened.name}`"
        case c.OpenCallback():
            said = f"callback `{opened.name}`" if opened.name else "a callback"
        case c.StartChild():
            said = f"the call of workflow `{opened.workflow}`"
        case c.StartTimer():
            said = "a timer"
        case _:
            said = _of_execution(owner) or f"operation {owner}"
    return f"{_purpose(purpose)}{said}{_group(execution, owner)}"


def _of_execution(timer: str) -> str:
    names = {"timeout": "the execution's timeout", "start": "the delay of the start"}
    names["grace"] = "the time that a cancelled execution has to clean up"
    return names.get(timer.rpartition("~")[2], "") if "~" in timer else ""


def _purpose(purpose: str) -> str:
    if not purpose:
        return ""
    if purpose == "timeout":
        return "the timeout of "
    if purpose.startswith("retry"):
        return f"the pause after attempt {purpose.removeprefix('retry')} of "
    if purpose.startswith("attempt"):
        return f"the time limit of attempt {purpose.removeprefix('attempt')} of "
    if purpose.startswith("start"):
        return f"the start limit of attempt {purpose.removeprefix('start')} of "
    attempt, _, look = purpose.removeprefix("beat").partition(".")
    return f"look {look} for a heartbeat of attempt {attempt} of "


def _group(execution: Execution, operation: str) -> str:
    """The group that an operation is numbered under."""
    path = operation.rpartition(".")[0]
    while path:
        if (named := execution.ledger.groups.get(f"{path}.")) is not None:
            return f" in {named}"
        path = path.rpartition(".")[0]
    return ""


def _opened(execution: Execution, operation: str) -> c.Command | None:
    key = f"+{operation}"
    if (found := execution.ledger.intents.get(key)) is not None:
        return found
    openings = (c.ScheduleCall, c.StartChild, c.OpenCallback, c.RunStep, c.StartTimer)
    for turn in execution.replayed:
        for command in turn.commands:
            if isinstance(command, openings) and command.operation == operation:
                return command
    return None


def verb(execution: Execution, command: c.Command) -> str:
    """What the code does."""
    match command:
        case c.ScheduleCall():
            said = f"calls `{command.service}`"
        case c.RetryCall():
            of = named_operation(execution, command.operation)
            return f"makes attempt {command.attempt} of {of}"
        case c.StartTimer():
            if ":" in command.operation or "~" in command.operation:
                return f"starts {named_operation(execution, command.operation)}"
            said = "starts a timer"
        case c.CancelCall() | c.CancelTimer():
            return f"gives up {named_operation(execution, command.operation)}"
        case c.RunStep():
            said = f"runs step `{command.name}`"
        case c.OpenCallback():
            said = f"opens callback `{command.name}`" if command.name else "opens a callback"
        case c.StartChild():
            said = f"starts workflow `{command.workflow}`"
        case c.Send():
            said = f"sends to `{command.service}`"
        case c.OpenScope():
            return f"opens {command.kind or 'scope'} `{command.name}`"
        case _:
            return _rarer_verb(command)
    return f"{said}{_group(execution, command.operation)}"


def _rarer_verb(
    command: c.Complete
    | c.Fail
    | c.End
    | c.ContinueAsNew
    | c.SetStatus
    | c.Answer
    | c.Patch
    | c.SetAside
    | c.Declare,
) -> str:
    match command:
        case c.Complete():
            return "completes"
        case c.Fail():
            return f"fails with {command.failure.type}"
        case c.End():
            return f"ends as {command.status}"
        case c.ContinueAsNew():
            return "continues as new"
        case c.SetStatus():
            return "sets its status"
        case c.Answer():
            return f"answers update {command.id}"
        case c.Patch():
            return f"is patched by `{command.name}`"
        case c.SetAside():
            return f"sets a signal `{command.name}` aside"
        case c.Declare():
            return f"declares {command.kind} `{command.name}`"
        case _:
            assert_never(command)


def noun(execution: Execution, command: c.Command | None) -> str:
    """What the history has."""
    match command:
        case None:
            return "nothing more"
        case c.ScheduleCall():
            said = f"`{command.service}`"
        case c.RetryCall():
            of = named_operation(execution, command.operation)
            return f"attempt {command.attempt} of {of}"
        case c.StartTimer():
            return named_operation(execution, command.operation)
        case c.CancelCall() | c.CancelTimer():
            return f"the giving up of {named_operation(execution, command.operation)}"
        case c.RunStep():
            said = f"step `{command.name}`"
        case c.OpenCallback():
            said = f"callback `{command.name}`" if command.name else "a callback"
        case c.StartChild():
            said = f"workflow `{command.workflow}`"
        case c.Send():
            said = f"a task sent to `{command.service}`"
        case c.OpenScope():
            return f"{command.kind or 'scope'} `{command.name}`"
        case c.SetStatus():
            return "a status"
        case c.Answer():
            return f"an answer to update {command.id}"
        case c.Patch():
            return f"patch `{command.name}`"
        case c.SetAside():
            return f"a signal `{command.name}` set aside"
        case c.Declare():
            return f"the type of {command.kind} `{command.name}`"
        case c.Complete() | c.Fail() | c.End() | c.ContinueAsNew():
            return "its end"
        case _:
            assert_never(command)
    return f"{said}{_group(execution, command.operation)}"


def shown(execution: Execution, command: c.Command | None) -> str:
    """A command in one line, payloads by type and size."""
    match command:
        case None:
            return "nothing"
        case c.ScheduleCall() | c.Send():
            named = f" name={command.name!r}" if command.name else ""
            kind = "call" if isinstance(command, c.ScheduleCall) else "send"
            of = f"{command.service}({payload_digest(command.payload)})"
            return f"{kind} {command.operation} {of}{named}"
        case c.RetryCall():
            return f"attempt {command.attempt} of call {command.operation}"
        case c.StartTimer():
            return f"timer {command.operation}{_waits(command)}"
        case c.CancelCall() | c.CancelTimer():
            return f"give up {named_operation(execution, command.operation)} ({command.operation})"
        case c.RunStep():
            of = f" ({command.function})" if command.function else ""
            return f"step {command.operation} {command.name}{of}"
        case c.OpenScope():
            return f"{command.kind or 'scope'} {command.operation} {command.name}"
        case c.OpenCallback():
            of = f" of {command.answer}" if command.answer else ""
            return f"callback {command.operation} {command.name}".rstrip() + of
        case c.StartChild():
            of = f"{command.workflow}({payload_digest(command.payload)})"
            return f"child {command.operation} {of} as {command.child}"
        case _:
            return _rarer_shown(command)


def _waits(timer: c.StartTimer) -> str:
    return f" ({timer.origin}, {timer.duration_ms / 1000:g} s)" if timer.origin else ""


def _rarer_shown(
    command: c.Complete
    | c.Fail
    | c.End
    | c.ContinueAsNew
    | c.SetStatus
    | c.Answer
    | c.Patch
    | c.SetAside
    | c.Declare,
) -> str:
    match command:
        case c.Complete():
            return f"complete({payload_digest(command.payload)})"
        case c.ContinueAsNew():
            return f"continue as new({payload_digest(command.payload)})"
        case c.SetStatus():
            return f"status({payload_digest(command.payload)})"
        case c.Answer():
            return f"answer to {command.id}"
        case c.Patch():
            return f"patch {command.name}"
        case c.SetAside():
            return f"set signal {command.name} aside"
        case c.Declare():
            return f"declare {command.kind} {command.name}"
        case c.End():
            return f"end({command.status})"
        case c.Fail():
            return f"fail({command.failure.type})"
        case _:
            assert_never(command)
