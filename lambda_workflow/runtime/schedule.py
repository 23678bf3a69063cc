"""A schedule: which workflow is started when, and what a schedule's execution keeps of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_kind, named
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import codec_for, fingerprint
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.timetable import Timetable

In = TypeVar("In")

Overlap = Literal["skip", "queue", "allow"]
"""What becomes of a due time while the run before it still goes on."""

OVERLAPS: Final = ("skip", "queue", "allow")
STARTS: Final = "a workflow of the App, made by `@workflow`"
PREFIX: Final = "schedule:"  # of the execution that is a schedule
RECENT_MAX: Final = 5  # runs that the status shows


class Schedule(Generic[In]):
    """Starts a workflow again and again, or once: exactly one of `cron`, `every` and `at`.

        Schedule("nightly", report, Report(kind="full"), cron="0 8 * * *", timezone="Europe/Berlin")

    Args:
        name: 1 to 64 letters, digits, '-' and '_'; the schedule is the execution `schedule:<name>`.
        workflow: what is started; its executions are `<name>:<due time>`.
        request: what with; or a plain function that makes it of the due time (in UTC), which only a
            schedule of `App(schedules=[…])` may have. It runs as a step.
        cron: minute, hour, day of the month, month, day of the week, in `timezone`.
        every: a fixed distance, counted from `start`, or from midnight UTC of 1970-01-01.
        at: one moment.
        timezone: an IANA name; it also counts for `at`, `start` and `end` that have none.
        start, end: nothing is due before `start`, nor from `end` on.
        overlap: "skip" what is due while the run before goes on; "queue" it, one after another; or
            "allow" any number at the same time.

    Raises:
        ConfigurationError: says which argument, and what is wrong with it.
        EncodeError: the request is not of the workflow's request type.
    """

    def __init__(
        self,
        name: str,
        workflow: Workflow[In, Any],
        request: In | Callable[[datetime], In],
        *,
        cron: str | None = None,
        every: timedelta | None = None,
        at: datetime | None = None,
        timezone: str = "UTC",
        start: datetime | None = None,
        end: datetime | None = None,
        overlap: Overlap = "skip",
    ) -> None:
        self.name: Final = check_name("schedule", name)
        check_kind(workflow, Workflow, f"what schedule {name!r} starts", STARTS)
        if inspect.iscoroutinefunction(request):
            raise ConfigurationError(
                f"request of schedule {name!r} is {named(request)}: give the request itself, or a "
                "plain function of the due time"
            )
        self.workflow: Final = workflow
        self.timetable: Final = Timetable(cron, every, at, timezone, start, end)
        self.timetable.check()
        self.overlap: Final = check_overlap(overlap)
        self._make: Callable[[datetime], Any] | None = None
        self._request: Any = None
        if inspect.isroutine(request) or isinstance(request, functools.partial):
            self._make = request
        else:
            self._request = workflow.request_codec.encode(request, "request")

    @property
    def plan(self) -> Plan:
        """What its execution keeps of it."""
        return Plan(
            self.name, self.workflow.name, self.timetable, self.overlap, self._request,
            self._make is not None,
        )  # fmt: skip

    def request_at(self, due: datetime) -> Any:
        """The request for a due time, as JSON."""
        if self._make is None:
            return self._request
        return self.workflow.request_codec.encode(self._make(due), f"request of {self.name}")

    def next_times(self, count: int, after: datetime) -> list[datetime]:
        """The due times after a moment, in UTC: a look before it is deployed."""
        return self.timetable.next_times(count, after)

    def __repr__(self) -> str:
        return f"Schedule({self.name!r}, {self.workflow.name!r}, {self.timetable})"


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as data; `computed` says that its App has a function for the request."""

    name: str
    workflow: str
    timetable: Timetable
    overlap: Overlap = "skip"
    request: Any = None
    computed: bool = False

    @property
    def digest(self) -> str:
        """Equal for equal plans."""
        return fingerprint(codec_for(Plan).encode(self, "plan"))


@dataclass(frozen=True, slots=True)
class Backfill:
    """Due times of the past that are still to be run: after `after`, before `end`."""

    number: int
    after: datetime
    end: datetime
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Run:
    """An execution that a schedule has started.

    Attributes:
        due: the time it was due; the time of the request, where it was triggered.
        outcome: "running", "completed", the type of its error, or "started" where nobody waits.
    """

    due: datetime
    execution_id: str
    outcome: str = "started"


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a schedule keeps; the request of each run of its execution.

    Attributes:
        after: due times up to here are dealt with; None before the first look.
        paused: the reason; None while it is not paused.
        numbered: how many backfills and triggers there were, for the ids of their executions.
        skipped: due times at which the run before was still going on.
    """

    plan: Plan
    after: datetime | None = None
    paused: str | None = None
    backfills: tuple[Backfill, ...] = ()
    numbered: int = 0
    started: int = 0
    failed: int = 0
    skipped: int = 0
    recent: tuple[Run, ...] = ()

    def shown(self) -> Shown:
        """What it says of itself."""
        plan = self.plan
        return Shown(
            workflow=plan.workflow,
            timetable=plan.timetable,
            overlap=plan.overlap,
            paused=self.paused,
            backfills=len(self.backfills),
            started=self.started,
            failed=self.failed,
            skipped=self.skipped,
            recent=self.recent,
            digest=plan.digest,
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """The status of a schedule's execution.

    Attributes:
        workflow, timetable, overlap: as the schedule has them.
        paused: the reason; None while it is not paused.
        backfills: how many are still to be run.
        started, failed: how many executions it has started, and how many of them failed; those that
            run at the same time are not waited for, and count as started only.
        skipped: due times at which the run before was still going on.
        recent: the last five executions.
        digest: equal for equal schedules.
    """

    workflow: str
    timetable: Timetable
    overlap: Overlap
    paused: str | None
    backfills: int
    started: int
    failed: int
    skipped: int
    recent: tuple[Run, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a schedule is told by a signal; which fields count depends on `kind`."""

    kind: Literal["pause", "resume", "trigger", "backfill", "update", "delete"]
    note: str = ""
    start: datetime | None = None
    end: datetime | None = None
    overlap: Overlap | None = None
    plan: Plan | None = None


def check_overlap(overlap: Any) -> Overlap:
    """Return the policy if it is one.

    Raises:
        ConfigurationError: it is none.
    """
    if overlap not in OVERLAPS:
        raise ConfigurationError(f"overlap={overlap!r}: it must be one of {', '.join(OVERLAPS)}")
    chosen: Overlap = overlap
    return chosen
