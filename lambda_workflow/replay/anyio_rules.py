"""What anyio's asyncio backend does otherwise inside a workflow.

1. Its scopes cancel in the order in which they were entered. anyio keeps a scope's tasks and inner
   scopes in sets, and scopes hash by their memory address: the tasks of a cancelled group would
   clean up in another order in each process, and no replay would find the commands of the first run
   in their places.
2. It starts no threads; see `refuse_threads_of_anyio`.
3. It forgets the tasks of code that is unwound. anyio knows a task until the callbacks of its end
   have run, as those of a frozen loop do not; what it knows holds the task, and all that the task
   holds.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from lambda_workflow.replay.loop import Loop, refuse_replay


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


def refuse_threads_of_anyio() -> None:
    """Make `anyio.to_thread` refuse inside a workflow; elsewhere it works as before.

    anyio starts its threads without asking the event loop, so there is no method of Loop to refuse
    in. Does nothing while anyio's asyncio backend is not loaded.
    """
    module = sys.modules.get("anyio._backends._asyncio")
    backend = getattr(module, "AsyncIOBackend", None)
    if backend is None or hasattr(backend, "_lambda_workflow"):
        return
    original = backend.run_sync_in_worker_thread.__func__

    async def run_sync_in_worker_thread(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(asyncio._get_running_loop(), Loop):
            refuse_replay("a thread (`anyio.to_thread`)")
        return await original(cls, *args, **kwargs)

    backend.run_sync_in_worker_thread = classmethod(run_sync_in_worker_thread)
    backend._lambda_workflow = True
