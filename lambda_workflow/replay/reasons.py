"""What is said of code that does not fit its history: where, what stands there, what to do.

No payload is shown: the paths, types and sizes of what differs are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.replay.differing import differing
from lambda_workflow.replay.origins import split
from lambda_workflow.replay.places import first_line_of, is_of_author, line_of
from lambda_workflow.replay.wording import noun, shown, verb

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

_OTHERWISE: Final = (
    "guard the change by `if ctx.patched(…)`, or list the changed workflow as another version "
    "beside the old; the execution keeps what arrives and goes on once the code fits."
)
_ORDER: Final = f"Restore the earlier order of operations, {_OTHERWISE}"
_PAYLOAD: Final = (
    "A new field of a type needs a default, which the recorded payloads are then read with; for "
    f"any other change of what is passed, {_OTHERWISE}"
)
_FUNCTION: Final = (
    "A function that was renamed or moved is another step, whatever `name=` says: keep one of the "
    f"old name in the old module (it may call the new one), {_OTHERWISE}"
)
_ARGUMENTS: Final = (
    "What the step gave belongs to the arguments of the record: pass what is the same in each "
    "replay (no order of a set, no clock, no environment) in the same order as before, "
    f"{_OTHERWISE}"
)
_TIMER: Final = (
    "A timer may get another duration, but no other place in the code: restore the order of the "
    f"branches, {_OTHERWISE}"
)
_ANSWER: Final = (
    "Keep the name and the type of the answer of a callback that is open, in the same branch, "
    f"{_OTHERWISE}"
)
_GONE: Final = f"Put back what was done there, {_OTHERWISE}"
_MORE: Final = (
    f"What is new belongs after all that the history has, or behind a guard: {_OTHERWISE}"
)


def told(execution: Execution, ours: c.Command | None, theirs: c.Command | None, place: str) -> str:
    """The reason of a difference between what the code does and what is recorded."""
    operation = _operation(ours) or _operation(theirs) or "the end"
    where = f"(operation {operation}, {place})"
    subject = subject_of(execution, ours)
    inside = ours is not None and theirs is not None and _are_one(ours, theirs)
    old = noun(execution, theirs)
    if ours is None:
        comma = "," if ", which waits" in subject else ""
        head = f"{subject}{comma} no longer reaches {old}, which the history has {where}"
    elif inside:
        head = f"{subject} {verb(execution, ours)} otherwise than the history has it {where}"
    else:
        head = f"{subject} {verb(execution, ours)} where the history has {old} {where}"
    lines = [
        f"{head}; {of_execution(execution)}",
        f"  - history: {shown(execution, theirs)}",
        f"  + code:    {shown(execution, ours)}",
        *(f"    {line}" for line in (_details(ours, theirs) if inside else ())),
        _advice(ours, theirs, inside=inside),
    ]
    return "\n".join(lines)


def timers_exchanged(execution: Execution, timer: str) -> NonDeterminismError:
    """The reason for branches that have changed places."""
    changed = execution.ledger.changed
    lines = [
        f"the timer of {one.branch.partition('/')[0] or 'the workflow'} ({name}): "
        f"{one.recorded_ms / 1000:g} s in the history, {one.duration_ms / 1000:g} s in the code"
        for name, one in changed.items()
        if one.recorded_ms != one.duration_ms
    ]
    head = (
        f"{subject_of(execution, c.StartTimer(timer, 0))} starts a timer with the duration of "
        f"another one: branches of the code have changed places (operation {timer}); "
        f"{of_execution(execution)}"
    )
    return NonDeterminismError("\n".join([head, *(f"    {line}" for line in lines), _TIMER]))


def answered_otherwise(execution: Execution, operation: str) -> NonDeterminismError:
    """The reason for an operation that has the id of a callback, which is answered."""
    ours = next((x for x in execution.ledger.intents.values() if x.operation == operation), None)
    return NonDeterminismError(
        f"{subject_of(execution, c.CancelCall(operation))} begins operation {operation}, which is "
        f"no callback in this code; the code that this execution ran till now opens one there, and "
        f"it is answered already; {of_execution(execution)}\n"
        f"  - history: an answer to callback {operation}\n"
        f"  + code:    {shown(execution, ours)}\n{_ORDER}"
    )


def subject_of(execution: Execution, ours: c.Command | None) -> str:
    """Where in the author's code something happens, as exactly as is known."""
    site = execution.ledger.site_of(_operation(ours))
    if site not in ("", "?"):
        return site
    named = f"workflow `{execution.workflow.name}`"
    if ours is None and (waits := _where_it_waits(execution)):
        return f"{named}, which waits at {waits}"
    return f"{named} ({first_line_of(execution.workflow.function)})"


