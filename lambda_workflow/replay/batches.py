"""Maps and parallel branches: many items under way at once, never more than the limit.

Laws
 1. Items begin in their order; which begins next does not depend on which ended first. So an item
    has the same operation ids in every replay.
 2. A call needs no task: the batch waits for the calls themselves. A function gets a task.
 3. Thresholds are looked at after each item that ends, one at a time, in the order of the facts.
 4. A bug in an item's function blocks the execution; what an operation raised is the item's error.
 5. The batch returns, or raises, once nothing of it runs any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_kind, check_plain, named
from lambda_workflow.model.callables import Form, form_of
from lambda_workflow.model.commands import OpenScope
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.service import Service
from lambda_workflow.replay.batch_result import BatchItem, BatchReason, BatchResult, ItemStatus
from lambda_workflow.replay.bugs import blocks
from lambda_workflow.replay.nesting import nested, outlast
from lambda_workflow.replay.operations import Operation
from lambda_workflow.replay.places import caller
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context
    from lambda_workflow.replay.execution import Execution

T = TypeVar("T")

ITEMS_MAX: Final = 100_000  # as many operations as an execution may have


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a batch ends early, and how many of its items run at once; None is no threshold."""

    limit: int | None = None
    min_successful: int | None = None
    tolerated_failures: int | None = None
    tolerated_failure_percentage: float | None = None

    def check(self, label: str, total: int) -> None:
        """Refuse what can have no meaning.

        Raises:
            ConfigurationError: says what to give instead.
        """
        _check(label, "limit", self.limit, (1, None))
        _check(label, "min_successful", self.min_successful, (1, total or None))
        _check(label, "tolerated_failures", self.tolerated_failures, (0, None))
        share = self.tolerated_failure_percentage
        _check(label, "tolerated_failure_percentage", share, (0, 100))

    def reason(self, succeeded: int, failed: int, counts: tuple[int, int]) -> BatchReason | None:
        """Why a batch ends now; `counts` is how many items have ended, and how many there are."""
        ended, total = counts
        if self._exceeded_by(failed, total):
            return BatchReason.FAILURE_TOLERANCE_EXCEEDED
        if ended == total:
            return BatchReason.ALL_COMPLETED
        if self.min_successful is not None and succeeded >= self.min_successful:
            return BatchReason.MIN_SUCCESSFUL_REACHED
        return None

    def _exceeded_by(self, failed: int, total: int) -> bool:
        number, share = self.tolerated_failures, self.tolerated_failure_percentage
        return (number is not None and failed > number) or (
            share is not None and failed * 100 > share * total
        )


def map_items(
    ctx: Context, target: Any, items: Iterable[Any], thresholds: Thresholds, *,
    name: str, item_name: Callable[[Any], str] | None = None,
) -> Coroutine[Any, Any, BatchResult[Any]]:  # fmt: skip
    """See `Context.map`."""
    name = display_name("map", name)
    label = f"map {name!r}" if name else "map"
    listed = _listed(label, items)
    thresholds.check(label, len(listed))
    names = ("",) * len(listed) if item_name is None else _names(label, listed, item_name)
    begin: Callable[[int], asyncio.Future[Any]]
    if isinstance(target, Service | Workflow | RemoteWorkflow):
        called: Any = target

        site = caller(2)  # now: when the calls are made, the code that asked may not be in sight

        def begin(index: int) -> asyncio.Future[Any]:
            call: Operation[Any] = ctx.call(called, listed[index], name=names[index])
            call.site = site
            return call

    elif callable(target) and not isinstance(getattr(target, "service", None), Service):
        form = form_of(label, target, ["item"], "an item")
        form.check(target, ctx, None)

        def begin(index: int) -> asyncio.Future[Any]:
            return _branch(ctx, partial(form.called, target, ctx, listed[index]), names[index])

    else:
        raise ConfigurationError(
            f"{label}: {named(target)} is no target; give a Service (not its adapter), a Workflow, "
            "or an async function of the context and an item"
        )
    return Batch(ctx._execution, begin, names, thresholds).run(label, name)


def run_branches(
    ctx: Context,
    branches: Sequence[Callable[..., Awaitable[Any]]] | Mapping[str, Callable[..., Awaitable[Any]]],
    thresholds: Thresholds,
    name: str,
) -> Coroutine[Any, Any, BatchResult[Any]]:
    """See `Context.parallel`."""
    name = display_name("parallel", name)
    label = f"parallel {name!r}" if name else "parallel"
    names: tuple[str, ...]
    listed: list[Any]
    if isinstance(branches, Mapping):
        names, listed = tuple(branches), list(branches.values())
        for one in names:
            check_kind(one, str, f"{label}: the name of a branch", "text")
    else:
        listed = _listed(label, branches)
        names = ("",) * len(listed)
    if wrong := [branch for branch in listed if not callable(branch)]:
        raise ConfigurationError(
            f"{label}: {named(wrong[0])} is no branch; give async functions of the context, such "
            "as `lambda ctx: ctx.call(SERVICE, payload)`"
        )
    form = Form(label, "the context alone", "`lambda ctx: ctx.call(SERVICE, payload)`")
    for branch in listed:
        form.check(branch, ctx)
    thresholds.check(label, len(listed))
    shown = names if ctx._execution.loop.semantics > 1 else ("",) * len(listed)

    def begin(index: int) -> asyncio.Future[Any]:
        return _branch(ctx, partial(form.called, listed[index], ctx), shown[index])

    return Batch(ctx._execution, begin, names, thresholds).run(label, name)


