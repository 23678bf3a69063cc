"""Tasks at work in one process: doing them, and breaking off those that nobody wants any more.

Laws
 1. A task that was withdrawn has no result: an `async def` adapter is cancelled where it waits, one
    in a thread learns of it at its next heartbeat.
 2. A withdrawal may overtake its task: it is remembered, and the task is then not begun.
 3. A withdrawal of what is not at work here goes to the adapter's `on_cancel` handler, if it has
    one: what an earlier delivery or another process has begun may have to be undone. So does one
    of what has been left by Later, when it is broken off here: it only looked after its work.
 4. The failure of a task without a reply has no receiver: the task is redelivered.
 5. What was withdrawn is not put back for later, and not begun again when it comes back.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.payload_shown import values_shown
from lambda_workflow.model.payload_words import failure_words
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.attend import Postponed, attend
from lambda_workflow.runtime.functions import run_handler
from lambda_workflow.runtime.heartbeats import Post, Work
from lambda_workflow.runtime.serve import Adapter

WITHDRAWN_MAX: Final = 10_000  # remembered: a task that is late by more is done for nothing


Outcome = Update | Postponed | None


class Unheard(WorkflowError):
    """A task that nobody waits for has failed.

    Attributes:
        is_final: whether another try is pointless.
    """

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.is_final = is_final


class Workshop:
    """See the module.

    Args:
        post: sends heartbeats.
        now: milliseconds since the epoch.
    """

    def __init__(
        self,
        blobs: Callable[[], Blobs],
        post: Post,
        now: Callable[[], int],
        *,
        show_values: bool = False,
    ) -> None:
        self._show_values = show_values
        self._blobs = blobs
        self._post = post
        self._now = now
        self._at_work: dict[str, dict[Work, asyncio.Task[Outcome]]] = {}
        self._withdrawn: OrderedDict[str, None] = OrderedDict()

    async def do(
        self, adapter: Adapter[Any, Any], task: Task, *, is_repeat: bool = False
    ) -> Outcome:
        """Do a task; its result, the task to be put back, or None where nobody waits for one.

        Args:
            is_repeat: whether the task may have been delivered before.

        Raises:
            BackendError: a payload could not be fetched or stored; the task must come again.
            Unheard: nobody waits, and it failed.
        """
        if task.cancelled:
            await self._withdraw(adapter, task)
            return None
        if task.task_id in self._withdrawn:
            return None
        work = Work(task, self._post, self._now, asyncio.get_running_loop(), is_repeat=is_repeat)
        update = await self._work(adapter, work)
        if not isinstance(update, Update) or task.reply:
            return update
        if (failure := update.failure) is not None:
            raise Unheard(failure_words(failure), is_final=not failure.retryable)
        return None

    async def _work(self, adapter: Adapter[Any, Any], work: Work) -> Outcome:
        task = work.task
        if not task.heartbeat_ms:  # nobody withdraws it
            return await self._attend(adapter, work)
        doing = asyncio.ensure_future(self._attend(adapter, work))
        self._at_work.setdefault(task.task_id, {})[work] = doing
        try:
            update = await doing
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if work.is_withdrawn and not (me is not None and me.cancelling()):
                return None
            raise
        finally:
            others = self._at_work[task.task_id]
            del others[work]
            if not others:
                del self._at_work[task.task_id]
        return None if work.is_withdrawn else update

    async def _attend(self, adapter: Adapter[Any, Any], work: Work) -> Outcome:
        if not self._show_values:
            return await attend(adapter, work, self._blobs())
        with values_shown():
            return await attend(adapter, work, self._blobs())

    async def _withdraw(self, adapter: Adapter[Any, Any], task: Task) -> None:
        self._withdrawn[task.task_id] = None
        while len(self._withdrawn) > WITHDRAWN_MAX:
            self._withdrawn.popitem(last=False)
        here = dict(self._at_work.get(task.task_id, {}))
        for work, doing in here.items():
            work.is_withdrawn = True
            if adapter.is_async:
                doing.cancel()
        if adapter.cancel_function is None:
            return
        if here:
            await asyncio.wait(here.values())
        if not here or any(work.goes_on for work in here):
            await run_handler(adapter.cancel_function, task)
