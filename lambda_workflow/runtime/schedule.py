"""A schedule: which workflow is started when, and what a schedule's execution keeps of it."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_duration, check_kind, named
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import codec_for, fingerprint
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.timetable import EVERY_MAX, Timetable

In = TypeVar("In")

Overlap = Literal["skip", "queue", "allow"]
"""What becomes of a due time while the run before it still goes on."""

OVERLAPS: Final = ("skip", "queue", "allow")
STARTS: Final = "a workflow of the App, made by `@workflow`"
PREFIX: Final = "schedule:"  # of the execution that is a schedule
RECENT_MAX: Final = 5  # runs that the status shows
JITTER_MIN: Final = timedelta(seconds=1)  # finer than that no timer is on AWS
JITTER_MAX: Final = timedelta(days=1)  # as of EventBridge Scheduler's flexible time window
CATCH_UP_MIN: Final = timedelta(minutes=1)  # a timer on AWS may be so late; it is no outage
_FRACTIONS: Final = 1 << 64
_ADDED: Final[dict[str, Any]] = {"jitter": None, "catch_up": None, "pause_on_failure": False}


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
        jitter: each start is delayed by a part of this, and by less than the time until the next
            due time; 1 second to 1 day. The delay is a function of the schedule's name and the due
            time.
        catch_up: what could not be started in this time, because of an outage or of a run before
            it in the queue, is left out and counted in `missed`; 1 minute to 366 days. Without it
            each due time is made up for, however late.
        pause_on_failure: pause the schedule when an execution that it waits for fails or times out,
            with the reason. Not with overlap="allow", which waits for none.

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
        jitter: timedelta | None = None,
        catch_up: timedelta | None = None,
        pause_on_failure: bool = False,
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
        self.jitter: Final = _span(jitter, "jitter", JITTER_MIN, JITTER_MAX)
        self.catch_up: Final = _span(catch_up, "catch_up", CATCH_UP_MIN, EVERY_MAX)
        self.pause_on_failure: Final = _check_pausing(pause_on_failure, overlap)
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
            self._make is not None, self.jitter, self.catch_up, self.pause_on_failure,
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
    jitter: timedelta | None = None
    catch_up: timedelta | None = None
    pause_on_failure: bool = False

    @property
    def digest(self) -> str:
        """Equal for equal plans, and for those of earlier versions, which have fewer fields."""
        encoded = codec_for(Plan).encode(self, "plan")
        for name, default in _ADDED.items():
            if encoded[name] == default:
                del encoded[name]
        return fingerprint(encoded)

    def start_of(self, due: datetime) -> datetime:
        """When the execution of a due time starts: at it, or by its jitter later.

        The delay is less than the time until the next due time, so that starts keep their order.
        """
        if self.jitter is None:
            return due
        following = self.timetable.next_after(due)
        most = self.jitter if following is None else min(self.jitter, following - due)
        drawn = hashlib.sha256(f"{self.name}:{due.isoformat()}".encode()).digest()
        delay_ms = most // timedelta(milliseconds=1) * int.from_bytes(drawn[:8]) // _FRACTIONS
        return due + timedelta(milliseconds=delay_ms)


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
        missed: due times that could not be started within `catch_up`.
        since: starts up to here were none, because it was paused or had another plan. Only set for
            a plan with jitter, where a due time before may have its start after.
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
    missed: int = 0
    since: datetime | None = None

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
            jitter=plan.jitter,
            catch_up=plan.catch_up,
            pause_on_failure=plan.pause_on_failure,
            missed=self.missed,
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
        jitter, catch_up, pause_on_failure: as the schedule has them.
        missed: due times that could not be started within `catch_up`.
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
    jitter: timedelta | None = None
    catch_up: timedelta | None = None
    pause_on_failure: bool = False
    missed: int = 0


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


def _span(
    given: timedelta | None, option: str, least: timedelta, most: timedelta
) -> timedelta | None:
    """Return a duration if it can be kept.

    Raises:
        ConfigurationError: it is no duration, too short or too long.
    """
    if given is None:
        return None
    check_duration(given, option)
    if not least <= given <= most:
        raise ConfigurationError(f"{option}={given}: it must be {least} to {most}")
    return given


def _check_pausing(pause_on_failure: bool, overlap: Overlap) -> bool:
    check_kind(pause_on_failure, bool, "pause_on_failure", "True or False")
    if pause_on_failure and overlap == "allow":
        raise ConfigurationError(
            'pause_on_failure=True with overlap="allow": such a schedule does not wait for the '
            'ends of its executions; choose overlap="skip" or "queue"'
        )
    return pause_on_failure
