"""The Context: everything that workflow code may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from lambda_workflow.errors import ConfigurationError, NonDeterminismError, UsageError
from lambda_workflow.model.arguments import check_duration, check_moment
from lambda_workflow.model.callables import show_as
from lambda_workflow.model.commands import OpenScope, Patch, SetStatus
from lambda_workflow.model.ids import check_name, display_name
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.replay.anyio_rules import apply_rules_to_anyio
from lambda_workflow.replay.calls import Calls
from lambda_workflow.replay.inbox import Inbox
from lambda_workflow.replay.loop import OrderedTask
from lambda_workflow.replay.patterns import Patterns
from lambda_workflow.replay.tools import Info
from lambda_workflow.suspension import RunEnded

if TYPE_CHECKING:
    import logging
    import random  # noqa: TID251  # the type alone; the host lends the generator

    from lambda_workflow.replay.execution import Execution


class Context(Calls, Inbox, Patterns):
    """One per run of an execution; the same values at the same places on every replay.

    Attributes:
        request: what the execution was started with, of the workflow's request type.
        execution_id: the id of this execution.
        info: its workflow, attempt, version, start, run and tags.
        state: whatever the workflow keeps for its queries to read; nothing is stored.
    """

    state: Any = None

    def __init__(self, execution: Execution, info: Info, request: Any) -> None:
        self.request = request
        self.execution_id = info.execution_id
        self.info = info
        self._execution = execution
        self._random: random.Random | None = None
        self._logger: logging.LoggerAdapter[Any] | None = None
        apply_rules_to_anyio()  # before the code runs that may use them

    async def sleep(self, duration: timedelta | datetime, *, name: str = "") -> None:
        """Wait, durably and without a process: for a duration, or until a moment.

        Args:
            duration: at most 366 days; what is over already returns at once. A datetime needs a
                time zone. Timers are exact to a millisecond on a laptop, to about a second up to
                15 minutes and to about a minute beyond on AWS.
            name: what the history shows.
        """
        self._check_reader()
        if name:
            name = display_name("sleep", name)
        if isinstance(duration, datetime):
            check_moment(duration, "ctx.sleep: moment")
            duration = duration - self.now()
        check_duration(duration, "the duration of ctx.sleep")
        seconds = max(0.0, duration.total_seconds())
        if seconds:  # else there is no timer that would take the name
            self._execution.ledger.timer_name = name
        await asyncio.sleep(seconds)

    def now(self) -> datetime:
        """The time of the fact that woke the workflow, in UTC; stands still while code runs."""
        self._check_reader()
        return datetime.fromtimestamp(self._execution.loop.now / 1000, UTC)

    def uuid(self) -> UUID:
        """A random UUID (version 4), the same on every replay."""
        return UUID(int=self.random.getrandbits(128), version=4)

    @property
    def random(self) -> random.Random:
        """A generator seeded by the execution id: the same numbers on every replay."""
        self._check_reader()
        if self._random is None:
            seed = (
                self.execution_id if self.info.run == 1 else f"{self.execution_id}~{self.info.run}"
            )
            self._random = self._execution.tools.make_random(seed)
        return self._random

    @property
    def logger(self) -> logging.LoggerAdapter[Any]:
        """A standard logger that knows the execution and is silent on replay."""
        self._check_reader()
        if self._logger is None:
            execution = self._execution
            self._logger = execution.tools.make_logger(self.info, lambda: execution.live)
        return self._logger

    @property
    def history_length(self) -> int:
        """How many facts this run has taken in; a reason to `continue_as_new` at some thousands."""
        self._check_reader()
        return self._execution.facts

    @asynccontextmanager
    async def scope(self, name: str) -> AsyncIterator[None]:
        """Group the operations of a block under a name: `async with ctx.scope("payment"):`.

        They are numbered under the group and shown under its name; nothing else changes.
        """
        if self._is_frozen():
            yield
            return
        if not (name := display_name("scope", name)):
            raise ConfigurationError("scope name '': give a text that the history may show")
        execution = self._execution
        task = asyncio.current_task(execution.loop)
        if not isinstance(task, OrderedTask):
            raise UsageError("ctx.scope must be entered by workflow code, in a task")
        outer = task.path
        task.path = outer.child()
        execution.ledger.groups[task.path.name] = f"scope `{name}`"
        execution.ledger.add(OpenScope(task.path.name, name, "scope"))
        try:
            yield
        finally:
            if not execution.loop.frozen:  # see `nesting.nested`
                task.path = outer

    def set_status(self, value: Any) -> None:
        """Say where the workflow stands: any value with a JSON form, by its own type.

        It is stored with the turn and shown by `describe` and `list`; who reads it runs no code.

        Raises:
            EncodeError: the value has no JSON form.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
        """
        if self._is_frozen():
            return
        payload = bounded(codec_for(type(value)).encode(value, "status"), "status")
        self._execution.ledger.add(SetStatus(payload))

    def patched(self, change: str) -> bool:
        """Whether to go the changed way: `if ctx.patched("two-checks"): new() else: old()`.

        True where the code comes here for the first time now; False in an execution that went past
        this place before the change was deployed. Once no such execution is left, replace the whole
        `if` by its new half and `ctx.deprecate_patch("two-checks")`, later by the new half alone.
        """
        if self._is_frozen():
            return self._execution.state.patches.get(change, True)
        return self._patched(change)

    def deprecate_patch(self, change: str) -> None:
        """The old half of a patch is gone: refuse to go on in an execution that would need it.

        Raises:
            NonDeterminismError: this execution went the old way; it is BLOCKED, nothing is lost.
        """
        if self._is_frozen() or self._patched(change):
            return
        self._execution.fault = NonDeterminismError(
            f"execution {self.execution_id} went past the change {change!r} before it was made, "
            "and the code that it goes on with is gone: restore the `if ctx.patched(…)` with its "
            "old half, and redrive"
        )
        raise self._execution.fault

    def _patched(self, change: str) -> bool:
        check_name("change", change)
        patches, ledger = self._execution.state.patches, self._execution.ledger
        if change not in patches:
            recorded = ledger.has_patch(change)
            patches[change] = is_new = recorded is not False
            if is_new:
                ledger.add(Patch(change))
        return patches[change]

    def continue_as_new(self, request: Any) -> NoReturn:
        """End this run, and begin the next with an empty history: same execution id, new request.

        Signals that were not taken go with it; what is still open is given up. The code begins
        from its start, as the newest version that the App has. Ends in an exception that should
        pass; code that catches it ends its run all the same, when it returns.

        Raises:
            EncodeError: the request is not of the workflow's request type.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
        """
        codec = self._execution.workflow.request_codec
        label = "request of the next run"
        ended = RunEnded(bounded(codec.encode(request, label), label))
        if not self._is_frozen():  # raises in a query, which must not come to it
            self._execution.renewal = ended
        raise ended


show_as("Context", *Context.__mro__[:-1])
