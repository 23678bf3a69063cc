"""One delivery of a task: done, put back for later, or dropped because nobody waits for it.

Laws
 1. A task that comes back is the same task: the same id, the same attempt, and the state it was
    given. Until then nothing of it is kept but the message, or row, that carries it.
 2. It comes back no earlier than asked. A delay that the host cannot keep in one piece is made of
    hops, of which the adapter sees nothing.
 3. An attempt that has to be heard of is: it is back within half of its heartbeat timeout after the
    last sign of life, or gives one as it leaves.
 4. It ends: what comes back after its deadline is not done. What comes for the first time is: a
    deadline was set by another machine's clock, and must not keep work from being begun at all.
 5. Where the call has a `start_timeout`, an attempt reports its begin before the adapter is called,
    and a task that comes after it is not begun: the execution makes another attempt. A task that
    may have been delivered before is done all the same, for a worker may have died at it; one that
    comes back by `Later` has begun.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.payload import Json
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.heartbeats import Work
from lambda_workflow.runtime.later import Later
from lambda_workflow.runtime.serve import Adapter, perform

HOP_MS: Final = 900_000  # the longest delay of an SQS message
HOP_MS_MIN: Final = 1_000  # SQS delays by whole seconds
EARLY_MS: Final = 1_000  # what is left of a delay after rounding is not worth another hop
DEADLINE_MARGIN_MS: Final = 60_000  # clocks differ by seconds, and a timer may fire a minute late

_MILLISECOND: Final = timedelta(milliseconds=1)

_log = logging.getLogger("lambda_workflow")


@dataclass(frozen=True, slots=True)
class Postponed:
    """A task to be put back, for delivery in `delay_ms`, which is at `due`."""

    task: Task
    delay_ms: int
    due: int


async def attend(adapter: Adapter[Any, Any], work: Work, blobs: Blobs) -> Update | Postponed | None:
    """Do the task that was delivered; None where nobody waits for it.

    Raises:
        BackendError: see `perform`, `Work.begin`.
    """
    task, now = work.task, work.now()
    if task.not_before and is_over(task, now):
        return None
    if task.start_by_ms and not task.not_before:
        if is_late(work):
            return None
        await work.begin()
    if task.not_before - now > EARLY_MS:
        return await _postpone(work, task.not_before, task.state)
    try:
        return await perform(adapter, task, blobs, work=work)
    except Later as later:
        work.goes_on = True
        return await _postpone(work, work.now() - (-later.after // _MILLISECOND), later.state)


def is_late(work: Work) -> bool:
    """Whether an attempt was to begin earlier, and has not; says so in the log."""
    task = work.task
    if work.is_repeat or work.now() <= task.start_by_ms + DEADLINE_MARGIN_MS:
        return False
    _log.info(
        "task %s of service %s is dropped: attempt %d was to begin %d s ago, by its start_timeout",
        task.task_id,
        task.service,
        task.attempt,
        (work.now() - task.start_by_ms) // 1000,
    )
    return True


def is_over(task: Task, now: int) -> bool:
    """Whether nobody waits for an attempt any more; says so in the log."""
    if not task.deadline_ms or now <= task.deadline_ms + DEADLINE_MARGIN_MS:
        return False
    _log.info(
        "task %s of service %s is dropped: nobody waits for attempt %d after %s",
        task.task_id,
        task.service,
        task.attempt,
        task.deadline,
    )
    return True


async def _postpone(work: Work, due: int, state: Json) -> Postponed | None:
    now, task = work.now(), work.task
    delay = min(max(0, due - now), HOP_MS)
    if task.heartbeat_ms:
        delay = min(delay, max(HOP_MS_MIN, task.heartbeat_ms // 2))
    # who has to be heard of is, to the deadline: somebody else may answer the task till then
    if is_over(task, now + delay if task.heartbeat_ms else due):
        return None
    if task.heartbeat_ms:
        await work.leave(state, now + delay)
    again = replace(task, state=state, not_before=due, beat_at=work.sent_at or 0)
    return Postponed(again, delay, now + delay)
