"""The workflow that a schedule is: it sleeps until the next due time, starts what is due, obeys.

One execution for each schedule, `schedule:<name>`. It needs nothing of a host that other workflows
do not need, and so is the same on each. It begins a new run whenever its history has grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from lambda_workflow.errors import DecodeError
from lambda_workflow.model.signal import Signal
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.operations import Child
from lambda_workflow.replay.workflow import Workflow, workflow
from lambda_workflow.runtime.due import Start, began, ended, look, obey, stopped, triggered
from lambda_workflow.runtime.schedule import Order, Schedule, Shown, Standing

WORKFLOW: Final = "lambda-workflow-schedule"
ORDER: Final = Signal("schedule-order", Order)
_STOPPED: Final = ("ExecutionCancelled", "ExecutionTerminated")  # by someone: no failure
FACTS_MAX: Final = 100  # of one run, so that a cold start reads little: then the next begins

RequestAt = Callable[[str, datetime], Any]


def schedule_workflow(schedules: Mapping[str, Schedule[Any]]) -> Workflow[Standing, None]:
    """The workflow of an App's schedules."""

    def request_at(name: str, due: datetime) -> Any:
        return schedules[name].request_at(due)

    @workflow(name=WORKFLOW)
    async def keep_schedule(ctx: Context, standing: Standing) -> None:
        await _Keeper(ctx, standing, request_at).keep()

    return keep_schedule


class _Keeper:
    """Keeps one schedule, for one run of its execution."""

    def __init__(self, ctx: Context, standing: Standing, request_at: RequestAt) -> None:
        self._ctx = ctx
        self._standing = standing
        self._request_at = request_at
        self._running: tuple[Start, Child[Any]] | None = None  # the one that is followed
        self._is_freed = False
        self._shown: Shown | None = None

    async def keep(self) -> None:
        """Until it is deleted, or a new run is due."""
        order = asyncio.ensure_future(self._ctx.wait_signal(ORDER))
        while True:
            wake = await self._look()
            self._show()
            if self._ctx.history_length > FACTS_MAX and not (self._running or order.done()):
                order.cancel()
                self._ctx.continue_as_new(self._standing)
            await self._wait(order, wake)
            if self._running is not None and self._running[1].done():
                self._note_end(*self._running)
            if order.done():
                if await self._is_deleted_by(order):
                    return
                order = asyncio.ensure_future(self._ctx.wait_signal(ORDER))

    async def _look(self) -> datetime | None:
        standing, now = self._standing, self._ctx.now()
        found = await self._ctx.step(
            look, standing, now, self._running is not None, self._is_freed, name="look"
        )
        self._is_freed = False
        self._standing = replace(
            standing,
            after=found.after,
            backfills=found.backfills,
            skipped=standing.skipped + found.skipped,
            missed=standing.missed + found.missed,
        )
        if found.missed:
            self._ctx.logger.warning(
                "schedule %s: %d due times were missed: they could not be started within "
                "catch_up=%s", standing.plan.name, found.missed, standing.plan.catch_up,
            )  # fmt: skip
        await self._begin(found.starts)
        is_lost = self._running is None and any(start.followed for start in found.starts)
        return self._ctx.now() if is_lost else found.wake

    async def _wait(self, order: asyncio.Future[Any], wake: datetime | None) -> None:
        awaited: list[asyncio.Future[Any]] = [order]
        if self._running is not None:
            awaited.append(self._running[1])
        if wake is not None:
            awaited.append(asyncio.ensure_future(self._ctx.sleep(wake)))
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if wake is not None:
            awaited[-1].cancel()

    async def _begin(self, starts: Sequence[Start]) -> None:
        plan = self._standing.plan
        requests = [
            self._ctx.step(self._request_at, plan.name, start.due, name="request")
            if plan.computed
            else None
            for start in starts
        ]
        for start, making in zip(starts, requests, strict=True):
            self._standing = began(self._standing, start)
            try:
                request = plan.request if making is None else await making
            except Exception as error:  # noqa: BLE001  # the author's function: it is its outcome
                self._ctx.logger.warning("no request for %s: %r", start.execution_id, error)
                self._note_failure(start, type(error).__name__)
                continue
            target = _named(plan.workflow)
            if start.followed:
                child = self._ctx.call(
                    target, request, id=start.execution_id, parent_close="abandon"
                )
                self._running = start, child
            else:
                self._ctx.start(target, request, id=start.execution_id)

    def _note_end(self, start: Start, child: Child[Any]) -> None:
        if (error := child.exception()) is None:
            self._standing = ended(self._standing, start.execution_id, "completed")
        else:
            self._note_failure(start, getattr(error, "type", "") or type(error).__name__)
        self._running = None
        self._is_freed = ":backfill" not in start.execution_id

    def _note_failure(self, start: Start, kind: str) -> None:
        before = ended(self._standing, start.execution_id, kind)
        reason = f"pause_on_failure: {start.execution_id} failed with {kind}"
        self._standing = before if kind in _STOPPED else stopped(before, reason)
        if self._standing is not before:
            self._ctx.logger.warning("schedule %s is paused: %s", before.plan.name, reason)

    async def _is_deleted_by(self, given: asyncio.Future[Order]) -> bool:
        try:
            order = given.result()
        except DecodeError as error:
            self._ctx.logger.warning("an order that cannot be read: %s", error)
            return False
        now = self._ctx.now()
        self._standing = obey(self._standing, order, now)
        if order.kind == "trigger":
            await self._begin([triggered(self._standing, now)])
        return order.kind == "delete"

    def _show(self) -> None:
        shown = self._standing.shown()
        if shown != self._shown:
            self._shown = shown
            self._ctx.set_status(shown)


async def _elsewhere(ctx: Any, request: Any) -> Any:
    """Stands for a workflow that is known by its name alone; it is never run."""


def _named(name: str) -> Workflow[Any, Any]:
    return Workflow(_elsewhere, name)
