"""Groups of operations: where they stand in the history, and how they end.

Laws
 1. What a group starts is numbered under a path of the group's own: it cannot shift what its task
    starts afterwards.
 2. Who takes a group down waits until its tasks have cleaned up, however often it is cancelled
    itself meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from lambda_workflow.model.commands import OpenScope
from lambda_workflow.replay.loop import Loop, OrderedTask, Path

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution


@contextmanager
def nested(execution: Execution, name: str = "", kind: str = "") -> Iterator[Path]:
    """Number what the running task starts under a path of its own (law 1), shown under a name."""
    loop = execution.loop
    task = asyncio.current_task(loop)
    path = loop.path().child()
    if kind:
        execution.ledger.groups[path.name] = f"{kind} `{name}`" if name else kind
    if name and not loop.frozen:
        execution.ledger.add(OpenScope(path.name, name, kind))
    if not isinstance(task, OrderedTask):
        yield path
        return
    outer, task.path = task.path, path
    try:
        yield path
    finally:
        if not loop.frozen:  # else a generator is closed, at a time that is not the code's
            task.path = outer


async def outlast(loop: Loop, futures: Iterable[asyncio.Future[Any]]) -> bool:
    """Wait until all are done (law 2); whether the waiting task was cancelled meanwhile."""
    interrupted = False
    with _shield():
        while waiting := [future for future in futures if not future.done()]:
            try:
                await asyncio.wait(waiting)
            except asyncio.CancelledError:
                if loop.frozen:
                    raise
                interrupted = True
    return interrupted


def _shield() -> AbstractContextManager[object]:
    """anyio cancels a task of a cancelled scope again and again, until it leaves: but not here."""
    if "anyio" not in sys.modules:
        return nullcontext()
    from anyio import CancelScope  # only where the workflow's code uses it

    return CancelScope(shield=True)
