"""The timers of an execution: the code's own, its operations', and those of the execution itself.

Laws
 1. A timer of an operation's own (its timeout, the limit of an attempt or of its start, a look for
    a heartbeat) that is recorded is armed, whether or not the contract still has it; one that is
    not is not. Attempts and operations that begin live follow the contract.
 2. A timer that is recorded is due when it was, whatever duration the code gives it now; see
    `origins` for which timers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lambda_workflow.errors import LimitExceeded, NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.replay.loop import DurableHandle, Loop, Path
from lambda_workflow.replay.operations import Operation
from lambda_workflow.replay.origins import (
    Changed,
    have_changed_places,
    origin_of,
    split,
    task_of,
)
from lambda_workflow.replay.places import Site, caller
from lambda_workflow.replay.reasons import answered_otherwise, timers_exchanged

Misfit = tuple[Callable[[Any, str], NonDeterminismError], str]
TIMER_MS_MAX: Final = 366 * 24 * 3_600_000  # hosts keep timers for a little longer than this


class Timers:
    """A part of the `Ledger`.

    Attributes:
        intents: the commands of the turn by key, in the order in which they were asked for.
        present: the host's time, which facts that were kept while BLOCKED or PAUSED are older than.
        early: answers to callbacks that the code has not opened yet.
        misfit: what has shown that the code does not fit, before commands are compared: what
            makes an error of it, and the operation.
        changed: timers that have another duration than the record.
    """

    def __init__(self) -> None:
        self.loop = Loop(self)  # type: ignore[abstract,arg-type]  # the rest is refused by name
        self.timers: dict[str, DurableHandle | Operation[Any] | str] = {}
        self.intents: dict[str, c.Command] = {}
        self.present = 0
        self._recorded: tuple[c.Command, ...] | None = None
        self._recorded_keys: dict[str, c.Command] | None = None
        self._recorded_own: dict[str, list[c.StartTimer]] | None = None
        self._sites: dict[str, Site] = {}
        self.early: dict[str, e.CallSucceeded | e.CallErrored] = {}
        self.misfit: Misfit | None = None
        self.changed: dict[str, Changed] = {}

    timer_name = ""  # of the timer that the code starts next

    def _count(self) -> None:
        raise NotImplementedError

    def _own(self, operation: str) -> list[c.StartTimer]:
        """The timers of an operation's own that the record of this turn has."""
        if self._recorded_own is None:
            own: dict[str, list[c.StartTimer]] = {}
            self._recorded_own = own
            for command in self._recorded or ():
                if type(command) is c.StartTimer and ":" in command.operation:
                    own.setdefault(c.owner_of(command.operation), []).append(command)
        return self._recorded_own.get(operation, [])

    def _take_over(
        self, operation: Operation[Any], own: list[c.StartTimer], *purposes: str
    ) -> None:
        """Arm what the record has, whether or not the code would (law 1)."""
        for timer in own:
            if timer.operation.partition(":")[2] in purposes:
                self._arm(operation, timer.operation, timer.due)
        if own:
            self._beat_as_recorded(operation)

    def _beat_as_recorded(self, operation: Operation[Any]) -> None:
        """Adapters know a call's heartbeat from the record, whatever the contract says now."""
        key, attempt = operation.operation, operation.attempt
        opened = self._find(f"+{key}")
        if isinstance(opened, c.ScheduleCall) or (
            isinstance(opened, c.OpenCallback) and opened.heartbeat_ms
        ):
            operation.beat_ms = opened.heartbeat_ms
        first = self._find(f"+{key}:beat{attempt}.1")
        if isinstance(first, c.StartTimer):
            operation.beat_ms = operation.beat_ms or max(1, first.due - self.loop.now)
            operation.beat_at = first.due - operation.beat_ms

    def told_at(self) -> int:
        """When others learn of what begins now: after a fact's time, where that was kept.

        In replay the recorded timers hold it.
        """
        return max(self.loop.now, self.present) if self._recorded is None else self.loop.now

    def deadline(self, operation: Operation[Any], milliseconds: int) -> None:
        """An operation is to be answered in time; where it is recorded, the record says so."""
        if self._recorded is not None:
            return
        timer = f"{operation.operation}:timeout"
        self._arm(operation, timer, self.told_at() + milliseconds)

    def watch(self, operation: Operation[Any]) -> None:
        """An attempt begins: it has its own time, and is to be heard of."""
        key, attempt = operation.operation, operation.attempt
        if self._recorded is not None:
            if attempt > 1:
                own = self._own(key)
                purposes = f"attempt{attempt}", f"start{attempt}", f"beat{attempt}.1"
                self._take_over(operation, own, *purposes)
            else:  # for the rest, see `register`
                self._beat_as_recorded(operation)
            return
        if operation.attempt_ms:
            due = self.told_at() + operation.attempt_ms
            self._arm(operation, f"{key}:attempt{attempt}", due)
        if operation.start_ms:
            due = self.told_at() + operation.start_ms
            self._arm(operation, f"{key}:start{attempt}", due)
        if operation.beat_ms:
            due = self.told_at() + operation.beat_ms
            due = self._arm(operation, f"{key}:beat{attempt}.1", due)
            operation.beat_at = due - operation.beat_ms

    def begun(self, operation: Operation[Any]) -> None:
        """An attempt is heard of, so that it has begun."""
        for timer in operation.own_timers:
            if ":start" in timer:
                operation.own_timers = tuple(t for t in operation.own_timers if t != timer)
                self._disarm(timer)

    def look_again(self, operation: Operation[Any], timer: str) -> bool:
        """It is time to have heard of an attempt: whether it was, and the next look is due."""
        key, _, count = timer.rpartition(".")
        following, due = f"{key}.{int(count) + 1}", operation.beat_at + operation.beat_ms
        heard = due > self.loop.now
        if self._recorded is not None:
            heard = self._find(f"+{following}") is not None
        if heard:
            self._arm(operation, following, due)
        return heard

    def arm_own(self, timer: str, due: int, purpose: str) -> None:
        """A timer of the execution itself."""
        recorded = self._find(f"+{timer}")
        if isinstance(recorded, c.StartTimer):
            due = recorded.due
        self.timers[timer] = purpose
        self.intents[f"+{timer}"] = c.StartTimer(timer, due)

    def timer_started(self, handle: DurableHandle, path: Path) -> None:
        """The code waits for a time; see `loop.TimerKeeper`."""
        self._count()
        duration_ms = handle.due - self.loop.now
        if duration_ms > TIMER_MS_MAX:
            raise LimitExceeded(
                "a timer of more than 366 days: sleep in a loop, a year at a time at the most"
            )
        handle.operation = path.operation()
        if self.early and handle.operation in self.early:
            self.misfit = answered_otherwise, handle.operation
        operation = handle.operation
        self.timers[operation] = handle
        self._sites[operation] = caller(3)
        origin = origin_of(handle, self.loop, duration_ms)
        name, self.timer_name = self.timer_name, ""
        command = c.StartTimer(operation, handle.due, name, duration_ms, origin)
        self.intents[f"+{operation}"] = command
        if self._recorded is None:
            if self.changed:
                self._look_for_exchange(command, duration_ms)
        elif (recorded := self._recorded_timer(operation)) is not None:
            if recorded.due != handle.due:
                handle.due = recorded.due  # what was decided
            if recorded.duration_ms not in (0, duration_ms):
                self._look_for_exchange(command, recorded.duration_ms)

    def _recorded_timer(self, timer: str) -> c.StartTimer | None:
        recorded = self._recorded or ()
        found: c.Command | None
        if len(recorded) == 1:  # of nearly all turns
            found = recorded[0]
            return found if type(found) is c.StartTimer and found.operation == timer else None
        found = self._find(f"+{timer}")
        return found if isinstance(found, c.StartTimer) else None

    def _look_for_exchange(self, timer: c.StartTimer, recorded_ms: int) -> None:
        """Whether a timer has the duration that another branch's timer had; see `origins`."""
        branch = split(timer.origin)[1]
        one = Changed(task_of(timer.operation), branch, timer.duration_ms, recorded_ms)
        if any(have_changed_places(one, other) for other in self.changed.values()):
            self.misfit = timers_exchanged, timer.operation
        if recorded_ms != timer.duration_ms:
            self.changed[timer.operation] = one

    def timer_cancelled(self, handle: DurableHandle) -> None:
        """The code no longer waits for a time; see `loop.TimerKeeper`."""
        self._disarm(handle.operation)

    def take_timer(self, timer: str) -> DurableHandle | Operation[Any] | str | None:
        """A timer's time has come: who waits for it."""
        self._sites.pop(timer, None)
        return self.timers.pop(timer, None)

    def stop_own_timers(self, operation: Operation[Any], *, but: str = "") -> None:
        """An operation, or an attempt of it, has ended, and with it its timers."""
        timers = operation.own_timers
        if but:
            kept = tuple(timer for timer in timers if timer.endswith(but))
            operation.own_timers = kept
            timers = tuple(timer for timer in timers if timer not in kept)
        else:
            operation.own_timers = ()
        for timer in timers:
            self._disarm(timer)

    def _find(self, key: str) -> c.Command | None:
        """A command of the history's; few turns ask, so the keys are made when one does."""
        if self._recorded is None:
            return None
        if self._recorded_keys is None:
            self._recorded_keys = {key_of(command): command for command in self._recorded}
        return self._recorded_keys.get(key)

    def _arm(self, operation: Operation[Any], timer: str, due: int) -> int:
        recorded = self._find(f"+{timer}")
        if isinstance(recorded, c.StartTimer):
            due = recorded.due
        self.timers[timer] = operation
        operation.own_timers += (timer,)
        self.intents[f"+{timer}"] = c.StartTimer(timer, due)
        return due

    def _disarm(self, timer: str) -> None:
        if self.timers.pop(timer, None) is None or self.loop.frozen:
            return
        self._sites.pop(timer, None)
        fresh = f"+{timer}"
        if fresh in self.intents and not is_decision(fresh):
            del self.intents[fresh]
        else:
            self.intents[f"-{timer}"] = c.CancelTimer(timer)


def is_decision(key: str) -> bool:
    """Whether this is the start of a retry's timer, or of another look for a heartbeat."""
    if key[0] != "+":
        return False
    return ":retry" in key or (":beat" in key and not key.endswith(".1"))


def key_of(command: c.Command) -> str:
    """What a command is called within its turn."""
    match command:
        case c.CancelCall() | c.CancelTimer():
            return f"-{command.operation}"
        case c.RetryCall():
            return f"^{command.operation}"
        case c.Patch():
            return f"patch:{command.name}"
        case c.SetAside():
            return f"aside:{command.name}:{command.id}"
        case c.Declare():
            return f"declare:{command.kind}:{command.name}"
        case c.Answer():
            return f"answer:{command.id}"
        case c.SetStatus():
            return "status"
        case c.Complete() | c.Fail() | c.End() | c.ContinueAsNew():
            return "!"
        case _:
            return f"+{command.operation}"
