"""Bugs: exceptions of workflow code which say that the code is wrong.

Laws
 1. A bug is no outcome: it blocks the turn, whose facts are kept and whose commands are not made.
 2. What an operation raised is that operation's outcome, whatever its class.
 3. What the history has recorded as an outcome stays one.
"""

from __future__ import annotations

import traceback
from functools import cache
from typing import TYPE_CHECKING, Final

from lambda_workflow.errors import LimitExceeded, OperationFailed, ServiceError, WorkflowBug
from lambda_workflow.model.failures import clipped, leaves_of
from lambda_workflow.model.payload_shown import words_of_error
from lambda_workflow.replay.places import shown_path

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

FRAMES_MAX: Final = 8  # of the user's, the innermost: a recursion has a thousand
WORDS_MAX: Final = 500  # of the exception's own message in the reason
_OUTCOMES: Final = (LimitExceeded, OperationFailed, ServiceError)  # whatever the set of bugs says
_MARK: Final = "_lambda_workflow_operation"
_PACKAGE: Final = f"{__file__.rpartition('/')[0].rpartition('/')[0]}/"
_STDLIB: Final = f"{traceback.__file__.rpartition('/')[0]}/"
_ADVICE: Final = (
    "Nothing is lost: correct the code and deploy it; the execution goes on from here with its "
    "next message, or after `redrive`. An error that is meant to end an execution needs another "
    "class; App(bugs=…) and @workflow(bugs=…) choose the classes."
)


def mark_outcome(error: BaseException, operation: str) -> BaseException:
    """Mark an exception as what an operation raised (law 2)."""
    error.__dict__[_MARK] = operation
    return error


def bug_in(execution: Execution, error: BaseException) -> BaseException | None:
    """The exception, or the first leaf of a group, that is a bug; None if it is an outcome."""
    own = execution.workflow.bugs
    return _bug_in(error, execution.tools.bugs if own is None else own)


def _bug_in(error: BaseException, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    for leaf in leaves_of(error):
        is_outcome = isinstance(leaf, _OUTCOMES) or _MARK in leaf.__dict__
        if isinstance(leaf, kinds) and not is_outcome:
            return leaf
    return None


def blocks(execution: Execution, error: BaseException) -> bool:
    """Whether an exception that would become data is a bug; it blocks the execution then."""
    replays_earlier_rules = execution.loop.semantics < 2 and not execution.live
    if replays_earlier_rules or (bug := bug_in(execution, error)) is None:
        return False
    block_on(execution, bug)
    return True


def block_on(execution: Execution, bug: BaseException) -> None:
    """Let the turn end here: nothing that the code does from now on counts."""
    if not execution.loop.frozen:
        execution.bug = execution.bug or bug
        execution.loop.stopped = True


def bug_fault(execution: Execution, bug: BaseException) -> WorkflowBug:
    """The fault that blocks the execution: where it is, how the code got there, what to do."""
    workflow = execution.workflow
    frames = user_frames(bug)
    code = workflow.function.__code__
    here = frames[-1][0] if frames else f"{shown_path(code.co_filename)}:{code.co_firstlineno}"
    words = clipped(words_of_error(bug), WORDS_MAX)
    _, _, words = words.partition(": ")
    named = execution.info.version if execution.info is not None else ""
    version = f" (version {named})" if named else ""
    lines = [
        f"{type(bug).__name__} at {here} in workflow `{workflow.name}`{version}, execution "
        f"{execution.execution_id}" + (f": {words}" if words else ""),
        *(f"  {place} in {name}: {source}".rstrip(": ") for place, name, source in frames),
        _ADVICE,
    ]
    fault = WorkflowBug("\n".join(lines))
    fault.__cause__ = bug
    return fault


def user_frames(error: BaseException) -> list[tuple[str, str, str]]:
    """Place, function and source line of the user's frames of a traceback, innermost last."""
    frames = [
        (f"{shown_path(frame.filename)}:{frame.lineno}", frame.name, frame.line or "")
        for frame in traceback.extract_tb(error.__traceback__)
        if not _is_library(frame.filename)
    ]
    return frames[-FRAMES_MAX:]


def traceback_of(fault: WorkflowBug) -> str:
    """The traceback of a bug as Python writes it: the user's frames, and the exception's class.

    Its message is there where values are shown; else it may have some.
    """
    bug = fault.__cause__
    if bug is None:
        return ""
    lines = ["Traceback (most recent call last):"]
    for place, name, source in user_frames(bug):
        path, _, line = place.rpartition(":")
        lines.append(f'  File "{path}", line {line}, in {name}')
        lines += [f"    {source}"] if source else []
    return "\n".join([*lines, clipped(words_of_error(bug), WORDS_MAX), ""])


@cache
def _is_library(filename: str) -> bool:
    if filename.startswith(_PACKAGE):
        return "/testing/simulation/corpus/" not in filename
    is_installed = "/site-packages/" in filename
    return "/anyio/" in filename or (filename.startswith(_STDLIB) and not is_installed)
