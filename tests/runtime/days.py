"""Days of a host in memory that has schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_workflow import App, Context, workflow
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.schedules import ScheduleInfo, Schedules
from lambda_workflow.testing.clock import EPOCH
from tests.runtime.harness import Host

HOUR = timedelta(hours=1)
START = datetime.fromtimestamp(EPOCH / 1000, UTC)  # 2026-01-01T00:00:00Z


@workflow
async def report(ctx: Context, minutes: int) -> int:
    """Takes so many minutes; fails if there are none."""
    if minutes == 0:
        raise ValueError("an empty report")
    await ctx.sleep(timedelta(minutes=minutes))
    return minutes


@workflow
async def summary(ctx: Context, day: str) -> str:
    return day


def at(hours: float) -> datetime:
    return START + hours * HOUR


def app(*schedules: Schedule[Any]) -> App:
    return App("tests", workflows=[report, summary], schedules=schedules)


class Days(Host):
    """Lets hours pass, as a host does whose workers are at work."""

    schedules: Schedules

    async def until(self, hours: float) -> None:
        """Work until so many hours after the start."""
        moment = EPOCH + round(hours * 3_600_000)
        while True:
            if messages := self.queue.take_messages():
                for execution_id in dict.fromkeys(m.execution_id for m in messages):
                    await self.send(*[m for m in messages if m.execution_id == execution_id])
                continue
            due = self.timers.next_due
            await self.memory.advance((min(moment, due or moment) - self.clock.now()) / 1000)
            if due is None or due > moment:
                return

    def begun(self) -> dict[str, str]:
        """Each execution that a schedule has started, and when, in hours and minutes."""
        found: list[tuple[int, str]] = []
        for execution_id in self.store._texts:
            if not execution_id.startswith("schedule:"):
                started = self.history(execution_id).started
                assert started is not None
                found.append((started.at, execution_id))
        return {execution_id: hours(at) for at, execution_id in sorted(found)}

    async def info(self, name: str = "s") -> ScheduleInfo:
        """Where a schedule stands."""
        return await self.schedules.describe(name)


def hours(at: int) -> str:
    minutes = (at - EPOCH) // 60_000
    return f"{minutes // 60}:{minutes % 60:02}"


def hourly(minutes: int = 10, name: str = "s", **options: Any) -> Schedule[int]:
    return Schedule(name, report, minutes, every=HOUR, **options)
