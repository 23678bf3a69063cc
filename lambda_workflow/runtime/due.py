"""What a schedule has to start now, and when it has to look again: functions of their arguments.

They read the time-zone database, so a schedule's execution calls `look` as a step: what it saw is
recorded, and neither a new release of the zones nor of cronsim changes what has been.

Laws
 1. A due time is started once, skipped once, missed once (law 5), or left out because the
    schedule was paused then.
 2. "skip" and "queue" have one run at a time; due times of the schedule come before those of a
    backfill, each in order.
 3. After an outage "skip" starts the first due time that was missed, "queue" all of them one after
    another, "allow" all at once.
 4. Nothing is started while it is paused, but what is triggered.
 5. A due time is started at it, or by its jitter later, in order. What cannot be started within
    `catch_up` of that is missed; backfills and triggers have neither jitter nor window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from lambda_workflow.runtime.schedule import RECENT_MAX, Backfill, Order, Plan, Run, Standing

STARTS_MAX: Final = 100  # by one look; the rest by the next, at once
COUNTED_MAX: Final = 10_000  # due times of a cron that one look counts: a second or so
FAR: Final = timedelta(days=300)  # a timer may take 366 days: look again before
_MOMENT: Final = timedelta(microseconds=1)


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
    missed: int = 0


def look(standing: Standing, now: datetime, is_busy: bool, is_freed: bool) -> Look:
    """Look at the timetable.

    Args:
        is_busy: whether a run that it waits for goes on.
        is_freed: whether one of its own due times has just ended; a backfill's skips nothing.
    """
    plan, after = standing.plan, standing.after or now
    if standing.paused is not None:
        return Look((), after, 0, standing.backfills, None)
    after, skipped, missed, is_counted = _left_out(standing, now, is_busy, is_freed)
    if not is_counted:
        return Look((), after, skipped, standing.backfills, now, missed)
    starts: list[Start] = []
    room = STARTS_MAX if plan.overlap == "allow" else 0 if is_busy else 1
    for due in islice(plan.timetable.due_after(after), room):
        if plan.start_of(due) > now:
            break
        starts.append(Start(due, _named(standing, due), plan.overlap != "allow"))
        after = due
    backfills = []
    for backfill in standing.backfills:
        found, rest = _backfilled(standing, backfill, is_busy or any(s.followed for s in starts))
        starts += found
        backfills += rest
    busy = is_busy or any(start.followed for start in starts)
    wake = None if busy and plan.overlap != "allow" else _next_start(plan, after)
    if any(not (busy and backfill.overlap != "allow") for backfill in backfills):
        wake = now  # there is more than one look may start
    if wake is not None:
        wake = max(now, min(wake, now + FAR))
    return Look(tuple(starts), after, skipped, tuple(backfills), wake, missed)


def _left_out(
    standing: Standing, now: datetime, is_busy: bool, is_freed: bool
) -> tuple[datetime, int, int, bool]:
    """Up to where due times are dealt with, how many are skipped and missed, and if that is all."""
    plan, after, skipped = standing.plan, standing.after or now, 0
    if standing.since is not None:
        _, after, _ = _passed(plan, after, standing.since)
    if is_freed and plan.overlap == "skip":
        skipped, after, is_counted = _passed(plan, after, now)
        after = after if is_counted else now
    if plan.catch_up is None or (is_busy and plan.overlap != "allow"):
        return after, skipped, 0, True
    missed, after, is_counted = _passed(plan, after, now - plan.catch_up - _MOMENT)
    return after, skipped, missed, is_counted


def _passed(plan: Plan, after: datetime, until: datetime) -> tuple[int, datetime, bool]:
    """How many due times had their start up to a moment, where the rest begins, and if that is all.

    Of those only the last can have its start after the moment: no delay reaches the next due time.
    """
    if until <= after:
        return 0, after, True
    count, last = plan.timetable.count_due(after, until, COUNTED_MAX)
    if count and plan.start_of(last) > until:
        return count - 1, last - _MOMENT, True
    is_all = plan.timetable.cron is None or count < COUNTED_MAX
    return count, until if is_all else last, is_all


def _next_start(plan: Plan, after: datetime) -> datetime | None:
    due = plan.timetable.next_after(after)
    return None if due is None else plan.start_of(due)


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
            resumed = replace(standing, paused=None)
            return _from(resumed, standing.plan, now) if missed else resumed
        case "trigger":
            return replace(standing, numbered=standing.numbered + 1)
        case "backfill" if order.start is not None and order.end is not None:
            number, usual = standing.numbered + 1, standing.plan.overlap
            overlap = order.overlap or ("queue" if usual == "skip" else usual)
            after = order.start.astimezone(UTC) - _MOMENT
            backfill = Backfill(number, after, order.end.astimezone(UTC), overlap)
            return replace(standing, numbered=number, backfills=(*standing.backfills, backfill))
        case "update" if order.plan is not None:
            return _from(standing, order.plan, now)
        case _:
            return standing


def _from(standing: Standing, plan: Plan, now: datetime) -> Standing:
    """With a plan from now on; a due time whose jitter is not over yet is still to come."""
    if plan.jitter is None or standing.after is None:
        return replace(standing, plan=plan, after=now, since=None)
    after = max(standing.after, now - plan.jitter)
    return replace(standing, plan=plan, after=after, since=now)


def stopped(standing: Standing, reason: str) -> Standing:
    """What a failure changes: with `pause_on_failure` it is paused, unless it is already."""
    if not standing.plan.pause_on_failure or standing.paused is not None:
        return standing
    return replace(standing, paused=reason)


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
