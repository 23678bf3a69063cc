"""The work: to come back later, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambda_workflow import Later, Task, serve
from lambda_workflow_services.delay import DELAY, Delay, Delayed


@serve(DELAY)
async def delay(wanted: Delay, task: Task) -> Delayed:
    """Answer at the second delivery of the task, which is as late as was wanted."""
    if task.state is None:
        raise Later(timedelta(seconds=wanted.seconds), datetime.now(UTC).isoformat())
    return Delayed(since=datetime.fromisoformat(str(task.state)))
