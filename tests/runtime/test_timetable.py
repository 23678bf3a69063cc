"""When a schedule is due, in every kind of day that a time zone has."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.timetable import Timetable

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(table: Timetable, after: str, number: int) -> list[str]:
    """The next due times, as the clocks of the time zone show them."""
    zone = ZoneInfo(table.timezone)
    found = islice(table.due_after(utc(after)), number)
    return [due.astimezone(zone).strftime("%a %m-%d %H:%M %z") for due in found]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 8 * * *", ["2026-01-01 08:00", "2026-01-02 08:00"]),
        ("*/20 * * * *", ["2026-01-01 00:20", "2026-01-01 00:40", "2026-01-01 01:00"]),
        ("0 9-17/4 * * MON-FRI", ["2026-01-01 09:00", "2026-01-01 13:00", "2026-01-01 17:00"]),
        ("30 6 1,15 * *", ["2026-01-01 06:30", "2026-01-15 06:30", "2026-02-01 06:30"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 LW * *", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("0 0 * * MON#1", ["2026-01-05 00:00", "2026-02-02 00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 13 * FRI", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"]),
        ("0 0 * JAN 0", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * jan 7", ["2026-01-04 00:00", "2026-01-11 00:00"]),
    ],
)
def test_cron_in_utc(cron: str, expected: list[str]) -> None:
    found = islice(Timetable(cron=cron).due_after(utc("2026-01-01T00:00")), len(expected))
    assert [f"{due:%Y-%m-%d %H:%M}" for due in found] == expected


def test_a_time_of_day_stays_that_of_the_clocks_when_they_change() -> None:
    table = Timetable(cron="0 8 * * *", timezone=BERLIN)
    assert times(table, "2026-03-28T00:00", 3) == [
        "Sat 03-28 08:00 +0100", "Sun 03-29 08:00 +0200", "Mon 03-30 08:00 +0200",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28T00:00",
         ["Sat 03-28 02:30 +0100", "Sun 03-29 03:00 +0200", "Mon 03-30 02:30 +0200"]),
        ("0,30 2 * * *", BERLIN, "2026-03-28T02:00",
         ["Sun 03-29 03:00 +0200", "Mon 03-30 02:00 +0200"]),
        ("30 2,3 * * *", BERLIN, "2026-03-28T12:00",
         ["Sun 03-29 03:00 +0200", "Sun 03-29 03:30 +0200", "Mon 03-30 02:30 +0200"]),
        ("15 2 * * *", NEW_YORK, "2026-03-07T12:00",
         ["Sun 03-08 03:00 -0400", "Mon 03-09 02:15 -0400"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-02T17:00",
         ["Sun 10-04 02:30 +1100", "Mon 10-05 02:15 +1100"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00",
         ["Sun 09-06 01:00 -0300", "Mon 09-07 00:00 -0300"]),
    ],
)  # fmt: skip
def test_a_time_that_the_clocks_skip_is_due_once_when_the_gap_ends(
    cron: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert times(Timetable(cron=cron, timezone=timezone), after, len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-10-24T12:00",
         ["Sun 10-25 02:30 +0200", "Mon 10-26 02:30 +0100"]),
        # asked between the two: the first is over, and the second is not due
        ("30 2 * * *", BERLIN, "2026-10-25T01:10", ["Mon 10-26 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00",
         ["Sun 11-01 01:30 -0400", "Mon 11-02 01:30 -0500"]),
    ],
)  # fmt: skip
def test_a_time_that_comes_twice_is_due_the_first_time(
    cron: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert times(Timetable(cron=cron, timezone=timezone), after, len(expected)) == expected


@pytest.mark.parametrize("cron", ["0 * * * *", "*/30 * * * *"])
def test_every_so_often_follows_elapsed_time_through_both_changes(cron: str) -> None:
    for day in ("2026-03-28T23:00", "2026-10-24T23:00"):
        found = list(islice(Timetable(cron=cron, timezone=BERLIN).due_after(utc(day)), 12))
        (distance,) = {after - before for before, after in pairwise(found)}
        assert distance in (timedelta(hours=1), timedelta(minutes=30))


def brute(cron_minute: int, cron_hour: int, zone: ZoneInfo, after: datetime) -> datetime:
    """The first due time of a time of day, minute by minute: first coming, or the gap's end."""
    minute = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while True:
        local, before = minute.astimezone(zone), (minute - timedelta(minutes=1)).astimezone(zone)
        wanted = local.replace(hour=cron_hour, minute=cron_minute)
        if (local.hour, local.minute) == (cron_hour, cron_minute) and not local.fold:
            return minute
        shown, naive = before.replace(tzinfo=None), local.replace(tzinfo=None)
        if shown < wanted.replace(tzinfo=None) < naive:
            return minute
        minute += timedelta(minutes=1)


@pytest.mark.parametrize("timezone", [BERLIN, NEW_YORK, LORD_HOWE])
@pytest.mark.parametrize("seed", range(5))
def test_a_time_of_day_is_found_as_by_looking_at_every_minute(timezone: str, seed: int) -> None:
    dice, zone = random.Random(f"{timezone}{seed}"), ZoneInfo(timezone)
    changes = ["2026-03-08T07:00", "2026-03-29T01:00", "2026-04-04T15:00",
               "2026-10-03T15:30", "2026-10-25T01:00", "2026-11-01T06:00"]  # fmt: skip
    for _ in range(12):
        moment = utc(dice.choice(changes)) + timedelta(minutes=dice.randint(-240, 240))
        minute, hour = dice.choice([0, 15, 30, 45]), dice.choice([0, 1, 2, 3])
        table = Timetable(cron=f"{minute} {hour} * * *", timezone=timezone)
        assert table.next_after(moment) == brute(minute, hour, zone, moment), (moment, table)


