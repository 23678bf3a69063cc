"""What a schedule has to start now, and when it has to look again: functions of their arguments.

They read the time-zone database, so a schedule's execution calls `look` as a step: what it saw is
recorded, and neither a new release of the zones nor of cronsim changes what has been.

Laws
 1. A due time is started once, skipped once, or missed because the schedule was paused then.
 2. "skip" and "queue" have one run at a time; due times of the schedule come before those of a
    backfill, each in order.
 3. After an outage "skip" starts the first due time that was missed, "queue" all of them one after
    another, "allow" all at once.
 4. Nothing is started while it is paused, but what is triggered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from lambda_workflow.runtime.schedule import RECENT_MAX, Backfill, Order, Run, Standing

STARTS_MAX: Final = 100  # by one look; the rest by the next, at once
COUNTED_MAX: Final = 10_000  # skipped due times that are counted one by one
FAR: Final = timedelta(days=300)  # a timer may take 366 days: look again before


@dataclass(frozen=True, slots=True)
class Start:
    """An execution to be started; `followed` until its end, or not."""

    due: datetime
    execution_id: str
    followed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found; `wake` is when to look again, None where only an order changes it."""

    starts: tuple[Start, ...]
    after: datetime
    skipped: int
    backfills: tuple[Backfill, ...]
    wake: datetime | None


def look(standing: Standing, now: datetime, is_busy: bool, is_freed: bool) -> Look:
    """Look at the timetable.

    Args:
        is_busy: whether a run that it waits for goes on.
        is_freed: whether one of its own due times has just ended; a backfill's skips nothing.
    """
    after, skipped = standing.after or now, 0
    table, overlap = standing.plan.timetable, standing.plan.overlap
    if standing.paused is not None:
        return Look((), after, 0, standing.backfills, None)
    if is_freed and overlap == "skip":
        skipped = sum(due <= now for due in islice(table.due_after(after), COUNTED_MAX))
        after = max(after, now)
    starts: list[Start] = []
    room = STARTS_MAX if overlap == "allow" else 0 if is_busy else 1
    for due in islice(table.due_after(after), room):
        if due > now:
            break
        starts.append(Start(due, _named(standing, due), overlap != "allow"))
        after = due
    backfills = []
    for backfill in standing.backfills:
        found, rest = _backfilled(standing, backfill, is_busy or any(s.followed for s in starts))
        starts += found
        backfills += rest
    busy = is_busy or any(start.followed for start in starts)
    wake = None if busy and overlap != "allow" else table.next_after(after)
    if any(not (busy and backfill.overlap != "allow") for backfill in backfills):
        wake = now  # there is more than one look may start
    if wake is not None:
        wake = max(now, min(wake, now + FAR))
    return Look(tuple(starts), after, skipped, tuple(backfills), wake)


def _backfilled(
    standing: Standing, backfill: Backfill, is_busy: bool
) -> tuple[list[Start], list[Backfill]]:
    serial = backfill.overlap != "allow"
    room = (0 if is_busy else 1) if serial else STARTS_MAX
    starts: list[Start] = []
    after = backfill.after
    for due in islice(standing.plan.timetable.due_after(after), room):
        if due >= backfill.end:
            return starts, []
        execution_id = f"{_named(standing, due)}:backfill{backfill.number}"
        starts.append(Start(due, execution_id, serial))
        after = due
    following = standing.plan.timetable.next_after(after)
    if following is None or following >= backfill.end:
        return starts, []
    return starts, [replace(backfill, after=after)]


def obey(standing: Standing, order: Order, now: datetime) -> Standing:
    """What an order changes; "trigger" and "delete" are the caller's to carry out as well."""
    match order.kind:
        case "pause":
            return replace(standing, paused=order.note)
        case "resume":
            missed = standing.paused is not None  # due times of the pause are not made up for
            return replace(standing, paused=None, after=now if missed else standing.after)
        case "trigger":
            return replace(standing, numbered=standing.numbered + 1)
        case "backfill" if order.start is not None and order.end is not None:
            number, usual = standing.numbered + 1, standing.plan.overlap
            overlap = order.overlap or ("queue" if usual == "skip" else usual)
            after = order.start.astimezone(UTC) - timedelta(microseconds=1)
            backfill = Backfill(number, after, order.end.astimezone(UTC), overlap)
            return replace(standing, numbered=number, backfills=(*standing.backfills, backfill))
        case "update" if order.plan is not None:
            return replace(standing, plan=order.plan, after=now)
        case _:
            return standing


def began(standing: Standing, start: Start) -> Standing:
    """What the start of an execution changes."""
    run = Run(start.due, start.execution_id, "running" if start.followed else "started")
    recent = (*standing.recent, run)[-RECENT_MAX:]
    return replace(standing, started=standing.started + 1, recent=recent)


def ended(standing: Standing, execution_id: str, outcome: str) -> Standing:
    """What the end of an execution changes; `outcome` is "completed" or its error's type."""
    recent = tuple(
        replace(run, outcome=outcome) if run.execution_id == execution_id else run
        for run in standing.recent
    )
    failed = standing.failed + (outcome != "completed")
    return replace(standing, recent=recent, failed=failed)


def triggered(standing: Standing, now: datetime) -> Start:
    """The execution of a trigger that was just obeyed: at once, whatever still goes on."""
    return Start(now, f"{standing.plan.name}:trigger{standing.numbered}", False)


def _named(standing: Standing, due: datetime) -> str:
    fraction = f".{due.microsecond:06d}".rstrip("0") if due.microsecond else ""
    return f"{standing.plan.name}:{due:%Y-%m-%dT%H:%M:%S}{fraction}Z"
