"""Schedules as their authors write them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow.errors import ConfigurationError, EncodeError
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.runtime.schedule import Plan, Schedule
from lambda_workflow.runtime.timetable import Timetable

HOUR = timedelta(hours=1)
DUE = datetime(2026, 1, 2, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    day: str
    pages: int = 1


@workflow
async def report(ctx: Context, request: Report) -> str:
    return request.day


def test_a_request_is_encoded_when_the_schedule_is_made() -> None:
    nightly = Schedule("nightly", report, Report("x"), cron="0 8 * * *", timezone="Europe/Berlin")
    assert nightly.plan == Plan(
        "nightly",
        "report",
        Timetable(cron="0 8 * * *", timezone="Europe/Berlin"),
        "skip",
        {"day": "x", "pages": 1},
    )
    assert nightly.request_at(DUE) == {"day": "x", "pages": 1}


def made(pages: int, due: datetime) -> Report:
    return Report(f"{due:%Y-%m-%d}", pages)


@pytest.mark.parametrize(
    "make", [lambda due: Report(f"{due:%Y-%m-%d}", 2), functools.partial(made, 2)]
)
def test_a_function_makes_the_request_of_the_due_time(make: Any) -> None:
    nightly = Schedule("nightly", report, make, every=HOUR)
    assert nightly.plan.computed
    assert nightly.plan.request is None
    assert nightly.request_at(DUE) == {"day": "2026-01-02", "pages": 2}


def test_what_a_function_makes_must_be_of_the_request_type() -> None:
    nightly: Schedule[Any] = Schedule("nightly", report, lambda due: due, every=HOUR)
    with pytest.raises(EncodeError, match="request of nightly"):
        nightly.request_at(DUE)


def test_the_next_times_can_be_seen_before_it_is_deployed() -> None:
    nightly = Schedule("nightly", report, Report("x"), cron="0 8 * * *", timezone="Europe/Berlin")
    assert [f"{due:%d %H:%M}" for due in nightly.next_times(3, DUE)] == [
        "02 07:00", "03 07:00", "04 07:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "a b"}, "schedule name 'a b'"),
        ({"every": None}, "exactly one of"),
        ({"cron": "0 8 * * *"}, "exactly one of"),
        ({"overlap": "never"}, "overlap='never': it must be one of skip, queue, allow"),
        ({"timezone": "Nowhere"}, "time zone 'Nowhere'"),
    ],
)
def test_what_cannot_be_right_is_refused_when_it_is_made(
    changed: dict[str, Any], words: str
) -> None:
    arguments: dict[str, Any] = {"name": "nightly", "every": HOUR, **changed}
    with pytest.raises(ConfigurationError) as refused:
        Schedule(workflow=report, request=Report("x"), **arguments)
    assert words in str(refused.value)


def test_a_request_of_another_type_is_refused_when_it_is_made() -> None:
    wrong: Any = {"day": 1}
    with pytest.raises(EncodeError):
        Schedule("nightly", report, wrong, every=HOUR)