def test_every_is_counted_from_the_epoch_or_from_the_start() -> None:
    hourly = Timetable(every=timedelta(hours=1))
    assert hourly.next_after(utc("2026-01-01T10:17")) == utc("2026-01-01T11:00")
    assert hourly.next_after(utc("2026-01-01T11:00")) == utc("2026-01-01T12:00")
    shifted = Timetable(every=timedelta(hours=5), start=utc("2026-01-01T10:17"))
    assert shifted.next_after(utc("2025-06-01T00:00")) == utc("2026-01-01T10:17")
    assert shifted.next_after(utc("2026-01-01T10:17")) == utc("2026-01-01T15:17")
    assert shifted.next_after(utc("2026-01-02T00:00")) == utc("2026-01-02T01:17")


def test_at_is_due_once() -> None:
    table = Timetable(at=naive("2026-07-01T08:00"), timezone=BERLIN)
    assert list(table.due_after(utc("2026-01-01T00:00"))) == [utc("2026-07-01T06:00")]
    assert table.next_after(utc("2026-07-01T06:00")) is None
    aware = Timetable(at=datetime(2026, 7, 1, 8, tzinfo=ZoneInfo(NEW_YORK)), timezone=BERLIN)
    assert aware.next_after(utc("2026-01-01T00:00")) == utc("2026-07-01T12:00")


def test_nothing_is_due_before_the_start_or_from_the_end_on() -> None:
    table = Timetable(
        cron="0 8 * * *",
        timezone=BERLIN,
        start=naive("2026-01-02T08:00"),
        end=naive("2026-01-04T08:00"),
    )
    assert times(table, "2020-01-01T00:00", 9) == ["Fri 01-02 08:00 +0100", "Sat 01-03 08:00 +0100"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (Timetable(), "exactly one of cron=, every= and at="),
        (Timetable(cron="* * * * *", every=timedelta(1)), "exactly one of"),
        (Timetable(cron="0 25 * * *"), "cron '0 25 * * *': bad hour; its fields are: minute"),
        (Timetable(cron="0 0 30 2 *"), "bad day-of-month"),
        (Timetable(cron="0 8 * *"), "4 fields where there are five"),
        (Timetable(cron="0 0 8 * * *"), "6 fields where there are five"),
        (Timetable(cron=""), "0 fields where there are five"),
        (Timetable(cron="0 8 ? * 2 *"), "that is AWS Scheduler's"),
        (Timetable(cron="cron(0 8 * * 2 *)"), "that is AWS Scheduler's"),
        (Timetable(cron="rate(5 minutes)"), "write every=timedelta"),
        (Timetable(cron="at(2026-01-01T00:00:00)"), "write at=datetime"),
        (Timetable(cron="0 8 * * *", timezone="Berlin"), "time zone 'Berlin' is unknown"),
        (Timetable(cron="0 8 * * *", timezone="../etc"), "time zone '../etc' is unknown"),
        (Timetable(cron="0 8 * * *", timezone="Europe"), "time zone 'Europe' is unknown"),
        (Timetable(cron="0 8 * * *", timezone=""), "time zone '' is unknown"),
        (Timetable(every=timedelta(0)), "every=0:00:00: from 0:00:01"),
        (Timetable(every=timedelta(days=400)), "to 366 days"),
        (Timetable(every=timedelta(1), start=naive("2026-01-02"), end=naive("2026-01-02")),
         "is not before its end"),
    ],
)  # fmt: skip
def test_what_can_never_be_right_is_refused(table: Timetable, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        table.check()
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "table",
    [
        Timetable(cron="0 8 * * *", timezone=BERLIN),
        Timetable(every=timedelta(seconds=1)),
        Timetable(at=naive("1999-01-01")),
        Timetable(every=timedelta(1), start=naive("2026-01-02"), end=naive("2026-01-03")),
    ],
)
def test_what_is_right_passes(table: Timetable) -> None:
    table.check()


@pytest.mark.parametrize(
    "way",
    [
        {"every": timedelta(minutes=7)},
        {"every": timedelta(minutes=7), "end": datetime(2026, 1, 1, 0, 21, tzinfo=UTC)},
        {"every": timedelta(minutes=7), "start": datetime(2026, 1, 1, 0, 5, tzinfo=UTC)},
        {"cron": "*/7 * * * *"},
        {"at": datetime(2026, 1, 1, 0, 30, tzinfo=UTC)},
    ],
)
@pytest.mark.parametrize("minutes", [0, 6, 7, 14, 21, 30, 200])
def test_due_times_are_counted_as_they_are_listed(way: dict[str, Any], minutes: int) -> None:
    table, after = Timetable(**way), datetime(2026, 1, 1, tzinfo=UTC)
    until = after + timedelta(minutes=minutes)
    listed = [due for due in table.next_times(100, after) if due <= until]
    assert table.count_due(after, until, 1000) == (len(listed), [after, *listed][-1])
