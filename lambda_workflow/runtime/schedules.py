"""`client.schedules`: make, look at and steer the schedules of an App."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import (
    ConfigurationError,
    ExecutionAlreadyStarted,
    ExecutionNotFound,
    PayloadError,
)
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.references import CLIENT_PLACE
from lambda_workflow.ports import Header, SendMessage
from lambda_workflow.runtime.offload import deposit, fetch
from lambda_workflow.runtime.schedule import (
    PREFIX,
    Order,
    Overlap,
    Run,
    Schedule,
    Shown,
    Standing,
    check_overlap,
)
from lambda_workflow.runtime.scheduler import ORDER, WORKFLOW
from lambda_workflow.runtime.talk import LOOK_SECONDS, LOOKS
from lambda_workflow.runtime.timetable import Timetable

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

BACKFILL_MAX: Final = 10_000  # due times: more are nearly always a wrong year


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """Where a schedule stands.

    Attributes:
        status: of its execution; BLOCKED where its App lacks the workflow.
        paused: the reason; None while it is not paused.
        backfills: how many are still to be run.
        started, failed: how many executions it has started, and how many of them failed; those that
            run at the same time are not waited for, and count as started only.
        skipped: due times at which the run before was still going on.
        recent: the last five executions, with `due`, `execution_id` and `outcome`.
        jitter, catch_up, pause_on_failure: as the schedule has them.
        missed: due times that could not be started within `catch_up`.
    """

    name: str
    status: Status
    workflow: str
    timetable: Timetable
    overlap: Overlap
    paused: str | None
    backfills: int
    started: int
    failed: int
    skipped: int
    recent: tuple[Run, ...]
    jitter: timedelta | None = None
    catch_up: timedelta | None = None
    pause_on_failure: bool = False
    missed: int = 0

    def next_times(self, count: int, after: datetime) -> list[datetime]:
        """The due times after a moment, in UTC; whether or not it is paused, and without jitter."""
        return self.timetable.next_times(count, after)


class Schedules:
    """Found at `client.schedules`; every method is a coroutine and may raise BackendError.

    What is ordered takes effect with the next turn of the schedule's execution, in order. One that
    was just made is waited for, a second at most, until its first turn is there.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def apply(self) -> dict[str, str]:
        """Make the schedules of the App as its code has them; those it no longer has stay.

        Returns "created", "updated" or "unchanged" for each name.
        """
        done: dict[str, str] = {}
        for schedule in self._client.app.schedules.values():
            header = await self._header(schedule.name)
            if header is None or header.status.closed:
                await self._start(schedule, is_again=header is not None)
                done[schedule.name] = "created"
            elif (
                shown := await self._shown(header)
            ) is None or shown.digest != schedule.plan.digest:
                await self._order(schedule.name, Order("update", plan=schedule.plan))
                done[schedule.name] = "updated"
            else:
                done[schedule.name] = "unchanged"
        return done

    async def create(self, schedule: Schedule[Any]) -> None:
        """Make a schedule that need not be listed in the App.

        Raises:
            ExecutionAlreadyStarted: there is one of this name; `update` it.
            ConfigurationError: its request is a function, and the App does not list it.
        """
        self._check(schedule)
        header = await self._header(schedule.name)
        if header is not None and not header.status.closed:
            raise ExecutionAlreadyStarted(
                f"schedule {schedule.name!r} exists: change it by `update`, or choose another name"
            )
        await self._start(schedule, is_again=header is not None)

    async def update(self, schedule: Schedule[Any]) -> None:
        """Give a schedule another workflow, request, timetable or options, from now on.

        Raises:
            ExecutionNotFound: there is none of this name.
            ConfigurationError: its request is a function, and the App does not list it.
        """
        self._check(schedule)
        await self._order(schedule.name, Order("update", plan=schedule.plan))

    async def pause(self, name: str, note: str = "") -> None:
        """Start nothing until it is resumed; what is due meanwhile is missed.

        Raises:
            ExecutionNotFound: there is none of this name.
        """
        await self._order(name, Order("pause", note))

    async def resume(self, name: str) -> None:
        """Go on from now.

        Raises:
            ExecutionNotFound: there is none of this name.
        """
        await self._order(name, Order("resume"))

    async def trigger(self, name: str) -> None:
        """Start its workflow now, paused or not, and whatever still goes on.

        Raises:
            ExecutionNotFound: there is none of this name.
        """
        await self._order(name, Order("trigger"))

    async def backfill(
        self, name: str, start: datetime, end: datetime, *, overlap: Overlap | None = None
    ) -> int:
        """Run what was due in the past; returns how many due times that are.

        Args:
            start: the first moment that counts.
            end: the first that does not.
            overlap: "queue" runs one after another, "allow" all at the same time; the schedule's
                own if not given, "queue" for "skip".

        Raises:
            ExecutionNotFound: there is none of this name.
            ConfigurationError: a moment has no time zone, or nothing or too much is due there.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ConfigurationError("backfill: start and end need a time zone; add tzinfo=UTC")
        if overlap is not None and check_overlap(overlap) == "skip":
            raise ConfigurationError("backfill: overlap is 'queue' or 'allow'")
        info = await self.describe(name)
        count = 0
        for due in info.timetable.due_from(start):
            if due >= end or count > BACKFILL_MAX:
                break
            count += 1
        if not 0 < count <= BACKFILL_MAX:
            found = "nothing is" if not count else f"more than {BACKFILL_MAX} times are"
            raise ConfigurationError(f"backfill of {name!r}: {found} due from {start} to {end}")
        await self._order(name, Order("backfill", start=start, end=end, overlap=overlap))
        return count

    async def delete(self, name: str) -> None:
        """End the schedule; what it has started goes on. Its name is free again.

        Raises:
            ExecutionNotFound: there is none of this name.
        """
        await self._order(name, Order("delete"))

    async def describe(self, name: str) -> ScheduleInfo:
        """Where a schedule stands.

        Raises:
            ExecutionNotFound: there is none of this name, or its first turn is still to come.
        """
        header = await self._existing(name)
        shown = await self._shown(header)
        if shown is None:
            raise ExecutionNotFound(
                f"schedule {name!r} has not said anything yet: its execution {header.execution_id} "
                f"is {header.status}{': ' if header.reason else ''}{header.reason}"
            )
        return _info(header, shown)

    async def list(self) -> AsyncIterator[ScheduleInfo]:
        """Every schedule that is not deleted; the listing may lag behind by seconds."""
        async for header in self._client.list_all(WORKFLOW):
            if not header.status.closed and (shown := await self._shown(header)) is not None:
                yield _info(header, shown)

    def _check(self, schedule: Schedule[Any]) -> None:
        app = self._client.app
        app.check_newest(schedule.workflow)
        if schedule.plan.computed and app.schedules.get(schedule.name) is not schedule:
            raise ConfigurationError(
                f"schedule {schedule.name!r}: a function cannot be stored; list the schedule in "
                "App(schedules=[…]), or give it a request of the workflow's type"
            )

    async def _start(self, schedule: Schedule[Any], *, is_again: bool) -> None:
        client, execution_id = self._client, f"{PREFIX}{schedule.name}"
        if (code := client.app.workflows.get(WORKFLOW)) is None:
            raise ConfigurationError(
                f"app {client.app.name!r} runs no schedules: make it App(…, schedules=[]), or with "
                "those that it shall have"
            )
        payload = code.request_codec.encode(Standing(schedule.plan), "schedule")
        kept = await deposit(payload, execution_id, client.backend.blobs, place=CLIENT_PLACE)
        start = secrets.token_hex(8)
        options = StartOptions(start, secrets.token_hex(16))
        request = m.Request(execution_id, WORKFLOW, kept, options=options, replace=is_again)
        await self._send(request, start)

    async def _order(self, name: str, order: Order) -> None:
        await self._existing(name)
        execution_id, given = f"{PREFIX}{name}", secrets.token_hex(8)
        payload = await deposit(
            ORDER.accepts(order), execution_id, self._client.backend.blobs, place=CLIENT_PLACE
        )
        await self._send(m.Signal(execution_id, ORDER.name, payload, given, checked=True), given)

    async def _send(self, message: m.Message, given: str) -> None:
        dedup = deduplication_id(message.execution_id, given)
        await self._client.backend.queue.send_messages([SendMessage(message, dedup)])

    async def _shown(self, header: Header) -> Shown | None:
        """What a schedule last said; it stands in its history where the listing has no room."""
        said = header.custom
        if said is None:
            history = await self._client.history(header.execution_id)
            said = await fetch(history.custom_status, self._client.backend.blobs)
        try:
            shown: Shown = codec_for(Shown).decode(said, "status of a schedule")
        except PayloadError:
            return None
        return shown

    async def _existing(self, name: str) -> Header:
        for look in range(LOOKS):
            if look:
                await self._client._pause(f"{PREFIX}{name}", LOOK_SECONDS)
            if (header := await self._header(name)) is not None:
                if header.status.closed:
                    break
                return header
        raise ExecutionNotFound(
            f"no schedule {name!r}: it was never made here, its first turn is still to come, or it "
            "was deleted"
        )

    async def _header(self, name: str) -> Header | None:
        return await self._client.backend.store.header(f"{PREFIX}{name}")


def _info(header: Header, shown: Shown) -> ScheduleInfo:
    return ScheduleInfo(
        name=header.execution_id.removeprefix(PREFIX),
        status=header.status,
        workflow=shown.workflow,
        timetable=shown.timetable,
        overlap=shown.overlap,
        paused=shown.paused,
        backfills=shown.backfills,
        started=shown.started,
        failed=shown.failed,
        skipped=shown.skipped,
        recent=shown.recent,
        jitter=shown.jitter,
        catch_up=shown.catch_up,
        pause_on_failure=shown.pause_on_failure,
        missed=shown.missed,
    )
