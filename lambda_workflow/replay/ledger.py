"""The ledger of a turn: what the code has asked for, net of what it took back.

Laws
 1. What was begun and given up within the turn leaves no command behind; but the timers of a retry
    and of another look for a heartbeat stay: they record what was decided (law 2).
 2. What stands in the history's commands decides over policies: a recorded retry is made, at the
    recorded time; one that is not recorded is not.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from lambda_workflow.errors import LimitExceeded
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.replay.loop import DurableHandle, Loop, Path
from lambda_workflow.replay.operations import (
    Call,
    Child,
    Operation,
    Site,
    Step,
    caller,
    line_of,
)

OPERATIONS_MAX: Final = 100_000  # per execution: a replay of it takes seconds
TIMER_MS_MAX: Final = 366 * 24 * 3_600_000  # hosts keep timers for a little longer than this


class Ledger:
    """Open operations and timers, and the commands of the turn being made.

    Attributes:
        intents: the commands by key, in the order in which they were asked for.
        present: the host's time, which facts that were kept while BLOCKED or PAUSED are older than.
        unawaited: operations that nobody has awaited yet.
        early: answers to callbacks that the code has not opened yet.
        misplaced: an operation that is none, and whose id such an answer has.
    """

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        self.loop = Loop(self)  # type: ignore[abstract]  # the rest is refused by name
        self.operations: dict[str, Operation[Any]] = {}
        self._steps: dict[str, Step[Any]] = {}  # of the operations; asked for in every turn
        self.unawaited: dict[str, Operation[Any]] = {}
        self.timers: dict[str, DurableHandle | Operation[Any] | str] = {}
        self.intents: dict[str, c.Command] = {}
        self.present = 0
        self._recorded: tuple[c.Command, ...] | None = None
        self._recorded_keys: dict[str, c.Command] | None = None
        self._timer_sites: dict[str, Site] = {}
        self._registered = 0
        self.early: dict[str, e.CallSucceeded | e.CallErrored] = {}  # answers to callbacks to come
        self.misplaced = ""

    @property
    def is_live(self) -> bool:
        """Whether the history says nothing of what the code does now."""
        return self._recorded is None

    @property
    def recorded(self) -> tuple[c.Command, ...] | None:
        """The commands that the history holds for this turn; None when live."""
        return self._recorded

    def expect(self, commands: tuple[c.Command, ...] | None) -> None:
        """The commands that the history holds for the turn to come; None when live."""
        self._recorded = commands
        self._recorded_keys = None

    def settle(self) -> tuple[c.Command, ...]:
        """The turn's commands; what comes next belongs to the next turn."""
        commands = tuple(self.intents.values())
        self.intents.clear()
        return commands

    def has_news(self) -> bool:
        """Whether others wait for commands of this turn, which steps must not delay."""
        return any(
            intent.at_most_once if isinstance(intent, c.RunStep) else isinstance(intent, _NEWS)
            for intent in self.intents.values()
        )

    def pending_steps(self) -> list[Step[Any]]:
        """The steps that wait to be run, in the order in which they were started."""
        for key in [key for key in self._steps if key not in self.operations]:
            del self._steps[key]
        return [step for step in self._steps.values() if not step.resting]

    def add(self, command: c.Command) -> None:
        """A command that no fact will answer."""
        self._count()
        if self.early and command.operation in self.early:
            self.misplaced = command.operation
        self.intents[key_of(command)] = command

    def find(self, key: str) -> c.Command | None:
        """What the history has under a key in this turn; None when live."""
        return self._find(key)

    def has_patch(self, name: str) -> bool | None:
        """What the history says of a patch in this turn; None when live."""
        if self._recorded is None:
            return None
        return self._find(f"patch:{name}") is not None

    def register(self, operation: Operation[Any], command: c.Opening) -> None:
        """An operation was started."""
        self._count()
        key = operation.operation
        if self.early and key in self.early and type(command) is not c.OpenCallback:
            self.misplaced = key
        self.operations[key] = self.unawaited[key] = operation
        if isinstance(operation, Step):
            self._steps[key] = operation
            operation.replayed = self._recorded is not None
        self.intents[f"+{key}"] = command

    def told_at(self) -> int:
        """When others learn of what begins now: after a fact's time, where that was kept.

        In replay the recorded timers hold it.
        """
        return max(self.loop.now, self.present) if self._recorded is None else self.loop.now

    def deadline(self, operation: Operation[Any], milliseconds: int) -> None:
        """An operation is to be answered in time."""
        timer = f"{operation.operation}:timeout"
        self._arm(operation, timer, self.told_at() + milliseconds)

    def watch(self, operation: Operation[Any]) -> None:
        """An attempt begins: it has its own time, and is to be heard of."""
        key, attempt = operation.operation, operation.attempt
        if operation.attempt_ms:
            due = self.told_at() + operation.attempt_ms
            self._arm(operation, f"{key}:attempt{attempt}", due)
        if operation.beat_ms:
            due = self.told_at() + operation.beat_ms
            due = self._arm(operation, f"{key}:beat{attempt}.1", due)
            operation.beat_at = due - operation.beat_ms

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

    def withdraw(self, operation: Operation[Any]) -> None:
        """An operation was cancelled by the code."""
        found = self.operations.pop(operation.operation, None)
        if found is None or self.loop.frozen:
            return
        self.unawaited.pop(operation.operation, None)
        self.stop_own_timers(found)
        fresh = self.intents.pop(f"+{operation.operation}", None)
        self.intents.pop(f"^{operation.operation}", None)
        if fresh is None and not isinstance(found, Step):
            self.intents[f"-{operation.operation}"] = c.CancelCall(operation.operation)

    def give_up(self, operation: Operation[Any]) -> None:
        """An operation has timed out; who is still at it is told, where it can be told."""
        self.operations.pop(operation.operation, None)
        self.stop_own_timers(operation)
        if isinstance(operation, Child) or (isinstance(operation, Call) and operation.beat_ms):
            self.intents[f"-{operation.operation}"] = c.CancelCall(operation.operation)

    def timer_started(self, handle: DurableHandle, path: Path) -> None:
        """The code waits for a time; see `loop.TimerKeeper`."""
        self._count()
        if handle.due - self.loop.now > TIMER_MS_MAX:
            raise LimitExceeded(
                "a timer of more than 366 days: sleep in a loop, a year at a time at the most"
            )
        handle.operation = path.operation()
        if self.early and handle.operation in self.early:
            self.misplaced = handle.operation
        self.timers[handle.operation] = handle
        self._timer_sites[handle.operation] = caller(3)
        command = c.StartTimer(handle.operation, handle.due)
        self.intents[f"+{handle.operation}"] = command

    def timer_cancelled(self, handle: DurableHandle) -> None:
        """The code no longer waits for a time; see `loop.TimerKeeper`."""
        self._disarm(handle.operation)

    def take_timer(self, timer: str) -> DurableHandle | Operation[Any] | str | None:
        """A timer's time has come: who waits for it."""
        self._timer_sites.pop(timer, None)
        return self.timers.pop(timer, None)

    def rest(self, operation: Operation[Any], attempt: int, delay_ms: int) -> None:
        """An attempt failed; the next one waits for a timer."""
        self.stop_own_timers(operation, but=":timeout")
        operation.attempt = attempt
        operation.resting = True
        self._arm(operation, f"{operation.operation}:retry{attempt}", self.loop.now + delay_ms)

    def try_again(self, operation: Operation[Any]) -> None:
        """The timer between two attempts has fired."""
        operation.attempt += 1
        operation.resting = False
        operation.replayed = self._recorded is not None
        if not isinstance(operation, Step) or operation.at_most_once:
            again = c.RetryCall(operation.operation, operation.attempt)
            self.intents[f"^{operation.operation}"] = again
        self.watch(operation)

    def retries(self, operation: Operation[Any], attempt: int) -> bool | None:
        """What the history says of a retry; None when live."""
        if self._recorded is None:
            return None
        return self._find(f"+{operation.operation}:retry{attempt}") is not None

    def end(self, outcome: c.Ending) -> None:
        """The last command; nobody waits for timers any more."""
        for key, intent in list(self.intents.items()):
            if isinstance(intent, c.StartTimer | c.CancelTimer) and not _is_decision(key):
                del self.intents[key]
        self.intents["!"] = outcome

    def site_of(self, operation: str) -> str:
        """Where in the code an operation was started."""
        if (found := self.operations.get(operation)) is not None:
            return line_of(found.site)
        return line_of(self._timer_sites.get(operation))

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

    def _count(self) -> None:
        self._registered += 1
        if self._registered > OPERATIONS_MAX:
            raise LimitExceeded(
                f"execution {self.execution_id} started more than {OPERATIONS_MAX} operations: "
                "split the work over several executions"
            )

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
        self._timer_sites.pop(timer, None)
        fresh = f"+{timer}"
        if fresh in self.intents and not _is_decision(fresh):
            del self.intents[fresh]
        else:
            self.intents[f"-{timer}"] = c.CancelTimer(timer)


_NEWS: Final = (
    c.ScheduleCall | c.RetryCall | c.StartTimer | c.OpenCallback | c.StartChild | c.Send | c.Answer
)


def _is_decision(key: str) -> bool:
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
        case c.Answer():
            return f"answer:{command.id}"
        case c.SetStatus():
            return "status"
        case c.Complete() | c.Fail() | c.End() | c.ContinueAsNew():
            return "!"
        case _:
            return f"+{command.operation}"


def chance(execution_id: str, timer: str) -> float:
    """A number in [0, 1) that is the same for the same timer."""
    digest = hashlib.blake2b(f"{execution_id}/{timer}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)
