"""Where a timer or a callback comes from: what started it, and in which branch of the code.

Laws
 1. A timer's recorded deadline stands. Where the code gives another duration to a timer of the
    same origin, that changes the timers to come.
 2. A timer of another kind, or of another branch and duration, is another timer.
 3. Of two branches of one function, each has its own: where the duration of one is now what the
    other had, they have changed places.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union, get_args, get_origin

from lambda_workflow.replay.digests import digest_of
from lambda_workflow.replay.loop import OrderedTask

if TYPE_CHECKING:
    from lambda_workflow.replay.loop import DurableHandle, Loop

_SLEEP: Final = asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # of asyncio.sleep


class Changed(NamedTuple):
    """A timer to which the code gives another duration than the record."""

    task: str
    branch: str
    duration_ms: int
    recorded_ms: int


def origin_of(handle: DurableHandle, loop: Loop, duration_ms: int) -> str:
    """`sleep` or `timeout`, and the branch, where it is not the workflow's main one."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # asyncio's own
    if callback is _SLEEP:
        kind = "sleep"
    else:
        while isinstance(callback, partial):
            callback = callback.func
        kind = "sleep" if getattr(callback, "__name__", "") == _SLEEP.__name__ else "timeout"
    branch = branch_of(loop, duration_ms)
    return f"{kind} {branch}" if branch else kind


def branch_of(loop: Loop, duration_ms: int | None = None) -> str:
    """What the running task was made of: a function, and the digest of its arguments.

    Empty in the main task. It is worked out when the task first asks; a duration that is among
    the arguments is left out, so that it may change.
    """
    task = asyncio.current_task(loop)
    if not isinstance(task, OrderedTask):
        return ""
    if task.branch is None:
        task.branch = "" if task.is_main else _branch(task.get_coro(), duration_ms)
    return task.branch


def _branch(coro: Any, duration_ms: int | None) -> str:
    code, frame = getattr(coro, "cr_code", None), getattr(coro, "cr_frame", None)
    if code is None or frame is None:
        return ""
    name, known = code.co_name, frame.f_globals
    held = frame.f_locals
    given = [held.get(one) for one in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]]
    if name == "_awaited" and isinstance(given[0], partial):  # of a map or parallel
        begin = given[0]
        given = [begin.func, *begin.args]
        named = (one for one in given if callable(one))
        name = next((getattr(one, "__name__", "?") for one in named), "?")
    return f"{name.strip('<>')}/{digest_of(given, known, but=duration_ms)}"


def split(origin: str) -> tuple[str, str]:
    """Kind and branch."""
    kind, _, branch = origin.partition(" ")
    return kind, branch


def have_changed_places(one: Changed, other: Changed) -> bool:
    """Law 3."""
    if one.task == other.task or one.branch != other.branch:
        return False
    return other.recorded_ms == one.duration_ms or one.recorded_ms == other.duration_ms


def task_of(operation: str) -> str:
    """The path of the task that numbered an operation, up to what it calls its own."""
    return operation.rpartition(".")[0]


def name_of_type(declared: Any) -> str:
    """A type as an author would write it, without its modules; the same on every Python."""
    if declared is Any:
        return "Any"
    arguments = get_args(declared)
    if not arguments:
        return str(getattr(declared, "__qualname__", "")) or ("None" if declared is None else "")
    kind = get_origin(declared)
    inner = [name_of_type(one) if not isinstance(one, list | str) else "" for one in arguments]
    if kind in (Union, UnionType):
        return " | ".join(inner)
    named = getattr(kind, "__qualname__", None) or str(kind).rpartition(".")[2]
    return f"{named}[{', '.join(inner)}]"