def place_of(execution: Execution) -> str:
    """Where the code is, for an error that names no line."""
    return f"{subject_of(execution, None)}; {of_execution(execution)}"


def of_execution(execution: Execution) -> str:
    """Which execution, of which workflow, App and version."""
    tools, info = execution.tools, execution.info
    began = info.version if info is not None else ""
    version = f" version {tools.version}" if tools.version else ""
    app = f" of App `{tools.app}`{version}" if tools.app else ""
    since = f", begun with version {began}" if began not in ("", tools.version) else ""
    return f"execution {execution.execution_id} of workflow `{execution.workflow.name}`{app}{since}"


def _where_it_waits(execution: Execution) -> str:
    """The innermost line of the author's on which the main task waits."""
    found = ""
    awaited: Any = execution.root.get_coro() if execution.root is not None else None
    for _ in range(100):
        frame = getattr(awaited, "cr_frame", None)
        if frame is None:
            break
        if is_of_author((frame.f_code, frame.f_lasti)):
            found = line_of((frame.f_code, frame.f_lasti))
        awaited = awaited.cr_await
    return found


def _operation(command: c.Command | None) -> str:
    return getattr(command, "operation", "")


def _are_one(ours: c.Command, theirs: c.Command) -> bool:
    """Whether they are the same operation, with other details."""
    if type(ours) is not type(theirs) or _operation(ours) != _operation(theirs):
        return False
    if isinstance(ours, c.RunStep | c.OpenScope | c.OpenCallback | c.StartTimer):
        return True
    fields = ("service", "workflow", "id", "child")
    return all(getattr(ours, one, None) == getattr(theirs, one, None) for one in fields)


def _details(ours: Any, theirs: Any) -> list[str]:
    """What differs within one operation."""
    if hasattr(ours, "payload"):
        return differing(theirs.payload, ours.payload)
    fields: tuple[str, ...] = ()
    match ours:
        case c.RunStep():
            fields = ("function", "arguments") if theirs.function else ("name",)
        case c.OpenCallback():
            fields = ("name", "answer", "branch")
        case c.OpenScope():
            fields = ("name", "kind")
        case c.StartTimer():
            return _of_timer(ours, theirs)
        case c.Fail():
            return [f"error: {theirs.failure.type} in the history, {ours.failure.type} in the code"]
        case _:
            pass
    pairs = ((one, getattr(theirs, one), getattr(ours, one)) for one in fields)
    return [
        f"{one}: {old or 'none'} in the history, {new or 'none'} in the code"
        for one, old, new in pairs
        if old != new
    ]


def _of_timer(ours: c.StartTimer, theirs: c.StartTimer) -> list[str]:
    (our_kind, our_branch), (kind, branch) = split(ours.origin), split(theirs.origin)
    rows = [
        ("waits by", kind, our_kind),
        ("branch", branch or "the main one", our_branch or "the main one"),
        ("duration", f"{theirs.duration_ms / 1000:g} s", f"{ours.duration_ms / 1000:g} s"),
    ]
    return [
        f"{one}: {old} in the history, {new} in the code" for one, old, new in rows if old != new
    ]


def _advice(ours: c.Command | None, theirs: c.Command | None, *, inside: bool) -> str:
    if ours is None:
        return _GONE
    if theirs is None:
        return _MORE
    if not inside:
        return _ORDER
    match ours:
        case c.RunStep() if isinstance(theirs, c.RunStep):
            same = ours.function == theirs.function and theirs.function
            return _ARGUMENTS if same else _FUNCTION
        case c.StartTimer():
            return _TIMER
        case c.OpenCallback():
            return _ANSWER
        case _:
            return _PAYLOAD if hasattr(ours, "payload") else _ORDER
