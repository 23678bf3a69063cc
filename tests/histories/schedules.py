"""Days of two schedules, and the recordings of their executions.

python -m tests.histories.schedules NAME > FILE
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from lambda_workflow import Client
from lambda_workflow.model.exported import write_history
from lambda_workflow.model.history import History
from lambda_workflow.runtime.schedule import Schedule
from tests.runtime.days import HOUR, Days, at, hourly, report
from tests.runtime.days import app as app_of


def minutes_of(due: datetime) -> int:
    """At some due times the report fails, at others no request can be made."""
    if due.hour == 5:
        raise LookupError("nothing to tell")
    return 0 if due.hour == 3 else 70


queued = Schedule("queued", report, minutes_of, every=HOUR, overlap="queue")
skipping = hourly(100, name="skipping")
latest = hourly(100, name="skipping", overlap="allow")
app = app_of(queued, skipping)


async def play() -> Days:
    """Twelve hours with all that an order can be."""
    days = Days(app, check=True)
    days.schedules = schedules = Client(app, days.memory.backend).schedules
    await schedules.apply()
    await days.until(4.5)
    for name in ("queued", "skipping"):
        await schedules.pause(name, "for a while")
        await schedules.trigger(name)
    await days.until(6.1)
    for name in ("queued", "skipping"):
        await schedules.resume(name)
        await schedules.backfill(name, at(-3), at(0))
    await days.until(9.5)
    await schedules.update(latest)
    await days.until(12)
    return days


async def _record(name: str) -> History:
    days = await play()
    try:
        return days.history(f"schedule:{name}")
    finally:
        days.close()


if __name__ == "__main__":
    sys.stdout.write(write_history(asyncio.run(_record(sys.argv[1]))))
