"""The workflow behind a schedule, under late and double answers, crashes and races of orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import Context, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model.payload import codec_for
from lambda_workflow.runtime.schedule import Order, Overlap, Plan, Shown, Standing
from lambda_workflow.runtime.scheduler import ORDER, schedule_workflow
from lambda_workflow.runtime.timetable import Timetable
from lambda_workflow.testing import Simulated, after, explore, fake
from lambda_workflow.testing.clock import EPOCH

HOUR = timedelta(hours=1)
START = datetime.fromtimestamp(EPOCH / 1000, UTC)
DUE = [f"s:2026-01-01T{hour:02}:00:00Z" for hour in range(1, 9)]
KEEP = schedule_workflow({})


@workflow
async def report(ctx: Context, minutes: int) -> int:
    return minutes


def standing(overlap: Overlap) -> Standing:
    table = Timetable(every=HOUR, start=START + HOUR, end=START + 9 * HOUR)
    return Standing(Plan("s", "report", table, overlap, 1), START)


def started(run: Simulated[Any]) -> list[str]:
    turns = run.history.turns
    return [x.child for turn in turns for x in turn.commands if isinstance(x, c.StartChild)]


def shown(run: Simulated[Any]) -> Shown:
    said: Shown = codec_for(Shown).decode(run.history.custom_status, "status")
    return said


def nothing_twice(run: Simulated[Any]) -> None:
    ids = started(run)
    assert len(set(ids)) == len(ids), "something was started twice"
    assert shown(run).started == len(ids)


@pytest.mark.parametrize("overlap", ["queue", "allow"])
def test_each_due_time_is_started_once_and_in_order(overlap: Overlap) -> None:
    def all_in_order(run: Simulated[Any]) -> None:
        nothing_twice(run)
        assert started(run) == DUE

    explore(
        KEEP,
        standing(overlap),
        fake(report).returns(1, after=80 * timedelta(minutes=1)),
        after(48 * HOUR).signal(ORDER, Order("delete")),
        seeds=15,
        invariant=all_in_order,
    )


def test_each_due_time_is_started_or_skipped() -> None:
    def none_forgotten(run: Simulated[Any]) -> None:
        nothing_twice(run)
        ids = started(run)
        assert ids == sorted(ids)
        assert shown(run).started + shown(run).skipped == len(DUE)

    explore(
        KEEP,
        standing("skip"),
        fake(report).returns(1, after=80 * timedelta(minutes=1)),
        after(48 * HOUR).signal(ORDER, Order("delete")),
        seeds=15,
        invariant=none_forgotten,
    )


def test_orders_race_with_due_times_and_none_is_lost() -> None:
    def orders_obeyed(run: Simulated[Any]) -> None:
        nothing_twice(run)
        ids = started(run)
        assert sum(":trigger" in one for one in ids) == 1
        assert sum(":backfill" in one for one in ids) == 3
        assert [one for one in ids if one.endswith("Z")] == DUE

    explore(
        KEEP,
        standing("queue"),
        fake(report).raises(ValueError("no")).returns(1, after=20 * timedelta(minutes=1)),
        after(3 * HOUR).signal(ORDER, Order("trigger")),
        after(4 * HOUR).signal(
            ORDER, Order("backfill", start=START + HOUR, end=START + 4 * HOUR, overlap="queue")
        ),
        after(48 * HOUR).signal(ORDER, Order("delete")),
        seeds=15,
        invariant=orders_obeyed,
    )
