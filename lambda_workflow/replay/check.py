"""Whether code does what the history says: the commands of a turn beside the recorded ones.

Laws
 1. What tells one operation from another must be the same; what may change with the code, where a
    change of it is none of the history's, is not looked at (docs: what may change while executions
    run). Where a record has no field, as it is older, the field is not compared.
 2. A payload that today's type reads and writes as the code has it is the same payload: a field
    with a default may be added to the type. What was sent and the type no longer has is a change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import NonDeterminismError, WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.history import digest
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.payload import Codec
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay import reasons
from lambda_workflow.replay.identity import same_function
from lambda_workflow.replay.operations import Call, Child
from lambda_workflow.replay.origins import split

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

_FREE: Final = (c.Patch, c.SetAside, c.Declare, c.SetStatus)  # they may come and go


def difference(
    execution: Execution, turn: Turn, made: list[c.Command]
) -> NonDeterminismError | None:
    """The error for the first difference that matters; None where only details differ.

    What a patch or a malformed signal recorded has had its effect where the code asked for it.
    """
    recorded = [command for command in turn.commands if not isinstance(command, _FREE)]
    made = [command for command in made if not isinstance(command, _FREE)]
    for index in range(max(len(made), len(recorded))):
        ours = made[index] if index < len(made) else None
        theirs = recorded[index] if index < len(recorded) else None
        if ours is None or theirs is None or not _same(execution, ours, theirs):
            place = f"turn {turn.number}, command {index + 1}"
            return NonDeterminismError(reasons.told(execution, ours, theirs, place))
    return None


def _same(execution: Execution, ours: c.Command, theirs: c.Command) -> bool:
    if ours == theirs:
        return True
    compare = _COMPARED.get(type(ours))
    return compare is not None and type(ours) is type(theirs) and compare(execution, ours, theirs)


def _by(*fields: str) -> Callable[[Execution, Any, Any], bool]:
    """Whether these fields are the same; a payload as law 2 has it."""
    plain = [field for field in fields if field != "payload"]
    has_payload = len(plain) < len(fields)

    def compare(execution: Execution, ours: Any, theirs: Any) -> bool:
        if any(getattr(ours, field) != getattr(theirs, field) for field in plain):
            return False
        return not has_payload or _same_payload(execution, ours, theirs)

    return compare


def _timer(execution: Execution, ours: c.StartTimer, theirs: c.StartTimer) -> bool:
    """See `origins`."""
    if ours.operation != theirs.operation:
        return False
    if not (ours.origin and theirs.origin):
        return True
    (our_kind, our_branch), (kind, branch) = split(ours.origin), split(theirs.origin)
    return our_kind == kind and (our_branch == branch or ours.duration_ms == theirs.duration_ms)


def _step(execution: Execution, ours: c.RunStep, theirs: c.RunStep) -> bool:
    if ours.operation != theirs.operation:
        return False
    if not theirs.function:
        return ours.name == display_name("step", theirs.name)
    enclosing = execution.ledger.enclosing.get(ours.operation)
    if not same_function(ours.function, theirs.function, enclosing):
        return False
    return ours.arguments == theirs.arguments


def _callback(execution: Execution, ours: c.OpenCallback, theirs: c.OpenCallback) -> bool:
    if (ours.operation, ours.name) != (theirs.operation, theirs.name):
        return False
    if not theirs.answer:
        return True
    # a name tells callbacks apart: an answer that its changed type cannot read is `UnreadableFact`
    return ours.branch == theirs.branch and (bool(ours.name) or ours.answer == theirs.answer)


def _scope(execution: Execution, ours: c.OpenScope, theirs: c.OpenScope) -> bool:
    name = display_name(theirs.kind, theirs.name)  # earlier versions have longer ones
    same = (ours.operation, ours.name) == (theirs.operation, name)
    return same and theirs.kind in ("", ours.kind)


def _fail(execution: Execution, ours: c.Fail, theirs: c.Fail) -> bool:
    return ours.failure.type == theirs.failure.type


_COMPARED: Final[dict[type, Callable[[Execution, Any, Any], bool]]] = {
    c.StartTimer: _timer,
    c.ScheduleCall: _by("operation", "service", "payload"),
    c.Send: _by("operation", "service", "payload"),
    c.StartChild: _by("operation", "workflow", "child", "payload"),
    c.RunStep: _step,
    c.OpenCallback: _callback,
    c.OpenScope: _scope,
    c.Answer: _by("id"),
    c.Complete: _by("payload"),
    c.Fail: _fail,
    c.End: _by("status"),
    c.ContinueAsNew: _by("payload"),
}
"""What must be the same; of what is not here, everything."""


def _same_payload(execution: Execution, ours: Any, theirs: Any) -> bool:
    if digest(ours.payload) == digest(theirs.payload):
        return True
    codec = _codec_of(execution, ours)
    if codec is None or isinstance(theirs.payload, BlobRef):
        return False
    try:
        today = codec.encode(codec.decode(theirs.payload, "recorded"), "recorded")
    except WorkflowError:
        return False
    return digest(today) == digest(ours.payload) and not _drops(theirs.payload, today)


def _drops(recorded: Any, today: Any) -> bool:
    """Whether a record has a field that today's type reads over."""
    if isinstance(recorded, dict) and isinstance(today, dict):
        return any(key not in today or _drops(recorded[key], today[key]) for key in recorded)
    if isinstance(recorded, list) and isinstance(today, list):
        return any(_drops(*pair) for pair in zip(recorded, today, strict=False))
    return False


def _codec_of(execution: Execution, command: Any) -> Codec[Any] | None:
    """Of a command's payload, in today's code."""
    match command:
        case c.ScheduleCall() | c.Send():
            found = execution.ledger.operations.get(command.operation)
            service = found.service if isinstance(found, Call) else None
            service = service or (execution.tools.services or {}).get(command.service)
            return None if service is None else service.request_codec
        case c.StartChild():
            child = execution.ledger.operations.get(command.operation)
            return child.request_codec if isinstance(child, Child) else None
        case c.ContinueAsNew():
            return execution.workflow.request_codec
        case c.Complete():
            return execution.workflow.result_codec
        case _:
            return None
