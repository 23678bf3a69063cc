"""When a schedule is due: cron, a fixed rate, or one moment, with time zones.

Laws
 1. `next_after(moment)` is later than `moment`, and nothing is due between the two.
 2. It depends on its arguments and the time-zone database alone; nothing is counted from "now".
 3. A cron time that the clocks skip in spring is due when the gap ends, once; a time that comes
    twice in autumn is due the first time only. Fields of minutes or hours that begin with `*` mean
    "every so often": they follow elapsed time instead, through both.

Cron has the five fields of Vixie cron (minute hour day month weekday), evaluated by cronsim, which
keeps to Debian's cron: lists, ranges, steps, names (MON, JAN), weekday 0 and 7 are Sunday; `L` and
`LW` for the day, `MON#2` and `5L` for the weekday. Day and weekday must both match if either begins
with `*`, else one of them must. AWS Scheduler's cron(…) differs: a sixth field for the year, `?`,
weekdays from 1 for Sunday, and it skips what falls into the gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_duration

if TYPE_CHECKING:
    from cronsim import CronSim

EVERY_MIN: Final = timedelta(seconds=1)  # finer than that no timer is on AWS
EVERY_MAX: Final = timedelta(days=366)  # the longest timer
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS: Final = "minute hour day-of-month month day-of-week"


@dataclass(frozen=True, slots=True)
class Timetable:
    """Exactly one of `cron`, `every` and `at`; `check` says what is wrong.

    Attributes:
        cron: five fields, in `timezone`.
        every: the distance, counted from `start`, or from midnight UTC of 1970-01-01: an hour is
            due at each full hour, whenever the schedule was made.
        at: the one moment; in `timezone` where it has none of its own.
        timezone: a name of the IANA database, such as Europe/Berlin.
        start: nothing is due before it.
        end: nothing is due at it or later.
    """

    cron: str | None = None
    every: timedelta | None = None
    at: datetime | None = None
    timezone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None

    def check(self) -> None:
        """Refuse what can never be right.

        Raises:
            ConfigurationError: says what, and how to write it.
        """
        if sum(way is not None for way in (self.cron, self.every, self.at)) != 1:
            raise ConfigurationError("a schedule has exactly one of cron=, every= and at=")
        zone_of(self.timezone)
        if self.cron is not None:
            _cron(self.cron, _EPOCH)
        if self.every is not None:
            check_duration(self.every, "every")
        if self.every is not None and not EVERY_MIN <= self.every <= EVERY_MAX:
            raise ConfigurationError(
                f"every={self.every}: from {EVERY_MIN} to {EVERY_MAX.days} days; for months and "
                "years use cron="
            )
        start, end = self._moment(self.start), self._moment(self.end)
        if start is not None and end is not None and start >= end:
            raise ConfigurationError(f"a schedule's start {start} is not before its end {end}")

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after a moment, in UTC, or None if there is none.

        Raises:
            ConfigurationError: this machine lacks the time zone, or cronsim.
        """
        start, end = self._moment(self.start), self._moment(self.end)
        moment = moment.astimezone(UTC)
        if start is not None and moment < start:
            moment = start - timedelta(microseconds=1)
        due = self._due(moment)
        return None if due is None or (end is not None and due >= end) else due

    def due_after(self, moment: datetime) -> Iterator[datetime]:
        """All due times after a moment, in order."""
        while (due := self.next_after(moment)) is not None:
            yield due
            moment = due

    def due_from(self, start: datetime) -> Iterator[datetime]:
        """All due times from a moment on, that moment included, in order."""
        return self.due_after(start.astimezone(UTC) - timedelta(microseconds=1))

    def count_due(self, after: datetime, until: datetime, most: int) -> tuple[int, datetime]:
        """How many due times are later than `after` and not than `until`, and the last of them.

        A fixed distance is counted at once; of a cron no more than `most` are.
        """
        if self.every is None or (first := self.next_after(after)) is None or first > until:
            count, last = 0, after
            for due in islice(self.due_after(after), most):
                if due > until:
                    break
                count, last = count + 1, due
            return count, last
        end = self._moment(self.end)
        if end is not None:
            until = min(until, end - timedelta(microseconds=1))
        further = (until - first) // self.every
        return further + 1, first + further * self.every

    def next_times(self, count: int, after: datetime) -> list[datetime]:
        """The next due times after a moment."""
        return list(islice(self.due_after(after), count))

    def _due(self, moment: datetime) -> datetime | None:
        if self.cron is not None:
            return _cron_after(self.cron, moment, zone_of(self.timezone))
        if self.every is not None:
            anchor = self._moment(self.start) or _EPOCH
            return anchor + ((moment - anchor) // self.every + 1) * self.every
        at = self._moment(self.at)
        return at if at is not None and at > moment else None

    def _moment(self, written: datetime | None) -> datetime | None:
        if written is None:
            return None
        if written.tzinfo is None:
            written = written.replace(tzinfo=zone_of(self.timezone))
        return written.astimezone(UTC)

    def __str__(self) -> str:
        if self.cron is not None:
            return f"cron {self.cron} {self.timezone}"
        return f"every {self.every}" if self.every is not None else f"at {self._moment(self.at)}"


def zone_of(name: str) -> tzinfo:
    """The time zone of a name.

    Raises:
        ConfigurationError: this machine knows none of this name.
    """
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # milliseconds that most starts save

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"time zone {name!r} is unknown here: write it as the IANA database does "
            "(Europe/Berlin); where the machine has no such database, "
            "pip install 'lambda-workflow[schedules]'"
        ) from error


def _cron_after(expression: str, moment: datetime, zone: tzinfo) -> datetime | None:
    for local in _cron(expression, moment.astimezone(zone)):
        due = local.astimezone(UTC)
        if due > moment:  # an hour that comes twice: cronsim answers with its first coming
            return due
    return None


def _cron(expression: str, moment: datetime) -> CronSim:
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "cron= needs an extra: pip install 'lambda-workflow[schedules]'"
        ) from error
    if (advice := _foreign(expression)) is not None:
        raise ConfigurationError(f"cron {expression!r}: {advice}")
    try:
        return CronSim(expression, moment)
    except CronSimError as error:
        words = str(error)
        raise ConfigurationError(
            f"cron {expression!r}: {words[:1].lower()}{words[1:]}; its fields are: {_FIELDS}"
        ) from error


def _foreign(expression: str) -> str | None:
    """What to write instead, where the words are another program's."""
    if expression.startswith("rate("):
        return "write every=timedelta(…)"
    if expression.startswith("at("):
        return "write at=datetime(…)"
    if "?" in expression or expression.startswith("cron("):
        return (
            f"that is AWS Scheduler's; write five fields ({_FIELDS}), `*` for `?`, no year, and "
            "weekdays by name, since AWS counts them from 1"
        )
    if (fields := len(expression.split())) != 5:
        return f"{fields} fields where there are five: {_FIELDS}"
    return None
