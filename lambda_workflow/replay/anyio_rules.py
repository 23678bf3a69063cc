"""What anyio's asyncio backend does otherwise inside a workflow.

1. Its scopes cancel in the order in which they were entered. anyio keeps a scope's tasks and inner
   scopes in sets, and scopes hash by their memory address: the tasks of a cancelled group would
   clean up in another order in each process, and no replay would find the commands of the first run
   in their places.
2. It starts no threads; see `loop.refuse_threads_of_anyio`.
3. It forgets the tasks of code that is unwound. anyio knows a task until the callbacks of its end
   have run, as those of a frozen loop do not; what it knows holds the task, and all that the task
   holds.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from lambda_workflow.replay.loop import Loop, refuse_threads_of_anyio


class _InOrder(dict[Any, None]):
    """A set, as far as anyio uses one, that keeps the order of insertion."""

    def add(self, item: Any) -> None:
        self[item] = None

    def remove(self, item: Any) -> None:
        del self[item]

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class _Tasks(_InOrder):
    """A scope's tasks, which its loop knows as well."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def add(self, item: Any) -> None:
        super().add(item)
        self._loop.scoped.add(item)


def forget_tasks_in_anyio(loop: Loop) -> None:
    """Rule 3; the loop is of no more use."""
    if loop.scoped:
        from anyio._backends import _asyncio as backend

        for task in list(loop.scoped):
            backend._task_states.pop(task, None)


def apply_rules_to_anyio() -> None:
    """Apply them to what workflow code makes; elsewhere anyio works as before.

    Does nothing in a process that has not imported anyio.
    """
    if "anyio" not in sys.modules:
        return
    from anyio._backends import _asyncio as backend  # anyio itself loads it at its first use

    refuse_threads_of_anyio()
    scope: Any = backend.CancelScope
    original = scope.__init__
    if hasattr(original, "_lambda_workflow"):
        return

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it replaces one
        original(self, *args, **kwargs)
        if isinstance(loop := asyncio._get_running_loop(), Loop):
            self._tasks = _Tasks(loop)
            self._child_scopes = _InOrder()

    __init__._lambda_workflow = True  # type: ignore[attr-defined]  # a mark that it is done
    scope.__init__ = __init__