class Batch(Generic[T]):
    """One map or parallel under way. See the module's laws.

    Args:
        begin: starts an item; what it gives may be cancelled.
        names: of the items, as many as there are.
    """

    def __init__(
        self,
        execution: Execution,
        begin: Callable[[int], asyncio.Future[T]],
        names: Sequence[str],
        thresholds: Thresholds,
    ) -> None:
        self._execution = execution
        self._loop = execution.loop
        self._begin = begin
        self._names = names
        self._thresholds = thresholds
        self._limit = thresholds.limit or len(names)
        self._begun = 0
        self._running: dict[int, asyncio.Future[T]] = {}
        self._ended: deque[int] = deque()  # and not yet looked at
        self._waiter: asyncio.Future[None] | None = None
        self._items: dict[int, BatchItem[T]] = {}
        self._succeeded = 0
        self._failed = 0

    async def run(self, label: str, name: str) -> BatchResult[T]:
        """Run the items until all have ended, or a threshold is passed."""
        if self._loop.frozen:
            await self._loop.create_future()  # unwinding: nothing is to happen
        with nested(self._execution, name, label.partition(" ")[0]):
            try:
                while (reason := self._reason()) is None:
                    self._fill()
                    self._settle(await self._next())
            except BaseException:
                if not self._loop.frozen:
                    await self._stop()
                raise
            interrupted = await self._stop()
            for index in list(self._running):
                self._settle(index)
            if interrupted:
                raise asyncio.CancelledError
        every = range(len(self._names))
        return BatchResult(tuple(map(self._item, every)), reason, label)

    def _reason(self) -> BatchReason | None:
        counts = len(self._items), len(self._names)
        return self._thresholds.reason(self._succeeded, self._failed, counts)

    def _fill(self) -> None:
        while len(self._running) < self._limit and self._begun < len(self._names):
            index = self._begun
            self._begun += 1
            self._running[index] = future = self._begin(index)
            future.add_done_callback(partial(self._wake, index))

    def _wake(self, index: int, _: asyncio.Future[T]) -> None:
        self._ended.append(index)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _next(self) -> int:
        if not self._ended:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._ended.popleft()

    def _settle(self, index: int) -> None:
        future = self._running.pop(index)
        name = self._names[index]
        if future.cancelled():
            self._items[index] = BatchItem(index, ItemStatus.CANCELLED, name)
        elif (error := future.exception()) is None:
            self._items[index] = BatchItem(index, ItemStatus.SUCCEEDED, name, future.result())
            self._succeeded += 1
        elif isinstance(error, ConfigurationError) or blocks(self._execution, error):
            raise error  # wrong code, which would be as wrong for each item
        elif isinstance(error, Exception):
            self._items[index] = BatchItem(index, ItemStatus.FAILED, name, None, error)
            self._failed += 1
        else:
            raise error  # SystemExit, the run's end: not a matter of one item

    def _item(self, index: int) -> BatchItem[T]:
        found = self._items.get(index)
        return found or BatchItem(index, ItemStatus.NOT_STARTED, self._names[index])

    async def _stop(self) -> bool:
        """Cancel what runs, and wait until it has cleaned up; whether that was interrupted."""
        running = list(self._running.values())
        for future in running:
            future.cancel()
        interrupted = await outlast(self._loop, running)
        for future in running:
            with suppress(BaseException):
                future.exception()  # it has been looked at
        return interrupted


def _branch(ctx: Context, begin: Callable[[], Awaitable[T]], name: str) -> asyncio.Task[T]:
    """A task for one item or branch; what it starts is shown under its name, if it has one."""
    execution = ctx._execution
    task: Any = execution.loop.create_task(_awaited(begin))
    if name and not execution.loop.frozen:
        shown = display_name("branch", name)
        execution.ledger.groups[task.path.name] = f"branch `{shown}`"
        execution.ledger.add(OpenScope(task.path.name, shown, "branch"))
    begun: asyncio.Task[T] = task
    return begun


def _names(label: str, items: Sequence[Any], namer: Callable[[Any], str]) -> tuple[str, ...]:
    """What the items are called.

    Raises:
        ConfigurationError: the namer is no plain function, or gives no text.
    """
    check_plain(namer, f"{label}: item_name", "a plain function of an item that gives its name")
    names = tuple(namer(item) for item in items)
    for name in names:
        check_kind(name, str, f"{label} item name", "text, such as str(order.number)")
    return names


async def _awaited(begin: Callable[[], Awaitable[T]]) -> T:
    return await begin()


def _listed(label: str, items: Iterable[Any]) -> list[Any]:
    if isinstance(items, set | frozenset):
        raise ConfigurationError(
            f"{label}: its items are a set, whose order differs from process to process: give a "
            "list, such as sorted(items)"
        )
    if isinstance(items, str | bytes):
        raise ConfigurationError(f"{label}: its items are one text: give a list, such as [text]")
    if isinstance(items, AsyncIterable):
        raise ConfigurationError(
            f"{label}: its items come from an async iterator, and are to be known when it begins: "
            "give a list, such as [item async for item in items]"
        )
    check_kind(items, Iterable, f"{label}: what its items come from", "a list")
    listed = list(islice(items, ITEMS_MAX + 1))
    if len(listed) > ITEMS_MAX:
        raise ConfigurationError(
            f"{label}: more than {ITEMS_MAX} items, the operations that an execution may have: "
            "give each of several child workflows a part of them"
        )
    return listed


def _check(label: str, name: str, value: float | None, bounds: tuple[int, int | None]) -> None:
    if value is None:
        return
    low, high = bounds
    kind = int | float if name.endswith("percentage") else int
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if fits and low <= value and (high is None or value <= high):
        return
    what = "a number" if name.endswith("percentage") else "a whole number"
    most = "" if high is None else f" to {high}"
    if name == "min_successful" and high is not None:
        most += f" (there are {high} items), or leave it out to wait for all"
    raise ConfigurationError(f"{label}: {name} is {value!r}: give {what} from {low}{most}")
